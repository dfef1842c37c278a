/** How the cost of sealing grows with the tree, and the memory it takes: trees of 1,000 to 1,000,000 entries. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Contest, hold, WARM_BYTES } from './contest.ts';
import { syntheticRepository } from './inputs.ts';
import { sealtree } from './program.ts';
import { growth, median } from './statistics.ts';

export interface Size {
  readonly entries: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
}

export interface Growth {
  readonly sizes: readonly Size[];
  /** The exponent from 10,000 entries on, of processor time. */
  readonly exponent: number;
  readonly exponentAtMost: number;
  readonly peakAtMost: number;
  readonly passed: boolean;
}

const ENTRIES = [1_000, 10_000, 100_000, 1_000_000];
/** Below that it is the start of the program that is measured. */
const FROM = 10_000;
/** Linear, and what two cores that share a cache and a disk make of it. */
const EXPONENT_AT_MOST = 1.05;
const PEAK_AT_MOST = 550e6;
/**
 * An inode of ext4: of a million objects the kernel may give up some inodes between two runs, though none of the contents. It is
 * processor time whose growth is looked at.
 */
const INODE_BYTES = 256;

/** Seals a commit of each size for the first time, `rounds` times in turn, in the folder `base`. */
export function measureGrowth(rounds: number, base: string, most = Number.POSITIVE_INFINITY): Growth {
  const sizes = ENTRIES.filter((entries) => entries <= most);
  const contest: Contest = {
    contestants: sizes.map((entries) => {
      const repository = syntheticRepository(entries);
      return {
        name: String(entries),
        argv: sealtree('seal', '--repo', repository, '--ref=tree'),
        warmBytes: WARM_BYTES + entries * INODE_BYTES,
        prepare: () => rmSync(join(repository, 'extensions/sealtree'), { recursive: true, force: true }),
      };
    }),
    goals: [],
    // Each has a tree of its own: there is nothing to compare.
    agree: () => undefined,
  };
  const runs = hold(contest, rounds, base);
  const measured = sizes.map((entries): Size => {
    const of = runs.get(String(entries)) ?? [];
    return {
      entries,
      wallMs: median(of.map(({ wallMs }) => wallMs)),
      cpuMs: median(of.map(({ cpuMs }) => cpuMs)),
      peakBytes: median(of.map(({ peakBytes }) => peakBytes)),
    };
  });
  const exponent = growth(
    measured.filter(({ entries }) => entries >= FROM).map(({ entries, cpuMs }) => [entries, cpuMs]),
  );
  const peak = Math.max(...measured.map(({ peakBytes }) => peakBytes));
  return {
    sizes: measured,
    exponent,
    exponentAtMost: EXPONENT_AT_MOST,
    peakAtMost: PEAK_AT_MOST,
    passed: exponent <= EXPONENT_AT_MOST && peak <= PEAK_AT_MOST,
  };
}
