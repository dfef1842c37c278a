/**
 * What has been learnt of content objects, kept beside them in `REPO/extensions/sealtree/object-info`: with it the next
 * image costs what changed. An object's checksum covers its metadata and its content, so what is known of one never gets
 * old; an entry that is wrong nevertheless makes an image whose digest is not the commit's, or objects that the kernel
 * refuses. It is a cache: whoever verifies does not ask it, and it may be removed at any time.
 *
 * The file (./cache-file.ts) is believed if it is whole: its first 32 bytes are the SHA-256 of all others. Then follow
 * {@link MAGIC}, the length of a header (32 bits), the header as JSON, and the columns of {@link ContentTable}, each from
 * a multiple of 8 on; numbers are little-endian.
 */
import { endianness } from 'node:os';
import { asBuffer, type ByteString, bytesEqual, roundUp } from '../base/bytes.ts';
import { nativeEngine } from '../base/digest.ts';
import { isSymlink } from '../base/mode.ts';
import type { Xattrs } from '../base/xattrs.ts';
import { readCacheFile, writeCacheFile } from './cache-file.ts';
import { CHECKSUM_BYTES, type ContentColumns, ContentTable, Known } from './content-table.ts';
import { checksumsPresent } from './presence.ts';
import type { Repository } from './repository.ts';

/** With the version of all this. */
const MAGIC = Buffer.from('sealtree object-info 1\n\0', 'latin1');
const HASH_BYTES = 32;
const HEADER_AT = HASH_BYTES + MAGIC.length + 4;
const ALIGNMENT = 8;

const NAME = 'object-info';

/** Objects that are gone are looked for when they might be half of all. */
const MOST_UNUSED = 0.5;

interface Header {
  /** See {@link kindOf}. */
  readonly kind: string;
  readonly count: number;
  readonly xattrSets: readonly Xattrs[];
  readonly targets: readonly (readonly [row: number, target: ByteString])[];
}

