/** Keys by name, also when they come in bursts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Key } from 'ink';
import { keyLabel, keysOf } from '../../ui/keys.ts';

const NONE = {} as Key;

describe('keys', () => {
  const cases: readonly (readonly [what: string, input: string, flags: Partial<Key>, names: string[]])[] = [
    ['a letter', 'j', {}, ['j']],
    ['a capital', 'G', { shift: true }, ['G']],
    ['an arrow', '', { upArrow: true }, ['up']],
    ['Enter alone', '\r', { return: true }, ['enter']],
    ['Escape', '', { escape: true }, ['esc']],
    ['a control key', 'c', { ctrl: true }, ['ctrl-c']],
    ['Alt', 'x', { meta: true }, ['alt-x']],
    ['a burst of letters', 'jjjk', {}, ['j', 'j', 'j', 'k']],
    ['a burst with Enter and control keys in it', 'j\rq\x03\x1b', {}, ['j', 'enter', 'q', 'ctrl-c', 'esc']],
    ['a key that is not in ASCII', 'ä', {}, ['ä']],
    ['nothing', '', {}, []],
  ];
  for (const [what, input, flags, names] of cases)
    it(what, () => assert.deepEqual(keysOf(input, { ...NONE, ...flags }), names));

  it('are called what is printed on them', () => {
    assert.deepEqual(
      ['ctrl-d', 'down', 'pageup', 'q'].map((key) => keyLabel(key, false)),
      ['^D', '↓', 'PgUp', 'q'],
    );
    assert.deepEqual(
      ['down', 'right', 'enter'].map((key) => keyLabel(key, true)),
      ['Down', 'Right', 'Enter'],
    );
  });
});
