/**
 * Boot entries of the Boot Loader Specification (UAPI.1), type 1: the text of an entry, its file name with the boot
 * counters, and the order in which a boot menu shows entries.
 *
 * An entry is kept as its lines: keys may repeat, unknown keys, comments and the order are not ours to change, and
 * an entry that is not edited is written back byte for byte. Values are bytes, since a kernel command line is.
 * Out of scope: what the paths in an entry point to (see ../deployment), UKIs (type 2).
 */
import { type ByteString, bytesToString, stringToBytes } from '../base/bytes.ts';
import { FormatError, UsageError } from '../base/errors.ts';
import { compareVersions } from './version.ts';

/** One line: a `key value` pair, or anything else (comment, empty line, malformed), which is kept as it is. */
export interface BlsLine {
  /** The line as in the file, without its newline. */
  readonly raw: ByteString;
  /** Set for `key value` lines. */
  readonly key?: ByteString;
  readonly value?: ByteString;
}

export interface BlsEntry {
  readonly lines: readonly BlsLine[];
  /** Whether the last line ends in a newline, as it should. */
  readonly endsWithNewline: boolean;
}

/** No entry is this large; a file that is has been mistaken for one. */
const MAX_ENTRY_BYTES = 1 << 20;

/**
 * Reads an entry. Lines that are no `key value` pairs are kept, not refused: loaders skip them.
 * @throws FormatError for what no loader would read: NUL bytes, or a file beyond 1 MiB.
 */
export function parseBlsEntry(bytes: Uint8Array, where: string): BlsEntry {
  if (bytes.length > MAX_ENTRY_BYTES)
    throw new FormatError(where, 'too large for a boot entry', {
      got: bytes.length,
      want: `<= ${MAX_ENTRY_BYTES}`,
    });
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new FormatError(where, 'NUL byte in a boot entry', { offset: nul });
  if (bytes.length === 0) return { lines: [], endsWithNewline: true };
  const text = bytesToString(bytes);
  const endsWithNewline = text.endsWith('\n');
  const body = endsWithNewline ? text.slice(0, -1) : text;
  return { lines: body.split('\n').map((raw) => parseLine(raw as ByteString)), endsWithNewline };
}

/** The same bytes that were read, but for what was edited. */
export function formatBlsEntry(entry: BlsEntry): Buffer {
  if (entry.lines.length === 0) return Buffer.alloc(0);
  const text = entry.lines.map((line) => line.raw).join('\n') + (entry.endsWithNewline ? '\n' : '');
  return stringToBytes(text as ByteString);
}

/** `key`, white space, `value`; ostree, like GRUB, wants the key at the start of the line and its first a letter. */
function parseLine(raw: ByteString): BlsLine {
  const key = /^[A-Za-z][^ \t]*(?=[ \t])/.exec(raw)?.[0];
  if (key === undefined) return { raw };
  return { raw, key: key as ByteString, value: trimmed(raw, key.length) as ByteString };
}

/** What follows `from` without the white space around it; by hand, since a regular expression can be made slow. */
function trimmed(text: string, from: number): string {
  let start = from;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\r';
}

/** A `key value` line. */
function blsLine(key: ByteString, value: ByteString): BlsLine {
  if (!/^[A-Za-z][^ \t\n\0]*$/.test(key) || /[\n\0]/.test(value))
    throw new UsageError(
      `${JSON.stringify(key)} with value ${JSON.stringify(value)} cannot stand in a boot entry`,
    );
  return { raw: `${key} ${value}` as ByteString, key, value };
}

/** A new entry of these pairs, in this order. */
export function createBlsEntry(pairs: readonly (readonly [key: ByteString, value: ByteString])[]): BlsEntry {
  return { lines: pairs.map(([key, value]) => blsLine(key, value)), endsWithNewline: true };
}

/** All values of a key, in the order of the file. */
export function blsValues(entry: BlsEntry, key: string): ByteString[] {
  return entry.lines.flatMap((line) => (line.key === key && line.value !== undefined ? [line.value] : []));
}

/** The value of a key that stands once; of repeated ones the last, as ostree reads it. */
export function blsValue(entry: BlsEntry, key: string): ByteString | undefined {
  return blsValues(entry, key).at(-1);
}

/** The kernel command line: all `options` lines, which loaders join with spaces. */
export function blsOptions(entry: BlsEntry): ByteString {
  return blsValues(entry, 'options').join(' ') as ByteString;
}

/**
 * Gives a key exactly these values. Lines that have the value already stay untouched, changed ones keep their place
 * and the white space around the value, further ones follow the last line of that key (or the end of the entry), and
 * surplus ones go.
 */
