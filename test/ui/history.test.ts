/** The history of what boots: what keys make of it, and whole screens as text. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderToString } from 'ink';
import { createElement } from 'react';
import { ASCII_GLYPHS, UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { widthOf } from '../../ui/models/text.ts';
import type { HistoryChangeReport, HistoryEntryReport } from '../../ui/screens/history/report.ts';
import { type Event, modeOf, type State } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';
import { makeTheme } from '../../ui/theme.ts';
import { assertGolden } from '../support/golden.ts';
import { DIGEST, keys, run, stateAfter } from '../support/interface-state.ts';
import { DIGITS, INSTALLED, outcomeOf } from '../support/interface-work.ts';

const { Frame } = await import('../../ui/app.tsx');

const SIZES = [
  { columns: 40, rows: 15 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
];
const SIZE = { columns: 80, rows: 24 };
const SGR = /\x1b\[[0-9;]*m/g;
const COMMIT = 'b641f9e4'.repeat(8);

const entryOf = (number: number, fields: Partial<HistoryEntryReport>): HistoryEntryReport => ({
  number,
  kind: 'change',
  cause: 'boot install',
  by: 'root',
  time: `2024-12-31T0${number}:30:00Z`,
  installed: true,
  settings: { policy: 'prefer' },
  deployments: [
    {
      id: `server/${COMMIT}.0`,
      title: 'Server 2',
      sealPin: `${COMMIT.slice(0, 12)}:${DIGEST}`,
      imageDigest: DIGEST,
    },
  ],
  ...fields,
});

const FIRST = entryOf(1, {
  kind: 'found',
  installed: false,
  deployments: [{ id: `server/${COMMIT}.0`, title: 'Server 2', sealPin: null, imageDigest: DIGEST }],
});
const SECOND = entryOf(2, { by: 'alice (as root)' });
const THIRD = entryOf(3, { cause: 'hook deploy', by: 'systemd', settings: { policy: 'enforce' } });

const CHANGE: HistoryChangeReport = {
  ...THIRD,
  changes: [
    { deployment: null, what: 'policy', from: 'prefer', to: 'enforce' },
    { deployment: `server/${COMMIT}.0`, what: 'mount script', from: 'none', to: DIGEST },
  ],
  diff: '--- a/settings/etc/sealtree/sealtree.conf\n+++ b/settings/etc/sealtree/sealtree.conf\n@@ -1,2 +1,2 @@\n [boot]\n-policy=prefer\n+policy=enforce\n',
};

const ASKED: Event[] = [...INSTALLED, ...keys('3', 'H')];
const READ: Event[] = [
  ...ASKED,
  { type: 'history-read', reading: 0, value: { entries: [FIRST, SECOND, THIRD] } },
];
const CHANGED: Event[] = [...READ, { type: 'history-change-read', reading: 0, number: 3, change: CHANGE }];
const failure = {
  message: '/var/lib/sealtree/history.git: only its owner may read the boot history',
  advice: ['run it as root'],
  commands: [],
};

const SCREENS: readonly (readonly [name: string, events: readonly Event[]])[] = [
  ['history-reading', ASKED],
  ['history', CHANGED],
  ['history-details', [...CHANGED, ...keys('enter')]],
  [
    'history-first',
    [...READ, ...keys('G', 'tab'), { type: 'history-change-read', reading: 0, number: 1, change: FIRST }],
  ],
  ['history-none', [...ASKED, { type: 'history-read', reading: 0, value: { entries: [] } }]],
  ['history-failed', [...ASKED, { type: 'history-failed', reading: 0, failure }]],
];

const draw = (state: State, isAscii = false): string =>
  renderToString(
    createElement(Frame, { state, theme: makeTheme(false, isAscii ? ASCII_GLYPHS : UNICODE_GLYPHS) }),
    { columns: state.size.columns },
  ).replaceAll(SGR, '');

describe('the screen of the history', () => {
  for (const [name, events] of SCREENS)
    for (const size of SIZES)
      it(`${name}-${size.columns}x${size.rows}`, () => {
        const state = stateAfter(size, ...events);
        const lines = draw(state).split('\n');
        assert(lines.length <= size.rows);
        for (const line of lines) assert(widthOf(line) <= size.columns, line);
        assertGolden(
          `ui/${name}-${size.columns}x${size.rows}.txt`,
          `${lines.map((line) => line.trimEnd()).join('\n')}\n`,
        );
        assert.doesNotMatch(draw(state, true), /[^\n\x20-\x7e]/);
      });

  it('is asked for when it is shown, and each entry when it is selected', () => {
    const asked = step(stateAfter(SIZE, ...INSTALLED, ...keys('3')), { type: 'key', key: 'H' });
    assert.equal(modeOf(asked.state), 'history');
    assert.deepEqual(asked.effects, [{ reader: 'history', reading: 0, type: 'read-history' }]);
    const read = step(asked.state, READ.at(-1) as Event);
    assert.deepEqual(read.effects, [
      { reader: 'history', reading: 0, type: 'read-history-change', number: 3 },
    ]);
    const moved = step(stateAfter(SIZE, ...CHANGED), { type: 'key', key: 'j' });
    assert.deepEqual(moved.effects, [
      { reader: 'history', reading: 0, type: 'read-history-change', number: 2 },
    ]);
    // What is known is not asked for again.
    assert.deepEqual(step(moved.state, { type: 'key', key: 'k' }).effects, []);
    assert.equal(modeOf(run(moved.state, ...keys('esc'))), 'boot');
  });

  it('goes back to an entry by plan, preview and the first digits of what boots', () => {
    const looking = run(stateAfter(SIZE, ...CHANGED, ...keys('j')), ...keys('b'));
    assert.equal(looking.proposal, undefined, 'nothing is changed before write mode');
    const asked = step(run(looking, ...keys('W')), { type: 'key', key: 'b' });
    assert.equal(modeOf(asked.state), 'proposal');
    assert.deepEqual(asked.effects.at(-1), {
      type: 'read-plan',
      id: 1,
      words: ['boot', 'rollback', '2', '--dry-run'],
    });
    const plan = outcomeOf({
      schema: 'sealtree/boot-plan/v1',
      verb: 'install',
      id: 'ab'.repeat(32),
      steps: [
        {
          kind: 'settings',
          title: 'Bring the settings back',
          notes: ['/etc/x.conf'],
          diff: '+policy=prefer',
        },
      ],
      refusals: [],
      warnings: [
        {
          severity: 'warning',
          code: 'not-brought-back',
          where: 'server/x.0',
          message: 'this deployment is gone',
        },
      ],
      untouched: [],
    });
    const shown = run(asked.state, { type: 'plan-read', id: 1, outcome: plan });
    assert.match(draw(run(shown, ...keys('j'))), /this deployment is gone/);
    assert.equal(modeOf(run(shown, ...keys('enter'))), 'proposal', 'not before the digits');
    const accepted = step(run(shown, ...keys(...DIGITS)), { type: 'key', key: 'enter' });
    const [job] = accepted.state.jobs.all;
    assert.deepEqual(job?.words, ['boot', 'rollback', '2', '--yes', '--plan', 'ab'.repeat(8)]);
    const outcome = outcomeOf({
      schema: 'sealtree/boot-rollback/v1',
      outcome: 'done',
      refusals: [],
      warnings: [],
      waitsFor: null,
    });
    const done = step(accepted.state, { type: 'job-ended', id: job?.id ?? 0, outcome, tookMs: 900 });
    assert.deepEqual(done.state.jobs.all[0]?.result, ["sealtree's part of the boot is as it was then"]);
    assert.equal(done.state.history.isStale, true);
  });
});
