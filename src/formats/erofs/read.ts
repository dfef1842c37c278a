/**
 * Composefs images, read by somebody who trusts nothing in them: every offset, count, name, type and id is
 * checked before it is used, unknown feature bits are refused, and a bad image ends in a FormatError, in time
 * and memory proportional to its size.
 *
 * {@link ErofsImage} gives what is stored, inode by inode; {@link ./read-tree.ts} the tree behind it.
 */
import { asBuffer, type ByteString, bytesToString, displayBytes, roundUp } from '../../base/bytes.ts';
import { FormatError, UnsupportedError } from '../../base/errors.ts';
import {
  isDevice,
  isDirectory,
  isKnownType,
  isRegular,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../../base/mode.ts';
import { NO_XATTRS, sortedXattrs, type Xattr, type Xattrs } from '../../base/xattrs.ts';
import { Claims } from './claims.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  CHUNK_ADDRESS_SIZE,
  CHUNK_BITS_MASK,
  CHUNK_HOLE,
  COMPAT_MTIME,
  COMPAT_XATTR_FILTER,
  CompactInode,
  DataLayout,
  Dirent,
  ExtendedInode,
  FileType,
  FORMAT_EXTENDED,
  FORMAT_KNOWN,
  FORMAT_LAYOUT_MASK,
  FORMAT_LAYOUT_SHIFT,
  HEADER_FLAG_ACL,
  HEADER_MAGIC,
  HEADER_VERSION,
  Header,
  INODES_START,
  Limit,
  METACOPY_HEAD,
  METACOPY_SIZE,
  Overlay,
  SLOT_SIZE,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_START,
  Superblock,
  XATTR_UNIT,
  XattrArea,
} from './layout.ts';
import { type StoredXattrs, XattrReader } from './read-xattrs.ts';
import type { NodeFields } from './tree.ts';

export { readTree } from './read-tree.ts';

/** What the super block says, checked. */
export interface SuperblockFields {
  readonly rootNid: number;
  readonly inodeCount: number;
  /** The mtime of compact inodes: the smallest of all. */
  readonly buildTimeSec: bigint;
  readonly buildTimeNsec: number;
  readonly blocks: number;
  /** The block that ids of shared xattrs count from. */
  readonly xattrBlock: number;
}

/** An inode as stored, its places inside the image checked. */
export interface Inode {
  readonly nid: number;
  /** Byte offset in the image. */
  readonly offset: number;
  readonly compact: boolean;
  readonly dataLayout: number;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Of devices, else 0. */
  readonly rdev: number;
  readonly size: number;
  readonly mtimeSec: bigint;
  readonly mtimeNsec: number;
  /** Where the xattrs are, and how many bytes; 0 = none. */
  readonly xattrStart: number;
  readonly xattrSize: number;
  /** Data in whole blocks: byte offset and length (of flat layouts). */
  readonly dataStart: number;
  readonly dataSize: number;
  /** Data, or chunk addresses, after the inode. */
  readonly tailStart: number;
  readonly tailSize: number;
}

export interface DirectoryEntry {
  readonly name: ByteString;
  readonly nid: number;
  /** {@link FileType} */
  readonly type: number;
}

export interface WalkedEntry {
  /** `/` or `/a/b`. */
  readonly path: ByteString;
  /** Empty for the root. */
  readonly name: ByteString;
  /** 0 for the root. */
  readonly depth: number;
  readonly inode: Inode;
  /** The path where this inode was met first, for a hard link. */
  readonly linkOf: ByteString | undefined;
}

const ROOT_PATH = '/' as ByteString;
const NO_NAME = '' as ByteString;
const OBJECT_FOLDER = /^[0-9a-f]{2}$/;

const MODE_TYPES: ReadonlyMap<number, number> = new Map([
  [FileType.regular, S_IFREG],
  [FileType.directory, S_IFDIR],
  [FileType.characterDevice, S_IFCHR],
  [FileType.blockDevice, S_IFBLK],
  [FileType.fifo, S_IFIFO],
  [FileType.socket, S_IFSOCK],
  [FileType.symlink, S_IFLNK],
]);

/** Marks that writing sets again where they belong. */
const DROPPED: ReadonlySet<string> = new Set([
  Overlay.whiteouts,
  Overlay.userWhiteout,
  Overlay.userWhiteouts,
]);

