/** What differs, and the objects of an image: what keys and answers make of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { displayBytes } from '../../src/base/bytes.ts';
import { LETTERS } from '../../ui/screens/diff/list.ts';
import { stateOf } from '../../ui/screens/objects/state.ts';
import type { Effect, State } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';
import {
  CHANGE_READ,
  DIFF,
  DIFF_ASKED,
  diffRead,
  HISTORY,
  IMAGES,
  keys,
  MIXED,
  OBJECTS,
  OBJECTS_CHECKED,
  run,
  stateAfter,
  USES_READ,
} from '../support/interface-state.ts';

const SIZE = { columns: 80, rows: 40 };

/** The rows with their letters, a dot for what is the same, the selected one in brackets. */
function rowsOf({ diff }: State): string {
  assert(diff !== undefined);
  return diff.rows
    .map(({ change }, i) => {
      const text = `${LETTERS[change.status].replace(' ', '.')}${displayBytes(change.path)}`;
      return i === diff.list.cursor ? `[${text}]` : text;
    })
    .join(' ');
}

const typesOf = (effects: readonly Effect[]): string[] =>
  effects.map((effect) => (typeof effect === 'string' ? effect : effect.type));

const effectsOf = (state: State, key: string): string[] => typesOf(step(state, { type: 'key', key }).effects);

const sidesOf = ({ diff }: State): string[] =>
  diff === undefined ? [] : [diff.before.title, diff.after.title];

describe('diff', () => {
  const open = stateAfter(SIZE, ...DIFF);

  it('of a commit is with its parent, which has to be known', () => {
    assert.deepEqual(sidesOf(stateAfter(SIZE, ...HISTORY, ...keys('d'))), []);
    assert.deepEqual(sidesOf(stateAfter(SIZE, ...DIFF_ASKED)), ['', 'demo/server']);
  });

  it('of a deployment is with the next one', () =>
    assert.deepEqual(sidesOf(stateAfter(SIZE, ...MIXED, ...keys('d'))), [
      'debian 66666666.0',
      'debian aaaaaaaa.0',
    ]));

  it('is with what was marked, on any screen', () => {
    const marked = [...MIXED, ...keys('space'), ...HISTORY, ...keys('j', 'd')];
    assert.deepEqual(sidesOf(stateAfter(SIZE, ...marked)), ['debian aaaaaaaa.0', 'demo/kiosk']);
    assert.deepEqual(sidesOf(stateAfter(SIZE, ...HISTORY, ...keys('space', 'd'))), []);
    const taken = stateAfter(SIZE, ...HISTORY, ...keys('space', 'space', 'j', 'd'));
    assert.deepEqual(sidesOf(taken), []);
  });

  it('asks for the changes once, then for the selected one', () => {
    const asked = stateAfter(SIZE, ...DIFF_ASKED.slice(0, -1));
    assert.deepEqual(effectsOf(asked, 'd'), ['compare']);
    const { effects } = step(stateAfter(SIZE, ...DIFF_ASKED), diffRead());
    assert.deepEqual(typesOf(effects), ['read-change']);
  });

  const moves: readonly (readonly [names: string[], rows: string])[] = [
    [[], '[M/etc] M/etc/demo.conf ./usr ./usr/bin A/usr/bin/kiosk R/usr/bin/status'],
    [['a'], '[M/etc] M/etc/demo.conf ./usr ./usr/bin R/usr/bin/status'],
    [['G', 'r'], 'M/etc M/etc/demo.conf ./usr ./usr/bin [A/usr/bin/kiosk]'],
    [['r', 'm'], '[./usr] ./usr/bin A/usr/bin/kiosk'],
    [['a', 'r', 'm'], ''],
    [['G', 'h'], 'M/etc M/etc/demo.conf ./usr [./usr/bin] A/usr/bin/kiosk R/usr/bin/status'],
    [['G', 'h', 'h'], 'M/etc M/etc/demo.conf ./usr [./usr/bin]'],
    [['enter'], '[M/etc] ./usr ./usr/bin A/usr/bin/kiosk R/usr/bin/status'],
    [['enter', 'l'], '[M/etc] M/etc/demo.conf ./usr ./usr/bin A/usr/bin/kiosk R/usr/bin/status'],
  ];
  for (const [names, rows] of moves)
    it(`${names.join(' ') || 'no key'} gives ${rows || 'nothing'}`, () =>
      assert.equal(rowsOf(run(open, ...keys(...names))), rows));

  it('shows what is the same in open folders, once they were listed', () => {
    const { state, effects } = step(open, keys('u')[0] as never);
    assert.deepEqual(typesOf(effects), ['list-folder', 'list-folder', 'list-folder', 'list-folder']);
    assert.equal(state.diff?.shown.same, true);
  });

  it('shows the lines that differ in the pager', () => {
    const file = run(open, ...keys('j'), CHANGE_READ);
    assert.deepEqual(step(file, keys('o')[0] as never).effects, [
      {
        type: 'show',
        text: '@@ -1,2 +1,2 @@\n # what this machine is\n-version = 1.1\n+version = 1.2\n',
      },
    ]);
    assert.deepEqual(effectsOf(open, 'o'), []);
  });

  it('is left as it was entered', () => {
    const left = run(open, ...keys('enter', 'esc'));
    assert.deepEqual([left.modes, left.diff], [['commits'], undefined]);
    const elsewhere = run(open, ...keys('1', '2'));
    assert.equal(rowsOf(elsewhere), rowsOf(open));
  });
});

describe('objects', () => {
  const wordsOf = ({ objects }: State): string[] =>
    (objects?.rows ?? []).map((object) => (objects === undefined ? '' : stateOf(objects, object).word));

  it('are unchecked until they were looked at', () => {
    assert.deepEqual(wordsOf(stateAfter(SIZE, ...OBJECTS)), Array(4).fill('unchecked'));
    const checked = stateAfter(SIZE, ...OBJECTS, OBJECTS_CHECKED);
    assert.deepEqual(wordsOf(checked), ['protected', 'missing', 'verity off', 'unreadable']);
  });

  it('are never called protected where nothing knows fs-verity', () => {
    const checked = { ...OBJECTS_CHECKED, unsupported: 3 } as typeof OBJECTS_CHECKED;
    assert.deepEqual(wordsOf(stateAfter(SIZE, ...OBJECTS, checked)), [
      'present',
      'missing',
      'verity off',
      'unreadable',
    ]);
  });

  it('b leaves those that are bad, with the cursor on the same', () => {
    const bad = stateAfter(SIZE, ...OBJECTS, OBJECTS_CHECKED, ...keys('G', 'b'));
    assert.deepEqual([wordsOf(bad), bad.objects?.list.cursor], [['missing', 'unreadable'], 1]);
    assert.deepEqual(wordsOf(run(bad, ...keys('b'))).length, 4);
  });

  it('are asked for once, and who needs the selected one', () => {
    assert.deepEqual(effectsOf(stateAfter(SIZE, ...IMAGES), 'o'), ['read-objects']);
    const listed = stateAfter(SIZE, ...OBJECTS, OBJECTS_CHECKED);
    assert.deepEqual(effectsOf(listed, 'j'), ['read-uses']);
    assert.deepEqual(effectsOf(run(listed, ...keys('j'), USES_READ), 'enter'), []);
  });
});
