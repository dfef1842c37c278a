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
export class StoredInode {
  nid = 0;
  /** Byte offset in the image. */
  offset = 0;
  compact = false;
  dataLayout = 0;
  ino = 0;
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  /** Of devices, else 0. */
  rdev = 0;
  size = 0;
  /** Signed upper and unsigned lower half of the seconds: no bigint per inode. */
  mtimeHigh = 0;
  mtimeLow = 0;
  mtimeNsec = 0;
  /** Where the xattrs are, and how many bytes; 0 = none. */
  xattrStart = 0;
  xattrSize = 0;
  /** Data in whole blocks: byte offset and length (of flat layouts). */
  dataStart = 0;
  dataSize = 0;
  /** Data, or chunk addresses, after the inode. */
  tailStart = 0;
  tailSize = 0;

  get mtimeSec(): bigint {
    return BigInt(this.mtimeHigh) * 2n ** 32n + BigInt(this.mtimeLow);
  }
}

/** What {@link InodeReader} gives out. */
export type Inode = Readonly<StoredInode>;

/** By what the chunk format says of it: a power is dear, and asked for by every file. */
const CHUNK_SIZES = Float64Array.from({ length: CHUNK_BITS_MASK + 1 }, (_, bits) => 2 ** (BLOCK_BITS + bits));

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

  /**
   * The inode of a number; its data and xattrs lie inside the image, its type and layout go together.
   * @param into filled in and returned, for who looks at one after the other
   */
  read(nid: number, into = new StoredInode()): StoredInode {
    const image = this.#image;
    const { view } = image;
    const offset = nid * SLOT_SIZE;
    if (!(offset >= INODES_START && Number.isInteger(nid)))
      throw image.error('bad inode number', undefined, nid, `at least ${INODES_START / SLOT_SIZE}`);
    if (offset + CompactInode.size > view.byteLength) image.need(offset, CompactInode.size, `inode ${nid}`);
    const format = view.getUint16(offset + CompactInode.format, true);
    if (format & ~FORMAT_KNOWN) throw image.error(`unknown format of inode ${nid}`, offset, hex(format));
    into.nid = nid;
    into.offset = offset;
    into.compact = (format & FORMAT_EXTENDED) === 0;
    into.dataLayout = (format >> FORMAT_LAYOUT_SHIFT) & FORMAT_LAYOUT_MASK;
    const mode = view.getUint16(offset + CompactInode.mode, true);
    into.mode = mode;
    const data = into.compact ? this.#readCompact(into) : this.#readExtended(into);
    if (!isKnownType(mode))
      throw image.error(`unknown file type of inode ${nid}`, offset, `0${mode.toString(8)}`);
    const units = view.getUint16(offset + CompactInode.xattrCount, true);
    into.xattrSize = units === 0 ? 0 : XattrArea.size + (units - 1) * XATTR_UNIT;
    into.tailStart = into.xattrStart + into.xattrSize;
    if (into.tailStart > view.byteLength)
      image.need(into.xattrStart, into.xattrSize, `xattrs of inode ${nid}`);
    into.rdev = isDevice(mode) ? data : 0;
    this.#placeData(into, data);
    return into;
  }

  /** Returns what stands where the data is told: block number, rdev or chunk format. */
  #readCompact(into: StoredInode): number {
    const { view } = this.#image;
    const { offset } = into;
    if (
      (view.getUint32(offset + CompactInode.reserved, true) |
        view.getUint32(offset + CompactInode.reserved2, true)) !==
      0
    )
      this.#image.needZeros(offset, COMPACT_RESERVED, `reserved byte of inode ${into.nid}`);
    into.xattrStart = offset + CompactInode.size;
    into.size = view.getUint32(offset + CompactInode.fileSize, true);
    into.ino = view.getUint32(offset + CompactInode.ino, true);
    into.nlink = view.getUint16(offset + CompactInode.nlink, true);
    into.uid = view.getUint16(offset + CompactInode.uid, true);
    into.gid = view.getUint16(offset + CompactInode.gid, true);
    into.mtimeHigh = this.#superblock.buildTimeHigh;
    into.mtimeLow = this.#superblock.buildTimeLow;
    into.mtimeNsec = this.#superblock.buildTimeNsec;
    return view.getUint32(offset + CompactInode.data, true);
  }

  /** The same of an inode of 64 bytes. */
  #readExtended(into: StoredInode): number {
    const { view } = this.#image;
    const { offset } = into;
    if (offset + ExtendedInode.size > view.byteLength)
      this.#image.need(offset, ExtendedInode.size, `inode ${into.nid}`);
    const reserved = offset + ExtendedInode.reserved2;
    if (
      (view.getUint16(offset + ExtendedInode.reserved, true) |
        view.getUint32(reserved, true) |
        view.getUint32(reserved + 4, true) |
        view.getUint32(reserved + 8, true) |
        view.getUint32(reserved + 12, true)) !==
      0
    )
      this.#image.needZeros(offset, EXTENDED_RESERVED, `reserved byte of inode ${into.nid}`);
    into.xattrStart = offset + ExtendedInode.size;
    into.size = this.#fileSize(offset + ExtendedInode.fileSize, into.nid);
    into.ino = view.getUint32(offset + ExtendedInode.ino, true);
    into.nlink = view.getUint32(offset + ExtendedInode.nlink, true);
    into.uid = view.getUint32(offset + ExtendedInode.uid, true);
    into.gid = view.getUint32(offset + ExtendedInode.gid, true);
    into.mtimeLow = view.getUint32(offset + ExtendedInode.mtime, true);
    into.mtimeHigh = view.getInt32(offset + ExtendedInode.mtime + 4, true);
    into.mtimeNsec = view.getUint32(offset + ExtendedInode.mtimeNsec, true);
    return view.getUint32(offset + ExtendedInode.data, true);
  }

  /** Finds out where the data is, and whether there may be as much. */
  #placeData(into: StoredInode, data: number): void {
    const image = this.#image;
    const { nid, offset, mode, size, dataLayout, tailStart } = into;
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
    if (tailStart + tailSize > image.view.byteLength) image.need(tailStart, tailSize, `data of inode ${nid}`);
    into.tailSize = tailSize;
    into.dataSize = dataSize;
    into.dataStart = isDevice(mode) ? 0 : data * BLOCK_SIZE;
    if (dataSize > 0) image.need(into.dataStart, roundUp(dataSize, BLOCK_SIZE), `data of inode ${nid}`);
    this.#checkSize(nid, offset, mode, size);
  }

  #fileSize(offset: number, nid: number): number {
    const { view } = this.#image;
    const size = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
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
    const count = Math.ceil(size / (CHUNK_SIZES[bits] as number));
    if (count < 1 || count > Limit.chunks)
      throw this.#image.error(`bad number of chunks of inode ${nid}`, offset, count);
    const arraySize = count * CHUNK_ADDRESS_SIZE;
    // libcomposefs may move larger arrays to a block of their own, where no reader looks for them.
    if (arraySize > MAX_INLINE_CHUNKS) return 0;
    if (format !== bits) throw this.#image.error(`unknown chunk format of inode ${nid}`, offset, hex(format));
    const { view } = this.#image;
    if (start + arraySize > view.byteLength) this.#image.need(start, arraySize, `chunks of inode ${nid}`);
    for (let at = start; at < start + arraySize; at += CHUNK_ADDRESS_SIZE) {
      // With a sign: without one V8 makes an object of it as long as this is not compiled.
      if (view.getInt32(at, true) !== (CHUNK_HOLE | 0))
        throw this.#image.error(`inode ${nid} has a chunk with data`, at);
    }
    return arraySize;
  }
}
