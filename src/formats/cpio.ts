/**
 * The cpio archives that an initramfs is made of: "newc" (magic 070701, with a checksum 070702), as the kernel's
 * unpacker reads them (Documentation/driver-api/early-userspace/buffer-format.rst, init/initramfs.c).
 *
 * {@link CpioReader} takes an archive in pieces, so that a large one need never be in memory as a whole: it keeps
 * what describes the entries, symlink targets, and the contents that were asked for. {@link writeCpio} makes an
 * archive that is the same bytes for the same entries. Out of scope: the old formats, which the kernel refuses too.
 */
import { asBuffer, type ByteString, bytesToString, roundUp, stringToBytes } from '../base/bytes.ts';
import { FormatError, UsageError } from '../base/errors.ts';
import { isDirectory, isSymlink, S_IFDIR } from '../base/mode.ts';

/** What an archive says of one file. */
export interface CpioEntry {
  /** As stored: usually relative, sometimes with `./` or `/` in front; see {@link cpioPath}. */
  readonly name: ByteString;
  /** st_mode, with the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Names of this inode in the archive; of several only one, usually the last, has the content. */
  readonly linkCount: number;
  /** The same for all names of one inode of the archive. */
  readonly inode: string;
  /** Of a device, `MAJOR:MINOR`. */
  readonly device: string;
  /** Bytes of content. */
  readonly size: number;
  /** Of symlinks always (their target), of files when it was asked for. */
  readonly content: Buffer | undefined;
}

/** An entry to be written. */
export interface CpioFile {
  /** Relative, without `.` and `..`. */
  readonly name: ByteString;
  /** st_mode, with the type. */
  readonly mode: number;
  /** A file's bytes or a symlink's target; nothing for a folder. */
  readonly content?: Uint8Array;
}

const MAGIC = '070701';
const MAGIC_WITH_CHECKSUM = '070702';
const HEADER_SIZE = 110;
const TRAILER = 'TRAILER!!!';
/** PATH_MAX: the kernel skips what has a longer name or target. */
const MAX_NAME_SIZE = 4096;

/** The fields after the magic, 8 hex digits each, in their order. */
const FIELDS = [
  'inode',
  'mode',
  'uid',
  'gid',
  'linkCount',
  'mtime',
  'size',
  'devMajor',
  'devMinor',
  'rdevMajor',
  'rdevMinor',
  'nameSize',
  'checksum',
] as const;

type Field = (typeof FIELDS)[number];

/** An entry's name as a path from the root of the file system it makes: no `./` or `/` in front. */
export function cpioPath(name: ByteString): ByteString {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/') as ByteString;
}

export interface CpioReaderOptions {
  /** Which files' contents to keep; by default none. */
  readonly keep?: (entry: Omit<CpioEntry, 'content'>) => boolean;
  /** Stop behind the first archive instead of reading what follows it. */
  readonly single?: boolean;
}

/**
 * Reads archives that follow each other, with zeros between them, from bytes that come in pieces. Believes nothing:
 * what the kernel would not unpack is a FormatError.
 */
export class CpioReader {
  readonly entries: CpioEntry[] = [];
  readonly #where: string;
  readonly #options: CpioReaderOptions;
  /** Not yet read; starts at {@link #position} of the stream. */
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Bytes of content and padding still to be skipped. */
  #toSkip = 0;
  /** Whether a header comes next, not what lies between two archives. */
  #insideArchive = false;
  #archives = 0;
  /** How many bytes have to be there before going on makes sense. */
  #needed = 0;
  /** Pieces that wait for {@link #needed}. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(where: string, options: CpioReaderOptions = {}) {
    this.#where = where;
    this.#options = options;
  }

  /** How many bytes have been read: the end of what the entries came from. */
  get position(): number {
    return this.#position;
  }

  /** Whether the one archive that was asked for has been read to its end. */
  get isDone(): boolean {
    return this.#options.single === true && this.#archives > 0 && !this.#insideArchive;
  }

