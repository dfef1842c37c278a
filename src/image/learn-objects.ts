/**
 * Learning of many objects at once. Reading and hashing them is nearly all the work of a first image, and one object has
 * nothing to do with another: this thread and its helpers take their share of them, as fast as each can.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress } from '../base/progress.ts';
import type { ContentTable } from '../repository/content-table.ts';
import type { Repository } from '../repository/repository.ts';
import type { VerityMode } from './digests.ts';
import type { Helper, HelperThreads } from './helper-threads.ts';
import { type Learnt, type LearnWork, learnRows, Shared } from './learn-rows.ts';

const REPORT_MS = 50;

/** Where the disk is waited for, it answers many at a time sooner than a few one after the other. */
const HELPERS_FOR_THE_DISK = 7;

/** After how much that was read it is looked at where that came from. */
const LOOK_KIB = 16 * 1024;

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
  const shared = new Int32Array(
    new SharedArrayBuffer(Object.keys(Shared).length * Int32Array.BYTES_PER_ELEMENT),
  );
  const learners = 1 + Math.max(helpers?.wanted ?? 0, HELPERS_FOR_THE_DISK);
  const work: LearnWork = { mode, columns: table.columns, rows, shared, learners };
  const shares: Promise<Learnt>[] = [];
  let failure: { readonly error: unknown } | undefined;
  /** Has them take part who do not yet. */
  const involve = (threads: readonly Helper[]): void => {
    for (const thread of threads.slice(shares.length)) {
      const learner = shares.length + 1;
      const share = thread.ask({ kind: 'learn', repositoryPath: repository.path, work, learner });
      share.catch((error: unknown) => {
        failure = { error };
      });
      shares.push(share as Promise<Learnt>);
    }
  };
  const told = { rows: 0, kibibytes: 0 };
  const tell = (): void => {
    const [done, kibibytes] = [Atomics.load(shared, Shared.done), Atomics.load(shared, Shared.kibibytes)];
    progress.advance(done - told.rows, (kibibytes - told.kibibytes) * 1024);
    Object.assign(told, { rows: done, kibibytes });
  };
  const waits = waitsForTheDisk();
  let isLearnt = false;
  try {
    if (helpers !== undefined) involve(helpers.start());
    const own = await learnRows(repository, work, 0, async () => {
      if (failure !== undefined) throw failure.error;
      tell();
      if (helpers !== undefined && waits(told.kibibytes)) involve(helpers.start(HELPERS_FOR_THE_DISK));
      await progress.breathe();
    });
    const helped = Promise.all(shares);
    for (let isDone = false; !isDone; ) {
      isDone = await Promise.race([helped.then(() => true), sleep(REPORT_MS, false)]);
      tell();
      progress.check();
    }
    numberXattrSets(table, work, [own, ...(await helped)]);
    isLearnt = true;
  } finally {
    if (!isLearnt) {
      // What they have filled in means something else, or nothing, without their answers.
      await helpers?.close();
      for (const row of rows) table.forget(row);
    }
  }
}

/**
 * Says of what was read since, in KiB, whether most of it came from the disk and not from the kernel's memory. Looks now
 * and then, and says no in between.
 * @param blocks that this process has read from disks, of 512 bytes: ru_inblock of getrusage(2)
 */
export function waitsForTheDisk(
  blocks = (): number => process.resourceUsage().fsRead,
): (kibibytes: number) => boolean {
  const before = blocks();
  let lookedAt = 0;
  return (kibibytes) => {
    if (kibibytes - lookedAt < LOOK_KIB) return false;
    lookedAt = kibibytes;
    return (blocks() - before) / 2 > kibibytes / 2;
  };
}

/** Each share has numbered the xattr sets it met by itself. */
function numberXattrSets(
  table: ContentTable,
  { rows, learners }: LearnWork,
  shares: readonly Learnt[],
): void {
  const ids = shares.map(({ xattrSets }) => xattrSets.map((set) => table.xattrs.id(set)));
  const { xattrs } = table.columns;
  for (const row of rows) {
    const id = xattrs[row] as number;
    const final = ids[id % learners]?.[Math.floor(id / learners)] as number;
    if (final !== id) xattrs[row] = final;
  }
  for (const { targets } of shares) for (const [row, target] of targets) table.targets.set(row, target);
}
