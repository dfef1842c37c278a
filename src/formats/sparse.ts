/**
 * Sparse files in archives: a map says where the stored pieces belong, the rest is zeros. GNU tar has four forms (its
 * manual, "Storing Sparse Files"); {@link ./tar.ts} finds the map in headers and PAX records, version 1.0 has it at
 * the beginning of the data.
 */
import type { ByteString } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import { type PaxRecords, paxValue } from './pax.ts';

/** A stored piece: where it belongs in the file, and its length in bytes. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export interface Sparse {
  /** Bytes of the file with its holes. */
  readonly realSize: number;
  /** Undefined: the stored data begins with them (version 1.0). */
  readonly extents: readonly Extent[] | undefined;
}

/** More pieces than this have no honest reason. */
const MAX_EXTENTS = 1 << 16;

const BLOCK = 512;
const ZEROS = Buffer.alloc(1 << 16);

/** What PAX records say of a sparse file (versions 0.0, 0.1 and 1.0); undefined for a file that is none. */
export function sparseOfPax(records: PaxRecords, where: string): Sparse | undefined {
  const major = paxValue(records, 'GNU.sparse.major');
  const realSize = paxValue(records, 'GNU.sparse.realsize') ?? paxValue(records, 'GNU.sparse.size');
  if (major === undefined && realSize === undefined) {
    const unknown = records.find(([key]) => key.startsWith('GNU.sparse.') || key === 'SCHILY.realsize');
    if (unknown !== undefined)
      throw new FormatError(where, 'a sparse file of a kind that is not known', { got: unknown[0] });
    return undefined;
  }
  const minor = paxValue(records, 'GNU.sparse.minor') ?? '0';
  const size = decimal(realSize ?? ('' as ByteString), where);
  if (major === '1' && minor === '0') return { realSize: size, extents: undefined };
  if (major !== undefined && major !== '0')
    throw new FormatError(where, 'sparse file of an unknown version', {
      got: `${major}.${minor}`,
      want: '1.0',
    });
  return { realSize: size, extents: checkExtents(extentsOfPax(records, where), size, where) };
}

function extentsOfPax(records: PaxRecords, where: string): Extent[] {
  const map = paxValue(records, 'GNU.sparse.map');
  const numbers = (
    map === undefined
      ? records.filter(([key]) => /^GNU\.sparse\.(offset|numbytes)$/.test(key)).map(([, value]) => value)
      : map.split(',')
  ).map((value) => decimal(value as ByteString, where));
  if (numbers.length % 2 !== 0) throw new FormatError(where, 'sparse map ends within a piece');
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    extents.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  return extents;
}

/** @throws FormatError unless the pieces are in order, do not overlap, and lie in the file */
export function checkExtents(extents: readonly Extent[], realSize: number, where: string): readonly Extent[] {
  if (extents.length > MAX_EXTENTS)
    throw new FormatError(where, 'too many pieces in a sparse file', {
      got: extents.length,
      want: MAX_EXTENTS,
    });
  let end = 0;
  for (const { offset, length } of extents) {
    if (offset < end || offset + length > realSize)
      throw new FormatError(where, 'piece of a sparse file is not where one can be', {
        got: `${offset}+${length}`,
        want: `from ${end} to ${realSize}`,
      });
    end = offset + length;
  }
  return extents;
}

/** Gives a sparse file its holes back: takes the stored data in pieces, gives the file's bytes to `sink` in order. */
export class SparseExpander {
  readonly #sparse: Sparse;
  readonly #where: string;
  readonly #sink: (chunk: Uint8Array) => void;
  #extents: readonly Extent[] | undefined;
  /** Index of the piece being filled, and bytes of it that are there. */
  #index = 0;
  #filled = 0;
  /** Bytes of the file given out. */
  #done = 0;
  #map = Buffer.alloc(0);

  constructor(sparse: Sparse, where: string, sink: (chunk: Uint8Array) => void) {
    this.#sparse = sparse;
    this.#where = where;
    this.#sink = sink;
    this.#extents = sparse.extents;
  }

  write(chunk: Uint8Array): void {
    let data = chunk;
    if (this.#extents === undefined) {
      this.#map = Buffer.concat([this.#map, data]);
      const read = readMap(this.#map, this.#where);
      if (read === undefined) return;
      this.#extents = checkExtents(read.extents, this.#sparse.realSize, this.#where);
      data = this.#map.subarray(read.end);
    }
    while (data.length > 0) {
      const extent = this.#extents[this.#index];
      if (extent === undefined)
        throw new FormatError(this.#where, 'sparse file has more data than its map says');
      this.#fillTo(extent.offset);
      const part = data.subarray(0, extent.length - this.#filled);
      this.#give(part);
      this.#filled += part.length;
      data = data.subarray(part.length);
      if (this.#filled === extent.length) {
        this.#index++;
        this.#filled = 0;
      }
    }
  }

  end(): void {
    const rest = (this.#extents ?? [])
      .slice(this.#index)
      .reduce((sum, { length }) => sum + length, -this.#filled);
    if (this.#extents === undefined || rest > 0)
      throw new FormatError(this.#where, 'sparse file has less data than its map says');
    this.#fillTo(this.#sparse.realSize);
  }

  #fillTo(offset: number): void {
    while (this.#done < offset) this.#give(ZEROS.subarray(0, Math.min(ZEROS.length, offset - this.#done)));
  }

  #give(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#sink(chunk);
    this.#done += chunk.length;
  }
}

/** The map of version 1.0: decimal numbers, one a line, padded to a block. Undefined as long as there is too little. */
function readMap(bytes: Buffer, where: string): { extents: Extent[]; end: number } | undefined {
  let at = 0;
  const next = (): number | undefined => {
    const newline = bytes.indexOf(0x0a, at);
    if (newline === -1) {
      if (bytes.length - at > 20) throw new FormatError(where, 'map of a sparse file is not in lines');
      return undefined;
    }
    const value = decimal(bytes.toString('latin1', at, newline) as ByteString, where);
    at = newline + 1;
    return value;
  };
  const count = next();
  if (count === undefined) return undefined;
  if (count > MAX_EXTENTS)
    throw new FormatError(where, 'too many pieces in a sparse file', { got: count, want: MAX_EXTENTS });
  // The shortest line has two bytes: what cannot be whole yet is not read again and again.
  if (bytes.length < at + 4 * count) return undefined;
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    const offset = next();
    const length = next();
    if (offset === undefined || length === undefined) return undefined;
    extents.push({ offset, length });
  }
  const end = Math.ceil(at / BLOCK) * BLOCK;
  return bytes.length < end ? undefined : { extents, end };
}

/** A decimal number below 2^53. */
export function decimal(text: ByteString, where: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new FormatError(where, 'not a number', { got: JSON.stringify(text), want: 'decimal digits' });
  return value;
}
