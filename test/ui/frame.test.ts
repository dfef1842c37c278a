/** Whole screens as text, drawn by ink, at three sizes; in colour the codes are written out. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderToString } from 'ink';
import { createElement } from 'react';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, IoError, NotFoundError } from '../../src/base/errors.ts';
import { ASCII_GLYPHS, UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { failureOf, repositoryFailure } from '../../ui/models/failure.ts';
import { widthOf } from '../../ui/models/text.ts';
import type { Event } from '../../ui/state.ts';
import { makeTheme } from '../../ui/theme.ts';
import { assertGolden } from '../support/golden.ts';
import {
  CHANGE_READ,
  commitsOf,
  DIFF,
  DIFF_ASKED,
  deploymentOf,
  diffRead,
  FACTS,
  fileNode,
  HISTORY,
  historyOf,
  IMAGES,
  keys,
  MIXED,
  NO_CHANGES,
  OBJECT_READ,
  OBJECTS,
  OBJECTS_CHECKED,
  PROBLEM,
  readingOf,
  SURVEYED,
  stateAfter,
  TREE,
  TREE_COMMIT,
  UNSEALED,
  USES_READ,
} from '../support/interface-state.ts';

const { Frame } = await import('../../ui/app.tsx');

const SIZES = [
  { columns: 40, rows: 15 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
];
const PLAIN = makeTheme(false, UNICODE_GLYPHS);
const SGR = /\x1b\[[0-9;]*m/g;

function draw(size: (typeof SIZES)[number], events: readonly Event[], theme = PLAIN): string {
  const state = stateAfter(size, ...events);
  return renderToString(createElement(Frame, { state, theme }), { columns: size.columns });
}

const failed: Event[] = [
  { type: 'reading-failed', failure: failureOf(new IoError('list', '/ostree/deploy', 'EACCES'), '/') },
];
const many = Array.from({ length: 120 }, (_, i) => deploymentOf(i, { serial: i }));

const torn = historyOf({}, { 'os/torn': 'a1' }, { commitIfExists: damaged });
function damaged(): never {
  throw new FormatError('objects/a1.commit', 'object is corrupted: its checksum differs');
}
/** More lines of history than a screen has room for. */
const lanes = historyOf(
  Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [String(10 + i), { parent: '99', day: 40 - i }]).concat([
      ['99', {}],
    ] as never),
  ),
  Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`ref/${i}`, String(10 + i)])),
);
const unreadable = repositoryFailure(new NotFoundError('/ostree/repo: not an ostree repository'), {
  sysrootPath: '/',
  repositoryPath: undefined,
});
const found = {
  type: 'found',
  of: TREE_COMMIT,
  text: 'bin sh',
  nodes: [fileNode('/usr/bin/bash'), fileNode('/usr/bin/sh')],
  passed: 9,
  isDone: true,
} as const;
const rootFailed: Event = {
  type: 'folder-failed',
  of: TREE_COMMIT,
  path: '/' as ByteString,
  message: '/ostree/repo: no object d1d1.dirtree',
};

