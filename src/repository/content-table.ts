/**
 * What is known of many content objects: metadata, and the fs-verity digest of the content. A tree has a million, so an
 * object is a row and its fields are columns; xattr sets, of which real trees have few, are interned. The columns lie in
 * shared memory, so that threads can fill in rows of a table that has stopped growing.
 */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, checksumOf } from '../base/digest.ts';
import { randomSeed } from '../base/random.ts';
import { InternedXattrs, type Xattrs } from '../base/xattrs.ts';
import type { ContentInfo } from './content.ts';

export const CHECKSUM_BYTES = 32;

/** What a row says: bits of {@link ContentColumns.known}. */
export const Known = {
  info: 1,
  digest: 2,
  /** All that is known comes from the table that was {@link ContentTable.restore restored}: nobody looked at the object. */
  believed: 4,
} as const;

/** By row; of typed arrays over shared memory, which may be handed to threads. */
export interface ContentColumns {
  /** 32 bytes each. */
  readonly checksums: Uint8Array;
  readonly digests: Uint8Array;
  /** Bytes of content. */
  readonly size: Float64Array;
  readonly mode: Uint32Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  /** Number of the xattr set. */
  readonly xattrs: Uint32Array;
  readonly known: Uint8Array;
}

const FIRST_CAPACITY = 1024;

export class ContentTable {
  columns: ContentColumns = emptyColumns(FIRST_CAPACITY);
  readonly xattrs = new InternedXattrs();
  /** Link targets by row. */
  readonly targets = new Map<number, ByteString>();
  #count = 0;
  #capacity = FIRST_CAPACITY;
  /** Open addressing over checksums: row + 1, or 0. At most half full. */
  #slots = new Int32Array(2 * FIRST_CAPACITY);
  /** Which of its digits say where a checksum belongs: by chance, so that nobody can prepare some that all meet. */
  readonly #digits = 2 * randomSeed(CHECKSUM_BYTES - 4);

