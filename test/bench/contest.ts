/**
 * One piece of work, done by several in turn: the same order in every round, all of them on the same machine in the same
 * minute. A time counts only when the results agree, and is called cold only when the disk was really read.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, measure, type Run } from './measure.ts';
import { median, pairedRatio } from './statistics.ts';

export interface Contestant extends Command {
  readonly name: string;
  /** Before each run, not measured: takes away what the run before has made or learnt. */
  readonly prepare?: () => void;
  /**
   * Cold: the page cache is emptied before each run, which then has to read at least so many bytes from the disk. Else
   * everything it needs is in the cache, and a run that reads more than a few bytes is not counted.
   */
  readonly coldBytes?: number;
  /** The most bytes that a warm run may read. Default: {@link WARM_BYTES}. */
  readonly warmBytes?: number;
}

/** One row of the table: what `ours` takes, by what `peer` takes. */
export interface Goal {
  readonly work: string;
  readonly ours: string;
  readonly peer: string;
  /** The greatest ratio of times by the clock. */
  readonly atMost: number;
  /** The greatest ratio of peak memory. */
  readonly memoryAtMost?: number;
}

export interface Contest {
  readonly contestants: readonly Contestant[];
  readonly goals: readonly Goal[];
  /** Throws when the results of one round differ. `deskOf` is the folder with the output of a contestant, `out`. */
  readonly agree: (deskOf: (name: string) => string) => void;
  /** Rounds of work that takes so long that few must do. */
  readonly mostRounds?: number;
  /** Rounds of work that is so quick that many can be. */
  readonly leastRounds?: number;
}

/** A row, measured. Ratios are medians of the rounds' own. */
export interface Row extends Goal {
  readonly rounds: number;
  readonly ratio: number;
  readonly cpuRatio: number;
  readonly memoryRatio: number;
  readonly oursMs: number;
  readonly peerMs: number;
  /** What of ours was validation, where it tells. */
  readonly validationMs?: number;
  readonly oursPeakBytes: number;
  readonly peerPeakBytes: number;
  readonly oursReadBytes: number;
  readonly passed: boolean;
}

export type Runs = ReadonlyMap<string, readonly Run[]>;

/** What logs take, and what the system does beside a run. */
export const WARM_BYTES = 16 << 20;
const TRIES = 3;

/**
 * Runs a contest in the folder `base`; `before` each run the disk comes to rest.
 * @throws Error when results differ, a command fails, or a cold run was not cold
 */
export function hold(contest: Contest, rounds: number, base: string, before = settle): Runs {
  const { contestants, agree } = contest;
  const desks = new Map(contestants.map(({ name }, i) => [name, join(base, String(i))]));
  for (const desk of desks.values()) {
    rmSync(desk, { recursive: true, force: true });
    mkdirSync(desk, { recursive: true });
  }
  const deskOf = (name: string): string => desks.get(name) as string;
  const runs = new Map<string, Run[]>(contestants.map(({ name }) => [name, []]));
  const once = (contestant: Contestant): Run => {
    contestant.prepare?.();
    before();
    if (contestant.coldBytes !== undefined) dropCaches();
    return measure(contestant, deskOf(contestant.name));
  };
  // Warm means that all of it has been read before.
  for (const contestant of contestants) if (contestant.coldBytes === undefined) once(contestant);
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) runs.get(contestant.name)?.push(temperate(contestant, once));
    if (round === 0) agree(deskOf);
  }
  return runs;
}

/** A run that is as warm or cold as it should be: what else the machine does may bring files into the cache, or push them out. */
function temperate(contestant: Contestant, once: (contestant: Contestant) => Run): Run {
  const { name, coldBytes, warmBytes = WARM_BYTES } = contestant;
  for (let tries = TRIES; ; tries--) {
    const run = once(contestant);
    if (coldBytes === undefined ? run.readBytes <= warmBytes : run.readBytes >= coldBytes) return run;
    if (tries === 1)
      throw new Error(
        `${name}: not ${coldBytes === undefined ? 'warm' : 'cold'}: ${run.readBytes} bytes came from the disk`,
      );
  }
}

/** The rows of a contest that was held. */
export function rowsOf({ goals }: Contest, runs: Runs, validationMs: ReadonlyMap<string, number>): Row[] {
  return goals.map((goal) => {
    const [ours, theirs] = [runs.get(goal.ours) ?? [], runs.get(goal.peer) ?? []];
    const of = (of: readonly Run[], what: keyof Run): number[] => of.map((run) => run[what]);
    const ratio = (what: keyof Run): number => pairedRatio(of(ours, what), of(theirs, what));
    const validation = validationMs.get(goal.ours);
    const memoryRatio = ratio('peakBytes');
    return {
      ...goal,
      rounds: ours.length,
      ratio: ratio('wallMs'),
      cpuRatio: ratio('cpuMs'),
      memoryRatio,
      oursMs: median(of(ours, 'wallMs')),
      peerMs: median(of(theirs, 'wallMs')),
      ...(validation === undefined ? {} : { validationMs: validation }),
      oursPeakBytes: median(of(ours, 'peakBytes')),
      peerPeakBytes: median(of(theirs, 'peakBytes')),
      oursReadBytes: median(of(ours, 'readBytes')),
      passed:
        ratio('wallMs') <= goal.atMost && memoryRatio <= (goal.memoryAtMost ?? Number.POSITIVE_INFINITY),
    };
  });
}

/** What was written before must not be written to the disk while the next one runs. */
export function settle(): void {
  spawnSync('sync');
}

/** Empties the page cache, and those of inodes and names. */
export function dropCaches(): void {
  settle();
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}
