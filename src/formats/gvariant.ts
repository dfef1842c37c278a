/**
 * GVariant: the typed serialisation in which ostree keeps all its metadata.
 *
 * Reads and writes the normal form described in the "GVariant Specification" (GNOME wiki, sections 2.3 to 3.3),
 * little-endian as ostree stores it. Only the normal form is accepted, so `writeVariant(readVariant(x))` is `x`
 * for all accepted bytes: there is one serialisation of a value, and what libostree would silently read as a
 * default value is refused here. Integers ostree keeps big-endian by its own convention come back as they were
 * stored; {@link ./objects.ts} swaps them.
 */
import { isUtf8 } from 'node:buffer';
import { asBuffer, type ByteString, bytesToString, roundUp, stringToBytes } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';

/** A value together with its type string: the content of a `v`. */
export interface Variant {
  readonly type: string;
  readonly value: Value;
}

/**
 * How types appear in JavaScript:
 * `b` boolean; `y n q i u h d` number; `x t` bigint; `s o g` ByteString (UTF-8 bytes); `v` Variant;
 * `ay` Buffer (sharing memory with the input); other arrays, tuples and dict entries an array of values;
 * an array of dict entries with string keys (`a{s…}`) a Map in stored order, of repeated keys the first;
 * `m…` the value or null (so of maybes within maybes only the innermost is told apart).
 */
export type Value =
  | boolean
  | number
  | bigint
  | ByteString
  | Uint8Array
  | Variant
  | null
  | readonly Value[]
  | ReadonlyMap<ByteString, Value>;

/** The most levels of nesting, in type and value together: GLib's own limit. */
const MAX_DEPTH = 128;

interface Type {
  readonly text: string;
  readonly code: string;
  readonly alignment: 1 | 2 | 4 | 8;
  /** Bytes of every value of the type, or 0 when they vary. */
  readonly fixedSize: number;
  /** Element of arrays and maybes, members of tuples and dict entries. */
  readonly children: readonly Type[];
}

const BASIC: ReadonlyMap<string, readonly [alignment: 1 | 2 | 4 | 8, fixedSize: number]> = new Map([
  ['b', [1, 1]],
  ['y', [1, 1]],
  ['n', [2, 2]],
  ['q', [2, 2]],
  ['i', [4, 4]],
  ['u', [4, 4]],
  ['h', [4, 4]],
  ['x', [8, 8]],
  ['t', [8, 8]],
  ['d', [8, 8]],
  ['s', [1, 0]],
  ['o', [1, 0]],
  ['g', [1, 0]],
  ['v', [8, 0]],
]);

const known = new Map<string, Type>();
/** Foreign type strings are remembered only up to this many. */
const MAX_KNOWN = 256;

function typeOf(text: string, where: string): Type {
  const hit = known.get(text);
  if (hit !== undefined) return hit;
  const type = parseType(text, 0, 0, where);
  if (type.text.length !== text.length) throw badType(text, where);
  if (known.size < MAX_KNOWN) known.set(text, type);
  return type;
}

function badType(text: string, where: string): FormatError {
  return new FormatError(where, 'not a GVariant type string', { got: JSON.stringify(text.slice(0, 64)) });
}

function parseType(all: string, at: number, depth: number, where: string): Type {
  if (depth > MAX_DEPTH)
    throw new FormatError(where, 'GVariant type is nested too deeply', { want: `at most ${MAX_DEPTH}` });
  const code = all[at];
  if (code === undefined) throw badType(all, where);
  const basic = BASIC.get(code);
  if (basic !== undefined)
    return { text: code, code, alignment: basic[0], fixedSize: basic[1], children: [] };
  if (code === 'a' || code === 'm') {
    const child = parseType(all, at + 1, depth + 1, where);
    return { text: code + child.text, code, alignment: child.alignment, fixedSize: 0, children: [child] };
  }
  if (code !== '(' && code !== '{') throw badType(all, where);
  const close = code === '(' ? ')' : '}';
  const children: Type[] = [];
  let end = at + 1;
  while (all[end] !== close) {
    const child = parseType(all, end, depth + 1, where);
    children.push(child);
    end += child.text.length;
  }
  if (code === '{' && (children.length !== 2 || !BASIC.has(children[0]!.code) || children[0]!.code === 'v'))
    throw badType(all, where);
  let alignment: Type['alignment'] = 1;
  let size = 0;
  let fixed = true;
  for (const child of children) {
    if (child.alignment > alignment) alignment = child.alignment;
    if (child.fixedSize === 0) fixed = false;
    size = roundUp(size, child.alignment) + child.fixedSize;
  }
  // The unit tuple takes one byte, so that an array of it has a length.
  const fixedSize = !fixed ? 0 : children.length === 0 ? 1 : roundUp(size, alignment);
  return { text: all.slice(at, end + 1), code, alignment, fixedSize, children };
}