/** What earlier runs learnt; undefined where there is nothing that can be believed. */
export function readObjectInfo(repository: Repository): ContentTable | undefined {
  const file = isUsable(repository) ? readCacheFile(repository, NAME) : undefined;
  try {
    return file && parse(file, kindOf(repository));
  } catch (error) {
    // Whatever is wrong with a cache: it is made again.
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/**
 * Keeps what is known of objects for the next run, the caller holding the lock.
 * @param used lists of rows that were needed now; others stay while their objects exist
 */
export function writeObjectInfo(
  repository: Repository,
  table: ContentTable,
  used: readonly Uint32Array[],
): void {
  if (isUsable(repository)) save(repository, table, kept(repository, table, used));
}

/** How many objects are gone of which something is known. */
export function countGone(repository: Repository): number {
  const table = readObjectInfo(repository);
  return table === undefined ? 0 : table.count - presentRows(repository, table).length;
}

/** Keeps nothing of objects that are gone, the caller holding the lock. */
export function pruneObjectInfo(repository: Repository): void {
  const table = readObjectInfo(repository);
  if (table === undefined) return;
  const rows = presentRows(repository, table);
  if (rows.length < table.count) save(repository, table, rows);
}

function presentRows(repository: Repository, table: ContentTable): Uint32Array {
  const isPresent = checksumsPresent(repository, table.columns.checksums, table.count);
  return rowsWhere(table, (row) => isPresent[row] === 1);
}

function save(repository: Repository, table: ContentTable, rows: Uint32Array): void {
  writeCacheFile(repository, NAME, serialize(table, rows, kindOf(repository)));
}

/** Who does not see all xattrs must not tell others what objects have. */
function isUsable(repository: Repository): boolean {
  return endianness() === 'LE' && !repository.mayHideXattrs;
}

/** Repositories differ in what they keep of an object by their mode, and by a setting. */
function kindOf({ mode, config }: Repository): string {
  return config.getBoolean('core', 'disable-xattrs') === true ? `${mode}, no xattrs` : mode;
}

/** The rows that are worth keeping. */
function kept(repository: Repository, table: ContentTable, used: readonly Uint32Array[]): Uint32Array {
  const isUsed = new Uint8Array(table.count);
  let unused = table.count;
  for (const rows of used) {
    for (const row of rows) {
      if (isUsed[row] === 0) unused--;
      isUsed[row] = 1;
    }
  }
  const mayBeGone = unused > table.count * MOST_UNUSED;
  const { known } = table.columns;
  return rowsWhere(
    table,
    (row) =>
      ((known[row] as number) & Known.info) !== 0 &&
      (isUsed[row] === 1 || !mayBeGone || repository.hasObject(table.checksum(row), 'file')),
  );
}

function rowsWhere({ count }: ContentTable, isWanted: (row: number) => boolean): Uint32Array {
  const rows = new Uint32Array(count);
  let wanted = 0;
  for (let row = 0; row < count; row++) if (isWanted(row)) rows[wanted++] = row;
  return rows.subarray(0, wanted);
}

/** Where each column begins, behind a header of that length, and where the file ends. */
function layOut(
  jsonLength: number,
  count: number,
): { readonly starts: readonly number[]; readonly end: number } {
  let at = HEADER_AT + jsonLength;
  const starts = COLUMNS.map(([, width]) => {
    const start = roundUp(at, ALIGNMENT);
    at = start + count * width;
    return start;
  });
  return { starts, end: at };
}

/** The file in pieces: of a million objects it is 80 MB, which need not be in memory twice. */
function serialize(table: ContentTable, rows: Uint32Array, kind: string): Uint8Array[] {
  const header: Header = {
    kind,
    count: rows.length,
    xattrSets: table.xattrs.sets,
    targets: targetsOf(table, rows),
  };
  // Byte strings have no characters beyond U+00FF.
  const json = Buffer.from(JSON.stringify(header), 'latin1');
  const { starts } = layOut(json.length, rows.length);
  const jsonLength = Buffer.alloc(4);
  jsonLength.writeUInt32LE(json.length);
  const pieces: Uint8Array[] = [MAGIC, jsonLength, json];
  let end = HEADER_AT + json.length;
  COLUMNS.forEach(([name, width], c) => {
    const start = starts[c] as number;
    pieces.push(Buffer.alloc(start - end), columnOf(table.columns[name], width, rows, table.count));
    end = start + rows.length * width;
  });
  const hasher = nativeEngine.create();
  for (const piece of pieces) hasher.update(piece);
  return [hasher.digest(), ...pieces];
}

/** These rows of a column, `width` bytes each: the table's own memory where they are all of its `count` rows. */
function columnOf(
  column: ContentColumns[keyof ContentColumns],
  width: number,
  rows: Uint32Array,
  count: number,
): Uint8Array {
  const bytes = asBuffer(bytesOf(column));
  if (rows.length === count) return bytes.subarray(0, count * width);
  const kept = Buffer.alloc(rows.length * width);
  for (const [i, row] of rows.entries()) bytes.copy(kept, i * width, row * width, (row + 1) * width);
  return kept;
}

/** Link targets by the place of their row in `rows`. */
function targetsOf({ targets, columns: { mode } }: ContentTable, rows: Uint32Array): Header['targets'] {
  const found: [number, ByteString][] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const target = isSymlink(mode[row] as number) ? targets.get(row) : undefined;
    if (target !== undefined) found.push([i, target]);
  }
  return found;
}

/** Undefined where it is not whole, of another version, or of a repository of another kind. */
function parse(file: Buffer, kind: string): ContentTable | undefined {
  if (file.length < HEADER_AT || !bytesEqual(file.subarray(HASH_BYTES, HASH_BYTES + MAGIC.length), MAGIC))
    return undefined;
  if (!bytesEqual(nativeEngine.sha256(file.subarray(HASH_BYTES)), file.subarray(0, HASH_BYTES)))
    return undefined;
  const jsonLength = file.readUInt32LE(HEADER_AT - 4);
  const header = JSON.parse(file.toString('latin1', HEADER_AT, HEADER_AT + jsonLength)) as Header;
  const { starts, end } = layOut(jsonLength, header.count);
  if (header.kind !== kind || file.length !== end) return undefined;
  return ContentTable.restore(header.count, header.xattrSets, header.targets, (columns) => {
    COLUMNS.forEach(([name, width], c) => {
      const start = starts[c] as number;
      bytesOf(columns[name]).set(file.subarray(start, start + header.count * width));
    });
  });
}

/** In the order of the file: those of wide numbers first. */
const COLUMNS: readonly (readonly [name: keyof ContentColumns, width: number])[] = [
  ['size', 8],
  ['mode', 4],
  ['uid', 4],
  ['gid', 4],
  ['xattrs', 4],
  ['checksums', CHECKSUM_BYTES],
  ['digests', CHECKSUM_BYTES],
  ['known', 1],
];

const bytesOf = ({ buffer, byteOffset, byteLength }: ContentColumns[keyof ContentColumns]): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
