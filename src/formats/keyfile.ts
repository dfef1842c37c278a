/**
 * GKeyFile: the format of repository configuration, origin files, prepare-root.conf and our own settings.
 *
 * Follows GLib's reader and writer (documentation of GKeyFile; behaviour read off gkeyfile.c 2.86): groups that
 * occur twice are merged, of a key that occurs twice the last value holds, values keep their trailing spaces,
 * locale variants such as `key[de]` are keys of their own. Edits keep comments, blank lines and the order of all
 * they do not touch, byte for byte, so comments in an old encoding survive. One deviation: a NUL byte, at which
 * GLib would silently cut the line, is refused.
 */
import { isUtf8 } from 'node:buffer';
import {
  asBuffer,
  type ByteString,
  bytesToString,
  bytesToText,
  stringToBytes,
  textToBytes,
} from '../base/bytes.ts';
import { ConfigError, FormatError } from '../base/errors.ts';

interface Pair {
  readonly key: ByteString;
  /** As written, escapes and all. */
  raw: ByteString;
}

/** A pair, or a line that is kept as it is: comment or blank. */
type Line = Pair | ByteString;

interface Group {
  /** Undefined for the lines before the first header. */
  readonly name: ByteString | undefined;
  readonly lines: Line[];
  /** Of a key that occurs twice the last pair. */
  readonly byKey: Map<ByteString, Pair>;
}

const isGroupName = (name: ByteString): boolean => /^[^[\]\x00-\x1f\x7f]+$/.test(name);

/** `name` or `name[locale]`; the name may have spaces inside only. */
function isKey(key: ByteString): boolean {
  const bracket = key.indexOf('[');
  const name = bracket === -1 ? key : key.slice(0, bracket);
  if (!/^(?! )[^=\]]*[^=\] ]$/.test(name)) return false;
  // Only here: what V8 makes of these classes takes longer than all the rest of a file.
  return bracket === -1 || /^\[[-\p{L}\p{N}_.@]*\]$/u.test(bytesToText(key.slice(bracket) as ByteString));
}

/** What g_ascii_isspace calls a space. */
const LEADING_SPACE = /^[ \t\n\v\f\r]+/;
const trimStart = (text: string): ByteString => text.replace(LEADING_SPACE, '') as ByteString;
const trimEnd = (text: string): ByteString => {
  let end = text.length;
  while (end > 0 && ' \t\n\v\f\r'.includes(text[end - 1]!)) end--;
  return text.slice(0, end) as ByteString;
};

export class Keyfile {
  /** Names the file in errors. */
  readonly where: string;
  readonly #groups: Group[] = [{ name: undefined, lines: [], byKey: new Map() }];
  readonly #byName = new Map<ByteString, Group>();

  constructor(where = 'keyfile') {
    this.where = where;
  }

  /**
   * @param text - the file's text or bytes
   * @throws FormatError with the line number for a line that is neither a header, a pair, a comment nor blank
   */
  static parse(text: string | Uint8Array, where: string): Keyfile {
    const file = new Keyfile(where);
    const source = typeof text === 'string' ? textToBytes(text) : bytesToString(asBuffer(text));
    let group = file.#groups[0]!;
    const lines = source.split('\n') as ByteString[];
    const last = lines.length - 1;
    lines.forEach((full, index) => {
      if (index === last && full === '') return;
      const line = (index < last && full.endsWith('\r') ? full.slice(0, -1) : full) as ByteString;
      if (line.includes('\0')) throw file.#badLine(index, 'line contains NUL', line);
      const start = trimStart(line);
      if (start === '' || start.startsWith('#')) {
        group.lines.push(line);
        return;
      }
      const header = /^\[([^\]]*)\][ \t]*$/.exec(start)?.[1] as ByteString | undefined;
      if (header !== undefined) {
        if (!isGroupName(header)) throw file.#badLine(index, 'not a group name', line);
        group = file.#byName.get(header) ?? file.#appendGroup(header);
        return;
      }
      const equals = start.indexOf('=');
      if (equals < 1) throw file.#badLine(index, 'neither a key-value pair, a group nor a comment', line);
      if (group.name === undefined) throw file.#badLine(index, 'a key before the first group', line);
      const key = trimEnd(start.slice(0, equals));
      if (!isKey(key)) throw file.#badLine(index, 'not a key', line);
      const raw = trimStart(start.slice(equals + 1));
      if (group === file.#groups[1] && key === 'Encoding' && raw.toUpperCase() !== 'UTF-8')
        throw file.#badLine(index, 'unsupported encoding', line);
      const pair = { key, raw };
      group.lines.push(pair);
      group.byKey.set(key, pair);
    });
    return file;
  }

