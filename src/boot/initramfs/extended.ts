/**
 * An initramfs that was extended: the original, zeros, our addition (an archive compressed by gzip), and an end mark
 * that says how long each of them is and what the original's SHA-256 was, so that the original can be had back from
 * the file alone.
 *
 * To the kernel the mark is one more archive, an empty one. All that it says stands in the file name of its gzip
 * header: of the optional header fields the kernel's unpacker skips that one alone, and takes any other for deflated
 * bytes (lib/decompress_inflate.c). It always has the same size and is the last thing in the file, so that nothing
 * has to be searched, and an original that itself ends in gzip, or in zeros, makes no difference.
 *
 * The zeros: a plain archive makes the kernel want what follows at a multiple of 4 (init/initramfs.c, do_reset), and
 * lz4 has no end but a length of zero (lib/decompress_unlz4.c).
 */
import { crc32, deflateRawSync } from 'node:zlib';
import { asBuffer, roundUp } from '../../base/bytes.ts';
import { isHex64, nativeEngine } from '../../base/digest.ts';
import { FormatError } from '../../base/errors.ts';
import { writeCpio } from '../../formats/cpio.ts';

/** The name in the gzip header of every addition. */
export const ADDITION_NAME = 'sealtree-addition';

/** Room for an lz4 length of zero, wherever the original ends. */
const MIN_ZEROS = 4;

/** Digits of a length in the end mark. */
const LENGTH_DIGITS = 12;

/** The parts of an extended initramfs, in the order in which they lie in it, as offsets. */
export interface ExtendedInitramfs {
  /** The original is what lies before this. */
  readonly originalEnd: number;
  /** SHA-256 that it had, in hex. */
  readonly originalSha256: string;
  readonly additionStart: number;
  readonly additionEnd: number;
}

/** Packs an archive as an addition. The same bytes for the same archive, with one version of zlib. */
export function packAddition(archive: Uint8Array): Buffer {
  if (lastPacked?.archive.equals(archive) !== true)
    lastPacked = { archive: asBuffer(archive), packed: gzip(archive, ADDITION_NAME) };
  return lastPacked.packed;
}

/** Each initramfs of a machine mostly gets the same addition, and a plan is made again once the locks are held. */
let lastPacked: { readonly archive: Buffer; readonly packed: Buffer } | undefined;

/** The pieces of the extended file, one after the other; what is large is not copied. */
export function extendInitramfs(original: Uint8Array, addition: Uint8Array): Buffer[] {
  return [asBuffer(original), ...tailFor({ size: original.length, sha256: sha256(original) }, addition)];
}

/** What comes behind an initramfs of this size and sum: all pieces but the first. */
export function tailFor(original: { size: number; sha256: string }, addition: Uint8Array): Buffer[] {
  const zeros = roundUp(original.size + MIN_ZEROS, 4) - original.size;
  return [Buffer.alloc(zeros), asBuffer(addition), endMark(original.size, addition.length, original.sha256)];
}

/**
 * Finds the parts; undefined for an initramfs that was not extended.
 * @throws FormatError for one that was, and was changed or cut off afterwards
 */
export function splitAddition(bytes: Uint8Array, where: string): ExtendedInitramfs | undefined {
  const file = asBuffer(bytes);
  const parts = readEndMark(file, where);
  if (parts === undefined) {
    // One that lies at the start is an overlay initrd: nothing but an addition.
    const start = Math.max(file.lastIndexOf(ADDITION_HEADER), file.lastIndexOf(MARK_HEADER));
    if (start > 0)
      throw new FormatError(where, 'the end mark of an extended initramfs is not at its end', {
        offset: start,
      });
    return undefined;
  }
  const got = sha256(file.subarray(0, parts.originalEnd));
  if (got !== parts.originalSha256)
    throw new FormatError(where, 'SHA-256 of the initramfs that was extended', {
      got,
      want: parts.originalSha256,
    });
  return parts;
}

/**
 * {@link splitAddition} by the end mark alone, without looking at the original.
 * @throws FormatError when the lengths in the mark do not fit the file
 */
export function readEndMark(file: Buffer, where: string): ExtendedInitramfs | undefined {
  const markStart = file.length - END_MARK_SIZE;
  if (markStart < 0 || !startsEndMark(file.subarray(markStart))) return undefined;
  const text = file.toString('latin1', markStart + HEADER_SIZE, file.indexOf(0, markStart + HEADER_SIZE));
  const [, original = '', addition = '', originalSha256 = ''] = MARK.exec(text) ?? [];
  const originalEnd = Number(original);
  const additionStart = markStart - Number(addition);
  const zeros = additionStart - originalEnd;
  const isWhole =
    isHex64(originalSha256) &&
    zeros === roundUp(originalEnd + MIN_ZEROS, 4) - originalEnd &&
    file.subarray(originalEnd, additionStart).every((byte) => byte === 0) &&
    file.subarray(additionStart, additionStart + ADDITION_HEADER.length).equals(ADDITION_HEADER) &&
    file.subarray(markStart).equals(endMark(originalEnd, Number(addition), originalSha256));
  if (!isWhole)
    throw new FormatError(where, 'end mark of an extended initramfs', {
      offset: markStart,
      got: JSON.stringify(text),
    });
  return { originalEnd, originalSha256, additionStart, additionEnd: markStart };
}

const MARK_NAME = 'sealtree-end version=1';
const MARK = new RegExp(`^${MARK_NAME} original=([0-9]{12}) addition=([0-9]{12}) sha256=([0-9a-f]{64})$`);

function endMark(originalSize: number, additionSize: number, originalSha256: string): Buffer {
  const length = (size: number): string => String(size).padStart(LENGTH_DIGITS, '0');
  const name = `${MARK_NAME} original=${length(originalSize)} addition=${length(additionSize)} sha256=${originalSha256}`;
  // Stored, not deflated: so its size is the same with every zlib.
  return gzip(writeCpio([]), name, 0);
}

/** Magic, deflate, a name follows, no time, nothing about the compression, unknown system. */
const HEADER = Buffer.from('1f8b08080000000000ff', 'hex');
const HEADER_SIZE = HEADER.length;

const ADDITION_HEADER = Buffer.concat([HEADER, Buffer.from(`${ADDITION_NAME}\0`, 'latin1')]);
const MARK_HEADER = Buffer.concat([HEADER, Buffer.from(MARK_NAME, 'latin1')]);

/** Bytes at the end of every extended initramfs. */
export const END_MARK_SIZE = endMark(0, 0, '0'.repeat(64)).length;

/** Whether the last {@link END_MARK_SIZE} bytes of a file are an end mark by their beginning. */
export const startsEndMark = (end: Buffer): boolean =>
  end.subarray(0, MARK_HEADER.length).equals(MARK_HEADER);

/** What is packed is mostly programs: with a higher level it takes twice as long and is a thousandth smaller. */
function gzip(bytes: Uint8Array, name: string, level = 6): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.length % 2 ** 32, 4);
  return Buffer.concat([
    HEADER,
    Buffer.from(`${name}\0`, 'latin1'),
    deflateRawSync(bytes, { level }),
    trailer,
  ]);
}

const sha256 = (bytes: Uint8Array): string => nativeEngine.sha256(bytes).toString('hex');