/** Bytes of one framing offset in a container of `size` bytes. */
export const offsetWidth = (size: number): 1 | 2 | 4 | 8 =>
  size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;

/** The smallest offset width for `body` bytes followed by `count` offsets. */
export function neededWidth(body: number, count: number): 1 | 2 | 4 | 8 {
  if (body + count <= 0xff) return 1;
  if (body + 2 * count <= 0xffff) return 2;
  return body + 4 * count <= 0xffffffff ? 4 : 8;
}

/**
 * Reads one value.
 *
 * @param type - type string such as `(a(say)a(sayay))`
 * @param bytes - exactly the serialised value; parts of the result share its memory
 * @param where - names the bytes in errors
 * @throws FormatError when the bytes are not the normal form of a value of that type
 */
export function readVariant(type: string, bytes: Uint8Array, where: string): Value {
  return new VariantReader(asBuffer(bytes), where).read(typeOf(type, where), 0, bytes.length, 0);
}

class VariantReader {
  readonly #bytes: Buffer;
  readonly #where: string;

  constructor(bytes: Buffer, where: string) {
    this.#bytes = bytes;
    this.#where = where;
  }

  read(type: Type, start: number, end: number, depth: number): Value {
    if (type.fixedSize !== 0 && end - start !== type.fixedSize)
      throw this.#bad(start, `wrong size of a '${type.text}'`, end - start, type.fixedSize);
    if (depth > MAX_DEPTH)
      throw this.#bad(start, 'GVariant is nested too deeply', depth, `at most ${MAX_DEPTH}`);
    const bytes = this.#bytes;
    switch (type.code) {
      case 'y':
        return bytes[start]!;
      case 'b':
        if (bytes[start]! > 1) throw this.#bad(start, 'not a boolean', bytes[start], '0 or 1');
        return bytes[start] === 1;
      case 'n':
        return bytes.readInt16LE(start);
      case 'q':
        return bytes.readUInt16LE(start);
      case 'i':
      case 'h':
        return bytes.readInt32LE(start);
      case 'u':
        return bytes.readUInt32LE(start);
      case 'x':
        return bytes.readBigInt64LE(start);
      case 't':
        return bytes.readBigUInt64LE(start);
      case 'd':
        return bytes.readDoubleLE(start);
      case 's':
      case 'o':
      case 'g':
        return this.#string(type.code, start, end);
      case 'v':
        return this.#variant(start, end, depth);
      case 'm':
        return this.#maybe(type.children[0]!, start, end, depth);
      case 'a':
        return this.#array(type.children[0]!, start, end, depth);
      default:
        return this.#tuple(type, start, end, depth);
    }
  }

