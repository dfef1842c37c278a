/**
 * Trees to composefs images, byte for byte as libcomposefs makes them (and so with the same fs-verity digest).
 *
 * Two passes over columns: {@link ./placement.ts} finds out where everything goes, then one buffer of exactly
 * that size is filled here.
 */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT } from '../../base/mode.ts';
import { hasWhiteout, Inodes } from './inodes.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  CHUNK_ADDRESS_SIZE,
  CHUNK_HOLE,
  COMPAT_MTIME,
  COMPAT_XATTR_FILTER,
  CompactInode,
  DataLayout,
  Dirent,
  ExtendedInode,
  FORMAT_EXTENDED,
  FORMAT_LAYOUT_SHIFT,
  HEADER_FLAG_ACL,
  HEADER_MAGIC,
  HEADER_VERSION,
  Header,
  SLOT_SIZE,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_START,
  Superblock,
  XATTR_UNIT,
  XattrArea,
} from './layout.ts';
import { chunkBits, type Placement, placeInodes } from './placement.ts';
import type { ImageTree } from './tree.ts';

/** Format version 1 marks the parents of whiteouts as opaque; all else is the same. */
export type FormatVersion = 0 | 1;

export interface WriteOptions {
  /** Default 0. */
  readonly minVersion?: FormatVersion;
  /** Default 1: used where the tree has whiteouts, else `minVersion` is. */
  readonly maxVersion?: FormatVersion;
}

export interface WrittenImage {
  readonly bytes: Buffer;
  readonly version: FormatVersion;
}

/** Holes fill a block that a giant file's chunk addresses were moved to. */
const HOLE_BYTE = CHUNK_HOLE & 0xff;

/** Writes a tree as an image. FormatError where the tree goes beyond what the format can hold. */
export function writeImage(tree: ImageTree, options: WriteOptions = {}): WrittenImage {
  const version = chooseVersion(tree, options);
  const inodes = new Inodes(tree, version);
  return { bytes: new ImageWriter(inodes, placeInodes(inodes)).write(version), version };
}

/** The version an image of this tree gets. */
export function chooseVersion(
  tree: ImageTree,
  { minVersion = 0, maxVersion = 1 }: WriteOptions,
): FormatVersion {
  return minVersion < maxVersion && hasWhiteout(tree) ? maxVersion : minVersion;
}

class ImageWriter {
  readonly #inodes: Inodes;
  readonly #placement: Placement;
  readonly #out: Buffer;
  readonly #view: DataView;
  /** Number of the next free data block. */
  #nextBlock: number;

  constructor(inodes: Inodes, placement: Placement) {
    this.#inodes = inodes;
    this.#placement = placement;
    // Shared memory: a thread that hashes the image needs no copy of it.
    this.#out = Buffer.from(new SharedArrayBuffer(placement.imageSize));
    this.#view = new DataView(this.#out.buffer, this.#out.byteOffset, this.#out.byteLength);
    this.#nextBlock = placement.dataStart / BLOCK_SIZE;
  }

  write(version: FormatVersion): Buffer {
    const { order, xattrs } = this.#inodes;
    const { inodesEnd } = this.#placement;
    this.#writeHeaders(version);
    for (let ino = 0; ino < order.length; ino++) this.#writeInode(order[ino] as number, ino);
    xattrs.writeShared(this.#out, inodesEnd);
    return this.#out;
  }

  #writeHeaders(version: FormatVersion): void {
    const { columns, order, oldest, xattrs } = this.#inodes;
    const { nid, inodesEnd, imageSize } = this.#placement;
    const view = this.#view;
    view.setUint32(Header.magic, HEADER_MAGIC, true);
    view.setUint32(Header.version, HEADER_VERSION, true);
    view.setUint32(Header.flags, xattrs.hasAcl ? HEADER_FLAG_ACL : 0, true);
    view.setUint32(Header.composefsVersion, version, true);

    const at = SUPERBLOCK_START;
    view.setUint32(at + Superblock.magic, SUPERBLOCK_MAGIC, true);
    view.setUint32(at + Superblock.featureCompat, COMPAT_MTIME | COMPAT_XATTR_FILTER, true);
    view.setUint8(at + Superblock.blockBits, BLOCK_BITS);
    view.setUint16(at + Superblock.rootNid, nid[0] as number, true);
    view.setUint32(at + Superblock.inodeCount, order.length, true);
    view.setUint32(at + Superblock.buildTime, columns.mtimeLow[oldest] as number, true);
    view.setInt32(at + Superblock.buildTime + 4, columns.mtimeHigh[oldest] as number, true);
    view.setUint32(at + Superblock.buildTimeNsec, columns.mtimeNsec[oldest] as number, true);
    view.setUint32(at + Superblock.blocks, imageSize / BLOCK_SIZE, true);
    view.setUint32(at + Superblock.xattrBlock, Math.floor(inodesEnd / BLOCK_SIZE), true);
  }

  #writeInode(node: number, ino: number): void {
    const inodes = this.#inodes;
    const { columns } = inodes;
    const { nid, isExtended, xattrUnits, blocks, tail, inodesEnd } = this.#placement;
    const view = this.#view;
    const at = (nid[node] as number) * SLOT_SIZE;
    const mode = inodes.mode[node] as number;
    const extended = isExtended[node] as number;
    const dataBlocks = blocks[node] as number;
    const dataTail = tail[node] as number;
    const source = inodes.source(node);
    const firstBlock = dataBlocks > 0 ? this.#nextBlock : 0;
    this.#nextBlock += dataBlocks;

