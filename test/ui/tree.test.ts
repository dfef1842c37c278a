/** A commit's tree: what keys and answers make of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, displayBytes, textToBytes } from '../../src/base/bytes.ts';
import { modeText, xattrText } from '../../ui/models/entry.ts';
import { hexdump } from '../../ui/screens/tree/hexdump.ts';
import { selectedNode, treeRows } from '../../ui/screens/tree/state.ts';
import type { Effect, State } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';
import {
  entriesRead,
  fileNode,
  folderNode,
  folderRead,
  HISTORY,
  keys,
  run,
  stateAfter,
  TREE,
  TREE_COMMIT,
} from '../support/interface-state.ts';

const SIZE = { columns: 80, rows: 40 };
const open = stateAfter(SIZE, ...TREE);

/** The paths of the rows, the selected one in brackets. */
function rowsOf({ tree }: State): string {
  assert(tree !== undefined);
  return treeRows(tree)
    .map((node, i) => (i === tree.list.cursor ? `[${displayBytes(node.path)}]` : displayBytes(node.path)))
    .join(' ');
}

/** Effects of the last key, in words. */
function effectsOf(state: State, ...names: string[]): string[] {
  const before = run(state, ...keys(...names.slice(0, -1)));
  return step(before, { type: 'key', key: names.at(-1) as string }).effects.map(wordsOf);
}

function wordsOf(effect: Effect): string {
  if (typeof effect === 'string') return effect;
  if (effect.type === 'read-entries') return `${effect.type} ${effect.nodes.length}`;
  if (effect.type === 'page') return `${effect.form} ${effect.path}`;
  if (effect.type === 'read-folder') return `${effect.type} ${effect.path}`;
  return effect.type === 'search' ? `search ${effect.text}` : effect.type;
}

describe('tree', () => {
  it('asks for the root folder alone, then for what is on the screen', () => {
    assert.deepEqual(effectsOf(stateAfter(SIZE, ...HISTORY), 't'), ['read-folder /']);
    const opened = stateAfter(SIZE, ...HISTORY, ...keys('t'));
    const many = Array.from({ length: 100_000 }, (_, i) => fileNode(`/${i}`));
    const { effects } = step(opened, folderRead('/', many));
    assert.deepEqual(effects.map(wordsOf), ['read-entries 100']);
  });

  const moves: readonly (readonly [names: string[], rows: string])[] = [
    [[], '/bin /etc /usr [/usr/bin] /usr/bin/bash /usr/bin/ping /usr/bin/sh /usr/bin/torn /usr/lib'],
    [['enter'], '/bin /etc /usr [/usr/bin] /usr/lib'],
    [['h'], '/bin /etc /usr [/usr/bin] /usr/lib'],
    [['h', 'h'], '/bin /etc [/usr] /usr/bin /usr/lib'],
    [['j', 'left', 'left', 'left', 'left'], '/bin /etc [/usr]'],
    [['j', 'Z'], '/bin /etc [/usr]'],
    [
      ['Z', 'l', 'j', 'l'],
      '/bin /etc /usr [/usr/bin] /usr/bin/bash /usr/bin/ping /usr/bin/sh /usr/bin/torn /usr/lib',
    ],
  ];
  for (const [names, rows] of moves)
    it(`${names.join(' ') || 'no key'} gives ${rows}`, () =>
      assert.equal(rowsOf(run(open, ...keys(...names))), rows));

  it('opens the details of a file, and goes back through what is open', () => {
    const details = run(open, ...keys('j', 'enter'));
    assert.deepEqual(details.modes, ['commits', 'tree', 'details']);
    const left = run(details, ...keys('esc', 'esc'));
    assert.deepEqual([left.modes, left.tree], [['commits'], undefined]);
  });

  it('keeps each screen as it was left', () => {
    const other = run(open, ...keys('1'));
    assert.deepEqual([other.modes, other.tree], [['deployments'], undefined]);
    const back = run(other, ...keys('2'));
    assert.equal(rowsOf(back), rowsOf(open));
    assert.deepEqual(run(back, ...keys('2')).modes, ['commits']);
  });

  it('shows regular files in the pager, nothing else', () => {
    assert.deepEqual(effectsOf(open, 'j', 'o'), ['text /usr/bin/bash']);
    assert.deepEqual(effectsOf(open, 'j', 'enter', 'x'), ['hex /usr/bin/bash']);
    for (const names of [['o'], ['g', 'o'], ['j', 'j', 'j', 'o'], ['j', 'j', 'j', 'j', 'x']])
      assert.deepEqual(effectsOf(open, ...names), [], names.join(' '));
  });

  it('reads again what is unfolded, with the cursor where it was', () => {
    assert.deepEqual(effectsOf(open, 'j', 'R'), [
      'reopen',
      'read-folder /',
      'read-folder /usr',
      'read-folder /usr/bin',
    ]);
    const again = run(
      open,
      ...keys('j', 'R'),
      folderRead('/usr/bin', [fileNode('/usr/bin/apt'), fileNode('/usr/bin/bash')]),
      folderRead('/', [folderNode('/usr')]),
      folderRead('/usr', [folderNode('/usr/bin')]),
    );
    assert.equal(rowsOf(again), '/usr /usr/bin /usr/bin/apt [/usr/bin/bash]');
  });

  it('does not listen to answers about another commit', () => {
    const event = { ...folderRead('/', []), of: `commit ${'f'.repeat(64)}` } as Parameters<typeof run>[1];
    assert.equal(rowsOf(run(open, event as never)), rowsOf(open));
  });

  it('forgets entries once there are many', () => {
    const many = Object.fromEntries(Array.from({ length: 5001 }, (_, i) => [`/x/${i}`, {}]));
    const after = run(open, entriesRead(many), entriesRead({ '/etc': {} }));
    assert.equal(after.tree?.entries.size, 1);
  });
});

