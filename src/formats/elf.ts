/**
 * What an ELF program or library needs to run (ELF gABI 4.1; elf(5)): its interpreter, the names of its libraries and
 * where it says they are. Out of scope: symbols, relocations, and everything of sections, which a loader ignores too.
 */
import { asBuffer, type ByteString, bytesToString } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';

export interface ElfFile {
  readonly bits: 32 | 64;
  readonly isLittleEndian: boolean;
  /** e_machine: a library of another machine is not loaded. */
  readonly machine: number;
  /** The dynamic loader's path; undefined for libraries and static programs. */
  readonly interpreter: ByteString | undefined;
  /** DT_NEEDED, in its order. */
  readonly needed: readonly ByteString[];
  /** DT_RPATH as folders, `$ORIGIN` and the like as written; it does not count where there is a DT_RUNPATH. */
  readonly rpath: readonly ByteString[];
  /** DT_RUNPATH, likewise. */
  readonly runpath: readonly ByteString[];
}

const MAGIC = Buffer.from('\x7fELF', 'latin1');

export function isElf(bytes: Uint8Array): boolean {
  return asBuffer(bytes).subarray(0, 4).equals(MAGIC);
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;

const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

/** Nobody needs more, and a damaged count must not become a long loop. */
const MAX_DYNAMIC_ENTRIES = 1 << 16;

/** A list of folders may be longer than a path, but not by much. */
const MAX_TEXT_BYTES = 64 * 1024;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** @throws FormatError */
export function readElf(bytes: Uint8Array, where: string): ElfFile {
  const file = new ElfBytes(bytes, where);
  const segments = readSegments(file);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  return {
    bits: file.bits,
    isLittleEndian: file.isLittleEndian,
    machine: file.half(18, 'e_machine'),
    interpreter: interpreter && file.text(interpreter.offset, interpreter.offset + interpreter.size),
    ...(dynamic === undefined
      ? { needed: [], rpath: [], runpath: [] }
      : readDynamic(file, dynamic, segments)),
  };
}

function readSegments(file: ElfBytes): Segment[] {
  const is64 = file.bits === 64;
  const offset = file.word(is64 ? 32 : 28, 'e_phoff');
  const entrySize = file.half(is64 ? 54 : 42, 'e_phentsize');
  const count = file.half(is64 ? 56 : 44, 'e_phnum');
  const want = is64 ? 56 : 32;
  if (count > 0 && entrySize !== want) throw file.error('size of a program header', offset, entrySize, want);
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * entrySize;
    return {
      type: file.int(at, 'p_type'),
      offset: file.word(at + (is64 ? 8 : 4), 'p_offset'),
      address: file.word(at + (is64 ? 16 : 8), 'p_vaddr'),
      size: file.word(at + (is64 ? 32 : 16), 'p_filesz'),
    };
  });
}

function readDynamic(
  file: ElfBytes,
  dynamic: Segment,
  segments: readonly Segment[],
): Pick<ElfFile, 'needed' | 'rpath' | 'runpath'> {
  const width = file.bits / 8;
  const tags: { tag: number; value: number }[] = [];
  const count = Math.min(Math.floor(dynamic.size / (2 * width)), MAX_DYNAMIC_ENTRIES);
  for (let i = 0; i < count; i++) {
    const at = dynamic.offset + i * 2 * width;
    const tag = file.tag(at);
    if (tag === DT_NULL) break;
    if (tag !== undefined) tags.push({ tag, value: file.word(at + width, 'd_val') });
  }
  const firstOf = (tag: number): number | undefined => tags.find((one) => one.tag === tag)?.value;
  const names = [DT_NEEDED, DT_RPATH, DT_RUNPATH];
  if (!tags.some(({ tag }) => names.includes(tag))) return { needed: [], rpath: [], runpath: [] };
  const table = firstOf(DT_STRTAB);
  if (table === undefined) throw file.error('no DT_STRTAB', dynamic.offset);
  const start = offsetOf(table, segments, file);
  const end = start + (firstOf(DT_STRSZ) ?? file.bytes.length);
  const textsOf = (tag: number): ByteString[] =>
    tags.filter((one) => one.tag === tag).map(({ value }) => file.text(start + value, end));
  const foldersOf = (tag: number): ByteString[] =>
    textsOf(tag).flatMap((text) => text.split(':').filter(Boolean) as ByteString[]);
  return { needed: textsOf(DT_NEEDED), rpath: foldersOf(DT_RPATH), runpath: foldersOf(DT_RUNPATH) };
}

/** Where in the file an address of the loaded program comes from. */
function offsetOf(address: number, segments: readonly Segment[], file: ElfBytes): number {
  const segment = segments.find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + one.size,
  );
  if (segment === undefined) throw file.error(`address 0x${address.toString(16)} is not in the file`);
  return segment.offset + address - segment.address;
}

/** Fields in the file's own width and byte order, bounds-checked. */
class ElfBytes {
  readonly bytes: Buffer;
  readonly bits: 32 | 64;
  readonly isLittleEndian: boolean;
  readonly #where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = asBuffer(bytes);
    this.#where = where;
    if (!isElf(bytes))
      throw this.error('no ELF file', 0, this.bytes.toString('hex', 0, 4), MAGIC.toString('hex'));
    this.#need(4, 2, 'e_ident');
    const [width, order] = [this.bytes[4], this.bytes[5]];
    if (width !== 1 && width !== 2) throw this.error('EI_CLASS', 4, width, '1 or 2');
    if (order !== 1 && order !== 2) throw this.error('EI_DATA', 5, order, '1 or 2');
    this.bits = width === 2 ? 64 : 32;
    this.isLittleEndian = order === 1;
  }

  half(at: number, what: string): number {
    this.#need(at, 2, what);
    return this.isLittleEndian ? this.bytes.readUInt16LE(at) : this.bytes.readUInt16BE(at);
  }

  int(at: number, what: string): number {
    this.#need(at, 4, what);
    return this.isLittleEndian ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at);
  }

  /** An offset, address or size: 4 or 8 bytes. */
  word(at: number, what: string): number {
    const value = this.#wide(at, what);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error(what, at, value, '< 2^53');
    return Number(value);
  }

  /** A DT_ tag; undefined for one that is of no interest, being beyond 32 bits. */
  tag(at: number): number | undefined {
    const value = this.#wide(at, 'd_tag');
    return value < 2n ** 32n ? Number(value) : undefined;
  }

  #wide(at: number, what: string): bigint {
    if (this.bits === 32) return BigInt(this.int(at, what));
    this.#need(at, 8, what);
    return this.isLittleEndian ? this.bytes.readBigUInt64LE(at) : this.bytes.readBigUInt64BE(at);
  }

  /** What ends in a NUL before `end`. */
  text(start: number, end: number): ByteString {
    const limit = Math.min(end, this.bytes.length, start + MAX_TEXT_BYTES);
    const length = start < limit ? this.bytes.subarray(start, limit).indexOf(0) : -1;
    if (length < 0) throw this.error('a text without an end', start);
    return bytesToString(this.bytes, start, start + length);
  }

  #need(at: number, size: number, what: string): void {
    if (at + size > this.bytes.length)
      throw this.error(`${what} runs past the end`, at, `${this.bytes.length} bytes in all`, at + size);
  }

  error(what: string, offset?: number, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.#where, what, {
      ...(offset === undefined ? {} : { offset }),
      ...(got === undefined ? {} : { got }),
      ...(want === undefined ? {} : { want }),
    });
  }
}
