/**
 * Byte strings.
 *
 * Names, link targets and xattrs are bytes, not text. They are held as {@link ByteString}: a JavaScript string
 * with one character U+0000..U+00FF per byte ("latin1"). Such strings compare with `<` exactly as unsigned
 * bytes do, work as Map keys, are immutable, and cost one byte per byte in V8.
 */

import { isUtf8 } from 'node:buffer';

/** A string whose characters are bytes. Never show it to a person without {@link displayBytes}. */
export type ByteString = string & { readonly __bytes: never };

/** A path longer than this is not walked: whoever nests so deep wants the walk to end in memory, not in files. */
export const MAX_PATH_BYTES = 1024 * 1024;

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

/** Whether the bytes are UTF-8: GVariant's strings, and so ostree's names and link targets, are nothing else. */
export function isText(bytes: ByteString): boolean {
  return !/[\x80-\xff]/.test(bytes) || isUtf8(stringToBytes(bytes));
}

/**
 * A name as it can be shown on one line of a terminal, as `ls --quoting-style=c` does it without the quotes:
 * valid UTF-8 stays, control bytes, the backslash and stray bytes become escapes.
 */
export function displayBytes(bytes: ByteString): string {
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(bytes)) return bytes;
  const text = bytesToText(bytes);
  if (!text.includes('\ufffd')) {
    return escapeActing(text.replace(/\\/g, '\\\\'));
  }
  return bytes.replace(/[^\x20-\x5b\x5d-\x7e]/g, (c) => escapeBytes(c as ByteString));
}

/**
 * A message as it can be shown on a terminal: what would act on it is escaped as by {@link displayBytes}, only
 * newlines stay. A path in it may hold anything; one that was escaped already is not escaped twice.
 */
export function displayMessage(text: string): string {
  return text.split('\n').map(escapeActing).join('\n');
}

/** C0, C1, bidirectional controls and line separators act on a terminal instead of being seen. */
function escapeActing(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => escapeBytes(textToBytes(c)));
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