describe('search', () => {
  const found = (text: string, paths: string[], isDone = true) =>
    ({
      type: 'found',
      of: TREE_COMMIT,
      text,
      nodes: paths.map(fileNode),
      passed: 10,
      isDone,
    }) as const;

  it('takes letters that are keys elsewhere, in a burst, and asks for each state of the words', () => {
    const typed = run(open, ...keys('/', ...'jq1', 'space', '?'));
    assert.equal(typed.tree?.search?.text, 'jq1 ?');
    assert.deepEqual(effectsOf(open, '/', 'a', 'b'), ['search ab']);
    assert.equal(run(typed, ...keys('backspace', 'backspace')).tree?.search?.text, 'jq1');
    assert.equal(run(typed, ...keys('ctrl-u', 'esc', 'enter')).tree?.search, undefined);
  });

  it('shows what was found by these words and no others', () => {
    const typed = run(
      open,
      ...keys('/', 'a', 'b'),
      found('a', ['/a']),
      found('ab', ['/ab'], false),
      found('ab', ['/ab', '/cab']),
      found('ab', ['/late']),
    );
    assert.equal(rowsOf(typed), '[/ab] /cab');
    assert.equal(run(typed, ...keys('c')).tree?.search?.rows.length, 0);
  });

  it('ends on what was found, unfolded down to it', () => {
    const kept = run(open, ...keys('/', 'c', 'enter'), found('c', ['/etc/conf', '/usr/lib/c']), ...keys('j'));
    assert.deepEqual(kept.modes, ['commits', 'tree']);
    const { state, effects } = step(kept, keys('esc')[0] as never);
    assert.deepEqual(effects.map(wordsOf), ['read-folder /usr/lib']);
    const reached = run(state, folderRead('/usr/lib', [fileNode('/usr/lib/a'), fileNode('/usr/lib/c')]));
    const { tree } = reached;
    assert(tree !== undefined);
    assert.equal(displayBytes(selectedNode(tree)?.path as ByteString), '/usr/lib/c');
    assert.deepEqual(run(reached, ...keys('esc')).modes, ['commits']);
  });

  it('ends where it began when nothing was found', () =>
    assert.equal(rowsOf(run(open, ...keys('/', 'y'), found('y', []), ...keys('esc'))), rowsOf(open)));

  it('that is left for another screen begins anew', () => {
    const left = run(open, ...keys('/', 'a', 'enter'), found('a', ['/a'], false), ...keys('1'));
    const { state, effects } = step(left, keys('2')[0] as never);
    assert.equal(state.tree?.search?.rows.length, 0);
    assert(effects.map(wordsOf).includes('search a'));
  });
});

describe('entry', () => {
  const modes: readonly (readonly [mode: number, text: string])[] = [
    [0o100644, '-rw-r--r--'],
    [0o104755, '-rwsr-xr-x'],
    [0o102644, '-rw-r-Sr--'],
    [0o041777, 'drwxrwxrwt'],
    [0o120777, 'lrwxrwxrwx'],
  ];
  for (const [mode, text] of modes) it(text, () => assert.equal(modeText(mode), text));

  it('values of xattrs are text where they can be', () => {
    assert.equal(xattrText(textToBytes('system_u:object_r:bin_t:s0\0')), 'system_u:object_r:bin_t:s0');
    assert.equal(xattrText('\x01\xff' as ByteString), '0x01ff');
  });

  it('a hexdump is that of hexdump -C', () => {
    const bytes = Buffer.concat([
      Buffer.from('0123456789abcdef'),
      Buffer.alloc(48),
      Buffer.from('\n\xe4', 'latin1'),
    ]);
    assert.equal(
      hexdump(bytes).toString(),
      [
        '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|',
        '00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|',
        '*',
        '00000040  0a e4                                             |..|',
        '00000042',
        '',
      ].join('\n'),
    );
  });
});