export function setBlsValues(entry: BlsEntry, key: ByteString, values: readonly ByteString[]): BlsEntry {
  const lines: BlsLine[] = [];
  let used = 0;
  let insertAt = -1;
  for (const line of entry.lines) {
    if (line.key !== key) {
      lines.push(line);
      continue;
    }
    const value = values[used++];
    if (value === undefined) continue;
    lines.push(line.value === value ? line : withValue(line, value));
    insertAt = lines.length;
  }
  const further = values.slice(used).map((value) => blsLine(key, value));
  lines.splice(insertAt < 0 ? lines.length : insertAt, 0, ...further);
  return { lines, endsWithNewline: entry.endsWithNewline || further.length > 0 };
}

/** The line with another value, all around it as it was. */
function withValue(
  { raw, key = '' as ByteString, value: old = '' as ByteString }: BlsLine,
  value: ByteString,
): BlsLine {
  const fresh = blsLine(key, value);
  if (old === '') return fresh;
  // Only blanks stand between the key and the value.
  const at = raw.indexOf(old, key.length);
  return { ...fresh, raw: (raw.slice(0, at) + value + raw.slice(at + old.length)) as ByteString };
}

/** File name of an entry: `STEM[+LEFT[-DONE]].conf`. */
export interface BlsName {
  /** The name without counters and suffix. */
  readonly stem: string;
  /** Boot counting, when the name has counters. */
  readonly counters: BootCounters | undefined;
}

export interface BootCounters {
  /** Tries left; 0 = bad. */
  readonly left: number;
  /** Tries done. */
  readonly done: number;
  /** Digits of `left` in the name: they keep their number when counted down. */
  readonly leftWidth: number;
  /** Digits of `done`; 0 when the name has no such counter yet. */
  readonly doneWidth: number;
}

/** Reads a file name; undefined when it is not one of an entry (UAPI.1: at most 255 of `A-Za-z0-9+-_.`, `.conf`). */
export function parseBlsName(name: string): BlsName | undefined {
  if (name.length > 255 || !/^[A-Za-z0-9+\-_.]+\.conf$/.test(name)) return undefined;
  const stem = name.slice(0, -'.conf'.length);
  const match = /^(.+)\+([0-9]{1,15})(?:-([0-9]{1,15}))?$/.exec(stem);
  if (match === null) return { stem, counters: undefined };
  const [, base = '', left = '', done = ''] = match;
  return {
    stem: base,
    counters: { left: Number(left), done: Number(done), leftWidth: left.length, doneWidth: done.length },
  };
}

export function formatBlsName(name: BlsName): string {
  const { stem, counters } = name;
  if (counters === undefined) return `${stem}.conf`;
  const left = String(counters.left).padStart(counters.leftWidth, '0');
  const done = counters.doneWidth === 0 ? '' : `-${String(counters.done).padStart(counters.doneWidth, '0')}`;
  return `${stem}+${left}${done}.conf`;
}

/** Whether boot counting has given up on the entry. */
export function isBadBlsName(name: BlsName): boolean {
  return name.counters?.left === 0;
}

/** What the order of a boot menu depends on. */
export interface BlsSortable {
  readonly name: BlsName;
  readonly entry: BlsEntry;
}

/**
 * Order of the boot menu (UAPI.1, "Sorting"), for Array.sort: the first entry is the one booted by default. Bad ones
 * go last; entries with a `sort-key` before those without, by key and machine-id ascending, then version
 * descending; what is left by file name, newest version first.
 */
export function compareBlsEntries(a: BlsSortable, b: BlsSortable): number {
  const bad = Number(isBadBlsName(a.name)) - Number(isBadBlsName(b.name));
  if (bad !== 0) return bad;
  const keyA = blsValue(a.entry, 'sort-key');
  const keyB = blsValue(b.entry, 'sort-key');
  if (keyA !== undefined && keyB !== undefined) {
    const result =
      compareText(keyA, keyB) ||
      compareText(blsValue(a.entry, 'machine-id') ?? '', blsValue(b.entry, 'machine-id') ?? '') ||
      compareVersions(blsValue(b.entry, 'version') ?? '', blsValue(a.entry, 'version') ?? '');
    if (result !== 0) return result;
  } else if (keyA !== undefined || keyB !== undefined) {
    return keyA !== undefined ? -1 : 1;
  }
  return (
    compareVersions(b.name.stem, a.name.stem) ||
    (b.name.counters?.left ?? Infinity) - (a.name.counters?.left ?? Infinity) ||
    (a.name.counters?.done ?? 0) - (b.name.counters?.done ?? 0) ||
    compareText(b.name.stem, a.name.stem)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
