import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, bytesToString, textToBytes } from '../../src/base/bytes.ts';
import { globalOptions, makeContext } from '../../src/commands/context.ts';
import {
  type ColorChoice,
  fieldLines,
  formatJson,
  jsonBytes,
  makeStyle,
  nameBytes,
  rfc3339,
  textWidth,
  wantsColor,
  writeAll,
} from '../../src/commands/output.ts';
import { MemoryStream, memorySurroundings } from '../support/surroundings.ts';

const terminal = new MemoryStream({ isTerminal: true });
const pipe = new MemoryStream();

describe('wantsColor', () => {
  const cases: readonly (readonly [
    choice: ColorChoice | undefined,
    env: Record<string, string>,
    stream: MemoryStream,
    wanted: boolean,
  ])[] = [
    ['auto', {}, terminal, true],
    ['auto', {}, pipe, false],
    [undefined, {}, terminal, true],
    ['auto', { TERM: 'dumb' }, terminal, false],
    ['always', {}, pipe, true],
    ['never', {}, terminal, false],
    ['auto', { FORCE_COLOR: '1' }, pipe, true],
    ['auto', { CLICOLOR_FORCE: '1' }, pipe, true],
    ['auto', { FORCE_COLOR: '0' }, terminal, false],
    ['never', { FORCE_COLOR: '1' }, terminal, false],
    ['always', { NO_COLOR: '1' }, terminal, false],
    ['auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, terminal, false],
    ['auto', { NO_COLOR: '' }, terminal, true],
  ];
  for (const [choice, env, stream, wanted] of cases)
    it(`--color=${choice} ${JSON.stringify(env)} ${stream.isTerminal ? 'terminal' : 'pipe'}: ${wanted}`, () =>
      assert.equal(wantsColor(choice, env, stream), wanted));
});

describe('text', () => {
  it('is as wide as its columns', () => {
    assert.equal(textWidth('abc'), 3);
    assert.equal(textWidth('\x1b[31mabc\x1b[39m'), 3);
    assert.equal(textWidth('größe'), 5);
    assert.equal(textWidth('o\u0308'), 1);
    assert.equal(textWidth('漢字'), 4);
  });

  it('lines up in fields', () =>
    assert.deepEqual(
      fieldLines(
        [
          ['A', '1'],
          ['Long', '2'],
        ],
        '  ',
      ),
      ['  A:    1', '  Long: 2'],
    ));

  it('has no colours where there are none', () => {
    assert.equal(makeStyle(false).red('x'), 'x');
    assert.equal(makeStyle(true).bold('x'), '\x1b[1mx\x1b[22m');
  });
});

describe('names', () => {
  const name = textToBytes('a\n\x1b[2Jü');
  it('go out as they are, but not to a terminal', () => {
    assert.equal(nameBytes(name, pipe), name);
    assert.equal(nameBytes(name, terminal), textToBytes('a\\n\\x1b[2Jü'));
  });
  it('keep their bytes in JSON', () => {
    assert.equal(jsonBytes(name), 'a\n\x1b[2Jü');
    assert.deepEqual(jsonBytes(bytesToString(Buffer.from([0x61, 0xff]))), { base64: 'Yf8=' });
  });
});

describe('JSON', () => {
  it('has numbers as long as they are exact', () =>
    assert.equal(formatJson({ a: 5n, b: 2n ** 60n }, 0), '{"a":5,"b":"1152921504606846976"}'));

  it('does not act on a terminal, and says the same', () => {
    const value = { name: 'a\x1b\x7f\x9b\u200f\u202e\u2069ü' };
    const json = formatJson(value, 0);
    assert.equal(json, String.raw`{"name":"a\u001b\u007f\u009b\u200f\u202e\u2069ü"}`);
    assert.deepEqual(JSON.parse(json), value);
  });

  it('has times in RFC 3339', () => {
    assert.equal(rfc3339(0), '1970-01-01T00:00:00Z');
    assert.equal(rfc3339(1e15), undefined);
  });

  const contextOf = (json: string) => {
    const surroundings = memorySurroundings();
    return { surroundings, context: makeContext(surroundings, globalOptions({ json }, surroundings)) };
  };

  it('is one document with a schema', () => {
    const { surroundings, context } = contextOf('document');
    context.printJson('thing', { z: 1, a: [] });
    assert.equal(surroundings.stdout.text, '{\n  "schema": "sealtree/thing/v1",\n  "z": 1,\n  "a": []\n}\n');
  });

  for (const items of [[], [{ a: 1 }], [{ a: 1 }, { b: { c: [2, 3] } }]])
    it(`prints a list of ${items.length} as it would print the whole`, () => {
      const { surroundings, context } = contextOf('document');
      context.printJsonList('thing', 'things', items);
      const whole = { schema: 'sealtree/thing/v1', things: items };
      assert.equal(surroundings.stdout.text, `${JSON.stringify(whole, null, 2)}\n`);
    });

  it('prints a list line by line with --json=lines', () => {
    const { surroundings, context } = contextOf('lines');
    context.printJsonList('thing', 'things', [{ a: 1 }, { b: 2 }]);
    assert.equal(
      surroundings.stdout.text,
      '{"schema":"sealtree/thing/v1","a":1}\n{"schema":"sealtree/thing/v1","b":2}\n',
    );
  });
});

describe('many pieces', () => {
  function* pieces(failAt?: number): Generator<ByteString> {
    for (let i = 0; i < 10; i++) {
      if (i === failAt) throw new TypeError('no more pieces');
      yield `${i}`.repeat(20_000) as ByteString;
    }
  }
  const whole = (count: number): string =>
    Array.from({ length: count }, (_, i) => `${i}`.repeat(20_000)).join('');

  it('are written whole, and where they end in a failure, what there was', () => {
    const [all, some] = [new MemoryStream(), new MemoryStream()];
    writeAll(pieces(), all);
    assert.equal(all.text, whole(10));
    assert.throws(() => writeAll(pieces(6), some), /no more pieces/);
    assert.equal(some.text, whole(6));
  });

  it('are written in order, of whatever length', () => {
    const lengths = [1, 4095, 4096, 70_000, 0, 131_072, 3, 131_073, 2];
    const texts = lengths.map((length, i) => `${i}`.repeat(length) as ByteString);
    const stream = new MemoryStream();
    writeAll(texts, stream);
    assert.equal(stream.text, texts.join(''));
  });

  it('are not written again when that failed', () => {
    const full = new MemoryStream({ limitBytes: 100_000 });
    assert.throws(() => writeAll(pieces(), full), { name: 'BrokenPipe' });
    assert.equal(full.text, whole(6));
  });
});
