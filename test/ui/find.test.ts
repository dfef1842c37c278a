/** Search in lists and in the list of keys: where the cursor goes, and what more is read for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASCII_GLYPHS, UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { type Event, modeOf, type State } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';
import { viewModelOf } from '../../ui/views.ts';
import {
  DIFF,
  HISTORY,
  historyOf,
  IMAGES,
  keys,
  MIXED,
  OBJECTS,
  run,
  stateAfter,
  TREE,
} from '../support/interface-state.ts';
import { INSTALLED, PLANNED, SHARING, VERIFIED } from '../support/interface-work.ts';

const SIZE = { columns: 80, rows: 24 };
const commitsAfter = (...names: string[]): State => stateAfter(SIZE, ...HISTORY, ...keys(...names));
const cursorOf = (state: State): number => viewModelOf(state).scroll(state).list.cursor;

describe('search in a list', () => {
  const found: readonly (readonly [names: string, cursor: number, notice?: RegExp])[] = [
    ['/manual', 2],
    ['/first 1.0', 5],
    ['/FIRST', 0, /no row says FIRST/],
    ['/1.1', 1],
    ['/1.1\rn', 2],
    ['/1.1\rnn', 1, /from the top/],
    ['/1.1\rnN', 1],
    ['/1.1\rN', 2, /from the end/],
    ['/zzz\r', 0],
    ['/\r', 0],
    ['jj/manual\x1b', 2],
    ['G/1.2', 0, /from the top/],
  ];
  for (const [names, cursor, notice] of found)
    it(`${JSON.stringify(names)} leaves the cursor on row ${cursor}`, () => {
      const state = commitsAfter(
        ...Array.from(names, (c) => ({ '\r': 'enter', '\x1b': 'esc', ' ': 'space' })[c] ?? c),
      );
      assert.equal(cursorOf(state), cursor);
      assert.match(state.notice ?? '', notice ?? /^$/);
    });

  it('takes back what is rubbed out, and forgets what was left', () => {
    const typed = commitsAfter('/', ...'first');
    assert.equal(cursorOf(typed), 5);
    assert.equal(cursorOf(run(typed, ...keys('ctrl-u'))), 0);
    assert.equal(cursorOf(run(typed, ...keys(...Array.from('first', () => 'backspace'), '1'))), 0);
    const left = run(typed, ...keys('esc'));
    assert.deepEqual([modeOf(left), left.find, cursorOf(run(left, ...keys('n')))], ['commits', undefined, 0]);
  });

  it('reads on where the rows that are there do not say it, until one does', () => {
    const rows = historyOf(
      Object.fromEntries(
        Array.from({ length: 60 }, (_, i) => [
          `a${String(i).padStart(3, '0')}`,
          { subject: `number ${i}`, day: 60 - i, parent: `a${String(i + 1).padStart(3, '0')}` },
        ]),
      ),
      { main: 'a000' },
    );
    const readTo = (from: number, to: number, isComplete = false): Event => ({
      type: 'commits-read',
      reading: 0,
      rows: rows.slice(from, to),
      refCount: 1,
      isComplete,
    });
    const first = stateAfter(SIZE, ...keys('2'), readTo(0, 20));
    const asked = step(run(first, ...keys('/', ...'number 3')), { type: 'key', key: '5' });
    assert.deepEqual([cursorOf(asked.state), asked.state.find?.passed], [0, 20]);
    const more = step(asked.state, readTo(20, 30));
    assert.deepEqual([cursorOf(more.state), more.state.find?.passed], [0, 30]);
    const there = run(more.state, ...keys('enter'), readTo(30, 60, true));
    assert.deepEqual([cursorOf(there), there.find?.passed, modeOf(there)], [35, undefined, 'commits']);
    // Whoever moves on is not taken there.
    const moved = run(more.state, ...keys('enter', 'j'), readTo(30, 60, true));
    assert.equal(cursorOf(moved), 1);
    const gone = run(more.state, ...keys('enter', '1', '2'), readTo(30, 60, true));
    assert.equal(cursorOf(gone), 0);
  });

  it('asks for more commits only while it looks', () => {
    const rows = historyOf({ a1: { parent: 'a2' }, a2: { parent: 'a3' } }, { main: 'a1' });
    const read: Event = { type: 'commits-read', reading: 0, rows, refCount: 1, isComplete: false };
    const many = stateAfter(SIZE, ...keys('2'), ...Array.from({ length: 400 }, () => read));
    const { effects } = step(run(many, ...keys('/')), { type: 'key', key: 'z' });
    assert.deepEqual(
      effects.filter((one) => typeof one === 'object' && one.type === 'read-commits'),
      [{ reader: 'commits', type: 'read-commits', reading: 0, count: 2000 }],
    );
    const moved = step(many, { type: 'key', key: 'j' }).effects;
    assert.deepEqual(
      moved.map((one) => typeof one === 'object' && one.type),
      ['read-commit'],
    );
  });
});

describe('rows in words', () => {
  const shown: readonly (readonly [name: string, events: readonly Event[]])[] = [
    ['deployments', MIXED],
    ['commits', HISTORY],
    ['boot', [...INSTALLED, ...keys('3')]],
    ['sharing', [...INSTALLED, ...keys('5'), { type: 'sharing-read', reading: 0, value: SHARING }]],
    ['images', IMAGES],
    ['objects', OBJECTS],
    ['tree', TREE],
    ['diff', DIFF],
    ['jobs', VERIFIED],
    ['proposal', PLANNED],
    ['help', keys('?')],
  ];
  const signs = new RegExp(`[${Object.values(UNICODE_GLYPHS).join('').replace(/[ -~]/g, '')}]`);

  for (const [name, events] of shown)
    it(`of the list of ${name} say something, without a sign`, () => {
      const state = stateAfter(SIZE, ...events);
      const view = viewModelOf(state);
      assert(view.count(state) > 0);
      for (let row = 0; row < view.count(state); row++) {
        const said = view.said?.(state, row) ?? '';
        assert.match(said, /\w/, `row ${row}`);
        assert.doesNotMatch(said, signs);
        assert.doesNotMatch(said, /^\s|\s$|, ,|\x1b/);
      }
      assert.equal(view.said?.(state, view.count(state)), '');
    });

  it('have the signs of no terminal', () => assert.notEqual(UNICODE_GLYPHS.good, ASCII_GLYPHS.good));
});

describe('help', () => {
  it('has what is needed first, is searched, and does what its row does', () => {
    const help = stateAfter(SIZE, ...INSTALLED, ...keys('?'));
    const first = help.help.rows.slice(0, 3).map(({ id }) => id);
    assert.deepEqual(first, ['help', 'quit', 'open']);
    const reasons = help.help.rows.filter(({ id }) => id === 'seal').map(({ reason }) => reason);
    assert.match(reasons[0] ?? '', /^read-only/);
    const boot = run(help, ...keys('/', ...'boot', 'enter', 'enter'));
    assert.deepEqual(boot.modes, ['boot']);
    const refused = run(help, ...keys('/', ...'seal:', 'enter', 'enter'));
    assert.deepEqual([refused.modes, refused.notice?.slice(0, 9)], [['deployments'], 'read-only']);
  });

  it('is closed where it was opened, and is not come back to', () => {
    assert.deepEqual(stateAfter(SIZE, ...MIXED, ...keys('enter', '?', 'tab', 'esc', 'q')).modes, [
      'deployments',
      'details',
    ]);
    assert.deepEqual(stateAfter(SIZE, ...MIXED, ...keys('?', '2', '1')).modes, ['deployments']);
  });
});

describe('what did not come to an end', () => {
  const failedPlan: Event = {
    type: 'plan-read',
    id: 1,
    outcome: {
      exitCode: 75,
      document: undefined,
      error: { message: 'locked', code: 'busy', hint: undefined },
    },
  };

  it('a plan is read again', () => {
    const failed = stateAfter(SIZE, ...INSTALLED, ...keys('W', 's'), failedPlan);
    assert.equal(failed.proposal?.failure?.message, 'locked');
    const { state, effects } = step(failed, { type: 'key', key: 'R' });
    assert.deepEqual(effects.filter((one) => typeof one === 'object' && one.type === 'read-plan').length, 1);
    assert.deepEqual([state.proposal?.failure, state.proposal?.id], [undefined, 2]);
    assert.equal(modeOf(run(state, ...keys('esc'))), 'deployments');
  });

  it('a job is run again, what changes the disk only in write mode', () => {
    const { error, exitCode } = failedPlan.outcome;
    const ended = (id: number): Event => ({
      type: 'job-ended',
      id,
      tookMs: 1,
      outcome: { exitCode, document: undefined, error },
    });
    const failed = stateAfter(SIZE, ...INSTALLED, ...keys('v'), ended(1));
    const again = step(failed, { type: 'key', key: 'a' });
    const [first] = failed.jobs.all;
    assert.deepEqual(again.effects, [{ type: 'run-job', id: 2, words: first?.words }]);
    assert.equal(again.state.jobs.all.length, 2);
    const done = run(again.state, ...keys('a'));
    assert.equal(done.jobs.all.length, 2, 'it runs');
  });
});
