/** Inodes as they are stored: formats, sizes and the places of their parts checked. */
import { roundUp } from '../../base/bytes.ts';
import { isDevice, isKnownType, isRegular, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../base/mode.ts';
import { hex, type ImageBytes, type Ranges } from './image-bytes.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  CHUNK_ADDRESS_SIZE,
  CHUNK_BITS_MASK,
  CHUNK_HOLE,
  CompactInode,
  DataLayout,
  ExtendedInode,
  FORMAT_EXTENDED,
  FORMAT_KNOWN,
  FORMAT_LAYOUT_MASK,
  FORMAT_LAYOUT_SHIFT,
  INODES_START,
  Limit,
  SLOT_SIZE,
  XATTR_UNIT,
  XattrArea,
} from './layout.ts';
import type { SuperblockFields } from './read-headers.ts';

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

/** Arrays of chunk addresses up to this many bytes are always after their inode. */
const MAX_INLINE_CHUNKS = BLOCK_SIZE - SLOT_SIZE;

const COMPACT_RESERVED: Ranges = [
  [CompactInode.reserved, CompactInode.data],
  [CompactInode.reserved2, CompactInode.size],
];
const EXTENDED_RESERVED: Ranges = [
  [ExtendedInode.reserved, ExtendedInode.fileSize],
  [ExtendedInode.reserved2, ExtendedInode.size],
];

export class InodeReader {
  readonly #image: ImageBytes;
  readonly #superblock: SuperblockFields;

  constructor(image: ImageBytes, superblock: SuperblockFields) {
    this.#image = image;
    this.#superblock = superblock;
  }

  /** The inode of a number; its data and xattrs lie inside the image, its type and layout go together. */
  read(nid: number): Inode {
    const image = this.#image;
    const { bytes } = image;
    const offset = nid * SLOT_SIZE;
    if (!(offset >= INODES_START && Number.isInteger(nid)))
      throw image.error('bad inode number', undefined, nid, `at least ${INODES_START / SLOT_SIZE}`);
    image.need(offset, CompactInode.size, `inode ${nid}`);
    const format = bytes.readUInt16LE(offset + CompactInode.format);
    if (format & ~FORMAT_KNOWN) throw image.error(`unknown format of inode ${nid}`, offset, hex(format));
    const compact = (format & FORMAT_EXTENDED) === 0;
    if (!compact) image.need(offset, ExtendedInode.size, `inode ${nid}`);
    image.needZeros(offset, compact ? COMPACT_RESERVED : EXTENDED_RESERVED, `reserved byte of inode ${nid}`);

    const mode = bytes.readUInt16LE(offset + CompactInode.mode);
    if (!isKnownType(mode))
      throw image.error(`unknown file type of inode ${nid}`, offset, `0${mode.toString(8)}`);
    const units = bytes.readUInt16LE(offset + CompactInode.xattrCount);
    const xattrStart = offset + (compact ? CompactInode.size : ExtendedInode.size);
    const xattrSize = units === 0 ? 0 : XattrArea.size + (units - 1) * XATTR_UNIT;
    image.need(xattrStart, xattrSize, `xattrs of inode ${nid}`);
    const size = compact
      ? bytes.readUInt32LE(offset + CompactInode.fileSize)
      : this.#fileSize(offset + ExtendedInode.fileSize, nid);

    const dataLayout = (format >> FORMAT_LAYOUT_SHIFT) & FORMAT_LAYOUT_MASK;
    const data = bytes.readUInt32LE(offset + (compact ? CompactInode.data : ExtendedInode.data));
    const tailStart = xattrStart + xattrSize;
    let dataSize = 0;
    let tailSize = 0;
    if (dataLayout === DataLayout.chunkBased) {
      if (!isRegular(mode)) throw image.error(`chunks outside a regular file (inode ${nid})`, offset);
      tailSize = this.#chunksSize(nid, offset, size, data, tailStart);
    } else if (dataLayout === DataLayout.flatInline) {
      tailSize = size % BLOCK_SIZE;
      dataSize = size - tailSize;
      if (tailSize === 0 || (tailStart % BLOCK_SIZE) + tailSize > BLOCK_SIZE)
        throw image.error(`inode ${nid} has a bad tail`, offset, `${tailSize} bytes at ${hex(tailStart)}`);
    } else if (dataLayout === DataLayout.flatPlain) {
      dataSize = size;
    } else {
      throw image.error(`unknown data layout of inode ${nid}`, offset, dataLayout);
    }
    image.need(tailStart, tailSize, `data of inode ${nid}`);
    const dataStart = isDevice(mode) ? 0 : data * BLOCK_SIZE;
    if (dataSize > 0) image.need(dataStart, roundUp(dataSize, BLOCK_SIZE), `data of inode ${nid}`);
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
      mtimeSec: compact ? this.#superblock.buildTimeSec : bytes.readBigInt64LE(offset + ExtendedInode.mtime),
      mtimeNsec: compact
        ? this.#superblock.buildTimeNsec
        : bytes.readUInt32LE(offset + ExtendedInode.mtimeNsec),
      xattrStart,
      xattrSize,
      dataStart,
      dataSize,
      tailStart,
      tailSize,
    };
  }

  #fileSize(offset: number, nid: number): number {
    const size =
      this.#image.bytes.readUInt32LE(offset) + this.#image.bytes.readUInt32LE(offset + 4) * 2 ** 32;
    if (size > Limit.fileSize)
      throw this.#image.error(`inode ${nid} is too large`, offset, size, 'at most 2^53');
    return size;
  }

  #checkSize(nid: number, offset: number, mode: number, size: number): void {
    const type = mode & S_IFMT;
    if (type === S_IFREG) return;
    if (type === S_IFDIR ? size === 0 : type === S_IFLNK ? size > Limit.payloadLength : size > 0)
      throw this.#image.error(`bad size of inode ${nid}`, offset, size);
  }

  /** Checks a file's chunks, which must all be holes; returns the size of their addresses after the inode. */
  #chunksSize(nid: number, offset: number, size: number, format: number, start: number): number {
    const bits = format & CHUNK_BITS_MASK;
    const count = Math.ceil(size / 2 ** (BLOCK_BITS + bits));
    if (count < 1 || count > Limit.chunks)
      throw this.#image.error(`bad number of chunks of inode ${nid}`, offset, count);
    const arraySize = count * CHUNK_ADDRESS_SIZE;
    // libcomposefs may move larger arrays to a block of their own, where no reader looks for them.
    if (arraySize > MAX_INLINE_CHUNKS) return 0;
    if (format !== bits) throw this.#image.error(`unknown chunk format of inode ${nid}`, offset, hex(format));
    this.#image.need(start, arraySize, `chunks of inode ${nid}`);
    for (let at = start; at < start + arraySize; at += CHUNK_ADDRESS_SIZE) {
      if (this.#image.bytes.readUInt32LE(at) !== CHUNK_HOLE)
        throw this.#image.error(`inode ${nid} has a chunk with data`, at);
    }
    return arraySize;
  }
}
