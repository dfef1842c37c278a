/**
 * Learning of many objects at once. Reading and hashing them is nearly all the work of a first image, and one object has
 * nothing to do with another: threads take rows of the table from a counter they share and fill in its columns, which
 * they share too. No message is sent per object.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress } from '../base/progress.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, startThreads, type Thread } from '../base/threads.ts';
import { type ContentTable, writeDigest } from '../repository/content-table.ts';
import type { Repository } from '../repository/repository.ts';
import { ObjectLearner, type VerityMode } from './digests.ts';
import { type LearnAnswer, type LearnRequest, Shared } from './object-request.ts';

/** For fewer objects threads cost more than they give: each takes as long to start as 2,000 small objects to hash. */
const WORTH_THREADS = 2000;

/** More would wait for each other in the kernel. */
const MAX_THREADS = 8;

const REPORT_MS = 50;

const PROGRAM = new URL('./object-worker.ts', import.meta.url);

const SHARED_NUMBERS = Object.keys(Shared).length;

export interface LearnOptions {
  readonly mode: VerityMode;
  /** How many at most; 0 for none. Default: by the processors and the work. */
  readonly threads?: number;
  readonly progress: Progress;
}

/**
 * Fills in rows of a table, which must not grow meanwhile: metadata, and digests as `mode` wants them.
 * @throws NotFoundError when an object is missing, FormatError when one is damaged
 */
export async function learnObjects(
  repository: Repository,
  table: ContentTable,
  rows: Uint32Array,
  options: LearnOptions,
): Promise<void> {
  const { mode, progress } = options;
  progress.begin(mode === 'no' ? 'reading objects' : 'digesting objects', rows.length);
  const wanted = threadsFor(repository, rows.length, options);
  const workers = startThreads<LearnRequest, LearnAnswer>(PROGRAM, wanted);
  if (workers.length > 0) return await learnInThreads(repository, table, rows, workers, options);
  const learner = new ObjectLearner(repository, mode, {
    info: (row, info) => table.setInfo(row, info),
    digest: (row, bytes, offset) => writeDigest(table.columns, row, bytes, offset),
  });
  for (const row of rows) {
    const before = learner.bytesRead;
    const learning = learner.learn(row, table.checksum(row));
    if (learning !== undefined) await learning;
    progress.advance(1, learner.bytesRead - before);
    await progress.breathe();
  }
  learner.flush();
}

/** Threads have the kernel for their {@link System}: a test's own cannot be handed to them. */
function threadsFor({ system }: Repository, rows: number, { threads }: LearnOptions): number {
  if (system !== linuxSystem) return 0;
  if (threads !== undefined) return threads;
  return rows < WORTH_THREADS ? 0 : Math.min(processors(), MAX_THREADS);
}

async function learnInThreads(
  repository: Repository,
  table: ContentTable,
  rows: Uint32Array,
  workers: readonly Thread<LearnRequest, LearnAnswer>[],
  { mode, progress }: LearnOptions,
): Promise<void> {
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_NUMBERS * Int32Array.BYTES_PER_ELEMENT));
  const work = {
    repositoryPath: repository.path,
    mode,
    columns: table.columns,
    rows,
    shared,
    threads: workers.length,
  };
  let isLearnt = false;
  try {
    const answers = Promise.all(workers.map((worker, thread) => worker.ask({ ...work, thread })));
    const told = { rows: 0, kibibytes: 0 };
    for (let isDone = false; !isDone; ) {
      isDone = await Promise.race([answers.then(() => true), sleep(REPORT_MS, false)]);
      const [done, kibibytes] = [Atomics.load(shared, Shared.done), Atomics.load(shared, Shared.kibibytes)];
      progress.advance(done - told.rows, (kibibytes - told.kibibytes) * 1024);
      Object.assign(told, { rows: done, kibibytes });
      progress.check();
    }
    numberXattrSets(table, rows, await answers);
    isLearnt = true;
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    // What threads have filled in means something else, or nothing, without their answers.
    if (!isLearnt) for (const row of rows) table.forget(row);
  }
}

/** Each thread has numbered the xattr sets it met by itself. */
function numberXattrSets(table: ContentTable, rows: Uint32Array, answers: readonly LearnAnswer[]): void {
  const ids = answers.map(({ xattrSets }) => xattrSets.map((set) => table.xattrs.id(set)));
  const { xattrs } = table.columns;
  for (const row of rows) {
    const id = xattrs[row] as number;
    xattrs[row] = ids[id % answers.length]?.[Math.floor(id / answers.length)] as number;
  }
  for (const { targets } of answers) for (const [row, target] of targets) table.targets.set(row, target);
}
