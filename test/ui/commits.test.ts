/** Commits as a graph: rows from histories, drawn in both alphabets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { FormatError } from '../../src/base/errors.ts';
import type { Commit } from '../../src/formats/objects.ts';
import { ASCII_GLYPHS, UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { dayOf, timeOf } from '../../ui/models/dates.ts';
import { Sequence } from '../../ui/models/sequence.ts';
import { drawGraph } from '../../ui/screens/commits/graph.ts';
import type { HistoryRow } from '../../ui/screens/commits/walk.ts';
import fc from '../support/fast-check.ts';
import { type CommitSketch, historyOf } from '../support/interface-state.ts';

const nameOf = (row: HistoryRow): string => (row.kind === 'end' ? row.why : row.checksum.slice(0, 2));

/** Graph and beginning of the checksum, one row a line. */
const picture = (rows: readonly HistoryRow[], glyphs = ASCII_GLYPHS): string[] =>
  rows.map((row) => `${drawGraph(row.graph, glyphs)} ${nameOf(row)}`);

describe('commit graph', () => {
  const cases: readonly (readonly [
    what: string,
    commits: Record<string, CommitSketch>,
    refs: Record<string, string>,
    rows: string[],
  ])[] = [
    ['nothing', {}, {}, []],
    ['one commit', { aa: {} }, { r: 'aa' }, ['* aa']],
    [
      'a line',
      { aa: { parent: 'bb', day: 2 }, bb: { parent: 'cc', day: 1 }, cc: {} },
      { r: 'aa' },
      ['* aa', '* bb', '* cc'],
    ],
    [
      'a ref that names the past of another',
      { aa: { parent: 'bb', day: 2 }, bb: {} },
      { r: 'aa', old: 'bb' },
      ['* aa', '* bb'],
    ],
    [
      'a fork',
      { aa: { parent: 'cc', day: 3 }, bb: { parent: 'cc', day: 2 }, cc: { day: 1 } },
      { r: 'aa', s: 'bb' },
      ['* aa', '| * bb', "*-' cc"],
    ],
    [
      'three that meet, past one that does not',
      {
        a1: { parent: 'b1', day: 9 },
        a2: { parent: 'b2', day: 8 },
        a3: { parent: 'b1', day: 7 },
        a4: { parent: 'b1', day: 6 },
        b1: { day: 5 },
        b2: { day: 4 },
      },
      { a: 'a1', b: 'a2', c: 'a3', d: 'a4' },
      ['* a1', '| * a2', '| | * a3', '| | | * a4', "*-+-'-' b1", '  * b2'],
    ],
    [
      'a lane that is free again is used again',
      { aa: { day: 3 }, bb: { parent: 'cc', day: 4 }, cc: { day: 1 }, dd: { day: 2 } },
      { a: 'aa', b: 'bb', c: 'dd' },
      ['* bb', '| * aa', '| * dd', '* cc'],
    ],
    ['a history that is cut', { aa: { parent: 'bb' } }, { r: 'aa' }, ['* aa', ': missing']],
    [
      'a parent that claims to be newer',
      { aa: { parent: 'bb', day: 1 }, bb: { day: 2 } },
      { r: 'aa', s: 'bb' },
      ['* bb', '* aa', ': above'],
    ],
  ];
  for (const [what, commits, refs, rows] of cases)
    it(what, () => assert.deepEqual(picture(historyOf(commits, refs)), rows));

  it('in Unicode', () => {
    const rows = historyOf(
      { aa: { parent: 'cc', day: 3 }, bb: { parent: 'cc', day: 2 }, cc: { parent: 'dd', day: 1 } },
      { r: 'aa', s: 'bb' },
    );
    assert.deepEqual(picture(rows, UNICODE_GLYPHS), ['* aa', '| * bb', '*─┘ cc', '⋮ missing']);
  });

  it('tells what was deleted from what was never there', () => {
    const rows = historyOf({ aa: { parent: 'bb' } }, { r: 'aa' }, { hasTombstone: () => true });
    assert.deepEqual(picture(rows), ['* aa', ': deleted']);
  });

  it('shows what is damaged or missing as such, and goes on', () => {
    const rows = historyOf(
      { aa: {} },
      { gone: 'cc', r: 'aa', torn: 'bb' },
      {
        commitIfExists: (checksum) => {
          if (checksum.startsWith('bb')) throw new FormatError('bb.commit', 'torn');
          if (checksum.startsWith('cc')) return undefined;
          return COMMIT;
        },
      },
    );
    assert.deepEqual(
      rows.map((row) => [row.kind, row.kind === 'broken' ? row.message : '']),
      [
        ['broken', 'not in this repository'],
        ['broken', 'bb.commit: torn'],
        ['commit', ''],
      ],
    );
  });

  it('lists every commit once, children before parents where their dates allow it', () => {
    // Parents have greater numbers; days fall with the numbers, so dates never contradict.
    const forests = fc.array(fc.nat(9), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(forests, fc.array(fc.nat(59), { minLength: 1, maxLength: 6 }), (steps, tips) => {
        const id = (n: number): string => (n + 0x1000).toString(16);
        const sketches = Object.fromEntries(
          steps.map((step, n) => {
            const parent = n + 1 + step;
            return [id(n), { day: -n, ...(parent < steps.length ? { parent: id(parent) } : {}) }];
          }),
        );
        const refs = Object.fromEntries(tips.map((tip, i) => [`r${i}`, id(tip % steps.length)]));
        const rows = historyOf(sketches, refs);
        const order = rows.map(({ key }) => key.slice(0, 4));
        assert.equal(new Set(order).size, order.length);
        rows.forEach((row, i) => {
          assert.equal(row.kind, 'commit');
          const parent = sketches[row.key.slice(0, 4)]?.parent;
          if (parent !== undefined) assert(order.indexOf(parent) > i);
        });
      }),
    );
  });
});

const COMMIT: Commit = {
  metadata: new Map(),
  parent: undefined,
  related: [],
  subject: '' as ByteString,
  body: '' as ByteString,
  timestamp: 1,
  rootTree: '0'.repeat(64) as Checksum,
  rootMeta: '0'.repeat(64) as Checksum,
};

describe('sequence', () => {
  it('holds what was added, and what it was made from is as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1500), { maxLength: 8 }), (sizes) => {
        let expected: number[] = [];
        let sequence: Sequence<number> = Sequence.empty;
        for (const size of sizes) {
          const before = sequence;
          const more = Array.from({ length: size }, (_, i) => expected.length + i);
          sequence = before.append(more);
          assert.deepEqual(before.slice(0, before.length), expected);
          expected = [...expected, ...more];
          assert.deepEqual(sequence.slice(0, sequence.length), expected);
          assert.equal(sequence.at(expected.length), undefined);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('dates', () => {
  it('are UTC, and a number where no calendar has them', () => {
    assert.equal(timeOf(1_735_689_660), '2025-01-01 00:01');
    assert.equal(dayOf(0), '1970-01-01');
    assert.equal(timeOf(Number.MAX_SAFE_INTEGER), '9007199254740991');
    assert.equal(dayOf(253_402_300_800), '2534023008');
  });
});