/** Arrays of chunk addresses up to this many bytes are always after their inode. */
const MAX_INLINE_CHUNKS = BLOCK_SIZE - SLOT_SIZE;

export class ErofsImage {
  readonly bytes: Buffer;
  /** Names the image in errors. */
  readonly where: string;
  /** 0 or 1. */
  readonly composefsVersion: 0 | 1;
  /** Whether the header says that some inode has a POSIX ACL. */
  readonly hasAcl: boolean;
  readonly superblock: SuperblockFields;
  readonly rootNid: number;
  readonly #xattrs: XattrReader;

  /**
   * Checks the headers. FormatError where they are wrong, UnsupportedError for format versions other than 0
   * and 1 (composefs-rs' own version 2 is laid out and escaped differently).
   */
  constructor(bytes: Uint8Array, where: string) {
    this.bytes = asBuffer(bytes);
    this.where = where;
    if (bytes.length < BLOCK_SIZE)
      throw this.error('not a composefs image', undefined, `${bytes.length} bytes`, `at least ${BLOCK_SIZE}`);
    this.hasAcl = this.#readFlags();
    this.composefsVersion = this.#readVersion();
    this.superblock = this.#readSuperblock();
    this.rootNid = this.superblock.rootNid;
    this.#xattrs = new XattrReader(this.bytes, where, this.superblock.xattrBlock * BLOCK_SIZE);
    const root = this.inode(this.rootNid);
    if (!isDirectory(root.mode)) throw this.error('the root is not a directory', root.offset);
  }

  /** The inode of a number; its data and xattrs lie inside the image, its type and layout go together. */
  inode(nid: number): Inode {
    const offset = nid * SLOT_SIZE;
    if (!(offset >= INODES_START && Number.isInteger(nid)))
      throw this.error('bad inode number', undefined, nid, `at least ${INODES_START / SLOT_SIZE}`);
    this.#need(offset, CompactInode.size, `inode ${nid}`);
    const bytes = this.bytes;
    const format = bytes.readUInt16LE(offset + CompactInode.format);
    if (format & ~FORMAT_KNOWN) throw this.error(`unknown format of inode ${nid}`, offset, hex(format));
    const compact = (format & FORMAT_EXTENDED) === 0;
    if (!compact) this.#need(offset, ExtendedInode.size, `inode ${nid}`);
    this.#checkReserved(offset, compact ? COMPACT_RESERVED : EXTENDED_RESERVED, `inode ${nid}`);

    const mode = bytes.readUInt16LE(offset + CompactInode.mode);
    if (!isKnownType(mode))
      throw this.error(`unknown file type of inode ${nid}`, offset, `0${mode.toString(8)}`);
    const units = bytes.readUInt16LE(offset + CompactInode.xattrCount);
    const xattrStart = offset + (compact ? CompactInode.size : ExtendedInode.size);
    const xattrSize = units === 0 ? 0 : XattrArea.size + (units - 1) * XATTR_UNIT;
    this.#need(xattrStart, xattrSize, `xattrs of inode ${nid}`);
    const size = compact
      ? bytes.readUInt32LE(offset + CompactInode.fileSize)
      : this.#fileSize(offset + ExtendedInode.fileSize, nid);

    const dataLayout = (format >> FORMAT_LAYOUT_SHIFT) & FORMAT_LAYOUT_MASK;
    const data = bytes.readUInt32LE(offset + (compact ? CompactInode.data : ExtendedInode.data));
    const tailStart = xattrStart + xattrSize;
    let dataSize = 0;
    let tailSize = 0;
    if (dataLayout === DataLayout.chunkBased) {
      if (!isRegular(mode)) throw this.error(`chunks outside a regular file (inode ${nid})`, offset);
      tailSize = this.#chunksSize(nid, offset, size, data, tailStart);
    } else if (dataLayout === DataLayout.flatInline) {
      tailSize = size % BLOCK_SIZE;
      dataSize = size - tailSize;
      if (tailSize === 0 || (tailStart % BLOCK_SIZE) + tailSize > BLOCK_SIZE)
        throw this.error(`inode ${nid} has a bad tail`, offset, `${tailSize} bytes at ${hex(tailStart)}`);
    } else if (dataLayout === DataLayout.flatPlain) {
      dataSize = size;
    } else {
      throw this.error(`unknown data layout of inode ${nid}`, offset, dataLayout);
    }
    this.#need(tailStart, tailSize, `data of inode ${nid}`);
    const dataStart = isDevice(mode) ? 0 : data * BLOCK_SIZE;
    if (dataSize > 0) this.#need(dataStart, roundUp(dataSize, BLOCK_SIZE), `data of inode ${nid}`);
    this.#checkSize(nid, offset, mode, size);

    return {
      nid,
      offset,
      compact,
      dataLayout,
      mode,
      size,
      rdev: isDevice(mode) ? data : 0,
      ino: bytes.readUInt32LE(offset + (compact ? CompactInode.ino : ExtendedInode.ino)),
      nlink: compact
        ? bytes.readUInt16LE(offset + CompactInode.nlink)
        : bytes.readUInt32LE(offset + ExtendedInode.nlink),
      uid: compact
        ? bytes.readUInt16LE(offset + CompactInode.uid)
        : bytes.readUInt32LE(offset + ExtendedInode.uid),
      gid: compact
        ? bytes.readUInt16LE(offset + CompactInode.gid)
        : bytes.readUInt32LE(offset + ExtendedInode.gid),
      mtimeSec: compact ? this.superblock.buildTimeSec : bytes.readBigInt64LE(offset + ExtendedInode.mtime),
      mtimeNsec: compact
        ? this.superblock.buildTimeNsec
        : bytes.readUInt32LE(offset + ExtendedInode.mtimeNsec),
      xattrStart,
      xattrSize,
      dataStart,
      dataSize,
      tailStart,
      tailSize,
    };
  }