const SCREENS: readonly (readonly [name: string, events: readonly Event[]])[] = [
  ['reading', [{ type: 'start' }]],
  ['mixed', MIXED],
  ['details', [...MIXED, ...keys('j', 'j', 'enter', 'j')]],
  ['problem', [...MIXED, ...keys('j', 'j', 'j', 'enter')]],
  ['outlook', [...MIXED, ...keys('G', 'enter')]],
  ['help', [...MIXED, ...keys('?')]],
  ['many', [...readingOf({ deployments: many }), ...keys(...'j'.repeat(60))]],
  ['none', readingOf({})],
  ['failed', failed],
  ['commits-reading', [...MIXED, ...keys('2')]],
  ['commits', [...MIXED, ...HISTORY]],
  ['commits-details', [...MIXED, ...HISTORY, { type: 'commit-read', facts: FACTS }, ...keys('enter')]],
  ['commits-end', [...HISTORY, ...keys('j', 'j', 'j', 'j', 'enter')]],
  ['commits-broken', [...commitsOf(torn, 1), ...keys('enter')]],
  ['commits-lanes', commitsOf(lanes, 40)],
  ['commits-none', commitsOf([], 0)],
  ['commits-failed', [...keys('2'), { type: 'commits-failed', reading: 0, failure: unreadable }]],
  ['tree', [...TREE, ...keys('j', 'j')]],
  ['tree-details', [...TREE, ...keys('j', 'j'), OBJECT_READ, ...keys('enter')]],
  ['tree-broken', [...TREE, ...keys('j', 'j', 'j', 'j', 'tab')]],
  ['tree-help', [...TREE, ...keys('?')]],
  ['tree-search', [...TREE, ...keys('/', ...'bin sh'), found]],
  ['tree-nothing', [...TREE, ...keys('/', 'x', 'y', 'enter'), { ...found, text: 'xy', nodes: [] }]],
  ['tree-failed', [...HISTORY, ...keys('t'), rootFailed]],
  ['marked', [...HISTORY, ...keys('space', 'j')]],
  ['diff-comparing', DIFF_ASKED],
  ['diff', [...DIFF, ...keys('j', 'j', 'j')]],
  ['diff-file', [...DIFF, ...keys('j'), CHANGE_READ, ...keys('enter')]],
  ['diff-none', [...DIFF_ASKED, diffRead(NO_CHANGES)]],
  ['diff-hidden', [...DIFF, ...keys('a', 'r', 'm')]],
  ['images', IMAGES],
  ['images-details', [...IMAGES, SURVEYED, ...keys('enter')]],
  ['images-none', [...MIXED, ...keys('4'), { type: 'images-read', reading: 0, files: [] }]],
  ['objects', OBJECTS],
  ['objects-bad', [...OBJECTS, OBJECTS_CHECKED, ...keys('b')]],
  ['objects-details', [...OBJECTS, OBJECTS_CHECKED, ...keys('j'), USES_READ, ...keys('enter')]],
];

describe('frame', () => {
  for (const [name, events] of SCREENS)
    for (const size of SIZES) {
      const title = `${name}-${size.columns}x${size.rows}`;
      it(title, () => {
        const text = draw(size, events).replaceAll(SGR, '');
        const lines = text.split('\n');
        assert(lines.length <= size.rows);
        for (const line of lines) assert(widthOf(line) <= size.columns, line);
        assertGolden(`ui/${title}.txt`, `${lines.map((line) => line.trimEnd()).join('\n')}\n`);
      });
    }

  it('in colour', () => {
    const text = draw({ columns: 80, rows: 24 }, MIXED, makeTheme(true, UNICODE_GLYPHS));
    assertGolden('ui/color-80x24.txt', `${text.replaceAll('\x1b[', '␛')}\n`);
  });

  it('without colour still sets the selected row off', () => {
    const text = draw({ columns: 80, rows: 24 }, MIXED);
    assert.deepEqual(
      [...new Set(text.match(SGR))].sort(),
      [1, 2, 22, 27, 7].map((code) => `\x1b[${code}m`).sort(),
    );
    assert.match(text, /\x1b\[7m▸/);
  });

  it('in ASCII', () => {
    for (const [name, events] of SCREENS.filter(([screen]) => !screen.endsWith('reading')))
      for (const size of SIZES)
        assert.doesNotMatch(
          draw(size, events, makeTheme(false, ASCII_GLYPHS)).replaceAll(SGR, ''),
          /[^\n\x20-\x7e]/,
          name,
        );
  });

  it('lets no foreign byte act on the terminal', () => {
    const evil = '\x1b[2J\x07\u202e\x9b';
    const events = readingOf(
      {
        deployments: [deploymentOf(1, { stateroot: evil, path: `/${evil}`, entry: undefined })],
        problems: [{ ...PROBLEM, message: evil, where: evil, remedy: [evil], deployments: [evil] }],
      },
      [{ ...UNSEALED, problem: evil }],
      { next: evil, obstacles: [{ severity: 'warning', code: evil, message: evil }] },
    );
    for (const pressed of [[], ['enter'], ['j', 'enter'], ['G', 'enter']])
      for (const size of SIZES)
        assert.doesNotMatch(
          draw(size, [...events, ...keys(...pressed)]).replaceAll(SGR, ''),
          /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/,
        );
  });

  it('says when there is no room', () =>
    assert.match(draw({ columns: 30, rows: 8 }, MIXED), /too small:\n30x8/));
});
