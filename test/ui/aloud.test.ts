/** The interface for screen readers: what is said of each screen, and what of a change. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { announced, spoken } from '../../ui/aloud.ts';
import type { Event, State } from '../../ui/state.ts';
import {
  DIFF,
  HISTORY,
  IMAGES,
  keys,
  MIXED,
  OBJECTS,
  run,
  stateAfter,
  TREE,
} from '../support/interface-state.ts';
import { IMPORTS, INSTALLED, PLANNED, stageOf, VERIFIED, VERIFYING } from '../support/interface-work.ts';
import { Sandbox } from '../support/sandbox.ts';
import { Screen } from '../support/screen.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

const { start } = await import('../../ui/start.tsx');

const SIZE = { columns: 80, rows: 24 };
const saidOf = (events: readonly Event[]): string[] =>
  announced(undefined, spoken(stateAfter(SIZE, ...events)));
const saidAfter = (state: State, ...events: readonly Event[]): string[] =>
  announced(spoken(state), spoken(run(state, ...events)));

describe('what is said', () => {
  const shown: readonly (readonly [name: string, events: readonly Event[], said: RegExp])[] = [
    [
      'deployments',
      MIXED,
      /^Deployments\. 3 deployments, .*read-only\. Question mark lists the keys\.\n1 of 5: 0 /,
    ],
    ['details', [...MIXED, ...keys('tab')], /^Deployments, details of .*\n.*\nimage not sealed\ncommit /s],
    ['commits', HISTORY, /^Commits\..*\n1 of 6: a1a1a1a1, demo\/server, Update libdemo/],
    ['boot', [...INSTALLED, ...keys('3')], /^Boot\..*\n1 of \d+: .*installed, policy/],
    ['nothing to show', keys('3'), /^Boot\. reading, read-only.*\nreading$/],
    ['images', IMAGES, /^Images\..*\n1 of 3: /],
    ['objects', OBJECTS, /objects of .*\n1 of \d+: unchecked, \/usr/],
    ['tree', TREE, /files of demo\/server\..*\n4 of 9: bin, unfolded/],
    ['diff', DIFF, /from .* to .*\..*\n1 of \d+: \/.*, (modified|same)/],
    ['a running job', VERIFYING, /^Deployments, jobs\..*\n.*\nverify .*, running, .*percent$/],
    ['help', keys('?'), /keys\..*\n1 of \d+: \?: help$/],
    ['a plan', PLANNED, /type 6 6 6 6 and Enter to do it, Escape leaves it; typed: $/],
    ['a search', [...HISTORY, ...keys('/', 'a')], /\nsearch: a$/],
    ['an import', [...IMPORTS, ...keys('G', 'i')], /\nref that will name it: import\/rootfs-1$/],
    ['all actions', [...MIXED, ...keys(':', 's')], /all actions: s; \d+ found, selected: seal$/],
  ];
  for (const [name, events, said] of shown)
    it(`of ${name}`, () => {
      const lines = saidOf(events);
      assert.match(lines.join('\n'), said);
      for (const line of lines)
        assert.doesNotMatch(line, /[^\p{L}\p{N}\p{P}\p{Z}=+<>$^`|~]|\x1b| {2}|─|░|█|[-=]{4}/u);
    });

  it('is what has changed, and no more', () => {
    const state = stateAfter(SIZE, ...MIXED);
    assert.deepEqual(saidAfter(state), []);
    const [row, ...more] = saidAfter(state, ...keys('j'));
    assert.match(row ?? '', /^2 of 5: 1 /);
    assert.deepEqual(more, []);
    assert.deepEqual(saidAfter(state, { type: 'notice', text: 'the file is empty' }), ['the file is empty']);
    assert.deepEqual(
      saidAfter(state, ...keys('W'))
        .at(-1)
        ?.slice(0, 10),
      'write mode',
    );
  });

  it('tells of work by tenths, and of its end', () => {
    const state = stateAfter(SIZE, ...VERIFYING, ...keys('esc'));
    const told = (done: number): Event => ({
      type: 'job-told',
      id: 1,
      told: { kind: 'stage', stage: stageOf(done, 5000) },
    });
    const at = run(state, told(22_000));
    assert.deepEqual(saidAfter(at, told(22_010)), []);
    assert.match(saidAfter(at, told(30_000)).join(), /percent$/);
    assert.match(saidOf(VERIFIED).join('\n'), /1 of \d+: verify .*, failed, after/);
  });
});

describe('a screen that is read aloud', () => {
  const sandbox = new Sandbox();
  before(() => makeSmallSysroot(sandbox.join('sysroot')));
  after(() => sandbox.dispose());

  it('is lines that follow each other, on the terminal as it is', async (t) => {
    const screen = new Screen(80, 24);
    const { stdin, stdout } = screen;
    const ended = start({
      sysrootPath: sandbox.join('sysroot'),
      system: linuxSystem,
      env: { LANG: 'C.UTF-8', TERM: 'xterm' },
      hasColor: true,
      readsAloud: true,
      stdin,
      stdout,
    });
    t.after(async () => {
      screen.type('\x03');
      await Promise.allSettled([ended]);
    });
    await screen.until(/^1 of 4: 0 alpha [0-9a-f]{8}\.0, not sealed$/m);
    assert(!screen.isAlternate);
    screen.type('j');
    await screen.until(/^2 of 4: 1 alpha [0-9a-f]{8}\.0, not sealed$/m);
    screen.type('2');
    await screen.until(/^Commits\. .*2 commits/m);
    await screen.until(/^1 of 2: [0-9a-f]{8}, os\/testing/m);
    screen.type('q');
    await ended;
    assert(!screen.isRaw);
    assert.equal(screen.written.match(/^1 of 2: [0-9a-f]{8}, os/gm)?.length, 1);
    // Each line once, none taken back.
    assert.equal(screen.written.match(/2 of 4: 1 alpha/g)?.length, 1);
    assert.doesNotMatch(screen.written, /[│─█░▸✓]/);
  });
});
