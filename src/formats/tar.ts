/**
 * Tar archives as blocks of 512 bytes (POSIX.1-2017, pax; GNU tar's manual, "Basic Tar Format"): v7, ustar, GNU and PAX.
 *
 * {@link TarTap} stands in front of tar-stream, sees every block on its way, and says of each member what tar-stream
 * loses: raw PAX records, base-256 numbers, sparse maps, and where the archive ends. What it cannot vouch for it
 * refuses by name. Both must then tell the same story: see ../repository/import-tar.ts.
 */
import { asBuffer, type ByteString, bytesToString, displayBytes } from '../base/bytes.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { NO_XATTRS, type Xattrs } from '../base/xattrs.ts';
import { type PaxRecords, parsePax, paxValue, xattrsOf } from './pax.ts';
import { checkExtents, decimal, type Extent, type Sparse, sparseOfPax } from './sparse.ts';

export const BLOCK_SIZE = 512;

/** Where the fields of a header lie: offset and length in bytes. */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
  /** GNU's sparse map, in place of the prefix: four pieces, whether more follow, and the file's size. */
  sparseMap: [386, 96],
  isExtended: [482, 1],
  realSize: [483, 12],
} as const;

/** In a block that goes on with a sparse map: 21 pieces, and whether another follows. */
const SPARSE_PER_BLOCK = 21;
const SPARSE_MORE = 504;
/** Bytes of one piece in a map: offset and length. */
const SPARSE_ENTRY = 24;

const USTAR = 'ustar\0';
const GNU = 'ustar  \0';

/** PAX headers and long names are held in memory: larger ones are no names or attributes. */
const MAX_EXTENSION = 1 << 20;

/** The longest path the kernel takes (PATH_MAX without its NUL). */
const MAX_PATH = 4095;

export type TarType =
  | 'file'
  | 'hard link'
  | 'symlink'
  | 'character device'
  | 'block device'
  | 'folder'
  | 'FIFO';

const TYPES: ReadonlyMap<string, TarType> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['1', 'hard link'],
  ['2', 'symlink'],
  ['3', 'character device'],
  ['4', 'block device'],
  ['5', 'folder'],
  ['6', 'FIFO'],
  ['7', 'file'],
  ['S', 'file'],
]);

/** Headers that say more of the member they precede. */
const EXTENSIONS: ReadonlyMap<string, 'pax' | 'global' | 'path' | 'target'> = new Map([
  ['x', 'pax'],
  ['g', 'global'],
  ['L', 'path'],
  ['K', 'target'],
]);

export interface TarMember {
  readonly type: TarType;
  /** As the archive has it. */
  readonly path: ByteString;
  /** Of a symlink, or the path a hard link names; else empty. */
  readonly target: ByteString;
  /** Bytes stored in the archive, and where they begin in it. */
  readonly storedSize: number;
  readonly dataOffset: number;
  /** Bytes of the file. */
  readonly size: number;
  readonly sparse: Sparse | undefined;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-id and sticky bits. */
  readonly permissions: number;
  readonly xattrs: Xattrs;
}

export interface TarTapOptions {
  /** What errors call the archive. */
  readonly where: string;
  /** Whether an archive may end without its two blocks of zeros: where a digest proves that it is whole. */
  readonly endIsOptional?: boolean;
}

/** What is collected before it can be understood. */
interface Pending {
  readonly kind: 'header' | 'sparse' | 'pax' | 'global' | 'path' | 'target';
  readonly bytes: Buffer;
  filled: number;
}

/** A sparse file of the old GNU form, as long as its map is read. */
interface OldSparse {
  readonly header: Buffer;
  readonly extents: Extent[];
  readonly offset: number;
}

/** Follows an archive that comes in pieces. */
export class TarTap {
  readonly #where: string;
  readonly #endIsOptional: boolean;
  readonly #members: TarMember[] = [];
  /** Undefined between the parts of the archive: a header is next. */
  #pending: Pending | undefined;
  /** Bytes of data and padding before the next header. */
  #skip = 0;
  /** Padding after an extension's bytes. */
  #padding = 0;
  #offset = 0;
  /** Blocks of zeros seen; from the first on nothing else may follow. */
  #zeroBlocks = 0;
  #global: PaxRecords = [];
  #pax: PaxRecords | undefined;
  #path: ByteString | undefined;
  #target: ByteString | undefined;
  /** An old GNU sparse file, whose map goes on in further blocks. */
  #sparse: OldSparse | undefined;

