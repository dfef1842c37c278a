import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, textToBytes } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { readVariant, type Value, type Variant, writeVariant } from '../../src/formats/gvariant.ts';
import fc from '../support/fast-check.ts';

const text = (value: string): ByteString => textToBytes(value);
const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');

/** Examples of the GVariant specification (section 3.4), then every basic type once. */
const EXAMPLES: readonly (readonly [type: string, bytes: string, value: Value])[] = [
  ['s', '68656c6c6f20776f726c6400', text('hello world')],
  ['ms', '68656c6c6f20776f726c640000', text('hello world')],
  ['ms', '', null],
  ['ab', '0100000101', [true, false, false, true, true]],
  ['(si)', '666f6f00 ffffffff 04', [text('foo'), -1]],
  [
    'a(si)',
    '68690000 feffffff 03 000000 62796500 ffffffff 04 09 15',
    [
      [text('hi'), -2],
      [text('bye'), -1],
    ],
  ],
  ['as', '6900 63616e00 68617300 737472696e67733f00 02060a13', ['i', 'can', 'has', 'strings?'].map(text)],
  [
    '((ys)as)',
    '69 63616e00 68617300 737472696e67733f00 040d 05',
    [[0x69, text('can')], ['has', 'strings?'].map(text)],
  ],
  ['(yy)', '7080', [0x70, 0x80]],
  ['(iy)', '60000000 70 000000', [96, 0x70]],
  [
    'a(iy)',
    '60000000 70 000000 88020000 f7 000000',
    [
      [96, 0x70],
      [648, 0xf7],
    ],
  ],
  ['ay', '04050607', hex('04050607')],
  ['ai', '04000000 02010000', [4, 258]],
  ['{si}', '61206b657900 0000 02020000 06', [text('a key'), 514]],
  ['()', '00', []],
  ['as', '', []],
  ['a{sv}', '', new Map()],
  ['v', '05000000 00 69', { type: 'i', value: 5 }],
  ['mi', '05000000', 5],
  ['y', 'fe', 254],
  ['n', 'feff', -2],
  ['q', 'feff', 65534],
  ['h', '01000000', 1],
  ['u', 'ffffffff', 0xffff_ffff],
  ['x', 'feffffffffffffff', -2n],
  ['t', 'ffffffffffffffff', 2n ** 64n - 1n],
  ['d', '000000000000f83f', 1.5],
  ['o', '2f612f6200', text('/a/b')],
  ['g', '6176737300', text('avss')],
];

/** Bytes libglib would read as some default value; none has a second spelling here. */
const NOT_NORMAL: readonly (readonly [why: string, type: string, bytes: string])[] = [
  ['boolean other than 0 and 1', 'b', '02'],
  ['fixed size too short', 'u', '000000'],
  ['fixed size too long', 'u', '0000000000'],
  ['empty bytes for a string', 's', ''],
  ['string without NUL', 's', '6161'],
  ['string with NUL inside', 's', '61006100'],
  ['string that is not UTF-8', 's', 'ff00'],
  ['string with an encoded surrogate', 's', 'eda08000'],
  ['relative object path', 'o', '6100'],
  ['object path with an empty part', 'o', '2f2f00'],
  ['broken signature', 'g', '28'],
  ['variant without a type', 'v', '05000000'],
  ['empty variant', 'v', ''],
  ['variant with an unknown type', 'v', '05 00 7a'],
  ['variant with two types', 'v', '05 00 7979'],
  ['variant with an indefinite type', 'v', '05 00 2a'],
  ['unit value other than zero', '()', '01'],
  ['unit value of two bytes', '()', '0000'],
  ['padding in a fixed tuple', '(yu)', '01 ff0000 02000000'],
  ['padding at the end of a fixed tuple', '(uy)', '02000000 01 00ff00'],
  ['padding in a tuple', '(su)', '6100 ff00 02000000 02'],
  ['padding between elements', 'a(su)', '6100 0000 02000000 02 00ff00 6100 0000 02000000 02 09 15'],
  ['tuple offset outside', '(su)', '6100 0000 02000000 ff'],
  ['tuple offset before its member', '(usu)', '01000000 6100 0000 02000000 01'],
  ['tuple too short for its offsets', '(ss)', ''],
  ['tuple with bytes left over', '(ayu)', '01 000000 02000000 0000 01'],
  ['array offset outside', 'as', '6100 ff'],
  ['array offsets out of order', 'as', '6100 6100 04 02'],
  ['array end in the middle of an offset', 'aas', '6100 02 ff'],
  ['array of fixed size cut', 'au', '01000000 0200'],
  ['offset that names itself', 'as', '00'],
  ['offsets wider than needed', 'aay', `${'00'.repeat(200)}${'c800'.repeat(30)}`],
  ['maybe without its zero byte', 'ms', '610001'],
];