  /** @throws FormatError */
  push(chunk: Uint8Array): void {
    let bytes = asBuffer(chunk);
    // What is only skipped is never collected.
    if (this.#waitingBytes === 0 && this.#toSkip > 0) {
      const count = Math.min(this.#toSkip, bytes.length);
      this.#toSkip -= count;
      this.#position += count;
      bytes = bytes.subarray(count);
    }
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes < this.#needed) return;
    this.#rest = this.#waiting.length === 1 ? bytes : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#needed = 0;
    while (this.#step()) {
      // Each step reads one entry, or what is between two archives.
    }
    this.#waiting = this.#rest.length === 0 ? [] : [this.#rest];
    this.#waitingBytes = this.#rest.length;
  }

  /** Says that there is no more. @throws FormatError when an archive is not at its end. */
  finish(): void {
    if (this.#insideArchive || this.#toSkip > 0 || this.#waitingBytes > 0 || this.#archives === 0)
      throw this.#error('the archive is cut off', this.#position);
  }

  #step(): boolean {
    if (this.#toSkip > 0) {
      this.#eat(Math.min(this.#toSkip, this.#rest.length), true);
      if (this.#toSkip > 0) return false;
    }
    if (this.isDone) return false;
    return this.#insideArchive || this.#skipZeros() ? this.#readEntry() : false;
  }

  /** Whether an archive begins here. */
  #skipZeros(): boolean {
    const { length } = this.#rest;
    let count = 0;
    while (count < length && this.#rest[count] === 0) count++;
    this.#eat(count);
    if (count === length) return false;
    if (this.#position % 4 !== 0)
      throw this.#error('an archive begins at an offset that is no multiple of 4', this.#position);
    this.#insideArchive = true;
    return true;
  }

  #readEntry(): boolean {
    if (!this.#has(HEADER_SIZE)) return false;
    const fields = this.#parseHeader();
    const { nameSize, size, mode } = fields;
    if (nameSize < 1 || nameSize > MAX_NAME_SIZE)
      throw this.#error('size of a name', this.#position, nameSize, `1 to ${MAX_NAME_SIZE}`);
    const contentAt = roundUp(HEADER_SIZE + nameSize, 4);
    if (!this.#has(contentAt)) return false;
    const name = this.#parseName(nameSize);
    if (name === TRAILER) {
      this.#insideArchive = false;
      this.#archives++;
      this.#eat(contentAt);
      this.#toSkip = roundUp(size, 4);
      return true;
    }
    if (isSymlink(mode) && size > MAX_NAME_SIZE)
      throw this.#error('size of a symlink target', this.#position, size, `<= ${MAX_NAME_SIZE}`);
    const entry = {
      name,
      mode,
      uid: fields.uid,
      gid: fields.gid,
      mtime: fields.mtime,
      linkCount: fields.linkCount,
      inode: `${fields.devMajor}:${fields.devMinor}:${fields.inode}`,
      device: `${fields.rdevMajor}:${fields.rdevMinor}`,
      size,
    };
    let content: Buffer | undefined;
    if (isSymlink(mode) || this.#options.keep?.(entry) === true) {
      if (!this.#has(contentAt + size)) return false;
      // A copy: a part of a piece would keep all of it in memory.
      content = Buffer.from(this.#rest.subarray(contentAt, contentAt + size));
    }
    this.entries.push({ ...entry, content });
    this.#eat(contentAt);
    this.#toSkip = roundUp(size, 4);
    return true;
  }

  #parseHeader(): Record<Field, number> {
    const magic = this.#rest.toString('latin1', 0, 6);
    if (magic !== MAGIC && magic !== MAGIC_WITH_CHECKSUM)
      throw this.#error('no header of a newc archive', this.#position, JSON.stringify(magic), MAGIC);
    const digits = this.#rest.toString('latin1', 6, HEADER_SIZE);
    if (!/^[0-9A-Fa-f]{104}$/.test(digits))
      throw this.#error('a field is no number', this.#position + 6, JSON.stringify(digits), '8 hex digits');
    const fields = {} as Record<Field, number>;
    FIELDS.forEach((field, i) => {
      fields[field] = Number.parseInt(digits.slice(8 * i, 8 * i + 8), 16);
    });
    return fields;
  }

  #parseName(nameSize: number): ByteString {
    const name = bytesToString(this.#rest, HEADER_SIZE, HEADER_SIZE + nameSize);
    const nul = name.indexOf('\0');
    if (nul !== nameSize - 1)
      throw this.#error('a name does not end where its size says', this.#position + HEADER_SIZE);
    return name.slice(0, -1) as ByteString;
  }

  /** Whether so many bytes are there; else remembers to come back when they are. */
  #has(count: number): boolean {
    if (this.#rest.length >= count) return true;
    this.#needed = count;
    return false;
  }

  #eat(count: number, isSkipped = false): void {
    this.#rest = this.#rest.subarray(count);
    this.#position += count;
    if (isSkipped) this.#toSkip -= count;
  }

  #error(what: string, offset: number, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.#where, what, {
      offset,
      ...(got === undefined ? {} : { got }),
      ...(want === undefined ? {} : { want }),
    });
  }
}

/**
 * Reads the archive that begins at `offset`, with the contents of all files.
 * `end` is behind its trailer, before any zeros.
 * @throws FormatError
 */
export function readCpio(
  bytes: Uint8Array,
  where: string,
  offset = 0,
): { readonly entries: readonly CpioEntry[]; readonly end: number } {
  const reader = new CpioReader(where, { keep: () => true, single: true });
  reader.push(asBuffer(bytes).subarray(offset));
  if (!reader.isDone) throw new FormatError(where, 'the archive is cut off', { offset: bytes.length });
  return { entries: reader.entries, end: offset + reader.position };
}

/**
 * Writes an archive: the entries sorted by name, owned by root, of time 0, each folder that they are in before them
 * (the kernel makes none by itself), with the mode 0755 where it is not among the entries.
 */
export function writeCpio(files: Iterable<CpioFile>): Buffer {
  const byName = new Map<ByteString, CpioFile>();
  for (const file of files) {
    if (!isWritable(file.name))
      throw new UsageError(`${JSON.stringify(file.name)} is no name for an archive's entry`);
    if (byName.has(file.name)) throw new UsageError(`${JSON.stringify(file.name)} stands twice`);
    byName.set(file.name, file);
  }
  for (const name of [...byName.keys()]) {
    for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1)) {
      const folder = name.slice(0, at) as ByteString;
      const there = byName.get(folder);
      if (there === undefined) byName.set(folder, { name: folder, mode: S_IFDIR | 0o755 });
      else if (!isDirectory(there.mode))
        throw new UsageError(`${JSON.stringify(folder)} is no folder, and ${JSON.stringify(name)} is in it`);
    }
  }
  // A folder's name is the start of what is in it, so it comes first.
  const sorted = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const pieces = sorted.flatMap((file, i) => formatEntry(file, i + 1));
  pieces.push(...formatEntry({ name: TRAILER as ByteString, mode: 0 }, 0));
  return Buffer.concat(pieces);
}

function isWritable(name: ByteString): boolean {
  if (name === TRAILER || name.includes('\0') || name.length >= MAX_NAME_SIZE) return false;
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function formatEntry({ name, mode, content }: CpioFile, inode: number): Buffer[] {
  const size = content?.length ?? 0;
  if (size > 0xffffffff) throw new UsageError(`${name}: ${size} bytes are too many for a newc archive`);
  const fields: Record<Field, number> = {
    inode,
    mode,
    uid: 0,
    gid: 0,
    linkCount: isDirectory(mode) ? 2 : 1,
    mtime: 0,
    size,
    devMajor: 0,
    devMinor: 0,
    rdevMajor: 0,
    rdevMinor: 0,
    nameSize: name.length + 1,
    checksum: 0,
  };
  const header = MAGIC + FIELDS.map((field) => fields[field].toString(16).padStart(8, '0')).join('');
  return [
    padded(stringToBytes(`${header}${name}\0` as ByteString)),
    ...(content === undefined || size === 0 ? [] : [padded(asBuffer(content))]),
  ];
}

/** Filled with zeros to a multiple of 4. */
function padded(bytes: Buffer): Buffer {
  const missing = roundUp(bytes.length, 4) - bytes.length;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
