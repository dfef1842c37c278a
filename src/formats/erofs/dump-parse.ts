/**
 * composefs-dump(5), read: one line per entry, eleven fields separated by single spaces, then xattrs.
 *
 *     PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [KEY=VALUE ...]
 *
 * What `mkcomposefs --from-file` 1.0.8 accepts is accepted here with the same meaning, down to integers as
 * strtoull(3) reads them, and what it refuses is refused. On purpose stricter, because the C tool then writes
 * an image nobody asked for: a DIGEST that is not 64 hex digits (it leaves the rest uninitialised), a GID or
 * RDEV that is no integer (it takes 0 when the UID is not 0), a hard link to a directory (it makes a cycle).
 *
 * Lines come by the million, and nearly all are what {@link ./plain-line.ts} knows by a look. Of others, too, fields are
 * found in one pass over the bytes, and strings are made only of what the tree keeps.
 */
import { asBuffer, type ByteString, bytesToString, displayBytes, stringToBytes } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { isDevice, isDirectory, isKnownType, isRegular, isSymlink } from '../../base/mode.ts';
import { sortedXattrs, type Xattr, type Xattrs } from '../../base/xattrs.ts';
import { Limit } from './layout.ts';
import { PlainLine } from './plain-line.ts';
import { DIGEST_SIZE, ImageTree, type NodeFields } from './tree.ts';

export interface ParseDumpOptions {
  /** The C tool's CFS_PARSE_STRICT: a final newline, RDEV 0 on non-devices, exact symlink sizes. */
  readonly strict?: boolean;
}

/**
 * Reads a dump into a tree. `where` names the input in errors, which are {@link FormatError}s with the number
 * of the line. Chunks may end anywhere and are not kept.
 */
export function parseDump(
  chunks: Uint8Array | Iterable<Uint8Array>,
  where: string,
  options: ParseDumpOptions = {},
): ImageTree {
  const parser = new DumpParser(where, options);
  if (chunks instanceof Uint8Array) parser.push(chunks);
  else for (const chunk of chunks) parser.push(chunk);
  return parser.finish();
}

const PATH = 0;
const SIZE = 1;
const MODE = 2;
const NLINK = 3;
const UID = 4;
const GID = 5;
const RDEV = 6;
const MTIME = 7;
const PAYLOAD = 8;
const CONTENT = 9;
const DIGEST = 10;
const FIELDS = [
  'PATH',
  'SIZE',
  'MODE',
  'NLINK',
  'UID',
  'GID',
  'RDEV',
  'MTIME',
  'PAYLOAD',
  'CONTENT',
  'DIGEST',
];

const NEWLINE = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const DOT = 0x2e;
const AT = 0x40;
const BACKSLASH = 0x5c;

/** No entry needs more; without an end, what is no dump would fill the memory. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** The C tool refuses more xattr text on one line. */
const MAX_XATTR_TEXT = 0xffff;
/** Real trees repeat a few xattr sets: so many short texts are kept with what they mean. */
const REMEMBERED_XATTR_TEXTS = 4096;
const REMEMBERED_XATTR_LENGTH = 256;

interface PendingLink {
  readonly parent: number;
  readonly name: ByteString;
  readonly target: ByteString;
  readonly line: number;
  /** The node it leads to in the end, once that is known. */
  node?: number;
}

/** Takes the text in pieces; {@link finish} gives the tree. */
export class DumpParser {
  readonly #where: string;
  readonly #strict: boolean;
  readonly #tree = new ImageTree();
  readonly #plain = new PlainLine();
  #hasRoot = false;
  #line = 0;
  /** What came after the last newline so far. */
  #rest: Buffer[] = [];
  #restBytes = 0;

  // The line at hand: its bytes, and where each field lies in them.
  #bytes: Buffer = Buffer.alloc(0);
  readonly #starts = new Uint32Array(FIELDS.length);
  readonly #ends = new Uint32Array(FIELDS.length);
  /** Bit n: field n has a backslash. */
  #escaped = 0;

  /** Paths of directories, spelled `/a/b`; the root is the empty string. */
  readonly #directories = new Map<string, number>();
  /** Of the last plain line's entry. */
  #lastParentPath: Buffer = Buffer.alloc(0);
  #lastParent = 0;
  #lastSeconds = 0;
  #lastMtime = 0n;

  /** By their text: numbers of the tree's sets. */
  readonly #xattrSets = new Map<ByteString, number>();
  readonly #digestBytes = Buffer.alloc(DIGEST_SIZE);
  readonly #links: PendingLink[] = [];

