/** What boots, what is shared, plans and jobs: whole screens as text at three sizes, and what keys make of them. */
import '../support/jsx.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderToString } from 'ink';
import { createElement } from 'react';
import { isMeant, whyNot } from '../../ui/action.ts';
import { ACTIONS } from '../../ui/actions.ts';
import { UNICODE_GLYPHS } from '../../ui/glyphs.ts';
import { widthOf } from '../../ui/models/text.ts';
import type { Outcome } from '../../ui/program.ts';
import { type Event, modeOf, type State, type Step } from '../../ui/state.ts';
import { step } from '../../ui/store.ts';
import { makeTheme } from '../../ui/theme.ts';
import { assertGolden } from '../support/golden.ts';
import { IMAGES, keys, run, stateAfter } from '../support/interface-state.ts';
import {
  BOOT,
  DIGITS,
  failedOutcome,
  IMPORTED_DIR,
  IMPORTED_OCI,
  IMPORTED_TAR,
  IMPORTS,
  INSTALLED,
  outcomeOf,
  PLANNED,
  REFUSED,
  SEALED_REF,
  SHARING,
  SHARING_BY_CONTENT,
  sealOutcome,
  sealRefOutcome,
  VERIFIED,
  VERIFYING,
} from '../support/interface-work.ts';

const { Frame } = await import('../../ui/app.tsx');