  /**
   * The entries of a directory in stored order, `.` and `..` among them. Names are checked to be names, sorted
   * and unique; `.` to be there and to mean the directory.
   */
  *entries(directory: Inode): Generator<DirectoryEntry, void> {
    if (!isDirectory(directory.mode))
      throw this.error(`inode ${directory.nid} is not a directory`, directory.offset);
    let last = NO_NAME;
    let dots = 0;
    for (let done = 0; done < directory.size; done += BLOCK_SIZE) {
      const inTail = done >= directory.dataSize;
      const start = inTail ? directory.tailStart : directory.dataStart + done;
      const size = Math.min(BLOCK_SIZE, directory.size - done);
      const count = this.#entryCount(directory, start, size);
      const namesEnd = this.#namesEnd(start, size, count);
      for (let i = 0; i < count; i++) {
        const at = start + i * Dirent.size;
        const entry = this.#entry(at, start, i + 1 < count ? undefined : namesEnd);
        if (entry.name <= last) throw this.error('names are not sorted', at, displayBytes(entry.name));
        last = entry.name;
        if (entry.name === '.' || entry.name === '..') {
          dots++;
          if (entry.type !== FileType.directory || (entry.name === '.' && entry.nid !== directory.nid))
            throw this.error(`bad "${entry.name}" of directory ${directory.nid}`, at, entry.nid);
        }
        yield entry;
      }
    }
    if (dots !== 2) throw this.error(`directory ${directory.nid} lacks "." or ".."`, directory.offset);
  }

  /** The entries without `.` and `..`, of which the latter is checked to be `parent`. */
  *children(directory: Inode, parent: Inode): Generator<DirectoryEntry, void> {
    for (const entry of this.entries(directory)) {
      if (entry.name === '.') continue;
      if (entry.name !== '..') yield entry;
      else if (entry.nid !== parent.nid)
        throw this.error('".." is not the parent', directory.offset, entry.nid, parent.nid);
    }
  }

  /** The inode of an entry, which must be of the type that the entry says. */
  child(entry: DirectoryEntry): Inode {
    const inode = this.inode(entry.nid);
    if ((inode.mode & S_IFMT) !== MODE_TYPES.get(entry.type)) {
      throw this.error(
        `${displayBytes(entry.name)} is of another type than its entry says`,
        inode.offset,
        entry.type,
      );
    }
    return inode;
  }

  /** The xattrs in stored order: unshared and shared ones apart. */
  rawXattrs(inode: Inode): StoredXattrs {
    if (inode.xattrSize === 0) return { unshared: NO_XATTRS, shared: NO_XATTRS };
    return this.#xattrs.read(inode.xattrStart, inode.xattrSize);
  }

