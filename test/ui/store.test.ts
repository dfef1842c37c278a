/** What events make of a state: no terminal, no React. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACTIONS } from '../../ui/actions.ts';
import { layoutOf } from '../../ui/models/layout.ts';
import { isInDetails, type State, screenOf, VIEWS } from '../../ui/state.ts';
import { Store, step } from '../../ui/store.ts';
import { viewModelOf } from '../../ui/views.ts';
import fc from '../support/fast-check.ts';
import {
  CHANGED,
  deploymentOf,
  HISTORY,
  keys,
  MIXED,
  NOW_MS,
  readingOf,
  run,
  stateAfter,
  TREE,
  UNSEALED,
} from '../support/interface-state.ts';

const SIZE = { columns: 80, rows: 24 };
const manyOf = (count: number) =>
  readingOf({ deployments: Array.from({ length: count }, (_, i) => deploymentOf(i, { serial: i })) });
const cursorAfter = (...names: string[]): number => stateAfter(SIZE, ...MIXED, ...keys(...names)).list.cursor;

describe('step', () => {
  const moves: readonly (readonly [names: string[], cursor: number])[] = [
    [[], 0],
    [['j'], 1],
    [['down', 'down', 'k'], 1],
    [['k'], 0],
    [['G'], 4],
    [['G', 'j'], 4],
    [['end', 'home'], 0],
    [['pagedown', 'pagedown', 'pagedown'], 4],
    [['G', 'ctrl-u', 'ctrl-u', 'ctrl-u'], 0],
    [['?', 'j'], 0],
    [['?', 'q', 'j'], 1],
    [['x', 'alt-j', 'tab'], 0],
  ];
  for (const [names, cursor] of moves)
    it(`${names.join(' ') || 'no key'} leaves the cursor on row ${cursor}`, () =>
      assert.equal(cursorAfter(...names), cursor));

  it('counts every key of a burst', () => {
    const state = stateAfter(SIZE, ...manyOf(500), ...keys(...'j'.repeat(200)));
    assert.equal(state.list.cursor, 200);
  });

  it('keeps what is open in a stack', () => {
    const opened = stateAfter(SIZE, ...MIXED, ...keys('enter', '?'));
    assert.deepEqual(opened.modes, ['deployments', 'details', 'help']);
    assert.deepEqual(run(opened, ...keys('esc', 'esc', 'esc')).modes, ['deployments']);
  });

  it('moves the text of the details instead of the cursor, not past its end', () => {
    const state = stateAfter({ columns: 40, rows: 12 }, ...MIXED, ...keys('j', 'enter', 'j', 'j'));
    assert.deepEqual([state.list.cursor, state.detailsOffset], [1, 2]);
    const end = run(state, ...keys('G')).detailsOffset;
    assert(end > 2);
    assert.equal(run(state, ...keys('G', 'j', 'j')).detailsOffset, end);
    assert.equal(run(state, ...keys('G', 'g')).detailsOffset, 0);
  });

  const effects: readonly (readonly [names: string[], effects: string[]])[] = [
    [['R'], ['read-sysroot']],
    [['q'], ['quit']],
    [['enter', 'q'], []],
    [['?', 'q'], []],
    [['enter', '?', 'ctrl-c'], ['quit']],
    [['ctrl-z'], ['suspend']],
    [['ctrl-l'], ['redraw']],
  ];
  for (const [names, wanted] of effects)
    it(`${names.join(' ')} asks for ${wanted.join() || 'nothing'}`, () => {
      const before = stateAfter(SIZE, ...MIXED, ...keys(...names.slice(0, -1)));
      assert.deepEqual(step(before, { type: 'key', key: names.at(-1) as string }).effects, wanted);
    });

  it('reads at the start, and shows what was there until a new reading has come', () => {
    const first = step(stateAfter(SIZE), { type: 'start' });
    assert.deepEqual([first.effects, first.state.isReading], [['read-sysroot'], true]);
    const again = run(stateAfter(SIZE, ...MIXED), ...keys('R'));
    assert.deepEqual([again.isReading, again.items.length], [true, 5]);
  });

  it('leaves the cursor with its deployment when the list changes', () => {
    const [a, b, c] = [deploymentOf(1), deploymentOf(2), deploymentOf(3)];
    const before = stateAfter(SIZE, ...readingOf({ deployments: [a, b] }), ...keys('j'));
    const after = run(before, ...readingOf({ deployments: [c, a, b] }, [UNSEALED, CHANGED]));
    assert.equal(after.list.cursor, 2);
    assert.deepEqual([...after.images.keys()].sort(), [a.id, b.id, c.id].sort());
  });

  it('forgets images of deployments that are gone', () => {
    const [a, b] = [deploymentOf(1), deploymentOf(2)];
    const after = stateAfter(SIZE, ...readingOf({ deployments: [a, b] }), ...readingOf({ deployments: [b] }));
    assert.deepEqual([[...after.images.keys()], after.list.cursor], [[b.id], 0]);
  });

  it('shows a failure alone, and recovers from it', () => {
    const failure = { message: 'broken', advice: [], commands: [] };
    const failed = run(stateAfter(SIZE, ...MIXED), { type: 'reading-failed', failure });
    assert.deepEqual([failed.items, failed.sysroot, failed.isReading], [[], undefined, false]);
    assert.equal(run(failed, ...keys('j', 'enter')).modes.length, 1);
    assert.equal(run(failed, ...MIXED).failure, undefined);
  });

  it('never leaves its limits, whatever happens', () => {
    const names = [...new Set(ACTIONS.flatMap((action) => action.keys))];
    const event = fc.oneof(
      fc.constantFrom(...names).map((key) => keys(key)),
      fc
        .record({ columns: fc.nat(150), rows: fc.nat(60) })
        .map((size) => [{ type: 'resize', size } as const]),
      fc.nat(40).map(manyOf),
      fc.constant(MIXED),
      fc.constant(HISTORY),
      fc.constant(TREE),
      fc.constant([
        { type: 'reading-failed', failure: { message: 'broken', advice: [], commands: [] } } as const,
      ]),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (bursts) => {
        let state: State = stateAfter(SIZE);
        for (const happened of bursts.flat()) {
          state = step(state, happened).state;
          const view = viewModelOf(state);
          const count = view.count(state);
          const { list, detailsOffset } = view.scroll(state);
          const height = layoutOf(state.size, count, { isZoomed: isInDetails(state) }).list.rows;
          assert(list.cursor >= 0 && list.cursor < Math.max(1, count));
          assert(list.offset >= 0 && list.offset <= list.cursor && Number.isInteger(detailsOffset));
          if (height > 0) assert(list.cursor < list.offset + height);
          assert.equal(state.modes[0], screenOf(state));
          assert.equal(state.tree !== undefined, state.modes.includes('tree'));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('store', () => {
  it('tells its listeners, then starts effects', () => {
    const told: string[] = [];
    const store = new Store(stateAfter(SIZE), (effect) => told.push(String(effect)));
    const unsubscribe = store.subscribe(() => told.push('changed'));
    store.dispatch({ type: 'key', key: 'R' });
    unsubscribe();
    store.dispatch({ type: 'tick', nowMs: NOW_MS + 1 });
    assert.deepEqual(told, ['changed', 'read-sysroot']);
    assert.equal(store.state().nowMs, NOW_MS + 1);
  });
});

describe('actions', () => {
  it('each mode has one meaning for a key', () => {
    const taken = ACTIONS.flatMap(({ keys: names, modes, detailsOf = VIEWS }) =>
      modes
        .flatMap((mode) => (mode === 'details' ? detailsOf.map((view) => `${mode} of ${view}`) : [mode]))
        .flatMap((mode) => names.map((name) => `${mode} ${name}`)),
    );
    assert.deepEqual(
      taken.filter((one, i) => taken.indexOf(one) !== i),
      [],
    );
  });

  it('every mode can be left', () => {
    for (const mode of ['deployments', 'commits', 'tree', 'details', 'search', 'help'] as const)
      assert(ACTIONS.some((action) => action.modes.includes(mode) && action.keys.includes('ctrl-c')));
  });
});
