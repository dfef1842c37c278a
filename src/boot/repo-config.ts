/**
 * `ex-integrity.fsverity = yes` in the configuration of a repository: with it ostree puts fs-verity on every object
 * that it writes, and refuses to write one where the file system has none. Hence it comes last, after the file system
 * can do it and all that is there has it.
 *
 * The edit is one of bytes, not of a parsed and rewritten file: what is not concerned stays as it was, odd spacing
 * and all, and taking it back gives the very bytes of before.
 *
 * What ostree reads (ostree-repo-verity.c): `ex-integrity.fsverity` is `yes`, `maybe` or `no`; without it `maybe`
 * where `ex-integrity.composefs` is not `no`; where that says no, the older `ex-fsverity.required` and `.opportunistic`.
 */
import { type ByteString, bytesToString, stringToBytes } from '../base/bytes.ts';
import { ConfigError } from '../base/errors.ts';
import { Keyfile } from '../formats/keyfile.ts';

export const INTEGRITY_GROUP = 'ex-integrity';
export const INTEGRITY_KEY = 'fsverity';

/** Whether ostree puts fs-verity on what it writes. */
export type Integrity = 'yes' | 'maybe' | 'no';

/** What stood where we wrote, as data that a JSON file can hold. */
export interface IntegrityBefore {
  /** The whole line without its end, latin1; null where the key was not set. */
  readonly line: string | null;
  /** Whether the group was there. */
  readonly group: boolean;
  /** Whether the file's last line had its newline. */
  readonly newline: boolean;
}

/** What ostree takes from the configuration. @throws FormatError, ConfigError for what ostree would refuse */
export function readIntegrity(config: Uint8Array, where: string): Integrity {
  const file = Keyfile.parse(config, where);
  const tristate = (key: string): Integrity | undefined => {
    const raw = file.getRaw(INTEGRITY_GROUP, key)?.trim();
    if (raw === undefined) return undefined;
    const value = TRISTATE.get(raw);
    if (value === undefined)
      throw new ConfigError(
        `${where}: ${INTEGRITY_GROUP}.${key}: got ${JSON.stringify(raw)}, want yes, maybe or no`,
      );
    return value;
  };
  const implied = (tristate('composefs') ?? 'no') === 'no' ? 'no' : 'maybe';
  const wanted = tristate(INTEGRITY_KEY) ?? implied;
  if (wanted !== 'no') return wanted;
  if (file.getBoolean('ex-fsverity', 'required')) return 'yes';
  return file.getBoolean('ex-fsverity', 'opportunistic') ? 'maybe' : 'no';
}

/** The words of ostree's tri-state (otutil's ot-keyfile-utils.c). */
const TRISTATE: ReadonlyMap<string, Integrity> = new Map([
  ['yes', 'yes'],
  ['true', 'yes'],
  ['1', 'yes'],
  ['maybe', 'maybe'],
  ['no', 'no'],
  ['false', 'no'],
  ['0', 'no'],
]);

/** The configuration with fs-verity asked for, and what {@link withoutIntegrity} needs; undefined when it is so already. */
export function withIntegrity(
  config: Uint8Array,
  where: string,
): { readonly bytes: Buffer; readonly before: IntegrityBefore } | undefined {
  if (readIntegrity(config, where) === 'yes') return undefined;
  const lines = linesOf(config);
  const newline = lines.at(-1)?.endsWith('\n') ?? true;
  const place = find(lines);
  const before = (line: string | null, group: boolean): IntegrityBefore => ({ line, group, newline });
  if (place.key !== undefined) {
    const line = lines[place.key] as string;
    lines[place.key] = `${OURS}${endOf(line)}`;
    return { bytes: join(lines), before: before(line.slice(0, line.length - endOf(line).length), true) };
  }
  if (place.header !== undefined) {
    if (place.header === lines.length - 1 && !newline) lines[place.header] += '\n';
    lines.splice(place.header + 1, 0, `${OURS}\n`);
    return { bytes: join(lines), before: before(null, true) };
  }
  if (!newline) lines.push('\n');
  lines.push(`\n[${INTEGRITY_GROUP}]\n`, `${OURS}\n`);
  return { bytes: join(lines), before: before(null, false) };
}

/**
 * The configuration as it would be had we not written to it; undefined when the key no longer says what we wrote:
 * then somebody else decided, and it is theirs.
 */
export function withoutIntegrity(config: Uint8Array, before: IntegrityBefore): Buffer | undefined {
  const lines = linesOf(config);
  const { key, header } = find(lines);
  if (key === undefined || header === undefined) return undefined;
  const line = lines[key] as string;
  const end = endOf(line);
  if (line.slice(0, line.length - end.length) !== OURS) return undefined;
  if (before.line !== null) {
    lines[key] = `${before.line}${end}`;
    return join(lines);
  }
  lines.splice(key, 1);
  const isEmpty = lines[key] === undefined || /^\s*(\[|$)/.test(lines[key] ?? '');
  if (!before.group && header === key - 1 && isEmpty) {
    // The blank line is ours as well.
    const blank = lines[header - 1] === '\n' ? 1 : 0;
    lines.splice(header - blank, 1 + blank);
  }
  const bytes = join(lines);
  const wasLast = key >= lines.length;
  return !before.newline && wasLast && bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

const OURS = `${INTEGRITY_KEY}=yes`;

/** Each with its newline. */
function linesOf(bytes: Uint8Array): string[] {
  const text: string = bytesToString(bytes);
  return text === '' ? [] : text.split(/(?<=\n)/);
}

const endOf = (line: string): string => /\r?\n?$/.exec(line)?.[0] ?? '';

const join = (lines: readonly string[]): Buffer => stringToBytes(lines.join('') as ByteString);

/** The line that decides, the last of those with the key; and the group's last header at or before it. */
function find(lines: readonly string[]): { key: number | undefined; header: number | undefined } {
  let key: number | undefined;
  let header: number | undefined;
  let last: number | undefined;
  let isInside = false;
  lines.forEach((line, i) => {
    const group = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (group !== undefined) {
      isInside = group === INTEGRITY_GROUP;
      if (isInside) last = i;
    } else if (isInside && new RegExp(`^\\s*${INTEGRITY_KEY}[ \\t]*=`).test(line)) {
      key = i;
      header = last;
    }
  });
  return { key, header: header ?? last };
}
