/** The arithmetic of the benchmarks and what becomes of it in the table. Nothing is timed here. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Contest, rowsOf } from './bench/contest.ts';
import type { Run } from './bench/measure.ts';
import { validationMs } from './bench/program.ts';
import { growth, median, pairedRatio } from './bench/statistics.ts';
import { alignColumns, duration, renderTable } from './bench/table.ts';

const run = (wallMs: number, cpuMs = wallMs, peakBytes = 1e6): Run => ({
  wallMs,
  cpuMs,
  peakBytes,
  readBytes: 0,
});

describe('statistics', () => {
  it('takes the middle of an odd number of values, and the mean of the two middle ones of an even number', () => {
    assert.equal(median([9, 1, 10]), 9);
    assert.equal(median([4, 1, 2, 100]), 3);
    assert.throws(() => median([]), RangeError);
  });

  it('compares within each round, so that a round that was slow for both changes nothing', () => {
    const ours = [10, 11, 500];
    const theirs = [20, 22, 1000];
    assert.equal(pairedRatio(ours, theirs), 0.5);
    assert.throws(() => pairedRatio([1], [1, 2]), RangeError);
  });

  it('finds the exponent of a power law', () => {
    const sizes = [10_000, 100_000, 1_000_000];
    const of = (cost: (n: number) => number): number => growth(sizes.map((n) => [n, cost(n)] as const));
    assert.ok(Math.abs(of((n) => 3 * n) - 1) < 1e-9);
    assert.ok(Math.abs(of((n) => n * n) - 2) < 1e-9);
    assert.ok(of((n) => 500_000 + n) < 0.5, 'a fixed cost flattens it');
    assert.throws(() => growth([[1, 1]]), RangeError);
  });
});

describe('a row of the table', () => {
  const contest: Contest = {
    contestants: [],
    goals: [
      { work: 'a', ours: 'we', peer: 'they', atMost: 0.5 },
      { work: 'b', ours: 'we', peer: 'they', atMost: 0.4 },
      { work: 'c', ours: 'we', peer: 'they', atMost: 0.5, memoryAtMost: 1.5 },
    ],
    agree: () => undefined,
  };
  const runs = new Map([
    ['we', [run(5, 8, 4e6), run(50, 80, 4e6), run(6, 8, 4e6)]],
    ['they', [run(10, 4, 2e6), run(100, 40, 2e6), run(10, 4, 2e6)]],
  ]);
  const rows = rowsOf(contest, runs, new Map([['we', 2]]));

  it('passes only when the ratio of times, and that of memory where one is asked for, is low enough', () => {
    assert.deepEqual(
      rows.map(({ work, ratio, cpuRatio, memoryRatio, passed }) => [
        work,
        ratio,
        cpuRatio,
        memoryRatio,
        passed,
      ]),
      [
        ['a', 0.5, 2, 2, true],
        ['b', 0.5, 2, 2, false],
        ['c', 0.5, 2, 2, false],
      ],
    );
    assert.deepEqual(
      [rows[0]?.oursMs, rows[0]?.peerMs, rows[0]?.rounds, rows[0]?.validationMs],
      [6, 10, 3, 2],
    );
  });

  it('is printed with its goal, and what was not measured is said', () => {
    const text = renderTable({
      machine: 'a machine',
      date: '2026-11-23T12:00:00.000Z',
      versions: ['ostree 1', 'composefs 2'],
      rows,
      stages: {},
      failures: { 'first image': 'results differ' },
    });
    assert.match(text, /^a machine\n2026-11-23, against ostree 1, composefs 2\n/);
    assert.match(text, /^a +they +0\.50 +0\.50 +yes +6 ms +2 ms +10 ms +2\.00 +4 +2$/m);
    assert.match(text, /^b +they +0\.40 +0\.50 +NO /m);
    assert.match(text, /first image: NOT MEASURED\nresults differ/);
  });

  it('has words to the left and numbers to the right', () => {
    assert.equal(
      alignColumns([
        ['work', 'n'],
        ['abcdef', '1'],
        ['x', '22'],
      ]),
      'work     n\nabcdef   1\nx       22',
    );
    assert.deepEqual([44.6, 1234, 12_345].map(duration), ['45 ms', '1.23 s', '12.3 s']);
  });
});

describe('validation', () => {
  it('is what the stages that only look took', () => {
    const stages = new Map([
      ['digesting objects', 800],
      ['validating the image', 100],
      ['checking object digests', 20],
      ['ending', 5],
    ]);
    assert.equal(validationMs(stages), 120);
  });
});
