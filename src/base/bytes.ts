/**
 * Byte strings and a bounds-checked cursor.
 *
 * Names, link targets and xattrs are bytes, not text. They are held as {@link ByteString}: a JavaScript string
 * with one character U+0000..U+00FF per byte ("latin1"). Such strings compare with `<` exactly as unsigned
 * bytes do, work as Map keys, are immutable, and cost one byte per byte in V8.
 */
import { FormatError } from './errors.ts';

/** A string whose characters are bytes. Never show it to a person without {@link displayBytes}. */
export type ByteString = string & { readonly __bytes: never };

/** The bytes as a ByteString. */
export function bytesToString(bytes: Uint8Array, start = 0, end = bytes.length): ByteString {
  return asBuffer(bytes).toString('latin1', start, end) as ByteString;
}

/** The ByteString as fresh bytes. */
export function stringToBytes(text: ByteString): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Unicode text as UTF-8 bytes: for literals and for what a person typed. */
export function textToBytes(text: string): ByteString {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return bytesToString(Buffer.from(text, 'utf8'));
  }
  return text as ByteString;
}

/** UTF-8 bytes as text; bytes that are not UTF-8 become U+FFFD. For showing only. */
export function bytesToText(bytes: ByteString | Uint8Array): string {
  return (typeof bytes === 'string' ? stringToBytes(bytes) : asBuffer(bytes)).toString('utf8');
}

/**
 * A name as it can be shown on one line of a terminal, as `ls --quoting-style=c` does it without the quotes:
 * valid UTF-8 stays, control bytes, the backslash and stray bytes become escapes.
 */
export function displayBytes(bytes: ByteString): string {
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(bytes)) return bytes;
  const text = bytesToText(bytes);
  if (!text.includes('\ufffd')) {
    // C0, C1, bidirectional controls and line separators would act on the terminal instead of being seen.
    return text.replace(/[\\\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) =>
      escapeBytes(bytesToString(Buffer.from(c, 'utf8'))),
    );
  }
  return bytes.replace(/[^\x20-\x5b\x5d-\x7e]/g, (c) => escapeBytes(c as ByteString));
}

function escapeBytes(bytes: ByteString): string {
  let out = '';
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes.charCodeAt(i);
    if (c === 0x0a) out += '\\n';
    else if (c === 0x09) out += '\\t';
    else if (c === 0x0d) out += '\\r';
    else if (c === 0x5c) out += '\\\\';
    else out += `\\x${c.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** The smallest multiple of `alignment` that is >= `value`; exact up to 2^53. */
export function roundUp(value: number, alignment: number): number {
  const rest = value % alignment;
  return rest === 0 ? value : value + (alignment - rest);
}

/**
 * Reads integers from foreign bytes; every read is bounds-checked and ends in a {@link FormatError} that names
 * `where`. Integers of 64 bits come back as numbers and must be below 2^53, or as bigint.
 */
export class ByteReader {
  readonly bytes: Buffer;
  readonly where: string;
  offset: number;

  constructor(bytes: Uint8Array, where: string, offset = 0) {
    this.bytes = asBuffer(bytes);
    this.where = where;
    this.offset = offset;
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  /** Asserts that `count` bytes from `offset` on exist. */
  need(count: number, what: string, offset = this.offset): void {
    if (!(offset >= 0 && count >= 0 && offset + count <= this.bytes.length)) {
      throw new FormatError(this.where, `${what} runs past the end`, {
        offset,
        got: `${this.bytes.length} bytes in all`,
        want: `${offset + count}`,
      });
    }
  }

  u8(what: string): number {
    this.need(1, what);
    return this.bytes[this.offset++] as number;
  }

  u16le(what: string): number {
    this.need(2, what);
    const value = this.bytes.readUInt16LE(this.offset);
    this.offset += 2;
    return value;
  }

  u32le(what: string): number {
    this.need(4, what);
    const value = this.bytes.readUInt32LE(this.offset);
    this.offset += 4;
    return value;
  }

  u32be(what: string): number {
    this.need(4, what);
    const value = this.bytes.readUInt32BE(this.offset);
    this.offset += 4;
    return value;
  }

  bigU64le(what: string): bigint {
    this.need(8, what);
    const value = this.bytes.readBigUInt64LE(this.offset);
    this.offset += 8;
    return value;
  }

  bigU64be(what: string): bigint {
    this.need(8, what);
    const value = this.bytes.readBigUInt64BE(this.offset);
    this.offset += 8;
    return value;
  }

  u64le(what: string): number {
    const at = this.offset;
    return this.#safe(this.bigU64le(what), what, at);
  }

  u64be(what: string): number {
    const at = this.offset;
    return this.#safe(this.bigU64be(what), what, at);
  }

  /** The next `count` bytes, sharing memory with the input. */
  take(count: number, what: string): Buffer {
    this.need(count, what);
    const part = this.bytes.subarray(this.offset, this.offset + count);
    this.offset += count;
    return part;
  }

  skip(count: number, what: string): void {
    this.need(count, what);
    this.offset += count;
  }

  #safe(value: bigint, what: string, offset: number): number {
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new FormatError(this.where, `${what} is too large`, { offset, got: value, want: '< 2^53' });
    return Number(value);
  }
}
