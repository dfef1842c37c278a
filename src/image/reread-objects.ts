/**
 * Were objects read right? What an image says of them comes from a table that threads have filled in, row by row. Here the
 * metadata of each is read once more, by its name instead of its row and by a path instead of a descriptor, and
 * compared with the table: what agrees with it may be believed to be on the disk as it says. Whoever has a thread to
 * spare does it beside planning and writing.
 */
import type { ByteString } from '../base/bytes.ts';
import { displayBytes } from '../base/bytes.ts';
import { checksumOf } from '../base/digest.ts';
import { type Xattrs, xattrsEqual } from '../base/xattrs.ts';
import { CHECKSUM_BYTES, type ContentColumns, type ContentTable } from '../repository/content-table.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import type { Finding } from './findings.ts';

/** What is compared with the objects; plain data, for a thread that has a {@link Repository} of its own. */
export interface ObjectsRead {
  readonly columns: ContentColumns;
  /** By the number in {@link ContentColumns.xattrs}. */
  readonly xattrSets: readonly Xattrs[];
  /** Link targets by row. */
  readonly targets: ReadonlyMap<number, ByteString>;
  /** The rows of objects that this run has read. */
  readonly rows: Uint32Array;
}

/** Of some rows of a table those that were read in this run: nobody has looked at the others, which are believed. */
export function objectsRead(table: ContentTable, rows: Uint32Array): ObjectsRead {
  const { columns, xattrs, targets } = table;
  return { columns, xattrSets: xattrs.sets, targets, rows: rows.filter((row) => !table.isBelieved(row)) };
}

/** Objects that a step reads. */
const STEP = 64;

/**
 * Reads them again; yields how many were read in a step.
 * @returns where the table says something else; empty when nowhere
 * @throws NotFoundError when an object is gone, FormatError when it is damaged
 */
export function* rereadObjects(
  repository: Repository,
  { columns, xattrSets, targets, rows }: ObjectsRead,
): Generator<number, Finding[]> {
  const findings: Finding[] = [];
  for (let done = 0; done < rows.length; done += STEP) {
    const step = rows.subarray(done, done + STEP);
    for (const row of step) {
      const at = row * CHECKSUM_BYTES;
      const checksum = checksumOf(columns.checksums.subarray(at, at + CHECKSUM_BYTES));
      const now = repository.content(checksum);
      const xattrs = xattrSets[columns.xattrs[row] as number] as Xattrs;
      const isSame =
        now.size === columns.size[row] &&
        now.mode === columns.mode[row] &&
        now.uid === columns.uid[row] &&
        now.gid === columns.gid[row] &&
        now.target === (targets.get(row) ?? '') &&
        xattrsEqual(now.xattrs, xattrs);
      if (isSame) continue;
      const before: ContentInfo = {
        size: columns.size[row] as number,
        mode: columns.mode[row] as number,
        uid: columns.uid[row] as number,
        gid: columns.gid[row] as number,
        target: targets.get(row) ?? ('' as ByteString),
        xattrs,
      };
      const where = `object ${checksum}.file`;
      const message = `${where} was read as ${described(before)}; read again it is ${described(now)}`;
      findings.push({ severity: 'error', code: 'object-reread', where, message });
    }
    yield step.length;
  }
  return findings;
}

function described({ mode, uid, gid, size, target, xattrs }: ContentInfo): string {
  const names = xattrs.map(([name, value]) => `${displayBytes(name)}=${displayBytes(value)}`).join(', ');
  const link = target === '' ? '' : ` to ${displayBytes(target)}`;
  return `mode ${mode.toString(8)}, owner ${uid}:${gid}, ${size} bytes${link}, xattrs {${names}}`;
}