  constructor(options: TarTapOptions) {
    this.#where = options.where;
    this.#endIsOptional = options.endIsOptional ?? false;
  }

  /**
   * Takes the next piece. Gives the pieces to be handed on: the same bytes, but for GNU's sparse files, which become
   * ordinary ones with the stored data.
   * @throws FormatError, UnsupportedError for members of a kind that nothing here understands
   */
  push(chunk: Uint8Array): Buffer[] {
    const bytes = asBuffer(chunk);
    const out: Buffer[] = [];
    let start = 0;
    for (let at = 0; at < bytes.length; ) {
      if (this.#skip > 0) {
        const count = Math.min(this.#skip, bytes.length - at);
        this.#skip -= count;
        this.#offset += count;
        at += count;
        continue;
      }
      if (this.#pending === undefined && bytes.length - at >= BLOCK_SIZE) {
        // The usual case: a whole header, which need not be copied.
        const block = bytes.subarray(at, at + BLOCK_SIZE);
        this.#offset += BLOCK_SIZE;
        const handOn = this.#header(block);
        if (handOn !== block) {
          if (start < at) out.push(bytes.subarray(start, at));
          if (handOn !== undefined) out.push(handOn);
          start = at + BLOCK_SIZE;
        }
        at += BLOCK_SIZE;
        continue;
      }
      this.#pending ??= pending('header', BLOCK_SIZE);
      const { kind, bytes: into, filled } = this.#pending;
      const count = bytes.copy(into, filled, at, at + into.length - filled);
      this.#pending.filled += count;
      this.#offset += count;
      const isHeld = kind === 'header' || kind === 'sparse';
      if (isHeld && start < at) out.push(bytes.subarray(start, at));
      at += count;
      if (isHeld) start = at;
      if (this.#pending.filled === into.length) {
        const handOn = this.#complete(kind, into);
        if (handOn !== undefined) out.push(handOn);
      }
    }
    if (start < bytes.length) out.push(bytes.subarray(start));
    return out;
  }

  /** The members whose headers have passed, in order, each once. */
  next(): TarMember | undefined {
    return this.#members.shift();
  }

  /** Says that nothing more comes. @throws FormatError when something is missing */
  end(): void {
    const isBetween = this.#skip === 0 && this.#pending === undefined && !this.#isExtended();
    if (!isBetween) throw this.#error('archive is cut off within a member');
    // A lone block is what some writers end with.
    if (this.#zeroBlocks === 0 && !this.#endIsOptional)
      throw this.#error('archive is cut off: the two blocks of zeros at its end are missing');
  }

  /** Takes a whole header or extension; gives what is to be handed on of a block that was held. */
  #complete(kind: Pending['kind'], bytes: Buffer): Buffer | undefined {
    this.#pending = undefined;
    if (kind === 'header') return this.#header(bytes);
    if (kind === 'sparse') return this.#moreSparse(bytes);
    this.#skip = this.#padding;
    if (kind === 'global') this.#global = [...this.#global, ...parsePax(bytes, this.#here())];
    else if (kind === 'pax') this.#pax = once(this.#pax, parsePax(bytes, this.#here()), this.#here());
    else if (kind === 'path') this.#path = once(this.#path, cString(bytes), this.#here());
    else this.#target = once(this.#target, cString(bytes), this.#here());
    return undefined;
  }

  #header(block: Buffer): Buffer | undefined {
    const offset = this.#offset - BLOCK_SIZE;
    if (block.every((byte) => byte === 0)) {
      if (this.#isExtended()) throw this.#error('a header that belongs to a member is the last one');
      this.#zeroBlocks++;
      return block;
    }
    if (this.#zeroBlocks > 0) throw this.#error('there is something after the end of the archive', offset);
    if (checksumOf(block) !== Number.parseInt(/^ *([0-7]+) *$/.exec(text(block, 'checksum'))?.[1] ?? '', 8))
      throw this.#error('header with a wrong checksum, or no tar archive at all', offset);
    const flag = text(block, 'type');
    const size = octal(block, 'size', this.#here());
    const extension = EXTENSIONS.get(flag);
    if (extension !== undefined) {
      if (size > MAX_EXTENSION || size === 0)
        throw this.#error(`header of type ${flag} has ${size} bytes, not 1 to ${MAX_EXTENSION}`, offset);
      this.#pending = pending(extension, size);
      this.#padding = padding(size);
      return block;
    }
    if (flag === 'S') {
      if (text(block, 'magic') !== GNU)
        throw this.#error('a sparse file of a kind that is not known', offset);
      const realSize = octal(block, 'realSize', this.#here());
      const extents = this.#extents(block, FIELDS.sparseMap[0], 4);
      // It is changed before it is handed on, and the memory is whose it was.
      this.#sparse = { header: Buffer.from(block), extents, offset };
      if (block[FIELDS.isExtended[0]] !== 0) {
        this.#pending = pending('sparse', BLOCK_SIZE);
        return undefined;
      }
      return this.#endSparse(realSize);
    }
    this.#member(block, flag, size, offset, undefined);
    return block;
  }

  #moreSparse(block: Buffer): Buffer | undefined {
    const { header, extents } = this.#sparse as OldSparse;
    extents.push(...this.#extents(block, 0, SPARSE_PER_BLOCK));
    const realSize = octal(header, 'realSize', this.#here());
    checkExtents(extents, realSize, this.#here());
    if (block[SPARSE_MORE] === 0) return this.#endSparse(realSize);
    this.#pending = pending('sparse', BLOCK_SIZE);
    return undefined;
  }

  /** The pieces of a map; a field without a length ends it. */
  #extents(block: Buffer, at: number, count: number): Extent[] {
    const extents: Extent[] = [];
    for (let i = 0; i < count; i++) {
      const from = at + i * SPARSE_ENTRY;
      if (block[from + 12] === 0) break;
      extents.push({
        offset: numberIn(block, from, 12, this.#here()),
        length: numberIn(block, from + 12, 12, this.#here()),
      });
    }
    return extents;
  }

  /** The member becomes an ordinary file for whoever reads on: without the map, whose blocks were not handed on. */
  #endSparse(realSize: number): Buffer {
    const { header, extents, offset } = this.#sparse as OldSparse;
    this.#sparse = undefined;
    const sparse = { realSize, extents: checkExtents(extents, realSize, this.#here()) };
    this.#member(header, 'S', octal(header, 'size', this.#here()), offset, sparse);
    header.write('0', FIELDS.type[0], 'latin1');
    header.write(checksumOf(header).toString(8).padStart(6, '0'), FIELDS.checksum[0], 'latin1');
    return header;
  }

  #member(block: Buffer, flag: string, sizeField: number, offset: number, sparse: Sparse | undefined): void {
    const pax: PaxRecords = [...this.#global, ...(this.#pax ?? [])];
    const named = paxValue(pax, 'GNU.sparse.name') ?? paxValue(pax, 'path') ?? this.#path ?? nameOf(block);
    const where = `${this.#where}: ${displayBytes(named)}`;
    const listed = TYPES.get(flag);
    if (listed === undefined)
      throw new UnsupportedError(`${where}: a member of type ${JSON.stringify(flag)} is not understood`);
    // Before there was a type for them, folders were files whose names end in a slash.
    const type = (flag === '0' || flag === '\0') && named.endsWith('/') ? 'folder' : listed;
    const storedSize = paxNumber(pax, 'size', where) ?? sizeField;
    if (type !== 'file' && storedSize !== 0)
      throw new FormatError(where, `a ${type} with data`, { got: `${storedSize} bytes`, want: 0 });
    const isLink = type === 'symlink' || type === 'hard link';
    const target = isLink ? (paxValue(pax, 'linkpath') ?? this.#target ?? text(block, 'linkname')) : '';
    for (const name of [named, target])
      if (name.length > MAX_PATH || name.includes('\0'))
        throw new FormatError(where, 'path is longer than the kernel takes, or has a NUL in it', {
          got: `${name.length} bytes`,
          want: `at most ${MAX_PATH}`,
        });
    const map = sparse ?? (type === 'file' ? sparseOfPax(pax, where) : undefined);
    this.#members.push({
      type,
      path: named,
      target: target as ByteString,
      storedSize,
      dataOffset: this.#offset,
      size: map?.realSize ?? storedSize,
      sparse: map,
      uid: owner(paxNumber(pax, 'uid', where) ?? octal(block, 'uid', where), 'uid', where),
      gid: owner(paxNumber(pax, 'gid', where) ?? octal(block, 'gid', where), 'gid', where),
      permissions: octal(block, 'mode', where) & 0o7777,
      xattrs: pax.length === 0 ? NO_XATTRS : xattrsOf(pax, where),
    });
    this.#pax = undefined;
    this.#path = undefined;
    this.#target = undefined;
    this.#skip = storedSize + padding(storedSize);
    if (!Number.isSafeInteger(this.#offset + this.#skip))
      throw new FormatError(where, 'size is too large', { offset, got: storedSize, want: '< 2^53' });
  }

  /** Whether a header was read that says more of a member which has not come. */
  #isExtended(): boolean {
    return this.#pax !== undefined || this.#path !== undefined || this.#target !== undefined;
  }

  #here(): string {
    return `${this.#where} before 0x${this.#offset.toString(16)}`;
  }

  #error(what: string, offset = this.#offset): FormatError {
    return new FormatError(this.#where, what, { offset });
  }
}

const pending = (kind: Pending['kind'], size: number): Pending => ({
  kind,
  bytes: Buffer.alloc(size),
  filled: 0,
});

export const padding = (size: number): number => (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;

/** Of two headers that say the same thing of one member, readers take the one or the other. */
function once<T>(before: T | undefined, value: T, where: string): T {
  if (before !== undefined) throw new FormatError(where, 'two headers say the same of one member');
  return value;
}

type Field = keyof typeof FIELDS;

/** A field of text, up to its first NUL; `type` and `magic` as they are. */
function text(block: Buffer, field: Field): ByteString {
  const [offset, length] = FIELDS[field];
  const bytes = block.subarray(offset, offset + length);
  return field === 'type' || field === 'magic' ? bytesToString(bytes) : cString(bytes);
}

function cString(bytes: Buffer): ByteString {
  const nul = bytes.indexOf(0);
  return bytesToString(bytes, 0, nul === -1 ? bytes.length : nul);
}

function nameOf(block: Buffer): ByteString {
  const name = text(block, 'name');
  const prefix = text(block, 'magic').startsWith(USTAR) ? text(block, 'prefix') : '';
  return (prefix === '' ? name : `${prefix}/${name}`) as ByteString;
}

const octal = (block: Buffer, field: Field, where: string): number => {
  const [offset, length] = FIELDS[field];
  return numberIn(block, offset, length, where);
};

/** A number in octal digits, or in base 256 as GNU tar has it for those that do not fit. */
function numberIn(block: Buffer, offset: number, length: number, where: string): number {
  const bytes = block.subarray(offset, offset + length);
  if (bytes[0] === 0x80) {
    const value = bytes.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    if (Number.isSafeInteger(value)) return value;
  } else {
    const digits = /^ *([0-7]*)[ \0]*$/.exec(cString(bytes))?.[1];
    if (digits !== undefined) return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  throw new FormatError(where, 'not a number in a header', { got: `0x${bytes.toString('hex')}` });
}

function paxNumber(pax: PaxRecords, key: string, where: string): number | undefined {
  const value = paxValue(pax, key);
  return value === undefined ? undefined : decimal(value, `${where}: ${key}`);
}

/** The kernel keeps -1 for "no owner". */
function owner(id: number, key: string, where: string): number {
  if (id >= 0xffff_ffff) throw new FormatError(where, `${key} is none`, { got: id, want: '< 2^32 - 1' });
  return id;
}

function checksumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK_SIZE; i++) sum += block[i] as number;
  const [offset, length] = FIELDS.checksum;
  for (let i = offset; i < offset + length; i++) sum -= block[i] as number;
  return sum;
}

/** A whole PAX extended header: its block, the records, padding. For what tar-stream cannot write. */
export function paxHeader(records: Buffer): Buffer {
  const out = Buffer.alloc(BLOCK_SIZE + records.length + padding(records.length));
  const put = (field: Field, value: string) => out.write(value, FIELDS[field][0], 'latin1');
  put('name', 'PaxHeader');
  put('mode', '0000644\0');
  put('uid', '0000000\0');
  put('gid', '0000000\0');
  put('size', `${records.length.toString(8).padStart(11, '0')}\0`);
  put('mtime', '00000000000\0');
  put('type', 'x');
  put('magic', 'ustar\x0000');
  put('checksum', `${checksumOf(out.subarray(0, BLOCK_SIZE)).toString(8).padStart(6, '0')}\0 `);
  records.copy(out, BLOCK_SIZE);
  return out;
}