describe('GVariant', () => {
  for (const [type, bytes, value] of EXAMPLES) {
    it(`reads and writes ${type} ${bytes}`, () => {
      assert.equal(writeVariant(type, value).toString('hex'), bytes.replaceAll(' ', ''));
      assert.deepEqual(readVariant(type, hex(bytes), 'example'), value);
    });
  }

  for (const [why, type, bytes] of NOT_NORMAL) {
    it(`refuses ${why}`, () => {
      assert.throws(() => readVariant(type, hex(bytes), 'bytes'), isFormatErrorOf('bytes'));
    });
  }

  it('widens framing offsets by the size of the whole container', () => {
    // 252 bytes, one NUL each and two offsets: at one byte more the offsets need two bytes.
    for (const [length, want] of [
      [252, 255],
      [253, 258],
      [65_530, 65_535],
      [65_531, 65_540],
    ] as const) {
      const value = [text('a'.repeat(length - 1)), text('')];
      const bytes = writeVariant('as', value);
      assert.equal(bytes.length, want);
      assert.deepEqual(readVariant('as', bytes, 'array'), value);
    }
  });

  it('keeps the first of repeated keys', () => {
    const twice = writeVariant('a(sv)', [
      [text('k'), { type: 'b', value: true }],
      [text('k'), { type: 'b', value: false }],
    ]);
    assert.deepEqual(readVariant('a{sv}', twice, 'dictionary'), new Map([['k', { type: 'b', value: true }]]));
  });

  it('bounds nesting of values and of types', () => {
    let value: Variant = { type: 'y', value: 1 };
    for (let depth = 0; depth < 100; depth++) value = { type: 'v', value };
    assert.deepEqual(readVariant('v', writeVariant('v', value), 'nested'), value);
    const deep = Buffer.concat([hex('01 00 79'), ...Array.from({ length: 1000 }, () => hex('00 76'))]);
    assert.throws(() => readVariant('v', deep, 'nested'), isFormatErrorOf('nested'));
    assert.throws(
      () => readVariant(`${'a'.repeat(100_000)}y`, hex('00'), 'nested'),
      isFormatErrorOf('nested'),
    );
    assert.throws(() => readVariant('('.repeat(100_000), hex('00'), 'nested'), isFormatErrorOf('nested'));
  });

  it('refuses what is no type string', () => {
    for (const bad of ['', 'a', '(', ')', 'yy', '{vs}', '{s}', '{sss}', 'z', '*', 'r', '(y', 'a{(y)s}'])
      assert.throws(() => readVariant(bad, hex('00'), 'type'), isFormatErrorOf('type'), bad);
  });

  it('refuses values of another type', () => {
    const wrong: readonly (readonly [type: string, value: Value])[] = [
      ['y', 256],
      ['y', -1],
      ['u', 1.5],
      ['t', -1n],
      ['x', 2n ** 63n],
      ['s', 5],
      ['s', text('\0')],
      ['s', '\u0100' as ByteString],
      ['s', '\xff' as ByteString],
      ['(yy)', [1]],
      ['ay', [1]],
      ['as', text('x')],
      ['v', 5],
      ['b', 1],
    ];
    for (const [type, value] of wrong) assert.throws(() => writeVariant(type, value), FormatError, type);
  });

  it('reads back what it writes, and writes back what it reads', () => {
    fc.assert(
      fc.property(variants, ({ type, value }) => {
        const bytes = writeVariant(type, value);
        const again = readVariant(type, bytes, 'value');
        assert.deepEqual(again, value);
        assert.deepEqual(writeVariant(type, again), bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('accepts arbitrary bytes only if they are the one spelling of a value', () => {
    const types = ['as', 'a(say)', 'a{sv}', '(a(say)a(sayay))', '(uuua(ayay))', 'v', 'aas', 'ms', '(yvq)'];
    fc.assert(
      fc.property(fc.constantFrom(...types), smallBytes, (type, bytes) => {
        let value: Value;
        try {
          value = readVariant(type, bytes, 'bytes');
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
          return;
        }
        // Of repeated keys only one is kept.
        if (!type.startsWith('a{')) assert.deepEqual(writeVariant(type, value), Buffer.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });
});

function isFormatErrorOf(where: string): (error: unknown) => boolean {
  return (error) => error instanceof FormatError && error.details.where === where;
}

/** Mostly zeros, small offsets and letters, so that some are valid. */
const smallBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 9, 0x61, 0x73, 0x79, 0x76), { maxLength: 24 })
  .map((bytes) => Buffer.from(bytes));

const words = fc.string({ unit: 'grapheme', maxLength: 12 }).map((word) => text(word.replaceAll('\0', '')));

/** Values with their types. */
const { variant: variants } = fc.letrec<{ variant: Variant; leaf: Variant; array: Variant; tuple: Variant }>(
  (tie) => ({
    variant: fc.oneof({ maxDepth: 4 }, tie('leaf'), tie('array'), tie('tuple')),
    leaf: fc.oneof(
      fc.integer({ min: 0, max: 255 }).map((value): Variant => ({ type: 'y', value })),
      fc.boolean().map((value): Variant => ({ type: 'b', value })),
      fc.integer({ min: 0, max: 0xffff_ffff }).map((value): Variant => ({ type: 'u', value })),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Variant => ({ type: 't', value })),
      fc.double({ noNaN: true }).map((value): Variant => ({ type: 'd', value })),
      words.map((value): Variant => ({ type: 's', value })),
      words.map((value): Variant => ({ type: 'ms', value })),
      fc.uint8Array({ maxLength: 300 }).map((value): Variant => ({ type: 'ay', value: Buffer.from(value) })),
      fc.dictionary(words, words).map(
        (entries): Variant => ({
          type: 'a{ss}',
          value: new Map(Object.entries(entries) as [ByteString, ByteString][]),
        }),
      ),
    ),
    array: fc
      .array(tie('variant'), { maxLength: 40 })
      .map((items): Variant => ({ type: 'av', value: items })),
    tuple: fc.array(tie('variant'), { maxLength: 6 }).map(
      (items): Variant => ({
        type: `(${items.map(({ type }) => type).join('')})`,
        value: items.map(({ value }) => value),
      }),
    ),
  }),
);
