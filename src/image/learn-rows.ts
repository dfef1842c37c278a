/**
 * A share in learning of many objects: rows of a table are taken from a counter until none is left, and filled in. The
 * counter and the columns lie in memory that all threads share, so that no message is sent per object.
 */
import type { ByteString } from '../base/bytes.ts';
import { checksumOf } from '../base/digest.ts';
import { InternedXattrs, type Xattrs } from '../base/xattrs.ts';
import { CHECKSUM_BYTES, type ContentColumns, writeDigest, writeInfo } from '../repository/content-table.ts';
import type { Repository } from '../repository/repository.ts';
import { ObjectLearner, type VerityMode } from './digests.ts';

/** Numbers that all threads change atomically: places in {@link LearnWork.shared}. */
export const Shared = {
  /** The next row to be taken, counted in {@link LearnWork.rows}. */
  next: 0,
  /** Rows done. */
  done: 1,
  /** KiB read. */
  kibibytes: 2,
} as const;

/** Plain data, the same for all who work at it. */
export interface LearnWork {
  readonly mode: VerityMode;
  readonly columns: ContentColumns;
  /** Rows to be filled in. */
  readonly rows: Uint32Array;
  readonly shared: Int32Array;
  /** How many work at it. */
  readonly learners: number;
}

/** What of a share does not fit the columns. */
export interface Learnt {
  readonly xattrSets: readonly Xattrs[];
  /** Link targets by row. */
  readonly targets: ReadonlyMap<number, ByteString>;
}

/** Rows taken at a time. */
const ROWS = 64;

/**
 * @param learner which of all: xattr set n of its own has the number `n * learners + learner` in its rows
 * @param pause called after each row
 * @throws NotFoundError when an object is missing, FormatError when one is damaged
 */
export async function learnRows(
  repository: Repository,
  { mode, columns, rows, shared, learners }: LearnWork,
  learner: number,
  pause?: () => Promise<void>,
): Promise<Learnt> {
  const xattrs = new InternedXattrs();
  const targets = new Map<number, ByteString>();
  const objects = new ObjectLearner(repository, mode, {
    info(row, info) {
      writeInfo(columns, row, info, xattrs.id(info.xattrs) * learners + learner);
      if (info.target !== '') targets.set(row, info.target);
    },
    digest: (row, bytes, offset) => writeDigest(columns, row, bytes, offset),
  });
  let told = 0;
  for (;;) {
    const from = Atomics.add(shared, Shared.next, ROWS);
    if (from >= rows.length) break;
    const to = Math.min(from + ROWS, rows.length);
    for (let i = from; i < to; i++) {
      const row = rows[i] as number;
      const at = row * CHECKSUM_BYTES;
      const learning = objects.learn(row, checksumOf(columns.checksums.subarray(at, at + CHECKSUM_BYTES)));
      if (learning !== undefined) await learning;
      if (pause !== undefined) await pause();
    }
    const kibibytes = Math.floor(objects.bytesRead / 1024);
    Atomics.add(shared, Shared.kibibytes, kibibytes - told);
    Atomics.add(shared, Shared.done, to - from);
    told = kibibytes;
  }
  objects.flush();
  return { xattrSets: xattrs.sets, targets };
}
