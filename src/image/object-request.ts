/** What {@link ./object-threads.ts} and the thread of {@link ./object-worker.ts} say to each other. */
import type { ByteString } from '../base/bytes.ts';
import type { Xattrs } from '../base/xattrs.ts';
import type { ContentColumns } from '../repository/content-table.ts';
import type { VerityMode } from './digests.ts';

/** Numbers that all threads share and change atomically: places in {@link LearnRequest.shared}. */
export const Shared = {
  /** The next row to be taken, counted in {@link LearnRequest.rows}. */
  next: 0,
  /** Rows done. */
  done: 1,
  /** KiB read. */
  kibibytes: 2,
} as const;

export interface LearnRequest {
  readonly repositoryPath: string;
  readonly mode: VerityMode;
  readonly columns: ContentColumns;
  /** Rows to be filled in. */
  readonly rows: Uint32Array;
  readonly shared: Int32Array;
  /** Which of how many threads: xattr set n of this one's is number `n * threads + thread` in its rows. */
  readonly thread: number;
  readonly threads: number;
}

/** What does not fit the columns. */
export interface LearnAnswer {
  readonly xattrSets: readonly Xattrs[];
  /** Link targets by row. */
  readonly targets: ReadonlyMap<number, ByteString>;
}