  /**
   * A table as it was; its rows are to be believed, until they are learnt again.
   * @param fill puts the columns in, of which there are more than `count` rows
   */
  static restore(
    count: number,
    xattrSets: readonly Xattrs[],
    targets: Iterable<readonly [row: number, target: ByteString]>,
    fill: (columns: ContentColumns) => void,
  ): ContentTable {
    const table = new ContentTable();
    while (table.#capacity < count) table.#capacity *= 2;
    table.columns = emptyColumns(table.#capacity);
    fill(table.columns);
    const { known } = table.columns;
    for (let row = 0; row < count; row++) known[row] = (known[row] as number) | Known.believed;
    table.#count = count;
    table.#index();
    for (const set of xattrSets) table.xattrs.id(set);
    for (const [row, target] of targets) table.targets.set(row, target);
    return table;
  }

  /** Rows. */
  get count(): number {
    return this.#count;
  }

  /** The row of an object, a new one where it had none. */
  add(checksum: Checksum): number {
    let slot = this.#find(checksum);
    const found = this.#slots[slot] as number;
    if (found !== 0) return found - 1;
    if (this.#count === this.#capacity) {
      this.#grow();
      slot = this.#find(checksum);
    }
    const row = this.#count++;
    this.#slots[slot] = row + 1;
    const { checksums } = this.columns;
    for (let i = 0; i < CHECKSUM_BYTES; i++) checksums[row * CHECKSUM_BYTES + i] = byteAt(checksum, 2 * i);
    return row;
  }

  /** The row of an object, or -1. */
  row(checksum: Checksum): number {
    return (this.#slots[this.#find(checksum)] as number) - 1;
  }

  /** The row of the object with a checksum of these 32 bytes, or -1. */
  rowOf(checksum: Uint8Array): number {
    const { checksums } = this.columns;
    const mask = this.#slots.length - 1;
    for (let slot = this.#slotAt(checksum, 0) & mask; ; slot = (slot + 1) & mask) {
      const row = (this.#slots[slot] as number) - 1;
      if (row === -1 || areSame(checksums, row * CHECKSUM_BYTES, checksum)) return row;
    }
  }

  checksum(row: number): Checksum {
    return checksumOf(this.columns.checksums.subarray(row * CHECKSUM_BYTES, (row + 1) * CHECKSUM_BYTES));
  }

  /** Metadata of an object; undefined where it is not known. */
  info(row: number): ContentInfo | undefined {
    const { known, size, mode, uid, gid, xattrs } = this.columns;
    if (((known[row] as number) & Known.info) === 0) return undefined;
    return {
      size: size[row] as number,
      mode: mode[row] as number,
      uid: uid[row] as number,
      gid: gid[row] as number,
      xattrs: this.xattrs.sets[xattrs[row] as number] as Xattrs,
      target: this.targets.get(row) ?? ('' as ByteString),
    };
  }

  /** Whether what is known of the object comes from an earlier run, and nobody has looked at it in this one. */
  isBelieved(row: number): boolean {
    return ((this.columns.known[row] as number) & Known.believed) !== 0;
  }

  setInfo(row: number, info: ContentInfo): void {
    writeInfo(this.columns, row, info, this.xattrs.id(info.xattrs));
    if (info.target !== '') this.targets.set(row, info.target);
  }

  /** Nothing is known of the object any more. */
  forget(row: number): void {
    this.columns.known[row] = 0;
    this.targets.delete(row);
  }

  /** The fs-verity digest, 32 bytes that stay the table's; undefined where it is not known. */
  digest(row: number): Uint8Array | undefined {
    const { known, digests } = this.columns;
    if (((known[row] as number) & Known.digest) === 0) return undefined;
    return digests.subarray(row * CHECKSUM_BYTES, (row + 1) * CHECKSUM_BYTES);
  }

  #find(checksum: Checksum): number {
    const { checksums } = this.columns;
    const mask = this.#slots.length - 1;
    const at = this.#digits;
    let slot =
      (byteAt(checksum, at) |
        (byteAt(checksum, at + 2) << 8) |
        (byteAt(checksum, at + 4) << 16) |
        (byteAt(checksum, at + 6) << 24)) &
      mask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0 || isChecksumAt(checksums, (entry - 1) * CHECKSUM_BYTES, checksum)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#capacity *= 2;
    const columns = emptyColumns(this.#capacity);
    // While a first commit is read checksums are all there is; what is not written to takes no memory.
    const isKnown = this.columns.known.some((bits) => bits !== 0);
    const names = isKnown ? (Object.keys(columns) as (keyof ContentColumns)[]) : (['checksums'] as const);
    for (const name of names) columns[name].set(this.columns[name]);
    this.columns = columns;
    this.#index();
  }

  #index(): void {
    const { checksums } = this.columns;
    const slots = new Int32Array(2 * this.#capacity);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#count; row++) {
      let slot = this.#slotAt(checksums, row * CHECKSUM_BYTES) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }

  /** Where the checksum of 32 bytes from `start` on belongs, to be cut to the number of slots. */
  #slotAt(bytes: Uint8Array, start: number): number {
    const at = start + this.#digits / 2;
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }
}

/** Fills in a row that was learnt; its checksum, digest and link target aside. */
export function writeInfo(columns: ContentColumns, row: number, info: ContentInfo, xattrSet: number): void {
  columns.size[row] = info.size;
  columns.mode[row] = info.mode;
  // Nearly always 0: memory that is not written to is not taken.
  if (columns.uid[row] !== info.uid) columns.uid[row] = info.uid;
  if (columns.gid[row] !== info.gid) columns.gid[row] = info.gid;
  if (columns.xattrs[row] !== xattrSet) columns.xattrs[row] = xattrSet;
  columns.known[row] = ((columns.known[row] as number) & ~Known.believed) | Known.info;
}

/** Fills in a row's digest: the 32 bytes at `from`. */
export function writeDigest(columns: ContentColumns, row: number, digest: Uint8Array, from: number): void {
  const to = row * CHECKSUM_BYTES;
  for (let i = 0; i < CHECKSUM_BYTES; i++) columns.digests[to + i] = digest[from + i] as number;
  columns.known[row] = (columns.known[row] as number) | Known.digest;
}

function emptyColumns(rows: number): ContentColumns {
  return {
    checksums: new Uint8Array(new SharedArrayBuffer(rows * CHECKSUM_BYTES)),
    digests: new Uint8Array(new SharedArrayBuffer(rows * CHECKSUM_BYTES)),
    size: new Float64Array(new SharedArrayBuffer(rows * 8)),
    mode: new Uint32Array(new SharedArrayBuffer(rows * 4)),
    uid: new Uint32Array(new SharedArrayBuffer(rows * 4)),
    gid: new Uint32Array(new SharedArrayBuffer(rows * 4)),
    xattrs: new Uint32Array(new SharedArrayBuffer(rows * 4)),
    known: new Uint8Array(new SharedArrayBuffer(rows)),
  };
}

/** The values of lower-case hex digits by character code; of any other more than makes a byte. */
const DIGITS = new Uint16Array(256).fill(0x100);
for (const digit of '0123456789abcdef') DIGITS[digit.charCodeAt(0)] = Number.parseInt(digit, 16);

/** The byte that two lower-case hex digits stand for. */
function byteAt(hex: string, at: number): number {
  return ((DIGITS[hex.charCodeAt(at)] as number) << 4) | (DIGITS[hex.charCodeAt(at + 1)] as number);
}

function areSame(checksums: Uint8Array, start: number, checksum: Uint8Array): boolean {
  for (let i = 0; i < CHECKSUM_BYTES; i++) if (checksums[start + i] !== checksum[i]) return false;
  return true;
}

function isChecksumAt(checksums: Uint8Array, start: number, checksum: string): boolean {
  for (let i = 0; i < CHECKSUM_BYTES; i++) {
    if (checksums[start + i] !== byteAt(checksum, 2 * i)) return false;
  }
  return true;
}
