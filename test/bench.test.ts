/** The arithmetic of the benchmarks and what becomes of it in the table. Nothing is timed here. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setBlock } from '../contrib/marked-block.ts';
import { type Contest, hold, rowsOf } from './bench/contest.ts';
import { measure, type Run } from './bench/measure.ts';
import { renderMounts } from './bench/mount-table.ts';
import { validationMs } from './bench/program.ts';
import { growth, median, pairedRatio } from './bench/statistics.ts';
import { alignColumns, duration, renderSummary, renderTable } from './bench/table.ts';
import { Sandbox } from './support/sandbox.ts';

const run = (wallMs: number, cpuMs = wallMs, peakBytes = 1e6): Run => ({
  wallMs,
  cpuMs,
  peakBytes,
  readBytes: 0,
});

describe('a measured command', () => {
  const desk = new Sandbox();
  after(() => desk.dispose());
  const mega = 1 << 20;

  it('has its own memory to its name, not that of the process which starts it', () => {
    const held = Buffer.alloc(64 * mega, 1);
    const small = measure({ argv: ['sh', '-c', 'echo "$0"; pwd', 'said'] }, desk.path);
    assert.ok(small.peakBytes > 0 && small.peakBytes < held.length / 4, String(small.peakBytes));
    assert.equal(readFileSync(desk.join('out'), 'utf8'), `said\n${desk.path}\n`);
    const large = measure({ argv: [process.execPath, '-e', 'Buffer.alloc(90 << 20, 1)'] }, desk.path);
    assert.ok(large.peakBytes > 90 * mega, String(large.peakBytes));
    assert.ok(large.cpuMs > 0 && large.wallMs > 0);
  });

  it('that fails is an error, with what it said', () => {
    assert.throws(
      () => measure({ argv: ['sh', '-c', 'echo because >&2; exit 3'] }, desk.path),
      /status 3, signal 0\nbecause/,
    );
  });
});

describe('a contest', () => {
  const atOnce = (): void => undefined;
  const desk = new Sandbox();
  after(() => desk.dispose());

  it('runs each once to warm up and then in turn, and asks whether they agree', () => {
    const log = desk.join('log');
    const contestant = (name: string): Contest['contestants'][number] => ({
      name,
      argv: ['sh', '-c', `echo ${name} >>"$0"; echo ${name}`, log],
      prepare: () => appendFileSync(log, `before ${name}\n`),
    });
    let said = '';
    const contest: Contest = {
      contestants: [contestant('a'), contestant('b')],
      goals: [],
      agree: (deskOf) => {
        said += ['a', 'b'].map((name) => readFileSync(join(deskOf(name), 'out'), 'utf8')).join('');
      },
    };
    const runs = hold(contest, 2, desk.join('desks'), atOnce);
    assert.equal(readFileSync(log, 'utf8'), 'before a\na\nbefore b\nb\n'.repeat(3));
    assert.equal(said, 'a\nb\n');
    assert.deepEqual([runs.get('a')?.length, runs.get('b')?.length], [2, 2]);
    const differing = { ...contest, agree: () => assert.fail('they differ') };
    assert.throws(() => hold(differing, 1, desk.join('desks'), atOnce), /they differ/);
  });
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

  it('is in the summary without its goal', () => {
    const text = renderSummary({
      machine: 'a machine',
      date: '2026-11-23T12:00:00.000Z',
      versions: [],
      rows,
      stages: {},
      failures: {},
    });
    assert.match(text, /^a +6 ms +they +10 ms +0\.50$/m);
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

describe('the comparison of mounts', () => {
  const text = renderMounts({
    machine: 'a machine',
    date: '2026-11-23T12:00:00.000Z',
    rounds: 3,
    ways: [{ name: 'checkout' }, { name: 'composefs', imageBytes: 10_500_000 }],
    works: [
      { work: 'ls', cold: false, wallMs: [20, 30], ratios: [1, 1.5] },
      { work: 'find', cold: false, wallMs: [10, 10], ratios: [1, 1] },
      { work: 'ls', cold: true, wallMs: [100, 50], ratios: [1, 0.5] },
    ],
  });

  it('shows times with their ratios to the first way, and the size of each image', () => {
    assert.match(text, /^ +checkout +composefs$/m);
    assert.match(text, /^ls, cold +100 ms \(1\.00\) +50 ms \(0\.50\)$/m);
    assert.match(text, /^image +none +10\.5 MB$/m);
  });

  it('has cold above warm of each work, whichever was measured first', () => {
    assert.deepEqual(text.match(/^[a-z]+, (?:cold|warm)/gm), ['ls, cold', 'ls, warm', 'find, warm']);
  });
});

describe('a block that a program writes', () => {
  const text = 'a\n<!-- x -->\n```\nold\nlines\n```\nb\n<!-- y -->\n```\nold\n```\n';

  it('is replaced, and nothing else', () => {
    assert.equal(
      setBlock(text, 'x', 'new $& $1\n'),
      text.replace('old\nlines', () => 'new $& $1'),
    );
  });

  it('has to be there', () => assert.throws(() => setBlock(text, 'z', ''), /no block for z/));
});