  #string(code: string, start: number, end: number): ByteString {
    const bytes = this.#bytes;
    if (end === start || bytes[end - 1] !== 0) throw this.#bad(start, 'string does not end in NUL');
    const text = bytesToString(bytes, start, end - 1);
    const problem = stringProblem(text);
    if (problem !== undefined) throw this.#bad(start, problem);
    if (code === 'o' && !isObjectPath(text))
      throw this.#bad(start, 'not an object path', JSON.stringify(text.slice(0, 64)));
    if (code === 'g' && !isSignature(text))
      throw this.#bad(start, 'not a signature', JSON.stringify(text.slice(0, 64)));
    return text;
  }

  #variant(start: number, end: number, depth: number): Variant {
    const separator = end > start ? this.#bytes.lastIndexOf(0, end - 1) : -1;
    if (separator < start) throw this.#bad(start, 'variant without a type');
    const type = bytesToString(this.#bytes, separator + 1, end);
    return { type, value: this.read(typeOf(type, this.#where), start, separator, depth + 1) };
  }

  #maybe(child: Type, start: number, end: number, depth: number): Value {
    if (start === end) return null;
    if (child.fixedSize !== 0) return this.read(child, start, end, depth + 1);
    if (this.#bytes[end - 1] !== 0) throw this.#bad(end - 1, 'maybe does not end in a zero byte');
    return this.read(child, start, end - 1, depth + 1);
  }

  #array(child: Type, start: number, end: number, depth: number): Value {
    if (child.code === 'y') return this.#bytes.subarray(start, end);
    const items: Value[] = [];
    if (child.fixedSize !== 0) {
      if ((end - start) % child.fixedSize !== 0)
        throw this.#bad(
          start,
          `wrong size of an 'a${child.text}'`,
          end - start,
          `a multiple of ${child.fixedSize}`,
        );
      for (let at = start; at < end; at += child.fixedSize)
        items.push(this.read(child, at, at + child.fixedSize, depth + 1));
    } else if (end > start) {
      const width = offsetWidth(end - start);
      const bodyEnd = start + this.#offset(end - width, width, start, end);
      const count = (end - bodyEnd) / width;
      if (bodyEnd > end - width || !Number.isInteger(count))
        throw this.#bad(end - width, 'array ends in a wrong framing offset', bodyEnd - start);
      this.#checkWidth(start, bodyEnd - start, count, width);
      let at = start;
      for (let i = 0; i < count; i++) {
        const itemEnd = start + this.#offset(bodyEnd + i * width, width, start, end);
        at = this.#align(at, start, child.alignment, itemEnd);
        if (itemEnd < at || itemEnd > bodyEnd)
          throw this.#bad(bodyEnd + i * width, 'framing offset out of order', itemEnd - start);
        items.push(this.read(child, at, itemEnd, depth + 1));
        at = itemEnd;
      }
    }
    if (child.code !== '{' || child.children[0]!.code !== 's') return items;
    const map = new Map<ByteString, Value>();
    for (const item of items as readonly (readonly Value[])[]) {
      const key = item[0] as ByteString;
      if (!map.has(key)) map.set(key, item[1]!);
    }
    return map;
  }

  #tuple(type: Type, start: number, end: number, depth: number): Value {
    const { children } = type;
    if (children.length === 0) {
      if (this.#bytes[start] !== 0) throw this.#bad(start, 'unit value is not zero', this.#bytes[start], 0);
      return [];
    }
    const width = offsetWidth(end - start);
    const values: Value[] = [];
    const last = children.length - 1;
    // Offsets grow from the end downwards, one per member of varying size but the last member.
    let offsets = end;
    let count = 0;
    for (let i = 0; i < last; i++) if (children[i]!.fixedSize === 0) count++;
    const bodyEnd = type.fixedSize !== 0 ? end : end - count * width;
    if (bodyEnd < start)
      throw this.#bad(start, `'${type.text}' is too short for its framing offsets`, end - start);
    let at = start;
    for (let i = 0; i <= last; i++) {
      const child = children[i]!;
      const begin = roundUp(at - start, child.alignment) + start;
      let stop: number;
      if (child.fixedSize !== 0) stop = begin + child.fixedSize;
      else if (i === last) stop = bodyEnd;
      else {
        offsets -= width;
        stop = start + this.#offset(offsets, width, start, end);
      }
      if (begin > bodyEnd || stop < begin || stop > bodyEnd)
        throw this.#bad(
          start,
          `member ${i} of a '${type.text}' lies outside it`,
          stop - start,
          `at most ${bodyEnd - start}`,
        );
      this.#align(at, start, child.alignment, bodyEnd);
      values.push(this.read(child, begin, stop, depth + 1));
      at = stop;
    }
    if (type.fixedSize !== 0) this.#zero(at, end);
    else {
      if (at !== bodyEnd) throw this.#bad(at, `bytes left over in a '${type.text}'`, bodyEnd - at, 0);
      this.#checkWidth(start, bodyEnd - start, count, width);
    }
    return values;
  }

  /** One framing offset, counted from the container's start. */
  #offset(at: number, width: 1 | 2 | 4 | 8, start: number, end: number): number {
    const bytes = this.#bytes;
    if (at < start || at + width > end) throw this.#bad(at, 'framing offset lies outside its container');
    if (width === 1) return bytes[at]!;
    if (width === 2) return bytes.readUInt16LE(at);
    if (width === 4) return bytes.readUInt32LE(at);
    return Number(bytes.readBigUInt64LE(at));
  }

  /** Offsets wider than the value needs would be a second spelling of the same value. */
  #checkWidth(start: number, body: number, count: number, width: number): void {
    if (count > 0 && neededWidth(body, count) !== width)
      throw this.#bad(start, 'framing offsets are wider than needed', width, neededWidth(body, count));
  }

  #align(at: number, start: number, alignment: number, limit: number): number {
    const aligned = start + roundUp(at - start, alignment);
    if (aligned !== at) this.#zero(at, Math.min(aligned, limit));
    return aligned;
  }

  #zero(from: number, to: number): void {
    for (let i = from; i < to; i++)
      if (this.#bytes[i] !== 0) throw this.#bad(i, 'padding is not zero', this.#bytes[i], 0);
  }

  #bad(offset: number, what: string, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.#where, what, { offset, got, want });
  }
}