  /** All xattrs as stored, by name: overlayfs' own and escaped ones as they are. */
  xattrs(inode: Inode): Xattrs {
    if (inode.xattrSize === 0) return NO_XATTRS;
    const { unshared, shared } = this.rawXattrs(inode);
    return sortedXattrs([...unshared, ...shared]);
  }

  /** The data of a directory, a symlink or a file with its content in the image; may share memory with it. */
  data(inode: Inode): Buffer {
    if (inode.dataLayout === DataLayout.chunkBased)
      throw this.error(`the data of inode ${inode.nid} is in a backing file`, inode.offset);
    const blocks = this.bytes.subarray(inode.dataStart, inode.dataStart + inode.dataSize);
    const tail = this.bytes.subarray(inode.tailStart, inode.tailStart + inode.tailSize);
    if (inode.tailSize === 0) return blocks;
    return inode.dataSize === 0 ? tail : Buffer.concat([blocks, tail]);
  }

  /**
   * The node the image was made from: overlayfs' xattrs turned back into payload and digest, escaped ones
   * unescaped, whiteouts restored. Of a whiteout's parent the opaque marks stay (writing sets them again). A
   * char device 0:0 among the inodes is one of the root's own whiteouts.
   */
  node(inode: Inode): NodeFields {
    const { mode, size } = inode;
    const backed = inode.dataLayout === DataLayout.chunkBased;
    const fields: NodeFields = {
      mode,
      size,
      nlink: inode.nlink,
      uid: inode.uid,
      gid: inode.gid,
      rdev: inode.rdev,
      mtimeSec: inode.mtimeSec,
      mtimeNsec: inode.mtimeNsec,
    };
    if (isSymlink(mode)) fields.payload = this.#target(inode);
    else if (isRegular(mode) && !backed && size > 0) fields.content = this.#content(inode);

    const stored = this.xattrs(inode);
    if (stored.length === 0) return fields;
    const xattrs: Xattr[] = [];
    for (const [name, value] of stored) {
      if (DROPPED.has(name)) continue;
      if (name === Overlay.whiteout && isRegular(mode) && size === 0)
        fields.mode = S_IFCHR | (mode & ~S_IFMT);
      else if (name.startsWith(Overlay.escapedPrefix))
        xattrs.push([(Overlay.prefix + name.slice(Overlay.escapedPrefix.length)) as ByteString, value]);
      else if (!name.startsWith(Overlay.prefix)) xattrs.push([name, value]);
      else if (name === Overlay.redirect && backed) fields.payload = this.#backingPath(inode, value);
      else if (name === Overlay.metacopy && backed) this.#readMetacopy(inode, value, fields);
      else if (name !== Overlay.opaque || inode.nid !== this.rootNid)
        throw this.error(`overlayfs' own xattr on inode ${inode.nid}`, inode.offset, displayBytes(name));
    }
    // Unescaping changes names, and so their order.
    if (xattrs.length > 0) fields.xattrs = sortedXattrs(xattrs);
    return fields;
  }

  /**
   * All entries, depth-first in stored order, the root first; `.`, `..` and the root's real whiteouts left
   * out. An inode met again is a hard link to where it was met first; a directory met again is refused, and so
   * are inodes that overlap.
   */
  *walk(): Generator<WalkedEntry, void> {
    const claims = this.claims();
    const linked = this.#findLinked(claims);
    const firstPaths = new Map<number, ByteString>();
    const root = this.inode(this.rootNid);
    yield { path: ROOT_PATH, name: NO_NAME, depth: 0, inode: root, linkOf: undefined };
    const stack = [{ path: NO_NAME, inode: root, children: this.children(root, root) }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.children.next();
      if (next.done) {
        stack.pop();
        continue;
      }
      const { name, nid } = next.value;
      const inode = this.child(next.value);
      const path = `${top.path}/${name}` as ByteString;
      const linkOf = firstPaths.get(nid);
      if (linkOf === undefined && !isDirectory(inode.mode)) this.claim(claims, inode);
      if (this.isRealWhiteout(inode)) {
        this.checkWhiteout(inode, name, top.inode);
        continue;
      }
      if (linkOf === undefined && linked.has(nid)) firstPaths.set(nid, path);
      yield { path, name, depth: stack.length, inode, linkOf };
      if (isDirectory(inode.mode)) stack.push({ path, inode, children: this.children(inode, top.inode) });
    }
  }