  /** The file's bytes; what was not edited is as it was read. */
  toBytes(): Buffer {
    let text = '';
    for (const { name, lines } of this.#groups) {
      if (name !== undefined) text += `[${name}]\n`;
      for (const line of lines) text += typeof line === 'string' ? `${line}\n` : `${line.key}=${line.raw}\n`;
    }
    return stringToBytes(text as ByteString);
  }

  /** {@link toBytes} as text. */
  toString(): string {
    return this.toBytes().toString('utf8');
  }

  /** Names of the groups in the order of their first appearance. */
  groups(): string[] {
    return [...this.#byName.keys()].map(bytesToText);
  }

  hasGroup(group: string): boolean {
    return this.#byName.has(textToBytes(group));
  }

  /** Keys of a group in order, locale variants included; none when there is no such group. */
  keys(group: string): string[] {
    return [...(this.#byName.get(textToBytes(group))?.byKey.keys() ?? [])].map(bytesToText);
  }

  has(group: string, key: string): boolean {
    return this.#find(group, key) !== undefined;
  }

  /** The value as written, escapes unread; undefined when there is none. @throws ConfigError when it is not UTF-8 */
  getRaw(group: string, key: string): string | undefined {
    const raw = this.#find(group, key)?.raw;
    if (raw === undefined) return undefined;
    if (!isUtf8(stringToBytes(raw))) throw this.#badValue(group, key, raw, 'UTF-8 text');
    return bytesToText(raw);
  }

  /** @throws ConfigError when the value contains an unknown escape */
  getString(group: string, key: string): string | undefined {
    const raw = this.getRaw(group, key);
    return raw === undefined ? undefined : this.#unescape(group, key, raw, '');
  }

  /** The value for a locale such as `de_DE.UTF-8@euro`: the closest variant there is, else the plain key. */
  getLocaleString(group: string, key: string, locale: string): string | undefined {
    for (const variant of localeVariants(locale)) {
      const value = this.getString(group, `${key}[${variant}]`);
      if (value !== undefined) return value;
    }
    return this.getString(group, key);
  }

  /** `true`, `false`, `1` or `0`. @throws ConfigError for anything else */
  getBoolean(group: string, key: string): boolean | undefined {
    const raw = this.getRaw(group, key);
    if (raw === undefined) return undefined;
    const word = trimEnd(raw);
    if (word === 'true' || word === '1') return true;
    if (word === 'false' || word === '0') return false;
    throw this.#badValue(group, key, raw, 'true or false');
  }

  /** A decimal 32-bit integer; as in GLib, what follows it after a blank is ignored. @throws ConfigError */
  getInteger(group: string, key: string): number | undefined {
    const raw = this.getRaw(group, key);
    if (raw === undefined) return undefined;
    const digits = /^[-+]?\d+(?=$|[ \t\n\v\f\r])/.exec(raw)?.[0];
    const value = digits === undefined ? Number.NaN : Number(digits);
    if (!(value >= -(2 ** 31) && value < 2 ** 31)) throw this.#badValue(group, key, raw, 'a 32-bit integer');
    return value;
  }

  /** Items each followed by `separator`, the last one optionally; `\;` is a separator inside an item. */
  getList(group: string, key: string, separator = ';'): string[] | undefined {
    const raw = this.getRaw(group, key);
    if (raw === undefined) return undefined;
    const items: string[] = [];
    let start = 0;
    for (let i = 0; i < raw.length; i++) {
      if (raw[i] === '\\') i++;
      else if (raw[i] === separator) {
        items.push(raw.slice(start, i));
        start = i + 1;
      }
    }
    if (start < raw.length) items.push(raw.slice(start));
    return items.map((item) => this.#unescape(group, key, item, separator));
  }

  setString(group: string, key: string, value: string): void {
    this.setRaw(group, key, escapeValue(value, ''));
  }

  setBoolean(group: string, key: string, value: boolean): void {
    this.setRaw(group, key, String(value));
  }

  setInteger(group: string, key: string, value: number): void {
    this.setRaw(group, key, String(value));
  }

  setList(group: string, key: string, items: readonly string[], separator = ';'): void {
    this.setRaw(group, key, items.map((item) => escapeValue(item, separator) + separator).join(''));
  }

  /** Sets a value that is already escaped. A new key follows its group's last one; a new group comes last. */
  setRaw(group: string, key: string, raw: string): void {
    const name = textToBytes(group);
    const bytes = textToBytes(key);
    if (!isGroupName(name))
      throw new ConfigError(`${this.where}: not a group name: ${JSON.stringify(group)}`);
    if (!isKey(bytes) || /^[#\s]|[\n\0]/.test(key))
      throw new ConfigError(`${this.where}: not a key: ${JSON.stringify(key)}`);
    if (/[\n\0]/.test(raw))
      throw new ConfigError(`${this.where}: ${group}.${key}: a value cannot contain a line end or NUL`);
    const target = this.#byName.get(name) ?? this.#createGroup(name);
    const existing = target.byKey.get(bytes);
    if (existing !== undefined) {
      existing.raw = textToBytes(raw);
      return;
    }
    const pair = { key: bytes, raw: textToBytes(raw) };
    target.byKey.set(bytes, pair);
    target.lines.splice(target.lines.findLastIndex((line) => typeof line !== 'string') + 1, 0, pair);
  }

  /** Removes a key, wherever it occurs in the group; false when there was none. */
  removeKey(group: string, key: string): boolean {
    const found = this.#byName.get(textToBytes(group));
    const bytes = textToBytes(key);
    if (found === undefined || !found.byKey.delete(bytes)) return false;
    for (let i = found.lines.length - 1; i >= 0; i--) {
      const line = found.lines[i]!;
      if (typeof line !== 'string' && line.key === bytes) found.lines.splice(i, 1);
    }
    return true;
  }

  /** Removes a group with all lines up to the next header; false when there was none. */
  removeGroup(group: string): boolean {
    const name = textToBytes(group);
    const found = this.#byName.get(name);
    if (found === undefined) return false;
    this.#byName.delete(name);
    this.#groups.splice(this.#groups.indexOf(found), 1);
    return true;
  }

  #find(group: string, key: string): Pair | undefined {
    return this.#byName.get(textToBytes(group))?.byKey.get(textToBytes(key));
  }

  #appendGroup(name: ByteString): Group {
    const group: Group = { name, lines: [], byKey: new Map() };
    this.#groups.push(group);
    this.#byName.set(name, group);
    return group;
  }

  /** A group made by an edit is set off by a blank line, unless a comment or blank line is there already. */
  #createGroup(name: ByteString): Group {
    const { lines } = this.#groups.at(-1)!;
    if (this.#byName.size > 0 && typeof (lines.at(-1) ?? {}) !== 'string') lines.push('' as ByteString);
    return this.#appendGroup(name);
  }

  #unescape(group: string, key: string, raw: string, separator: string): string {
    return raw.replace(/\\(.?)/gsu, (all, c: string) => {
      const plain = ESCAPES.get(c) ?? (c !== '' && c === separator ? c : undefined);
      if (plain === undefined)
        throw this.#badValue(group, key, all, 'one of the escapes \\s \\n \\t \\r \\\\');
      return plain;
    });
  }

  #badValue(group: string, key: string, got: string, want: string): ConfigError {
    return new ConfigError(`${this.where}: ${group}.${key}: got ${JSON.stringify(got)}, want ${want}`, {
      details: { where: this.where, group, key, got },
    });
  }

  #badLine(index: number, what: string, line: string): FormatError {
    return new FormatError(`${this.where}:${index + 1}`, what, { got: JSON.stringify(line.slice(0, 80)) });
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['s', ' '],
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['\\', '\\'],
]);

/** Blanks at the start would be lost to the reader; line ends, backslashes and separators are always escaped. */
function escapeValue(value: string, separator: string): string {
  let out = '';
  let leading = true;
  for (const c of value) {
    if (c === '\n') out += '\\n';
    else if (c === '\r') out += '\\r';
    else if (leading && c === ' ') out += '\\s';
    else if (leading && c === '\t') out += '\\t';
    else {
      out += c === '\\' || c === separator ? `\\${c}` : c;
      leading = c === separator;
    }
  }
  return out;
}

/** `language_TERRITORY.CODESET@MODIFIER` and its shorter forms, closest first. */
function localeVariants(locale: string): string[] {
  const [, language = locale, territory = '', codeset = '', modifier = ''] =
    /^([^_.@]+)(_[^.@]+)?(\.[^@]+)?(@.+)?$/u.exec(locale) ?? [];
  const variants = new Set<string>();
  for (const m of new Set([modifier, '']))
    for (const t of new Set([territory, '']))
      for (const c of new Set([codeset, ''])) variants.add(language + t + c + m);
  return [...variants];
}
