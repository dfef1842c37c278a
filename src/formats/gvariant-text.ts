/**
 * GVariant values as text, as GLib's g_variant_print() writes them with type annotations: what `ostree show --raw`
 * and `ostree ls -X` print. The format is described in GLib's "GVariant Text Format".
 *
 * Strings of the result are bytes like those of the values.
 */
import { type ByteString, bytesToText, textToBytes } from '../base/bytes.ts';
import type { Value, Variant } from './gvariant.ts';

export interface VariantTextOptions {
  /** Print integers with their bytes swapped: ostree stores them big-endian. Default false. */
  readonly byteswap?: boolean;
}

/** Prints a value of type `type`, annotated so that the text alone tells the type. */
export function formatVariant(type: string, value: Value, options: VariantTextOptions = {}): ByteString {
  return print(type, value, true, options.byteswap ?? false) as ByteString;
}

function print(type: string, value: Value, annotate: boolean, swap: boolean): string {
  switch (type[0]) {
    case 'b':
      return value === true ? 'true' : 'false';
    case 's':
      return quote(value as ByteString);
    case 'o':
      return `${annotate ? 'objectpath ' : ''}${quote(value as ByteString)}`;
    case 'g':
      return `${annotate ? 'signature ' : ''}${quote(value as ByteString)}`;
    case 'v': {
      const { type: inner, value: child } = value as Variant;
      return `<${print(inner, child, true, swap)}>`;
    }
    case 'a':
      return printArray(type, value, annotate, swap);
    case 'm':
      // A maybe of a maybe prints like its innermost value, which is all a Value tells of it.
      return `${annotate ? `@${type} ` : ''}${value === null ? 'nothing' : print(type.replace(/^m+/, ''), value, false, swap)}`;
    case '(': {
      const members = memberTypes(type);
      const items = members.map((member, i) =>
        print(member, (value as readonly Value[])[i] as Value, annotate, swap),
      );
      return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
    }
    case '{': {
      const [key = '', item = ''] = memberTypes(type);
      const [k, v] = value as readonly [Value, Value];
      return `{${print(key, k, annotate, swap)}, ${print(item, v, annotate, swap)}}`;
    }
    default:
      return printNumber(type, value as number | bigint, annotate, swap);
  }
}

function printArray(type: string, value: Value, annotate: boolean, swap: boolean): string {
  const element = type.slice(1);
  if (value instanceof Uint8Array) return printBytes(value, annotate);
  const isDictionary = element.startsWith('{');
  const items =
    value instanceof Map ? [...(value as ReadonlyMap<ByteString, Value>)] : (value as readonly Value[]);
  if (items.length === 0) return `${annotate ? `@${type} ` : ''}${isDictionary ? '{}' : '[]'}`;
  if (!isDictionary)
    return `[${items.map((item, i) => print(element, item as Value, annotate && i === 0, swap)).join(', ')}]`;
  const [key = '', item = ''] = memberTypes(element);
  const entries = (items as readonly (readonly [Value, Value])[]).map(
    ([k, v], i) =>
      `${print(key, k, annotate && i === 0, swap)}: ${print(item, v, annotate && i === 0, swap)}`,
  );
  return `{${entries.join(', ')}}`;
}

/** Bytes that end in their only NUL are a byte string, others a list. */
function printBytes(bytes: Uint8Array, annotate: boolean): string {
  if (bytes.length === 0) return annotate ? '@ay []' : '[]';
  if (bytes.indexOf(0) === bytes.length - 1) {
    let text = '';
    for (const byte of bytes.subarray(0, -1)) text += escapeByte(byte);
    return bytes.includes(0x27) ? `b"${text}"` : `b'${text}'`;
  }
  const list = Array.from(bytes, (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  return `[${annotate ? 'byte ' : ''}${list.join(', ')}]`;
}

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x0c, '\\f'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x0b, '\\v'],
]);

/** As g_strescape(): the double quote is escaped whatever quotes are around, and there is no `\a`. */
function escapeByte(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  const short = byte === 0x07 ? undefined : SHORT_ESCAPES.get(byte);
  return short ?? `\\${byte.toString(8).padStart(3, '0')}`;
}

/** Double quotes only where the text has a single one. What cannot be printed becomes an escape. */
function quote(bytes: ByteString): string {
  const mark = bytes.includes("'") ? '"' : "'";
  let out = mark;
  for (const c of bytesToText(bytes)) {
    const code = c.codePointAt(0) as number;
    if (c === mark || c === '\\') out += `\\${c}`;
    else if (!/[\p{Cc}\p{Cf}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/u.test(c) || c === '\u00ad') out += textToBytes(c);
    else if (SHORT_ESCAPES.has(code)) out += SHORT_ESCAPES.get(code);
    else
      out +=
        code < 0x10000
          ? `\\u${code.toString(16).padStart(4, '0')}`
          : `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return out + mark;
}

const NUMBERS: ReadonlyMap<string, readonly [word: string, size: 1 | 2 | 4 | 8, signed: boolean]> = new Map([
  ['n', ['int16 ', 2, true]],
  ['q', ['uint16 ', 2, false]],
  ['i', ['', 4, true]],
  ['u', ['uint32 ', 4, false]],
  ['h', ['handle ', 4, true]],
  ['x', ['int64 ', 8, true]],
  ['t', ['uint64 ', 8, false]],
]);

function printNumber(type: string, value: number | bigint, annotate: boolean, swap: boolean): string {
  if (type === 'y') return `${annotate ? 'byte ' : ''}0x${value.toString(16).padStart(2, '0')}`;
  if (type === 'd') return printDouble(swap ? swapDouble(value as number) : (value as number));
  const [word, size, signed] = NUMBERS.get(type) ?? ['', 4, true];
  const number = swap ? swapInteger(BigInt(value), size, signed) : value;
  return `${annotate ? word : ''}${number}`;
}

function swapInteger(value: bigint, size: 1 | 2 | 4 | 8, signed: boolean): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  const swapped = Buffer.alloc(8);
  for (let i = 0; i < size; i++) swapped[i] = bytes[size - 1 - i] as number;
  const result = swapped.readBigUInt64LE();
  return signed ? BigInt.asIntN(size * 8, result) : result;
}

function swapDouble(value: number): number {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.readDoubleBE();
}

/** As printf's `%.17g`, with a point added to whole numbers. */
function printDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [mantissa = '', exponent = '0'] = value.toExponential(16).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 17) {
    const fixed = value.toFixed(Math.min(100, 16 - power));
    const text = fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
    const signed = Object.is(value, -0) ? '-0' : text;
    return signed.includes('.') ? signed : `${signed}.0`;
  }
  const digits = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  return `${digits}e${power < 0 ? '-' : '+'}${Math.abs(power).toString().padStart(2, '0')}`;
}

/** The member types of a tuple or dict entry type. */
function memberTypes(type: string): string[] {
  const members: string[] = [];
  for (let at = 1; at < type.length - 1; ) {
    const end = typeEnd(type, at);
    members.push(type.slice(at, end));
    at = end;
  }
  return members;
}

/** Where the complete type that begins at `at` ends. `type` is a valid type string. */
function typeEnd(type: string, at: number): number {
  let end = at;
  while (type[end] === 'a' || type[end] === 'm') end++;
  if (type[end] !== '(' && type[end] !== '{') return end + 1;
  let depth = 0;
  do {
    if (type[end] === '(' || type[end] === '{') depth++;
    if (type[end] === ')' || type[end] === '}') depth--;
    end++;
  } while (depth > 0);
  return end;
}