  /** The image's parts, of which the headers are taken. */
  claims(): Claims {
    const claims = new Claims(this.bytes.length, this.where);
    claims.take(0, INODES_START, 'header');
    return claims;
  }

  /** Takes what an inode occupies. */
  claim(claims: Claims, inode: Inode): void {
    claims.take(inode.offset, inode.tailStart + inode.tailSize, `inode ${inode.nid}`);
    claims.take(
      inode.dataStart,
      inode.dataStart + roundUp(inode.dataSize, BLOCK_SIZE),
      `data of inode ${inode.nid}`,
    );
  }

  /** Whether an inode is a real whiteout: one of the root's, which hide the object folders. */
  isRealWhiteout(inode: Inode): boolean {
    return (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === 0;
  }

  /** A real whiteout belongs into the root, to hide one of the object folders. */
  checkWhiteout(inode: Inode, name: ByteString, parent: Inode): void {
    if (parent.nid !== this.rootNid || !OBJECT_FOLDER.test(name))
      throw this.error('whiteout of something other than an object folder', inode.offset, displayBytes(name));
  }

  /** A FormatError of this image. */
  error(what: string, offset?: number, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.where, what, {
      ...(offset === undefined ? {} : { offset }),
      ...(got === undefined ? {} : { got }),
      ...(want === undefined ? {} : { want }),
    });
  }

