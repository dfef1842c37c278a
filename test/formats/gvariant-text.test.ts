import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import type { Value } from '../../src/formats/gvariant.ts';
import { formatVariant } from '../../src/formats/gvariant-text.ts';

const b = (text: string): ByteString => textToBytes(text);
const variant = (type: string, value: Value): Value => ({ type, value });

/** What g_variant_print(…, TRUE) prints; test/system/commands.test.ts asks GLib itself through ostree. */
const CASES: readonly [type: string, value: Value, text: string][] = [
  ['b', true, 'true'],
  ['y', 7, 'byte 0x07'],
  ['n', -2, 'int16 -2'],
  ['q', 2, 'uint16 2'],
  ['i', -5, '-5'],
  ['u', 5, 'uint32 5'],
  ['x', -5n, 'int64 -5'],
  ['t', 18446744073709551615n, 'uint64 18446744073709551615'],
  ['d', 1, '1.0'],
  ['d', 0.1, '0.10000000000000001'],
  ['d', 1e100, '1e+100'],
  ['d', -0, '-0.0'],
  ['s', b('plain'), "'plain'"],
  ['s', b("it's"), `"it's"`],
  ['s', b('a\nb\\c\u0001'), "'a\\nb\\\\c\\u0001'"],
  ['s', b('größe \u202e'), `'${b('größe')} \\u202e'`],
  ['o', b('/a'), "objectpath '/a'"],
  ['g', b('as'), "signature 'as'"],
  ['v', variant('i', 1) as Value, '<1>'],
  ['as', [], '@as []'],
  ['as', [b('x'), b('y')], "['x', 'y']"],
  ['au', [1, 2], '[uint32 1, 2]'],
  ['ay', Buffer.from('hello\0'), "b'hello'"],
  ['ay', Buffer.from(`q"'\t\x07\xff\0`, 'latin1'), `b"q\\"'\\t\\007\\377"`],
  ['ay', Buffer.from('a\0b\0'), '[byte 0x61, 0x00, 0x62, 0x00]'],
  ['ay', Buffer.alloc(0), '@ay []'],
  ['aay', [Buffer.from([1]), Buffer.from([2])], '[[byte 0x01], [0x02]]'],
  ['a{sv}', new Map(), '@a{sv} {}'],
  ['a{sv}', new Map([[b('k'), variant('u', 1)]]), "{'k': <uint32 1>}"],
  [
    'a{us}',
    [
      [1, b('x')],
      [2, b('y')],
    ],
    "{uint32 1: 'x', 2: 'y'}",
  ],
  ['{sv}', [b('k'), variant('s', b('x'))] as Value, "{'k', <'x'>}"],
  ['()', [], '()'],
  ['(s)', [b('x')], "('x',)"],
  ['(sa(say)u)', [b('x'), [], 1], "('x', @a(say) [], uint32 1)"],
  ['mu', null, '@mu nothing'],
  ['mu', 1, '@mu 1'],
  ['mmi', 1, '@mmi 1'],
  ['amu', [null, 1], '[@mu nothing, 1]'],
];

describe('formatVariant', () => {
  for (const [type, value, text] of CASES)
    it(`prints ${type} as ${text}`, () => assert.equal(formatVariant(type, value), text));

  it('swaps the bytes of integers, also inside variants', () => {
    const swapped = (type: string, value: Value): string => formatVariant(type, value, { byteswap: true });
    assert.equal(swapped('u', 1), 'uint32 16777216');
    assert.equal(swapped('n', 0x7f80), 'int16 -32641');
    assert.equal(swapped('t', 1n), 'uint64 72057594037927936');
    assert.equal(swapped('v', variant('q', 1)), '<uint16 256>');
    assert.equal(swapped('y', 1), 'byte 0x01');
  });
});