const SIZES = [
  { columns: 40, rows: 15 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
];
const SIZE = { columns: 80, rows: 24 };
const PLAIN = makeTheme(false, UNICODE_GLYPHS);
const SGR = /\x1b\[[0-9;]*m/g;

const SHARED: Event[] = [...INSTALLED, ...keys('5'), { type: 'sharing-read', reading: 0, value: SHARING }];
/** Counted by content too. */
const BY_CONTENT: Event[] = [
  ...SHARED,
  ...keys('c'),
  { type: 'sharing-read', reading: 1, value: SHARING_BY_CONTENT },
];

const SCREENS: readonly (readonly [name: string, events: readonly Event[]])[] = [
  ['home', INSTALLED],
  ['home-entry', [...INSTALLED, ...keys('j', 'j', 'j', 'tab')]],
  ['home-orphan', [...INSTALLED, ...keys('j', 'j', 'j', 'j', 'tab')]],
  ['boot', [...INSTALLED, ...keys('3')]],
  ['boot-entry', [...INSTALLED, ...keys('3', 'j', 'j', 'tab')]],
  ['boot-reading', keys('3')],
  ['boot-failed', bootFailed()],
  ['sharing', SHARED],
  ['sharing-total', [...SHARED, ...keys('G', 'tab')]],
  ['sharing-ref', [...SHARED, ...keys('j', 'j', 'j', 'tab')]],
  ['sharing-content', BY_CONTENT],
  ['sharing-content-total', [...BY_CONTENT, ...keys('G', 'tab')]],
  ['jobs-none', [...INSTALLED, ...keys('J')]],
  ['jobs-running', VERIFYING],
  ['jobs-elsewhere', [...VERIFYING, ...keys('esc')]],
  ['jobs-finding', [...VERIFIED, ...keys('j', 'tab')]],
  ['jobs-failed', failed()],
  ['plan-reading', [...INSTALLED, ...keys('W', 's')]],
  ['plan', [...PLANNED, ...keys('j', ...DIGITS.slice(0, 3))]],
  ['plan-refused', REFUSED],
  ['imports', [...IMPORTS, ...keys('j', 'j', 'j')]],
  ['imports-folder', [...IMPORTS, ...keys('j', 'tab')]],
  ['imports-archive', [...IMPORTS, ...keys('G', 'tab')]],
  ['imports-ref', [...IMPORTS, ...keys('j', 'j', 'j', 'i')]],
  ['imports-none', keys('2', 'i')],
  ['plan-import-dir', [...IMPORTS, ...keys('j', 'i', 'enter'), planRead(IMPORTED_DIR)]],
  ['plan-import-tar', [...IMPORTS, ...keys('G', 'i', 'enter'), planRead(IMPORTED_TAR)]],
  ['plan-import-oci', [...IMPORTS, ...keys('j', 'j', 'j', 'i', 'enter'), planRead(IMPORTED_OCI)]],
  ['plan-seal-ref', [...SEALED_REF, ...keys('s'), planRead(sealRefOutcome('sealed'))]],
  ['plan-unseal-ref', [...SEALED_REF, ...keys('u'), planRead(sealRefOutcome('unsealed'))]],
  ['palette', [...INSTALLED, ...keys(':', 's', 'e')]],
  ['commands', [...INSTALLED, ...keys('!')]],
];

function planRead(outcome: Outcome): Event {
  return { type: 'plan-read', id: 1, outcome };
}

function bootFailed(): Event[] {
  const failure = { message: '/boot: EACCES', advice: ['run it as root'], commands: [] };
  return [...INSTALLED, ...keys('3', 'R'), { type: 'boot-failed', reading: 1, failure }];
}

function failed(): Event[] {
  const outcome = failedOutcome('/ostree/lock is held by ostree (pid 412)', 75, 'wait for it to end');
  return [...INSTALLED, ...keys('v'), { type: 'job-ended', id: 1, outcome, tookMs: 60_000 }];
}

describe('screens of work', () => {
  for (const [name, events] of SCREENS)
    for (const size of SIZES)
      it(`${name}-${size.columns}x${size.rows}`, () => {
        const state = stateAfter(size, ...events);
        const text = renderToString(createElement(Frame, { state, theme: PLAIN }), { columns: size.columns });
        const lines = text.replaceAll(SGR, '').split('\n');
        assert(lines.length <= size.rows);
        for (const line of lines) assert(widthOf(line) <= size.columns, line);
        const golden = `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
        assertGolden(`ui/${name}-${size.columns}x${size.rows}.txt`, golden);
      });
});

/** What the last key asks for. */
const effectsOf = (events: readonly Event[], ...names: string[]) => {
  const before = stateAfter(SIZE, ...events, ...keys(...names.slice(0, -1)));
  return step(before, { type: 'key', key: names.at(-1) as string }).effects;
};
const running = (state: State) => state.jobs.all.map(({ words }) => words.join(' '));

describe('changes', () => {
  it('are not to be had before write mode, and the key says so', () => {
    for (const key of ['s', 'p', 'C']) {
      const state = stateAfter(SIZE, ...INSTALLED, ...keys(key));
      assert.match(state.notice ?? '', /^read-only: W allows changes/);
      assert.equal(state.proposal, undefined);
    }
  });

  it('every action that changes the disk is one of these', () => {
    const state = stateAfter(SIZE, ...INSTALLED);
    assert.deepEqual(
      ACTIONS.filter(({ changes }) => changes).map(({ id }) => id),
      [
        'seal',
        'pin',
        'gc',
        'seal-ref',
        'unseal-ref',
        'import',
        'import-image',
        'seal-image-ref',
        'unseal-image-ref',
        'boot-install',
        'boot-remove',
        'rollback',
      ],
    );
    for (const action of ACTIONS.filter(({ changes }) => changes))
      assert(!isMeant(action, state) || whyNot(action, state) !== undefined, action.id);
  });

  it('read their plan by the same command, and nothing accepts it before it is there', () => {
    const [asked] = effectsOf(INSTALLED, 'W', 's');
    assert(typeof asked === 'object' && asked.type === 'read-plan');
    assert.equal(asked.words.at(-1), '--dry-run');
    const state = stateAfter(SIZE, ...INSTALLED, ...keys('W', 's', 'y', 'enter', 'y'));
    assert.deepEqual([modeOf(state), running(state)], ['proposal', []]);
  });

  const quick = [...INSTALLED, ...keys('W', 'j', 's')];
  const planned: Event[] = [...quick, { type: 'plan-read', id: 1, outcome: sealOutcome('sealed') }];

  it('of one letter are accepted by another one than opened them', () => {
    for (const names of [['s'], ['enter'], ['enter', 'enter', 's']])
      assert.deepEqual(running(stateAfter(SIZE, ...planned, ...keys(...names))), []);
    const state = stateAfter(SIZE, ...planned, ...keys('y'));
    assert.equal(modeOf(state), 'jobs');
    assert.match(running(state)[0] ?? '', /^seal debian\/c{64}\.0 --yes$/);
  });

  it('of what boots are accepted by the digits of the deployment and Enter, and are that plan', () => {
    const wrong = ['6665', '666', '', 'y'];
    for (const typed of wrong) {
      const state = stateAfter(SIZE, ...PLANNED, ...keys(...typed, 'enter'));
      assert.deepEqual(running(state), [], typed);
    }
    const state = stateAfter(SIZE, ...PLANNED, ...keys('6', 'a', 'backspace', '6', '6', '6', 'enter'));
    assert.deepEqual(running(state), ['boot install --yes --plan 3f9c3f9c3f9c3f9c']);
  });

  it('of images for refs are made from commits and images, also in a repository alone', () => {
    const made = (events: readonly Event[], ...names: string[]) =>
      running(
        stateAfter(SIZE, ...events, ...keys(...names), planRead(sealRefOutcome('sealed')), ...keys('y')),
      );
    assert.deepEqual(made(SEALED_REF, 's'), ['seal --ref demo/server --yes']);
    assert.deepEqual(made(SEALED_REF, 'u'), ['seal --ref demo/server --unseal --yes']);
    assert.deepEqual(made(SEALED_REF, 'j', 'u'), []);
    assert.deepEqual(made([...IMAGES, ...keys('W')], 's'), ['seal --ref app/web --yes']);
    assert.deepEqual(made([...IMAGES, ...keys('W')], 'u'), [
      'seal --ref app/web --ref app/old --unseal --yes',
    ]);
    assert.deepEqual(made([...IMAGES, ...keys('W', 'j')], 's', 'u'), []);
    const done: Event[] = [
      ...SEALED_REF,
      ...keys('s'),
      planRead(sealRefOutcome('sealed')),
      ...keys('y'),
      { type: 'job-ended', id: 1, outcome: sealRefOutcome('sealed'), tookMs: 900 },
    ];
    const alone = { ...stateAfter(SIZE), repositoryPath: '/repo' };
    const { state, effects } = done.reduce((before, event) => step(before.state, event), {
      state: alone,
      effects: [],
    } as Step);
    assert.deepEqual(state.jobs.all[0]?.result, ['demo/server sealed, image 9b3e9b3e9b3e']);
    assert.deepEqual([effects[0], state.sharing.isStale, state.commits.facts], ['reopen', true, undefined]);
  });

  it('of a folder are imports under the ref that was typed', () => {
    const made = (outcome: Outcome, ...names: string[]) =>
      running(stateAfter(SIZE, ...IMPORTS, ...keys(...names), planRead(outcome), ...keys('y')));
    assert.deepEqual(made(IMPORTED_TAR, 'G', 'i', 'enter'), [
      'import tar --ref import/rootfs-1 --parent /srv/images/rootfs 1.tar.zst --yes',
    ]);
    assert.deepEqual(made(IMPORTED_OCI, 'G', 'o', 'ctrl-u', ...'app/x', 'backspace', 'y', 'enter'), [
      'import oci --ref app/y --parent /srv/images/rootfs 1.tar.zst --yes',
    ]);
    assert.deepEqual(made(IMPORTED_OCI, 'j', 'j', 'j', 'j', 'i', 'enter'), [
      'import oci --ref import/db-13 --parent /srv/images/apps:docker.io/library/db:13 --yes',
    ]);
    for (const names of [
      ['j', 'j', 'j', 'i', 'esc'],
      ['G', 'i', 'ctrl-u', 'enter'],
      ['j', 'j', 'i'],
    ])
      assert.deepEqual(made(IMPORTED_OCI, ...names), [], names.join(' '));
    const readOnly = stateAfter(SIZE, ...IMPORTS, ...keys('W', 'G', 'i'));
    assert.match(readOnly.notice ?? '', /^read-only/);
    const end: Event = { type: 'job-ended', id: 1, outcome: IMPORTED_OCI, tookMs: 900 };
    const done = stateAfter(
      SIZE,
      ...IMPORTS,
      ...keys('j', 'j', 'j', 'i', 'enter'),
      planRead(IMPORTED_OCI),
      ...keys('y'),
      end,
    );
    assert.deepEqual(done.jobs.all[0]?.result, [
      'import/web is commit e6e6e6e6e6e6: 2 layers, 1 of them known before',
    ]);
    assert.equal(done.commits.reading, 1);
  });

  it('of a folder that cannot be read are those of the one above', () => {
    const failure = { message: '/srv/images/old: EACCES', advice: [], commands: [] };
    const failed: Event = { type: 'imports-failed', reading: 1, failure };
    const { imports } = stateAfter(SIZE, ...IMPORTS, ...keys('j', 'enter'), failed, ...keys('h'));
    assert.deepEqual([imports.path, imports.reading, imports.failure], ['/srv/images', 2, undefined]);
  });

  it('that are refused or left are not made', () => {
    assert.deepEqual(running(stateAfter(SIZE, ...REFUSED, ...keys(...DIGITS, 'enter', 'y'))), []);
    const left = stateAfter(SIZE, ...PLANNED, ...keys(...DIGITS, 'esc', 'enter', 'y'));
    assert.deepEqual([left.proposal, running(left)], [undefined, []]);
    assert.deepEqual(effectsOf(PLANNED, 'esc'), [{ type: 'leave-plan' }]);
  });

  it('wait for each other', () => {
    const state = stateAfter(SIZE, ...planned, ...keys('y', 'esc', 's'));
    assert.match(state.notice ?? '', /is running: one change at a time/);
  });

  it('have everything read again, whatever became of them', () => {
    for (const outcome of [sealOutcome('sealed'), failedOutcome('cut off', 130)]) {
      const before = stateAfter(SIZE, ...planned, ...keys('y'));
      const { state, effects } = step(before, { type: 'job-ended', id: 1, outcome, tookMs: 5 });
      assert.deepEqual(effects, ['reopen', 'read-sysroot']);
      assert(state.isReading && state.boot.isStale && state.sharing.isStale);
    }
  });

  it('of a late plan are none of this one', () => {
    const state = stateAfter(SIZE, ...PLANNED, ...keys('esc', 'u'), {
      type: 'plan-read',
      id: 1,
      outcome: outcomeOf({}),
    });
    assert.deepEqual(
      [state.proposal?.id, state.proposal?.plan, state.proposal?.failure],
      [2, undefined, undefined],
    );
  });
});

describe('jobs', () => {
  it('are stopped, or left at work', () => {
    assert.deepEqual(effectsOf(VERIFYING, 'x'), [{ type: 'stop-job', id: 1 }]);
    const stopping = stateAfter(SIZE, ...VERIFYING, ...keys('x'));
    assert.deepEqual(step(stopping, { type: 'key', key: 'x' }).effects, []);
    const interrupted = failedOutcome('interrupted', 130);
    const stopped = run(stopping, { type: 'job-ended', id: 1, outcome: interrupted, tookMs: 7 });
    assert.equal(stopped.jobs.all[0]?.state, 'stopped');
    assert.equal(modeOf(stateAfter(SIZE, ...VERIFYING, ...keys('esc'))), 'deployments');
  });

  it('keep the person from leaving by a slip, and stop before the end', () => {
    const asked = stateAfter(SIZE, ...VERIFYING, ...keys('esc', 'q'));
    assert.match(asked.notice ?? '', /is running: q once more/);
    assert.equal(run(asked, ...keys('j')).jobs.leaving, undefined);
    const leaving = step(asked, { type: 'key', key: 'q' });
    assert.deepEqual(leaving.effects, [{ type: 'stop-job', id: 1 }]);
    const ended = {
      type: 'job-ended',
      id: 1,
      outcome: failedOutcome('interrupted', 130),
      tookMs: 7,
    } as const;
    assert.deepEqual(step(leaving.state, ended).effects, ['quit']);
  });

  it('are stopped by Ctrl-C everywhere, which leaves at their end, and said twice at once', () => {
    assert.deepEqual(effectsOf(VERIFYING, 'ctrl-c'), [{ type: 'stop-job', id: 1 }]);
    assert.deepEqual(effectsOf(VERIFYING, 'ctrl-c', 'ctrl-c'), ['quit']);
    assert.deepEqual(effectsOf(VERIFIED, 'ctrl-c'), ['quit']);
  });

  it('let the cursor stay on what it is on while they find more', () => {
    const state = stateAfter(SIZE, ...VERIFIED, ...keys('esc', 'v', 'j', 'j'));
    const [finding] = VERIFIED.flatMap((event) => (event.type === 'job-told' ? [event.told] : [])).filter(
      ({ kind }) => kind === 'finding',
    );
    assert(finding?.kind === 'finding');
    const before = state.jobs.list.cursor;
    const more = run(state, { type: 'job-told', id: 2, told: finding });
    assert.deepEqual([before, more.jobs.list.cursor], [2, 3]);
  });
});

describe('palette', () => {
  it('does what its row does, and says why not', () => {
    assert.equal(modeOf(stateAfter(SIZE, ...INSTALLED, ...keys(':', ...'boot', 'enter'))), 'boot');
    const state = stateAfter(SIZE, ...INSTALLED, ...keys(':', ...'seal', 'enter'));
    assert.match(state.notice ?? '', /^read-only/);
    assert.deepEqual(state.modes, ['deployments']);
    const nothing = stateAfter(SIZE, ...INSTALLED, ...keys(':', ...'zzz', 'enter', 'down', 'esc'));
    assert.deepEqual([nothing.modes, nothing.palette.text], [['deployments'], '']);
  });
});

it('what boots is asked for anew only when it is to be', () => {
  const read = stateAfter(SIZE, ...INSTALLED);
  assert.deepEqual([read.boot.value, read.boot.isStale], [BOOT, false]);
  const again = step(read, { type: 'key', key: 'R' });
  assert(again.state.boot.isStale && again.state.boot.value === BOOT);
  const late = run(again.state, { type: 'boot-read', reading: 0, value: BOOT });
  assert(late.boot.isStale);
});
