/**
 * How an initramfs can be compressed, and where compressed bytes end: something may follow them. The ends are found
 * from the framing alone, without decompressing (but for gzip, which has none).
 */
import { FormatError } from '../../base/errors.ts';

export type Compression = 'gzip' | 'zstd' | 'xz' | 'lz4' | 'bzip2' | 'lzma' | 'lzop';

/** First bytes, as the kernel's lib/decompress.c and lib/decompress_*.c have them. lz4 is its legacy frame. */
export const COMPRESSIONS: readonly { readonly name: Compression; readonly magic: Buffer }[] = [
  { name: 'gzip', magic: Buffer.from('1f8b', 'hex') },
  { name: 'zstd', magic: Buffer.from('28b52ffd', 'hex') },
  { name: 'xz', magic: Buffer.from('fd377a585a00', 'hex') },
  { name: 'lz4', magic: Buffer.from('02214c18', 'hex') },
  { name: 'bzip2', magic: Buffer.from('425a68', 'hex') },
  { name: 'lzma', magic: Buffer.from('5d0000', 'hex') },
  { name: 'lzop', magic: Buffer.from('894c5a4f000d0a1a0a', 'hex') },
];

/**
 * Behind the last byte of what is compressed from `start` on; `file.length` where that cannot be told before it is
 * decompressed (gzip) or at all (bzip2, lzma, lzop: generators put nothing behind these).
 * @throws FormatError
 */
export function compressedEnd(
  compression: Exclude<Compression, 'gzip'>,
  file: Buffer,
  start: number,
  where: string,
): number {
  const bytes = new Framing(file, start, `${where}: ${compression}`);
  if (compression === 'zstd') return zstdEnd(bytes);
  if (compression === 'xz') return xzEnd(bytes);
  if (compression === 'lz4') return lz4End(bytes);
  return file.length;
}

/** Bytes from a position on, bounds-checked. */
export class Framing {
  readonly file: Buffer;
  readonly where: string;
  at: number;

  constructor(file: Buffer, at: number, where: string) {
    this.file = file;
    this.at = at;
    this.where = where;
  }

  get left(): number {
    return this.file.length - this.at;
  }

  /** The little-endian integer of the next 1 to 4 bytes. */
  take(size: number): number {
    const at = this.at;
    this.skip(size);
    return size === 0 ? 0 : this.file.readUIntLE(at, size);
  }

  peek(): number {
    return this.file[this.at] ?? 0;
  }

  skip(size: number): void {
    if (size > this.left) throw this.error('cut off', `${this.left} bytes`, size);
    this.at += size;
  }

  error(what: string, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.where, what, {
      offset: this.at,
      ...(got === undefined ? {} : { got }),
      ...(want === undefined ? {} : { want }),
    });
  }
}

/** One frame (RFC 8878, 3.1.1): the kernel decompresses one at a time. */
function zstdEnd(bytes: Framing): number {
  bytes.skip(4);
  const descriptor = bytes.take(1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  bytes.skip((isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes);
  for (;;) {
    const header = bytes.take(3);
    const type = (header >> 1) & 3;
    if (type === 3) throw bytes.error('a block of a reserved type');
    const RLE = 1;
    bytes.skip(type === RLE ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  if (hasChecksum) bytes.skip(4);
  return bytes.at;
}

/** One stream (the .xz file format 1.2, 2.1). Its blocks hold LZMA2, whose chunks say how long they are. */
function xzEnd(bytes: Framing): number {
  const start = bytes.at;
  bytes.skip(7);
  const checkSize = [0, 4, 8, 16, 32, 64][Math.ceil((bytes.take(1) & 15) / 3)] as number;
  bytes.skip(4);
  while (bytes.left > 0 && bytes.peek() !== 0) {
    bytes.skip(4 * (bytes.peek() + 1));
    skipLzma2(bytes);
    skipPadding(bytes, start);
    bytes.skip(checkSize);
  }
  // The index: its mark, a count, two numbers for each block, padding, CRC32; then the footer.
  bytes.skip(1);
  for (let records = takeNumber(bytes); records > 0; records--) {
    takeNumber(bytes);
    takeNumber(bytes);
  }
  skipPadding(bytes, start);
  bytes.skip(4 + 10);
  if (bytes.take(2) !== 0x5a59) throw bytes.error('no footer at its end');
  return bytes.at;
}

function skipLzma2(bytes: Framing): void {
  for (;;) {
    const control = bytes.take(1);
    if (control === 0) return;
    if (control < 0x80) {
      if (control > 2) throw bytes.error('no LZMA2 chunk', control);
      bytes.skip(takeBigEndian16(bytes) + 1);
    } else {
      bytes.skip(2);
      const size = takeBigEndian16(bytes) + 1;
      bytes.skip((control >= 0xc0 ? 1 : 0) + size);
    }
  }
}

const takeBigEndian16 = (bytes: Framing): number => bytes.take(1) * 256 + bytes.take(1);

/** A multi-byte integer: 7 bits a byte, the lowest first, at most 9 bytes. */
function takeNumber(bytes: Framing): number {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = bytes.take(1);
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw bytes.error('a number of more than 9 bytes');
}

function skipPadding(bytes: Framing, start: number): void {
  while ((bytes.at - start) % 4 !== 0) {
    if (bytes.take(1) !== 0) throw bytes.error('padding is not zero');
  }
}

/** Blocks of the legacy frame end with the file, or where a length is 0 (lib/decompress_unlz4.c). */
function lz4End(bytes: Framing): number {
  const MAGIC = 0x184c2102;
  const MAX_BLOCK = 8 << 20;
  const longest = MAX_BLOCK + Math.floor(MAX_BLOCK / 255) + 16;
  bytes.skip(4);
  while (bytes.left >= 4) {
    const size = bytes.file.readUInt32LE(bytes.at);
    if (size === 0) break;
    bytes.skip(4);
    if (size === MAGIC) continue;
    if (size > longest) throw bytes.error('size of a block', size, `<= ${longest}`);
    bytes.skip(size);
  }
  return bytes.at;
}

/** The header of a gzip member (RFC 1952, 2.3). */
export interface GzipHeader {
  /** Where the deflated bytes begin. */
  readonly dataOffset: number;
  readonly name: string | undefined;
}

/** @throws FormatError; also for header fields that the kernel's unpacker does not skip (lib/decompress_inflate.c) */
export function readGzipHeader(file: Buffer, offset: number, where: string): GzipHeader {
  const bytes = new Framing(file, offset, `${where}: gzip`);
  bytes.skip(10);
  const DEFLATE = 8;
  const NAME = 0x08;
  if (file[offset + 2] !== DEFLATE) throw bytes.error('compression method', file[offset + 2], DEFLATE);
  const flags = file[offset + 3] as number;
  if ((flags & ~NAME) !== 0) throw bytes.error('header flags', flags, `0 or ${NAME}`);
  if (flags === 0) return { dataOffset: bytes.at, name: undefined };
  const end = file.indexOf(0, bytes.at);
  if (end < 0) throw bytes.error('a name without an end');
  return { dataOffset: end + 1, name: file.toString('latin1', bytes.at, end) };
}
