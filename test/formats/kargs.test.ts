import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { UsageError } from '../../src/base/errors.ts';
import { formatKarg, joinKargs, parseKarg, splitKargs } from '../../src/formats/kargs.ts';
import fc from '../support/fast-check.ts';

const bytes = (text: string) => text as ByteString;
const words = (line: string) => splitKargs(bytes(line));

describe('kernel command lines', () => {
  const SPLITS: readonly (readonly [string, readonly string[]])[] = [
    ['', []],
    ['   \t\n', []],
    ['a b=c', ['a', 'b=c']],
    ['  a   b\tc\n', ['a', 'b', 'c']],
    ['a="x y" b', ['a="x y"', 'b']],
    ['"a=x y" b', ['"a=x y"', 'b']],
    ['a=x" "y b', ['a=x" "y', 'b']],
    ['a="unclosed b c', ['a="unclosed b c']],
    ['a=\\" b', ['a=\\" b']],
    ['quiet -- init args', ['quiet', '--', 'init', 'args']],
    ['a\xa0b', ['a', 'b']],
  ];
  for (const [line, expected] of SPLITS) {
    it(`splits ${JSON.stringify(line)}`, () => assert.deepEqual(words(line), expected));
  }

  const PARSES: readonly (readonly [string, string, string | undefined])[] = [
    ['quiet', 'quiet', undefined],
    ['root=LABEL=x', 'root', 'LABEL=x'],
    ['a=', 'a', ''],
    ['=a', '=a', undefined],
    ['=a=b', '=a', 'b'],
    ['a="x y"', 'a', 'x y'],
    ['"a=x y"', 'a', 'x y'],
    ['"a b"', 'a b', undefined],
    ['a="', 'a', ''],
    ['a="x', 'a', 'x'],
    ['a=x"y z"', 'a', 'x"y z"'],
    ['dyndbg="file a +p; line 1"', 'dyndbg', 'file a +p; line 1'],
  ];
  for (const [word, key, value] of PARSES) {
    it(`reads ${word}`, () => assert.deepEqual(parseKarg(bytes(word)), { key, value }));
  }

  it('quotes a value that needs it, and refuses what cannot be expressed', () => {
    assert.equal(formatKarg(bytes('a'), bytes('b c')), 'a="b c"');
    assert.equal(formatKarg(bytes('a'), bytes('')), 'a=');
    assert.equal(formatKarg(bytes('a')), 'a');
    for (const [key, value] of [
      ['', 'x'],
      ['a b', 'x'],
      ['a', 'x"y'],
      ['a', 'x\ny'],
      ['a"', 'x'],
      ['a=b', 'x'],
      ['a', '\0'],
    ])
      assert.throws(() => formatKarg(bytes(key!), bytes(value!)), UsageError, `${key} ${value}`);
  });

  it('reads back what it writes', () => {
    const key = fc.string({ unit: fc.constantFrom(...'ab.-_\xe9'), minLength: 1, maxLength: 6 });
    const value = fc.option(fc.string({ unit: fc.constantFrom(...'ab =\t\xa0\\'), maxLength: 8 }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 6 }), (pairs) => {
        const line = joinKargs(
          pairs.map(([k, v]) => formatKarg(bytes(k), v === undefined ? undefined : bytes(v))),
        );
        assert.deepEqual(
          splitKargs(line).map(parseKarg),
          pairs.map(([key, value]) => ({ key, value })),
        );
      }),
    );
  });

  it('joins the words of any line to one that splits the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a="\\ \t\n'), maxLength: 20 }), (line) => {
        const list = words(line);
        assert.deepEqual(splitKargs(joinKargs(list)), list);
      }),
    );
  });
});
