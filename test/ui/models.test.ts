/** Facts to lines: pure functions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BusyError, IoError, NotFoundError } from '../../src/base/errors.ts';
import type { ImageReport } from '../../src/deployment/status.ts';
import { glyphsFor, UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { failureOf } from '../../ui/models/failure.ts';
import { settleList } from '../../ui/models/list.ts';
import { cell, displayText, messageText, truncate, widthOf, wrap } from '../../ui/models/text.ts';
import { imageVerdict } from '../../ui/models/verdict.ts';
import { fitColumns } from '../../ui/screens/deployments/list.ts';
import { summarizeOutlook } from '../../ui/screens/deployments/outlook.ts';
import fc from '../support/fast-check.ts';
import {
  CHANGED,
  deploymentOf,
  OUTLOOK,
  readingOf,
  SEALED,
  stateAfter,
  UNSEALED,
} from '../support/interface-state.ts';

const texts = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ä', '漢', '👩‍👩‍👧', 'e\u0301') });

describe('text', () => {
  it('a cell has its width', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 30 }), (text, width) =>
        assert.equal(widthOf(cell(text, width, '…')), width),
      ),
    );
  });

  it('wrapped lines fit and keep every character but the spaces they break at', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 2, max: 30 }), (text, width) => {
        const lines = wrap(text, width);
        assert(lines.every((line) => widthOf(line) <= width));
        assert.equal(lines.join('').replaceAll(' ', ''), text.replaceAll(' ', ''));
      }),
    );
  });

  const wrapped: readonly (readonly [text: string, width: number, lines: string[]])[] = [
    ['', 5, ['']],
    ['', -1, ['']],
    ['ab c', -1, ['a', 'b', 'c']],
    ['one two', 7, ['one two']],
    ['one two', 6, ['one', 'two']],
    ['abcdefgh ij', 5, ['abcde', 'fgh', 'ij']],
    ['漢字漢字', 5, ['漢字', '漢字']],
  ];
  for (const [text, width, lines] of wrapped)
    it(`${JSON.stringify(text)} in ${width} columns`, () => assert.deepEqual(wrap(text, width), lines));

  it('is cut visibly', () => {
    assert.equal(truncate('abcdef', 4, '~'), 'abc~');
    assert.equal(truncate('abcd', 4, '~'), 'abcd');
    assert.equal(truncate('漢字', 2, '~'), '~');
    assert.equal(cell('7', 3, '~', 'right'), '  7');
  });

  it('cannot act on the terminal', () => {
    const evil = 'a\x1b[31m\x07\u202e\x9b2J\nb\\';
    assert.equal(displayText(evil), 'a\\x1b[31m\\x07\\xe2\\x80\\xae\\xc2\\x9b2J\\nb\\\\');
    assert.equal(messageText('already \\x1b, not yet \x1b'), 'already \\x1b, not yet \\x1b');
  });
});

describe('list', () => {
  const cases: readonly (readonly [[number, number], number, number, [number, number]])[] = [
    [[0, 0], 0, 5, [0, 0]],
    [[7, 0], 10, 5, [7, 3]],
    [[2, 4], 10, 5, [2, 2]],
    [[-1, 0], 10, 5, [0, 0]],
    [[99, 0], 10, 5, [9, 5]],
    [[1, 9], 3, 5, [1, 0]],
  ];
  for (const [[cursor, offset], count, height, [newCursor, newOffset]] of cases)
    it(`row ${cursor} of ${count} in ${height} lines`, () =>
      assert.deepEqual(settleList({ cursor, offset }, count, height), {
        cursor: newCursor,
        offset: newOffset,
      }));
});

describe('columns', () => {
  const cases: readonly (readonly [width: number, names: string])[] = [
    [33, 'deployment image'],
    [44, 'deployment image marks'],
    [60, 'deployment image boots marks'],
    [70, 'deployment image age boots marks'],
    [90, 'deployment image verity size age boots marks'],
    [110, 'deployment image verity digest size age pin boots marks'],
  ];
  for (const [width, names] of cases)
    it(`${width} columns hold ${names}`, () =>
      assert.equal(
        fitColumns(width, 20)
          .map(({ name }) => name)
          .join(' '),
        names,
      ));

  it('fit, and the last one takes what is left', () => {
    fc.assert(
      fc.property(fc.integer({ min: 25, max: 200 }), fc.integer({ min: 0, max: 80 }), (width, longest) => {
        const columns = fitColumns(width, longest);
        const used = columns.reduce((sum, column) => sum + column.width, 2 * (columns.length - 1));
        assert(used <= width);
        if (columns.at(-1)?.name === 'marks') assert.equal(used, width);
      }),
    );
  });
});

describe('image', () => {
  const cases: readonly (readonly [Partial<ImageReport> | undefined, tone: string, word: string])[] = [
    [undefined, 'busy', 'reading'],
    [SEALED, 'good', 'sealed'],
    [{ ...SEALED, valid: undefined }, 'unknown', 'unread'],
    [CHANGED, 'bad', 'changed'],
    [UNSEALED, 'none', 'not sealed'],
    [{ ...SEALED, state: 'unlinked' }, 'warning', 'copy'],
    [{ ...SEALED, state: 'unlinked', sizeBytes: undefined, valid: undefined }, 'bad', 'missing'],
    [{ ...SEALED, state: 'lost' }, 'bad', 'lost'],
    [{ ...SEALED, state: 'foreign', valid: undefined }, 'unknown', "ostree's"],
    [{ ...SEALED, state: 'foreign', valid: false }, 'bad', 'no image'],
  ];
  for (const [image, tone, word] of cases)
    it(`${word} is ${tone}`, () => {
      const verdict = imageVerdict(image as ImageReport | undefined);
      assert.deepEqual([verdict.tone, verdict.word], [tone, word]);
    });
});

describe('outlook', () => {
  const SIZE = { columns: 80, rows: 24 };
  const two = { deployments: [deploymentOf(1), deploymentOf(2)] };
  const blocked = {
    ...OUTLOOK,
    obstacles: [{ severity: 'error', code: 'archive-repository', message: 'compressed' } as const],
  };
  const clear = { ...OUTLOOK, obstacles: [] };

  it('says what to run', () =>
    assert.deepEqual(summarizeOutlook(stateAfter(SIZE, ...readingOf(two, [UNSEALED, SEALED]))), {
      tone: 'none',
      text: '1 of 2 not sealed',
      command: 'sealtree seal',
    }));
  it('says nothing to run where it cannot work', () => {
    const { tone, command } = summarizeOutlook(stateAfter(SIZE, ...readingOf(two, [UNSEALED], blocked)));
    assert.deepEqual([tone, command], ['bad', undefined]);
  });
  it('is good only without limits', () => {
    assert.equal(summarizeOutlook(stateAfter(SIZE, ...readingOf(two, [], clear))).tone, 'good');
    assert.equal(summarizeOutlook(stateAfter(SIZE, ...readingOf(two))).tone, 'unknown');
  });
  it('waits for the images', () =>
    assert.equal(summarizeOutlook(stateAfter(SIZE, readingOf(two)[0] as never)).tone, 'busy'));
});

describe('failure', () => {
  const commands = (error: NotFoundError): string =>
    failureOf(error, '/x')
      .commands.map(([line]) => line)
      .join();
  it('without a sysroot names other ones', () =>
    assert.match(commands(new NotFoundError('/x is no sysroot')), /sealtree --sysroot PATH/));
  it('without rights says how to have them', () =>
    assert.match(commands(new IoError('read', '/x', 'EACCES')), /^sudo sealtree --sysroot \/x$/));
  it('passes on the hint of others', () =>
    assert.deepEqual(failureOf(new BusyError('busy', { hint: 'wait' }), '/').advice, ['wait']));
});

describe('glyphs', () => {
  const cases: readonly (readonly [env: Record<string, string>, isUnicode: boolean])[] = [
    [{ LANG: 'de_DE.UTF-8', TERM: 'xterm' }, true],
    [{ LC_CTYPE: 'C.utf8', LANG: 'C', TERM: 'tmux-256color' }, true],
    [{ LC_ALL: 'C', LANG: 'de_DE.UTF-8', TERM: 'xterm' }, false],
    [{ LC_ALL: '', LANG: 'de_DE.UTF-8', TERM: 'xterm' }, true],
    [{ LANG: 'de_DE.UTF-8', TERM: 'linux' }, false],
    [{ LANG: 'de_DE.UTF-8', TERM: 'vt220' }, false],
    [{ TERM: 'xterm' }, false],
  ];
  for (const [env, isUnicode] of cases)
    it(JSON.stringify(env), () => assert.equal(glyphsFor(env) === UNICODE_GLYPHS, isUnicode));
});