    const backed = inodes.isBacked(node);
    const layout = backed
      ? DataLayout.chunkBased
      : dataTail > 0
        ? DataLayout.flatInline
        : DataLayout.flatPlain;
    const type = mode & S_IFMT;
    let size = 0;
    let data = firstBlock;
    if (type === S_IFDIR) {
      size = dataBlocks * BLOCK_SIZE + dataTail;
    } else if (type === S_IFLNK) {
      size = dataBlocks > 0 ? inodes.size(node) : dataTail;
    } else if (type === S_IFBLK || type === S_IFCHR) {
      data = node === source ? (columns.rdev[node] as number) : 0;
    } else if (backed) {
      size = inodes.size(node);
      // The chunk format is stored over the lower half of the block's number.
      data = (data & ~0xffff) | (chunkBits(size) - BLOCK_BITS);
    } else {
      // A regular file with its content here; fifos and sockets have size 0 whatever the tree says.
      size = dataBlocks > 0 || dataTail > 0 ? inodes.size(node) : 0;
    }

    view.setUint16(
      at + CompactInode.format,
      (layout << FORMAT_LAYOUT_SHIFT) | (extended ? FORMAT_EXTENDED : 0),
      true,
    );
    view.setUint16(at + CompactInode.xattrCount, xattrUnits[node] as number, true);
    view.setUint16(at + CompactInode.mode, mode, true);
    let end = at;
    if (extended) {
      view.setUint32(at + ExtendedInode.fileSize, size % 2 ** 32, true);
      view.setUint32(at + ExtendedInode.fileSize + 4, Math.floor(size / 2 ** 32), true);
      view.setUint32(at + ExtendedInode.data, data, true);
      view.setUint32(at + ExtendedInode.ino, ino, true);
      view.setUint32(at + ExtendedInode.uid, columns.uid[source] as number, true);
      view.setUint32(at + ExtendedInode.gid, columns.gid[source] as number, true);
      view.setUint32(at + ExtendedInode.mtime, columns.mtimeLow[source] as number, true);
      view.setInt32(at + ExtendedInode.mtime + 4, columns.mtimeHigh[source] as number, true);
      view.setUint32(at + ExtendedInode.mtimeNsec, columns.mtimeNsec[source] as number, true);
      view.setUint32(at + ExtendedInode.nlink, inodes.nlink(node), true);
      end += ExtendedInode.size;
    } else {
      view.setUint16(at + CompactInode.nlink, inodes.nlink(node), true);
      view.setUint32(at + CompactInode.fileSize, size, true);
      view.setUint32(at + CompactInode.data, data, true);
      view.setUint32(at + CompactInode.ino, ino, true);
      view.setUint16(at + CompactInode.uid, columns.uid[source] as number, true);
      view.setUint16(at + CompactInode.gid, columns.gid[source] as number, true);
      end += CompactInode.size;
    }

    const units = xattrUnits[node] as number;
    if (units > 0) {
      const idBase = (inodesEnd % BLOCK_SIZE) / XATTR_UNIT;
      inodes.xattrs.writeArea(this.#out, end, node, inodes.xattrSet[node] as number, idBase);
      end += XattrArea.size + (units - 1) * XATTR_UNIT;
    }

    const blockStart = firstBlock * BLOCK_SIZE;
    if (type === S_IFDIR) {
      this.#writeDirectory(node, blockStart, dataBlocks, end);
    } else if (backed) {
      if (dataBlocks > 0) this.#out.fill(HOLE_BYTE, blockStart, blockStart + BLOCK_SIZE);
      else for (let i = 0; i < dataTail; i += CHUNK_ADDRESS_SIZE) view.setUint32(end + i, CHUNK_HOLE, true);
    } else if (dataBlocks > 0 || dataTail > 0) {
      // A symlink's target or a file's content: what fills blocks, then the tail.
      const start = (columns.bytes[node] as number) + (columns.nameLength[node] as number);
      const tailStart = start + (columns.dataLength[node] as number) - dataTail;
      columns.arena.copy(this.#out, blockStart, start, tailStart);
      columns.arena.copy(this.#out, end, tailStart, tailStart + dataTail);
    }
  }

  /** Writes the groups of entries: one per block, then the rest after the inode. */
  #writeDirectory(node: number, blockStart: number, blocks: number, tailStart: number): void {
    const inodes = this.#inodes;
    inodes.listEntries(node);
    const { entries, entryCount } = inodes;
    let written = 0;
    let from = 0;
    while (from < entryCount) {
      let used = 0;
      let to = from;
      for (; to < entryCount; to++) {
        const cost = Dirent.size + inodes.nameLength(entries[to] as number);
        if (used + cost > BLOCK_SIZE) break;
        used += cost;
      }
      this.#writeEntries(node, from, to, written < blocks ? blockStart + written * BLOCK_SIZE : tailStart);
      written++;
      from = to;
    }
  }

  #writeEntries(directory: number, from: number, to: number, start: number): void {
    const inodes = this.#inodes;
    const { nid } = this.#placement;
    const { entries } = inodes;
    const view = this.#view;
    const out = this.#out;
    let at = start;
    let nameAt = start + (to - from) * Dirent.size;
    for (let i = from; i < to; i++) {
      const entry = entries[i] as number;
      const target = inodes.target(entry, directory);
      view.setUint32(at + Dirent.nid, nid[target] as number, true);
      view.setUint16(at + Dirent.nameOffset, nameAt - start, true);
      view.setUint8(at + Dirent.fileType, inodes.fileType(target));
      at += Dirent.size;
      const bytes = inodes.nameBytes(entry);
      const nameStart = inodes.nameStart(entry);
      const length = inodes.nameLength(entry);
      // Names are short: a loop beats a call into the runtime.
      for (let k = 0; k < length; k++) out[nameAt + k] = bytes[nameStart + k] as number;
      nameAt += length;
    }
  }
}