/** Why bytes cannot be a string: it is UTF-8 without NUL. */
export function stringProblem(text: ByteString): string | undefined {
  if (!/[\0\x80-\xff]/.test(text)) return undefined;
  if (text.includes('\0')) return 'string contains NUL';
  return isUtf8(stringToBytes(text)) ? undefined : 'string is not UTF-8';
}

function isObjectPath(text: string): boolean {
  return /^\/(?:[A-Za-z0-9_]+(?:\/[A-Za-z0-9_]+)*)?$/.test(text);
}

function isSignature(text: string): boolean {
  for (let at = 0; at < text.length; ) {
    try {
      at += parseType(text, at, 0, 'signature').text.length;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }
  return true;
}

/**
 * Serialises one value in normal form.
 *
 * @param type - type string
 * @param value - in the shape {@link Value} describes; a Map or a list of pairs for `a{s…}`
 * @throws FormatError when the value does not have that type
 */
export function writeVariant(type: string, value: Value): Buffer {
  const sink = new VariantWriter();
  sink.write(typeOf(type, 'GVariant'), value, 0);
  return sink.bytes();
}

class VariantWriter {
  #buffer = Buffer.alloc(256);
  #length = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Appends a value; its start is aligned from the start of all, which equals alignment from any container. */
  write(type: Type, value: Value, depth: number): void {
    if (depth > MAX_DEPTH)
      throw new FormatError('GVariant', 'nested too deeply', { want: `at most ${MAX_DEPTH}` });
    this.#alignTo(type.alignment);
    const fixed = type.fixedSize;
    switch (type.code) {
      case 'b':
        if (typeof value !== 'boolean') throw mismatch(type, value);
        this.#grow(1)[this.#length++] = value ? 1 : 0;
        return;
      case 'y':
      case 'n':
      case 'q':
      case 'i':
      case 'h':
      case 'u':
        this.#integer(type, value, fixed);
        return;
      case 'd':
        if (typeof value !== 'number') throw mismatch(type, value);
        this.#grow(8).writeDoubleLE(value, this.#length);
        this.#length += 8;
        return;
      case 'x':
      case 't':
        if (
          typeof value !== 'bigint' ||
          value !== (type.code === 't' ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value))
        )
          throw mismatch(type, value);
        this.#grow(8).writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
        this.#length += 8;
        return;
      case 's':
      case 'o':
      case 'g':
        this.#string(type, value);
        return;
      case 'v':
        if (!isVariant(value)) throw mismatch(type, value);
        this.write(typeOf(value.type, 'GVariant'), value.value, depth + 1);
        this.#raw(`\0${value.type}`);
        return;
      case 'm':
        if (value === null) return;
        this.write(type.children[0]!, value, depth + 1);
        if (type.children[0]!.fixedSize === 0) this.#raw('\0');
        return;
      case 'a':
        this.#array(type.children[0]!, value, depth);
        return;
      default:
        this.#tuple(type, value, depth);
    }
  }

  #integer(type: Type, value: Value, size: number): void {
    const bits = size * 8;
    const signed = type.code === 'n' || type.code === 'i' || type.code === 'h';
    const low = signed ? -(2 ** (bits - 1)) : 0;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value >= low + 2 ** bits)
      throw mismatch(type, value);
    const buffer = this.#grow(size);
    if (signed) buffer.writeIntLE(value, this.#length, size);
    else buffer.writeUIntLE(value, this.#length, size);
    this.#length += size;
  }

  #string(type: Type, value: Value): void {
    if (typeof value !== 'string' || /[^\0-\xff]/.test(value)) throw mismatch(type, value);
    if (stringProblem(value as ByteString) !== undefined) throw mismatch(type, value);
    if (type.code === 'o' && !isObjectPath(value)) throw mismatch(type, value);
    if (type.code === 'g' && !isSignature(value)) throw mismatch(type, value);
    this.#raw(`${value}\0`);
  }

  #array(child: Type, value: Value, depth: number): void {
    if (child.code === 'y') {
      if (!(value instanceof Uint8Array)) throw mismatch(child, value);
      this.#grow(value.length).set(value, this.#length);
      this.#length += value.length;
      return;
    }
    const items = value instanceof Map ? [...value] : value;
    if (!Array.isArray(items)) throw mismatch(child, value);
    const start = this.#length;
    const ends: number[] = [];
    for (const item of items as readonly Value[]) {
      this.write(child, item, depth + 1);
      if (child.fixedSize === 0) ends.push(this.#length - start);
    }
    this.#offsets(start, ends);
  }

  #tuple(type: Type, value: Value, depth: number): void {
    const { children } = type;
    if (!Array.isArray(value) || value.length !== children.length) throw mismatch(type, value);
    const start = this.#length;
    const ends: number[] = [];
    for (let i = 0; i < children.length; i++) {
      this.write(children[i]!, (value as readonly Value[])[i]!, depth + 1);
      if (children[i]!.fixedSize === 0 && i < children.length - 1) ends.unshift(this.#length - start);
    }
    if (type.fixedSize === 0) this.#offsets(start, ends);
    else this.#pad(start + type.fixedSize - this.#length);
  }

  #offsets(start: number, ends: readonly number[]): void {
    if (ends.length === 0) return;
    const width = neededWidth(this.#length - start, ends.length);
    const buffer = this.#grow(width * ends.length);
    for (const end of ends) {
      if (width === 8) buffer.writeBigUInt64LE(BigInt(end), this.#length);
      else buffer.writeUIntLE(end, this.#length, width);
      this.#length += width;
    }
  }

  #raw(text: string): void {
    this.#grow(text.length).write(text, this.#length, 'latin1');
    this.#length += text.length;
  }

  #alignTo(alignment: number): void {
    this.#pad(roundUp(this.#length, alignment) - this.#length);
  }

  #pad(count: number): void {
    if (count === 0) return;
    this.#grow(count).fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  /** Makes room for `count` more bytes and returns the buffer. */
  #grow(count: number): Buffer {
    if (this.#length + count > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + count));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

function mismatch(type: Type, value: Value): FormatError {
  const got =
    typeof value === 'object'
      ? value === null
        ? 'nothing'
        : value.constructor.name
      : String(value).slice(0, 64);
  return new FormatError('GVariant', 'value does not have its type', { got, want: type.text });
}

/** Whether a value is the content of a `v`. */
export function isVariant(value: Value | undefined): value is Variant {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array) &&
    !Array.isArray(value)
  );
}
