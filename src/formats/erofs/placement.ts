/** The first pass of the writer: how large each inode's data is and where everything goes. */
import { roundUp } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../base/mode.ts';
import type { Inodes } from './inodes.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  CHUNK_ADDRESS_SIZE,
  CompactInode,
  Dirent,
  ExtendedInode,
  INODES_START,
  MAX_CHUNK_BITS,
  MAX_INLINE_TAIL,
  SLOT_SIZE,
  XATTR_UNIT,
  XattrArea,
} from './layout.ts';

/** All smaller files have one chunk. */
const MAX_CHUNK_SIZE = 2 ** MAX_CHUNK_BITS;
const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

/** Where the inodes of an image are; columns by node. */
export interface Placement {
  readonly nid: Uint32Array;
  readonly isExtended: Uint8Array;
  /** `i_xattr_icount` */
  readonly xattrUnits: Uint16Array;
  /** Whole blocks of data. */
  readonly blocks: Uint32Array;
  /** Bytes of data right after the inode. */
  readonly tail: Uint16Array;
  /** Byte offsets. */
  readonly inodesEnd: number;
  readonly dataStart: number;
  readonly imageSize: number;
}

/** log2 of the chunk size of a backed file: one chunk if that is possible. */
export function chunkBits(size: number): number {
  const last = size - 1;
  const high = Math.floor(last / 2 ** 32);
  const bits = high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(last);
  return Math.min(Math.max(bits, BLOCK_BITS), MAX_CHUNK_BITS);
}

export function placeInodes(inodes: Inodes): Placement {
  const { columns, order, xattrs } = inodes;
  const nodes = inodes.mode.length;
  const nid = new Uint32Array(nodes);
  const isExtended = new Uint8Array(nodes);
  const xattrUnits = new Uint16Array(nodes);
  const blocks = new Uint32Array(nodes);
  const tail = new Uint16Array(nodes);

  let at = INODES_START;
  let totalBlocks = 0;
  for (let ino = 0; ino < order.length; ino++) {
    const node = order[ino] as number;
    const type = (inodes.mode[node] as number) & S_IFMT;
    const size = inodes.size(node);
    let dataBlocks = 0;
    let dataTail = 0;
    if (type === S_IFDIR) {
      const used = measureDirectory(inodes, node);
      dataBlocks = Math.floor(used / BLOCK_SIZE);
      dataTail = used % BLOCK_SIZE;
    } else if (type === S_IFLNK) {
      dataTail = columns.dataLength[node] as number;
    } else if (inodes.isBacked(node)) {
      dataTail = CHUNK_ADDRESS_SIZE * Math.ceil(size / MAX_CHUNK_SIZE);
    } else if (type === S_IFREG) {
      dataBlocks = Math.floor(size / BLOCK_SIZE);
      dataTail = size % BLOCK_SIZE;
      if (dataTail > MAX_INLINE_TAIL) {
        dataBlocks++;
        dataTail = 0;
      }
    }

    const compact = fitsCompact(inodes, node, type === S_IFDIR ? dataBlocks * BLOCK_SIZE + dataTail : size);
    const areaSize = xattrs.areaSize(node, inodes.xattrSet[node] as number);
    const units = areaSize === 0 ? 0 : (areaSize - XattrArea.size) / XATTR_UNIT + 1;
    if (units > MAX_U16) throw new FormatError('image', 'too many xattrs', { got: areaSize });
    const head = (compact ? CompactInode.size : ExtendedInode.size) + areaSize;

    at = roundUp(at, SLOT_SIZE);
    // Readers map an inline tail by its block: it must not cross one.
    if (type === S_IFLNK) {
      const total = head + dataTail;
      const crosses = Math.floor(at / BLOCK_SIZE) !== Math.floor((at + total - 1) / BLOCK_SIZE);
      if (total >= BLOCK_SIZE) {
        dataBlocks++;
        dataTail = 0;
      }
      if (crosses) at = roundUp(at, BLOCK_SIZE);
    } else {
      const room = BLOCK_SIZE - ((at + head) % BLOCK_SIZE);
      if (room < dataTail) {
        const pad = roundUp(room, SLOT_SIZE);
        if (dataTail > BLOCK_SIZE - ((at + head + pad) % BLOCK_SIZE)) {
          dataBlocks++;
          dataTail = 0;
          at = roundUp(at, BLOCK_SIZE);
        } else {
          at += pad;
        }
      }
    }
    if (at / SLOT_SIZE > MAX_U32) throw new FormatError('image', 'more inodes than 32-bit numbers can name');

    nid[node] = at / SLOT_SIZE;
    if (!compact) isExtended[node] = 1;
    xattrUnits[node] = units;
    if (dataBlocks > 0) blocks[node] = dataBlocks;
    tail[node] = dataTail;
    totalBlocks += dataBlocks;
    at += head + dataTail;
  }
  if ((nid[0] as number) > MAX_U16) throw new FormatError('image', 'the root is too far from the start');

  const inodesEnd = roundUp(at, SLOT_SIZE);
  const dataStart = roundUp(inodesEnd + xattrs.sharedSize, BLOCK_SIZE);
  const imageSize = dataStart + totalBlocks * BLOCK_SIZE;
  if (imageSize / BLOCK_SIZE > MAX_U32) throw new FormatError('image', 'more blocks than 32 bits can count');
  return { nid, isExtended, xattrUnits, blocks, tail, inodesEnd, dataStart, imageSize };
}

/** Size of a directory: entries fill whole blocks; the last one is a tail when it is no more than half full. */
function measureDirectory(inodes: Inodes, node: number): number {
  inodes.listEntries(node);
  let full = 0;
  let used = 0;
  for (let i = 0; i < inodes.entryCount; i++) {
    const cost = Dirent.size + inodes.nameLength(inodes.entries[i] as number);
    if (used + cost > BLOCK_SIZE) {
      full++;
      used = 0;
    }
    used += cost;
  }
  return used > MAX_INLINE_TAIL ? (full + 1) * BLOCK_SIZE : full * BLOCK_SIZE + used;
}

/** Whether an inode's fields fit the short form, which has 16-bit numbers and the image's own time. */
function fitsCompact(inodes: Inodes, node: number, size: number): boolean {
  const { mtimeHigh, mtimeLow, mtimeNsec, uid, gid } = inodes.columns;
  const source = inodes.source(node);
  const { oldest } = inodes;
  return (
    mtimeLow[source] === mtimeLow[oldest] &&
    mtimeHigh[source] === mtimeHigh[oldest] &&
    mtimeNsec[source] === mtimeNsec[oldest] &&
    inodes.nlink(node) <= MAX_U16 &&
    (uid[source] as number) <= MAX_U16 &&
    (gid[source] as number) <= MAX_U16 &&
    size <= MAX_U32
  );
}