  #readFlags(): boolean {
    const magic = this.bytes.readUInt32LE(Header.magic);
    if (magic !== HEADER_MAGIC)
      throw this.error('not a composefs image', Header.magic, hex(magic), hex(HEADER_MAGIC));
    const version = this.bytes.readUInt32LE(Header.version);
    if (version !== HEADER_VERSION)
      throw this.error('unknown kind of image', Header.version, version, HEADER_VERSION);
    const flags = this.bytes.readUInt32LE(Header.flags);
    if (flags & ~HEADER_FLAG_ACL) throw this.error('unknown flags of the header', Header.flags, hex(flags));
    this.#checkReserved(0, HEADER_RESERVED, 'header');
    return flags === HEADER_FLAG_ACL;
  }

  #readVersion(): 0 | 1 {
    const version = this.bytes.readUInt32LE(Header.composefsVersion);
    if (version === 0 || version === 1) return version;
    throw new UnsupportedError(
      `${this.where}: composefs format version ${version} is not supported (0 and 1 are)`,
    );
  }

  #readSuperblock(): SuperblockFields {
    const bytes = this.bytes;
    const at = SUPERBLOCK_START;
    const expect = (offset: number, got: number, want: number, what: string): void => {
      if (got !== want) throw this.error(what, at + offset, hex(got), hex(want));
    };
    expect(Superblock.magic, bytes.readUInt32LE(at + Superblock.magic), SUPERBLOCK_MAGIC, 'EROFS magic');
    const features = COMPAT_MTIME | COMPAT_XATTR_FILTER;
    expect(
      Superblock.featureCompat,
      bytes.readUInt32LE(at + Superblock.featureCompat),
      features,
      'compatible features',
    );
    expect(
      Superblock.featureIncompat,
      bytes.readUInt32LE(at + Superblock.featureIncompat),
      0,
      'incompatible features',
    );
    expect(Superblock.blockBits, bytes[at + Superblock.blockBits] as number, BLOCK_BITS, 'block size (log2)');
    expect(Superblock.metaBlock, bytes.readUInt32LE(at + Superblock.metaBlock), 0, 'block of inode 0');
    this.#checkReserved(at, SUPERBLOCK_RESERVED, 'super block');
    const blocks = bytes.readUInt32LE(at + Superblock.blocks);
    if (blocks * BLOCK_SIZE !== bytes.length)
      throw this.error(
        'size of the image',
        at + Superblock.blocks,
        `${bytes.length} bytes`,
        `${blocks} blocks`,
      );
    const inodeCount = bytes.readBigUInt64LE(at + Superblock.inodeCount);
    if (inodeCount > BigInt(bytes.length / SLOT_SIZE))
      throw this.error('more inodes than fit', at + Superblock.inodeCount, inodeCount);
    const xattrBlock = bytes.readUInt32LE(at + Superblock.xattrBlock);
    if (xattrBlock > blocks)
      throw this.error('shared xattrs start outside the image', at + Superblock.xattrBlock, xattrBlock);
    return {
      rootNid: bytes.readUInt16LE(at + Superblock.rootNid),
      inodeCount: Number(inodeCount),
      buildTimeSec: bytes.readBigInt64LE(at + Superblock.buildTime),
      buildTimeNsec: bytes.readUInt32LE(at + Superblock.buildTimeNsec),
      blocks,
      xattrBlock,
    };
  }

  #need(offset: number, size: number, what: string): void {
    if (offset + size > this.bytes.length)
      throw this.error(
        `${what} runs past the end`,
        offset,
        `${this.bytes.length} bytes in all`,
        offset + size,
      );
  }

  #checkReserved(offset: number, ranges: Ranges, what: string): void {
    for (const [from, to] of ranges) {
      for (let i = offset + from; i < offset + to; i++) {
        if (this.bytes[i] !== 0) throw this.error(`reserved byte of ${what}`, i, this.bytes[i], 0);
      }
    }
  }

  #fileSize(offset: number, nid: number): number {
    const size = this.bytes.readUInt32LE(offset) + this.bytes.readUInt32LE(offset + 4) * 2 ** 32;
    if (size > Limit.fileSize) throw this.error(`inode ${nid} is too large`, offset, size, 'at most 2^53');
    return size;
  }

  #checkSize(nid: number, offset: number, mode: number, size: number): void {
    const type = mode & S_IFMT;
    if (type === S_IFREG) return;
    if (type === S_IFDIR ? size === 0 : type === S_IFLNK ? size > Limit.payloadLength : size > 0)
      throw this.error(`bad size of inode ${nid}`, offset, size);
  }

  /** Checks a file's chunks, which must all be holes; returns the size of their addresses after the inode. */
  #chunksSize(nid: number, offset: number, size: number, format: number, start: number): number {
    const bits = format & CHUNK_BITS_MASK;
    const count = Math.ceil(size / 2 ** (BLOCK_BITS + bits));
    if (count < 1 || count > Limit.chunks)
      throw this.error(`bad number of chunks of inode ${nid}`, offset, count);
    const arraySize = count * CHUNK_ADDRESS_SIZE;
    // libcomposefs may move larger arrays to a block of their own, where no reader looks for them.
    if (arraySize > MAX_INLINE_CHUNKS) return 0;
    if (format !== bits) throw this.error(`unknown chunk format of inode ${nid}`, offset, hex(format));
    this.#need(start, arraySize, `chunks of inode ${nid}`);
    for (let at = start; at < start + arraySize; at += CHUNK_ADDRESS_SIZE) {
      if (this.bytes.readUInt32LE(at) !== CHUNK_HOLE)
        throw this.error(`inode ${nid} has a chunk with data`, at);
    }
    return arraySize;
  }

  /** The number of entries in a block: where the first name starts tells. */
  #entryCount(directory: Inode, start: number, size: number): number {
    const first = size < Dirent.size ? 0 : this.bytes.readUInt16LE(start + Dirent.nameOffset);
    if (first < Dirent.size || first % Dirent.size !== 0 || first >= size)
      throw this.error(`bad block of directory ${directory.nid}`, start, first);
    return first / Dirent.size;
  }

  /** Where the last name of a block ends: at zeros, of which the rest consists, or with the block. */
  #namesEnd(start: number, size: number, count: number): number {
    const last = this.bytes.readUInt16LE(start + (count - 1) * Dirent.size + Dirent.nameOffset);
    const end = start + size;
    let at = Math.min(start + last, end);
    while (at < end && this.bytes[at] !== 0) at++;
    for (let i = at; i < end; i++) {
      if (this.bytes[i] !== 0) throw this.error('padding of a directory block', i, this.bytes[i], 0);
    }
    return at;
  }

  /** Reads the entry at `at`; its name ends where the next one's starts, or at `namesEnd`. */
  #entry(at: number, blockStart: number, namesEnd: number | undefined): DirectoryEntry {
    const bytes = this.bytes;
    const nameStart = blockStart + bytes.readUInt16LE(at + Dirent.nameOffset);
    const nameEnd = namesEnd ?? blockStart + bytes.readUInt16LE(at + Dirent.size + Dirent.nameOffset);
    const length = nameEnd - nameStart;
    if (
      length < 1 ||
      length > Limit.nameLength ||
      nameEnd > blockStart + BLOCK_SIZE ||
      nameEnd > bytes.length
    )
      throw this.error('bad length of a name', at, length, `1 to ${Limit.nameLength}`);
    const name = bytesToString(bytes, nameStart, nameEnd);
    if (name.includes('/') || name.includes('\0')) throw this.error('bad name', at, displayBytes(name));
    const type = bytes[at + Dirent.fileType] as number;
    if (!MODE_TYPES.has(type)) throw this.error('unknown type of an entry', at, type);
    if (bytes[at + Dirent.reserved] !== 0 || bytes.readUInt32LE(at + Dirent.nid + 4) !== 0)
      throw this.error('bad entry', at, displayBytes(name));
    return { name, nid: bytes.readUInt32LE(at + Dirent.nid), type };
  }

  #content(inode: Inode): Buffer {
    if (inode.size > Limit.inlineContent)
      throw this.error('too much inline content', inode.offset, inode.size, `at most ${Limit.inlineContent}`);
    return this.data(inode);
  }

  #target(inode: Inode): ByteString {
    let target: ByteString;
    if (inode.size > 0) {
      target = bytesToString(this.data(inode));
    } else {
      // libostree leaves the size at 0, which shows where a target is too long to be inline: it has a block.
      const end = inode.dataStart === 0 ? -1 : this.bytes.indexOf(0, inode.dataStart);
      if (end < 0) throw this.error(`symlink without a target (inode ${inode.nid})`, inode.offset);
      target = bytesToString(this.bytes, inode.dataStart, end);
    }
    if (target === '' || target.length > Limit.payloadLength || target.includes('\0'))
      throw this.error(`bad symlink target of inode ${inode.nid}`, inode.offset);
    return target;
  }

  #backingPath(inode: Inode, value: ByteString): ByteString {
    if (
      !value.startsWith('/') ||
      value.length < 2 ||
      value.length > 1 + Limit.payloadLength ||
      value.includes('\0')
    )
      throw this.error(`bad redirect of inode ${inode.nid}`, inode.offset, displayBytes(value));
    return value.slice(1) as ByteString;
  }

  #readMetacopy(inode: Inode, value: ByteString, fields: NodeFields): void {
    if (value === '') return;
    const bytes = Buffer.from(value, 'latin1');
    if (bytes.length !== METACOPY_SIZE || METACOPY_HEAD.some((byte, i) => bytes[i] !== byte))
      throw this.error(
        `metacopy without a SHA-256 digest (inode ${inode.nid})`,
        inode.offset,
        bytes.toString('hex'),
      );
    fields.digest = bytes.subarray(METACOPY_HEAD.length);
  }

  /** The inodes that more than one entry leads to. Goes through all directories, claiming them. */
  #findLinked(claims: Claims): Set<number> {
    const seen = new Uint8Array(Math.ceil(this.bytes.length / SLOT_SIZE / 8));
    const linked = new Set<number>();
    const root = this.inode(this.rootNid);
    const pending = [{ inode: root, parent: root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.claim(claims, next.inode);
      for (const entry of this.children(next.inode, next.parent)) {
        if (entry.type === FileType.directory) {
          pending.push({ inode: this.child(entry), parent: next.inode });
          continue;
        }
        const bit = 1 << (entry.nid & 7);
        const byte = seen[entry.nid >>> 3] ?? 0;
        if (byte & bit) linked.add(entry.nid);
        seen[entry.nid >>> 3] = byte | bit;
      }
    }
    return linked;
  }
}

type Ranges = readonly (readonly [from: number, to: number])[];

const HEADER_RESERVED: Ranges = [[Header.composefsVersion + 4, Header.size]];
const SUPERBLOCK_RESERVED: Ranges = [
  [Superblock.checksum, Superblock.featureCompat],
  [Superblock.extraSlots, Superblock.rootNid],
  [Superblock.featureIncompat + 4, Superblock.size],
];
const COMPACT_RESERVED: Ranges = [
  [CompactInode.reserved, CompactInode.data],
  [CompactInode.reserved2, CompactInode.size],
];
const EXTENDED_RESERVED: Ranges = [
  [ExtendedInode.reserved, ExtendedInode.fileSize],
  [ExtendedInode.reserved2, ExtendedInode.size],
];

const hex = (value: number): string => `0x${value.toString(16)}`;
