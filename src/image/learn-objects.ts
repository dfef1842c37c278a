/**
 * Learning of many objects at once. Reading and hashing them is nearly all the work of a first image, and one object has
 * nothing to do with another: this thread and its helpers take their share of them, as fast as each can.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress } from '../base/progress.ts';
import type { ContentTable } from '../repository/content-table.ts';
import type { Repository } from '../repository/repository.ts';
import type { VerityMode } from './digests.ts';
import type { HelperThreads } from './helper-threads.ts';
import { type Learnt, type LearnWork, learnRows, Shared } from './learn-rows.ts';

const REPORT_MS = 50;

export interface LearnOptions {
  readonly mode: VerityMode;
  /** Who helps. Where something goes wrong they are sent away. */
  readonly helpers: HelperThreads | undefined;
  readonly progress: Progress;
}

/**
 * Fills in rows of a table, which must not grow meanwhile: metadata, and digests as `mode` wants them.
 * @throws NotFoundError when an object is missing, FormatError when one is damaged; the rows are not known then
 */
export async function learnObjects(
  repository: Repository,
  table: ContentTable,
  rows: Uint32Array,
  { mode, helpers, progress }: LearnOptions,
): Promise<void> {
  progress.begin(mode === 'no' ? 'reading objects' : 'digesting objects', rows.length);
  const threads = helpers?.start() ?? [];
  const shared = new Int32Array(
    new SharedArrayBuffer(Object.keys(Shared).length * Int32Array.BYTES_PER_ELEMENT),
  );
  const work: LearnWork = { mode, columns: table.columns, rows, shared, learners: threads.length + 1 };
  const told = { rows: 0, kibibytes: 0 };
  const tell = (): void => {
    const [done, kibibytes] = [Atomics.load(shared, Shared.done), Atomics.load(shared, Shared.kibibytes)];
    progress.advance(done - told.rows, (kibibytes - told.kibibytes) * 1024);
    Object.assign(told, { rows: done, kibibytes });
  };
  let failure: { readonly error: unknown } | undefined;
  let isLearnt = false;
  try {
    const shares = threads.map((thread, i) =>
      thread.ask({ kind: 'learn', repositoryPath: repository.path, work, learner: i + 1 }),
    );
    const helped = Promise.all(shares) as Promise<Learnt[]>;
    helped.catch((error: unknown) => {
      failure = { error };
    });
    const own = await learnRows(repository, work, 0, async () => {
      if (failure !== undefined) throw failure.error;
      tell();
      await progress.breathe();
    });
    for (let isDone = false; !isDone; ) {
      isDone = await Promise.race([helped.then(() => true), sleep(REPORT_MS, false)]);
      tell();
      progress.check();
    }
    numberXattrSets(table, rows, [own, ...(await helped)]);
    isLearnt = true;
  } finally {
    if (!isLearnt) {
      // What they have filled in means something else, or nothing, without their answers.
      await helpers?.close();
      for (const row of rows) table.forget(row);
    }
  }
}

/** Each share has numbered the xattr sets it met by itself. */
function numberXattrSets(table: ContentTable, rows: Uint32Array, shares: readonly Learnt[]): void {
  const ids = shares.map(({ xattrSets }) => xattrSets.map((set) => table.xattrs.id(set)));
  const { xattrs } = table.columns;
  for (const row of rows) {
    const id = xattrs[row] as number;
    xattrs[row] = ids[id % shares.length]?.[Math.floor(id / shares.length)] as number;
  }
  for (const { targets } of shares) for (const [row, target] of targets) table.targets.set(row, target);
}