  constructor(where: string, options: ParseDumpOptions = {}) {
    this.#where = where;
    this.#strict = options.strict ?? false;
  }

  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    let start = 0;
    if (this.#rest.length > 0) {
      const end = bytes.indexOf(NEWLINE);
      if (end === -1) {
        this.#keep(bytes);
        return;
      }
      this.#parseLine(this.#takeRest(bytes.subarray(0, end)), 0);
      start = end + 1;
    }
    const last = bytes.lastIndexOf(NEWLINE);
    while (start <= last) start = this.#addLine(bytes, start);
    if (start < bytes.length) this.#keep(bytes.subarray(start));
  }

  /** Keeps the start of a line, or more of it. What no line can hold is refused before its end comes, if ever. */
  #keep(bytes: Buffer): void {
    const nul = bytes.indexOf(0);
    const length = this.#restBytes + bytes.length;
    if (nul !== -1 || length > MAX_LINE_BYTES) {
      this.#line++;
      if (nul === -1) throw this.#tooLong();
      throw this.#nulAt(this.#restBytes + nul);
    }
    // Copied, because the caller may use the chunk's memory again.
    this.#rest.push(Buffer.from(bytes));
    this.#restBytes = length;
  }

  /** What was kept and the `end` of its line. */
  #takeRest(end: Buffer): Buffer {
    const line = Buffer.concat([...this.#rest, end]);
    this.#rest = [];
    this.#restBytes = 0;
    return line;
  }

  finish(): ImageTree {
    if (this.#rest.length > 0) {
      if (this.#strict) {
        this.#line++;
        throw this.#error('the last line does not end in a newline');
      }
      this.#parseLine(this.#takeRest(Buffer.alloc(0)), 0);
    }
    if (!this.#hasRoot) throw new FormatError(this.#where, 'no entries in the dump');
    this.#addLinks();
    return this.#tree;
  }

  /** Adds what the line that starts there says, and gives where the next one starts. */
  #addLine(bytes: Buffer, start: number): number {
    if (this.#addPlainLine(bytes, start)) return this.#plain.end + 1;
    const end = bytes.indexOf(NEWLINE, start);
    this.#parseLine(bytes, start, end);
    return end + 1;
  }

  /** Adds what a line says if that takes no more than a look. */
  #addPlainLine(bytes: Buffer, start: number): boolean {
    const line = this.#plain;
    if (!line.look(bytes, start) || line.end - start > MAX_LINE_BYTES) return false;
    const parent = this.#plainParent();
    const xattrSet = this.#plainXattrs();
    if (parent === undefined || xattrSet === undefined) return false;
    const node = this.#tree.addPlain(parent, line, xattrSet);
    if (node === -1) return false;
    if (isDirectory(line.mode)) this.#directories.set(bytesToString(bytes, start, line.nameEnd), node);
    this.#line++;
    return true;
  }

  /** The directory a plain line's entry is in: that of the line before, nearly always. */
  #plainParent(): number | undefined {
    const { bytes, pathStart, nameStart } = this.#plain;
    const end = nameStart - 1;
    if (!isSame(this.#lastParentPath, bytes, pathStart, end)) {
      const parent = this.#directories.get(bytesToString(bytes, pathStart, end));
      if (parent === undefined) return undefined;
      this.#lastParentPath = Buffer.from(bytes.subarray(pathStart, end));
      this.#lastParent = parent;
    }
    return this.#lastParent;
  }

  /** The set of a plain line's xattrs, if their text has been seen. */
  #plainXattrs(): number | undefined {
    const { bytes, xattrsStart, end } = this.#plain;
    if (xattrsStart === end) return 0;
    if (end - xattrsStart > REMEMBERED_XATTR_LENGTH) return undefined;
    return this.#xattrSets.get(bytesToString(bytes, xattrsStart, end));
  }

  #parseLine(bytes: Buffer, start: number, end = bytes.length): void {
    this.#line++;
    if (end - start > MAX_LINE_BYTES) throw this.#tooLong();
    this.#bytes = bytes;
    const xattrsAt = this.#split(start, end);

    const path = this.#cString(PATH);
    if (path === '') throw this.#error('empty PATH');
    let modeAt = this.#starts[MODE]!;
    const isLink = modeAt < this.#ends[MODE]! && bytes[modeAt] === AT;
    if (isLink) modeAt++;
    const mode = this.#u32(MODE, 8, modeAt);
    if (!isKnownType(mode)) throw this.#error(`MODE ${mode.toString(8)} has no known file type`);

    if (isLink) this.#parseLink(path, mode);
    else this.#parseNode(path, mode, xattrsAt, end);
  }

  #parseLink(path: ByteString, mode: number): void {
    if (isDirectory(mode)) throw this.#error('a directory cannot be a hard link');
    if (path === '/') throw this.#error('the root must be a directory');
    const name = nameOf(path);
    const parent = this.#parentOf(path, name);
    const target = this.#optional(PAYLOAD);
    if (target === undefined) throw this.#error('a hard link needs its target as PAYLOAD');
    this.#links.push({ parent, name, target: cut(target), line: this.#line });
  }

  #parseNode(path: ByteString, mode: number, xattrsAt: number, end: number): void {
    const size = this.#integer(SIZE, 10);
    const fields: NodeFields = {
      mode,
      nlink: this.#u32(NLINK, 10),
      uid: this.#u32(UID, 10),
      gid: this.#u32(GID, 10),
      rdev: this.#u32(RDEV, 10),
    };
    this.#readMtime(fields);
    const payload = this.#optional(PAYLOAD);
    if (payload !== undefined) fields.payload = cut(payload);
    const content = this.#content(size);

    if (this.#strict && !isDevice(mode) && fields.rdev !== 0)
      throw this.#error('RDEV must be 0 on what is no device');
    if (isSymlink(mode)) {
      const target = fields.payload ?? '';
      if (this.#strict && Number(size) !== target.length)
        throw this.#error(`SIZE of a symlink: got ${size}, want ${target.length}`);
      if (this.#strict && content !== undefined && content.length > 0)
        throw this.#error('a symlink has no CONTENT');
    } else if (isRegular(mode)) {
      if (size > Limit.fileSize) throw this.#error(`SIZE: got ${size}, want <= 2^53`);
      fields.size = Number(size);
      if (content !== undefined && content.length > 0) fields.content = content;
      else if (fields.size > 0) this.#readDigest(fields);
    } else if (!isDirectory(mode)) {
      // Not stored, but from 2^32 on it makes the inode an extended one.
      fields.size = size > Limit.fileSize ? Limit.fileSize : Number(size);
    }
    if (xattrsAt < end) fields.xattrs = this.#xattrs(xattrsAt, end);
    const node = this.#add(path, fields);
    if (xattrsAt < end) this.#rememberXattrs(node, xattrsAt, end);
  }

  #add(path: ByteString, fields: NodeFields): number {
    if (path === '/') {
      if (this.#hasRoot) throw this.#error('a second root');
      this.#inTree(() => this.#tree.addRoot(fields));
      this.#hasRoot = true;
      this.#directories.set('', 0);
      return 0;
    }
    const name = nameOf(path);
    const parent = this.#parentOf(path, name);
    const node = this.#inTree(() => this.#tree.add(parent, name, fields));
    if (isDirectory(fields.mode)) this.#directories.set(canonical(path), node);
    return node;
  }

  /** What the tree refuses gets the line's number. */
  #inTree(add: () => number): number {
    try {
      return add();
    } catch (error) {
      if (error instanceof FormatError) throw this.#error(error.message);
      throw error;
    }
  }

  /** The directory that `path` lies in. Refuses names that cannot be entries. */
  #parentOf(path: ByteString, name: ByteString): number {
    if (!this.#hasRoot) throw this.#error('the root must come first');
    const slash = path.length - name.length - 1;
    const parentPath = (slash < 0 ? '' : path.slice(0, slash)) as ByteString;
    const parent = this.#directories.get(parentPath) ?? this.#directories.get(canonical(parentPath));
    if (parent === undefined)
      throw this.#error(`${displayBytes(path)}: its parent is missing or no directory`);
    return parent;
  }

  /** Hard links may name a target that comes later, or another link: they are added last. */
  #addLinks(): void {
    const byPlace = new Map(this.#links.map((link) => [placeOf(link.parent, link.name), link]));
    for (const link of this.#links) {
      this.#line = link.line;
      const target = this.#resolve(link, byPlace);
      this.#inTree(() => this.#tree.addLink(link.parent, link.name, target));
    }
  }

  /** The node a link leads to in the end; every link on the way learns it too, so that long chains cost no more. */
  #resolve(first: PendingLink, byPlace: ReadonlyMap<string, PendingLink>): number {
    const chain = new Set<PendingLink>();
    let node: number | undefined;
    for (let link = first; node === undefined; ) {
      if (chain.has(link)) throw this.#error('the hard link leads back to itself');
      chain.add(link);
      const next = this.#targetOf(link, byPlace);
      if (typeof next === 'number') node = next;
      else if (next.node !== undefined) node = next.node;
      else link = next;
    }
    for (const link of chain) link.node = node;
    return node;
  }

  /** What lies at a link's target: a node, or another link. */
  #targetOf(link: PendingLink, byPlace: ReadonlyMap<string, PendingLink>): number | PendingLink {
    const target = canonical(link.target);
    if (target === '') return 0;
    const name = nameOf(target);
    const parent = this.#directories.get(target.slice(0, target.length - name.length - 1));
    const found =
      parent === undefined
        ? -1
        : (byPlace.get(placeOf(parent, name)) ?? this.#tree.childByName(parent, name));
    if (found === -1) throw this.#error(`no hard link target at ${displayBytes(link.target)}`);
    return found;
  }

  /** Finds the fixed fields; returns where the xattrs begin, or the end of the line. */
  #split(start: number, end: number): number {
    const bytes = this.#bytes;
    const starts = this.#starts;
    const ends = this.#ends;
    let field = 0;
    let escaped = 0;
    starts[0] = start;
    let at = start;
    for (; at < end; at++) {
      const c = bytes[at]!;
      if (c === SPACE) {
        ends[field++] = at;
        if (field === FIELDS.length) break;
        starts[field] = at + 1;
      } else if (c === BACKSLASH) escaped |= 1 << field;
      else if (c === 0) throw this.#nulAt(at - start);
    }
    this.#escaped = escaped;
    if (field === FIELDS.length) return at + 1;
    // Fields that are not there read as empty.
    ends[field] = end;
    for (field++; field < FIELDS.length; field++) {
      starts[field] = end;
      ends[field] = end;
    }
    return end;
  }

  #xattrs(start: number, end: number): Xattrs {
    if (end - start > MAX_XATTR_TEXT)
      throw this.#error(`xattrs of ${end - start} bytes of text, want <= ${MAX_XATTR_TEXT}`);
    const bytes = this.#bytes;
    const text = bytesToString(bytes, start, end);
    const known = this.#xattrSets.get(text);
    if (known !== undefined) return this.#tree.xattrSets[known]!;
    if (text.includes('\0')) throw this.#error('a NUL byte in the xattrs');

    const list: Xattr[] = [];
    for (let at = 0; at < text.length; ) {
      let stop = text.indexOf(' ', at);
      if (stop === -1) stop = text.length;
      const equals = text.indexOf('=', at);
      if (equals === -1 || equals > stop) throw this.#error('an xattr without =');
      const name = cut(this.#unescape(text.slice(at, equals) as ByteString));
      list.push([name, this.#unescape(text.slice(equals + 1, stop) as ByteString)]);
      at = stop + 1;
    }
    return sortedXattrs(list);
  }

  /** Keeps the text of a node's xattrs with what it means. */
  #rememberXattrs(node: number, start: number, end: number): void {
    if (end - start > REMEMBERED_XATTR_LENGTH) return;
    const text = bytesToString(this.#bytes, start, end);
    if (this.#xattrSets.has(text)) return;
    if (this.#xattrSets.size >= REMEMBERED_XATTR_TEXTS) this.#xattrSets.clear();
    this.#xattrSets.set(text, this.#tree.columns.xattrs[node]!);
  }

  #content(size: number | bigint): Buffer | undefined {
    const text = this.#optional(CONTENT);
    if (text === undefined) return undefined;
    if (BigInt(text.length) !== BigInt(size))
      throw this.#error(`CONTENT of ${text.length} bytes, want SIZE ${size}`);
    if (text.length > Limit.inlineContent)
      throw this.#error(`CONTENT of ${text.length} bytes, want <= ${Limit.inlineContent}`);
    return stringToBytes(text);
  }

  /** Only files with an object have a digest; what others have there is not looked at. */
  #readDigest(fields: NodeFields): void {
    const text = this.#optional(DIGEST);
    if (text === undefined) return;
    if (!/^[0-9a-fA-F]{64}$/.test(text))
      throw this.#error(`DIGEST ${JSON.stringify(text)}, want 64 hex digits`);
    this.#digestBytes.write(text, 'hex');
    fields.digest = this.#digestBytes;
  }

  #readMtime(fields: NodeFields): void {
    const bytes = this.#bytes;
    const start = this.#starts[MTIME]!;
    const end = this.#ends[MTIME]!;
    let dot = start;
    while (dot < end && bytes[dot] !== DOT) dot++;
    if (dot === end) throw this.#error('MTIME: want SECONDS.NANOSECONDS');
    const seconds = this.#integer(MTIME, 10, start, dot);
    if (typeof seconds === 'bigint') {
      this.#lastSeconds = -1;
      this.#lastMtime = BigInt.asIntN(64, seconds);
    } else if (seconds !== this.#lastSeconds) {
      this.#lastSeconds = seconds;
      this.#lastMtime = BigInt(seconds);
    }
    fields.mtimeSec = this.#lastMtime;
    fields.mtimeNsec = this.#u32(MTIME, 10, dot + 1);
  }

  /** A field as unsigned 32 bits; larger ones are cut, as by the C tool's types. */
  #u32(field: number, base: 8 | 10, start = this.#starts[field]!): number {
    const value = this.#integer(field, base, start);
    return typeof value === 'number' ? value >>> 0 : Number(BigInt.asUintN(32, value));
  }

  /** An unsigned 64-bit integer as strtoull(3) reads it: a number when plain and short, else a bigint. */
  #integer(
    field: number,
    base: 8 | 10,
    start = this.#starts[field]!,
    end = this.#ends[field]!,
  ): number | bigint {
    const length = end - start;
    if (length > 0 && length <= 15) {
      const bytes = this.#bytes;
      let value = 0;
      let at = start;
      for (; at < end; at++) {
        const digit = bytes[at]! - 0x30;
        if (digit < 0 || digit >= base) break;
        value = value * base + digit;
      }
      if (at === end) return value;
    }
    return this.#strtoull(field, base, bytesToString(this.#bytes, start, end));
  }

  #strtoull(field: number, base: 8 | 10, text: ByteString): bigint {
    const match = (base === 8 ? /^[\t\v\f\r]*([+-]?)([0-7]+)$/ : /^[\t\v\f\r]*([+-]?)([0-9]+)$/).exec(text);
    if (match === null) throw this.#error(`${FIELDS[field]}: no integer: ${JSON.stringify(text)}`);
    const value = BigInt(`${base === 8 ? '0o' : ''}${match[2]}`);
    if (value > 0xffff_ffff_ffff_ffffn) return 0xffff_ffff_ffff_ffffn;
    return match[1] === '-' ? BigInt.asUintN(64, -value) : value;
  }

  /** A field's text, or undefined for a lone dash. */
  #optional(field: number): ByteString | undefined {
    return this.#isDash(field) ? undefined : this.#text(field);
  }

  /** A field as a C string: it ends at an escaped NUL. */
  #cString(field: number): ByteString {
    return cut(this.#text(field));
  }

  #text(field: number): ByteString {
    const text = bytesToString(this.#bytes, this.#starts[field], this.#ends[field]);
    return (this.#escaped & (1 << field)) === 0 ? text : this.#unescape(text);
  }

  #isDash(field: number): boolean {
    const start = this.#starts[field]!;
    return this.#ends[field]! - start === 1 && this.#bytes[start] === DASH;
  }

  #unescape(text: ByteString): ByteString {
    let out = '';
    let from = 0;
    for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', from)) {
      out += text.slice(from, at);
      const kind = text[at + 1];
      from = at + 2;
      if (kind === '\\') out += '\\';
      else if (kind === 'n') out += '\n';
      else if (kind === 'r') out += '\r';
      else if (kind === 't') out += '\t';
      else if (kind === 'x') {
        const hex = text.slice(from, from + 2);
        if (!/^[0-9a-fA-F]{2}$/.test(hex)) throw this.#error(`escape \\x${hex}: want two hex digits`);
        out += String.fromCharCode(Number.parseInt(hex, 16));
        from += 2;
      } else throw this.#error(`unknown escape \\${kind ?? ''}`);
    }
    return (out + text.slice(from)) as ByteString;
  }

  #nulAt(index: number): FormatError {
    return this.#error(`a NUL byte at column ${index + 1}`);
  }

  #tooLong(): FormatError {
    return this.#error(`a line longer than ${MAX_LINE_BYTES} bytes`);
  }

  #error(what: string): FormatError {
    return new FormatError(this.#where, `line ${this.#line}: ${what}`, { details: { line: this.#line } });
  }
}

function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1) as ByteString;
}

/** Whether `bytes[start .. end)` is that path. */
function isSame(path: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (path.length !== end - start) return false;
  // What differs in paths beside one another is at their ends.
  for (let i = path.length - 1; i >= 0; i--) if (path[i] !== bytes[start + i]) return false;
  return true;
}

/** A place in the tree as a key. */
function placeOf(parent: number, name: ByteString): string {
  return `${parent}/${name}`;
}

/** C strings end at a NUL. */
function cut(text: ByteString): ByteString {
  const nul = text.indexOf('\0');
  return nul === -1 ? text : (text.slice(0, nul) as ByteString);
}

/** `/a/b` with single slashes and none at the end; '' for the root. */
function canonical(path: ByteString): ByteString {
  if (path.startsWith('/') && !path.endsWith('/') && !path.includes('//')) return path;
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((part) => `/${part}`).join('') as ByteString;
}
