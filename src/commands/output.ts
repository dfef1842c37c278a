/** How results look: colours, aligned fields, JSON documents, byte strings. Pure, except for what it is given. */
import { type ByteString, bytesToText, displayBytes, stringToBytes } from '../base/bytes.ts';
import type { OutputStream } from './surroundings.ts';

export type ColorChoice = 'auto' | 'always' | 'never';

/**
 * Whether to colour what goes to `stream`: NO_COLOR (non-empty) wins over `--color`, that over FORCE_COLOR and
 * CLICOLOR_FORCE, those over what the stream is.
 */
export function wantsColor(
  choice: ColorChoice | undefined,
  env: Readonly<Record<string, string | undefined>>,
  stream: OutputStream,
): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (choice === 'always') return true;
  if (choice === 'never') return false;
  const force = env.FORCE_COLOR ?? env.CLICOLOR_FORCE;
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  return stream.isTerminal && env.TERM !== 'dumb';
}

/** Wraps text in a colour; the identity where colour is off. */
export type Paint = (text: string) => string;

export interface Style {
  readonly enabled: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly cyan: Paint;
}

/** The eight colours of every terminal, so that its theme decides how they look. */
export function makeStyle(enabled: boolean): Style {
  const paint =
    (on: number, off: number): Paint =>
    (text) =>
      enabled && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    enabled,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    cyan: paint(36, 39),
  };
}

const ESCAPES = /\x1b\[[0-9;]*m/g;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns a text takes on a terminal: colours and combining marks take none, East Asian wide ones two. */
export function textWidth(text: string): number {
  const plain = text.replace(ESCAPES, '');
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const c of plain) width += /\p{M}|\p{Cf}/u.test(c) ? 0 : WIDE.test(c) ? 2 : 1;
  return width;
}

/** `label: value` lines with the values in one column. */
export function fieldLines(
  fields: readonly (readonly [label: string, value: string])[],
  indent = '',
): string[] {
  const width = fields.reduce((widest, [label]) => Math.max(widest, textWidth(label)), 0);
  return fields.map(
    ([label, value]) => `${indent}${label}:${' '.repeat(width - textWidth(label) + 1)}${value}`,
  );
}

/** Bytes as a JSON value: text where they are UTF-8, else `{"base64": …}`. */
export function jsonBytes(bytes: ByteString): string | { base64: string } {
  const text = bytesToText(bytes);
  if (!text.includes('\ufffd')) return text;
  return { base64: Buffer.from(bytes, 'latin1').toString('base64') };
}

/**
 * A name for a line of output: escaped on a terminal, where its bytes could do harm, and as it is elsewhere,
 * as ls(1) does. The result is a string of bytes.
 */
export function nameBytes(name: ByteString, stream: OutputStream): ByteString {
  if (!stream.isTerminal) return name;
  return Buffer.from(displayBytes(name), 'utf8').toString('latin1') as ByteString;
}

/** V8 keeps a string that grows as all its pieces until somebody reads it: more of them would outlive its collections. */
const GATHERED_LENGTH = 1 << 12;
/** More than standard output holds back, so that it need not keep a copy. */
const WRITTEN_BYTES = 1 << 17;

/** Writes many short pieces in few calls; what came before a failure of the pieces is written too. */
export function writeAll(pieces: Iterable<ByteString>, stdout: OutputStream): void {
  const bytes = Buffer.allocUnsafeSlow(WRITTEN_BYTES);
  let filled = 0;
  let gathered = '' as ByteString;
  // Both forget first: what could not be written must not be tried again.
  const write = (): void => {
    const length = filled;
    filled = 0;
    if (length > 0) stdout.write(bytes.subarray(0, length));
  };
  const add = (): void => {
    const text = gathered;
    gathered = '' as ByteString;
    if (text.length > bytes.length - filled) write();
    if (text.length > bytes.length) stdout.write(stringToBytes(text));
    else filled += bytes.write(text, filled, 'latin1');
  };
  try {
    for (const piece of pieces) {
      gathered = (gathered + piece) as ByteString;
      if (gathered.length >= GATHERED_LENGTH) add();
    }
  } finally {
    add();
    write();
  }
}

/** The name of a command's JSON schema. */
export const schemaOf = (command: string): string => `sealtree/${command}/v1`;

/** What acts on a terminal and JSON lets stand as it is: DEL, C1 and the bidirectional controls. */
const ACTING = /[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * One JSON document, keys in the order given; bigints become numbers below 2^53 and strings above. Nothing in it
 * acts on a terminal.
 */
export function formatJson(value: unknown, indent = 2): string {
  const json = JSON.stringify(
    value,
    (_key, item: unknown) => {
      if (typeof item !== 'bigint') return item;
      const number = Number(item);
      return Number.isSafeInteger(number) ? number : item.toString();
    },
    indent,
  );
  return json.replace(ACTING, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Seconds since 1970 as RFC 3339 in UTC, as every time in our JSON; undefined where a Date cannot hold it. */
export function rfc3339(seconds: number): string | undefined {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return date.toISOString().replace(/\.000Z$/, 'Z');
}
