/** boot status, preview, install and remove as a person meets them: words, questions and exit codes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { type History, openHistory } from '../../src/boot/history/history.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { change, makeSealedSysroot, snapshot } from '../support/boot-change.ts';
import type { BootableSysroot } from '../support/bootable-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';
import { memorySurroundings } from '../support/surroundings.ts';

const work = new Sandbox();
after(() => work.dispose());

interface RunOptions {
  readonly system?: System;
  /** What a person at a terminal answers. */
  readonly answers?: readonly string[];
}

async function run(sysroot: BootableSysroot, args: readonly string[], options: RunOptions = {}) {
  const { answers, system = sysroot.system } = options;
  const surroundings = memorySurroundings({ system, ...(answers === undefined ? {} : { answers }) });
  const words = ['boot', ...args, '--sysroot', sysroot.path, '--progress', 'none'];
  const exitCode = await runProgram(words, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, text: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

describe('a system that cannot', () => {
  let sysroot: BootableSysroot;
  let before_: Map<string, string>;
  /** On XFS nothing can be sealed, whatever kernel this runs on. */
  let system: System;
  before(async () => {
    sysroot = await makeSealedSysroot(work, 'xfs');
    before_ = snapshot(sysroot.path);
    const { statfs } = sysroot.system;
    system = { ...sysroot.system, statfs: (path) => ({ ...statfs(path), type: 'xfs' }) };
  });

  it('is told why, by preview with exit code 2 and by install with 1', async () => {
    const preview = await run(sysroot, ['preview'], { system });
    assert.equal(preview.exitCode, 2);
    assert.match(preview.text, /XFS has no fs-verity/);
    const install = await run(sysroot, ['install', '--yes'], { system });
    assert.deepEqual([install.exitCode, install.text], [1, preview.text]);
    assert.deepEqual(snapshot(sysroot.path), before_);
  });

  it('is told in JSON', async () => {
    const { exitCode, text } = await run(sysroot, ['install', '--yes', '--json'], { system });
    const value = JSON.parse(text) as { outcome: string; refusals: { code: string }[]; steps: unknown[] };
    assert.deepEqual([exitCode, value.outcome, value.steps], [1, 'refused', []]);
    assert.deepEqual(
      value.refusals.map(({ code }) => code),
      ['storage-xfs'],
    );
  });

  it('has a status all the same', async () => {
    const { exitCode, text } = await run(sysroot, ['status'], { system });
    assert.equal(exitCode, 0);
    assert.match(text, /boots: +plain: the mount script is not in its initramfs/);
    assert.match(text, /What keeps it from booting sealed\n.*\n.*XFS has no fs-verity/);
    const json = JSON.parse((await run(sysroot, ['status', '--json'], { system })).text) as {
      schema: string;
      deployments: { sealPin: string; boots: { as: string } }[];
    };
    assert.equal(json.schema, 'sealtree/boot-status/v1');
    assert.deepEqual(
      json.deployments.map(({ sealPin, boots }) => [sealPin, boots.as]),
      Array(3).fill(['none', 'plain']),
    );
  });
});

describe('remove', () => {
  let sysroot: BootableSysroot;
  let plain: Map<string, string>;
  before(async () => {
    sysroot = await makeSealedSysroot(work, 'remove');
    plain = snapshot(sysroot.path);
    await change(sysroot, 'install');
  });

  it('is shown with diffs by --dry-run, and does nothing', async () => {
    const installed = snapshot(sysroot.path);
    const { exitCode, text } = await run(sysroot, ['remove', '--dry-run']);
    assert.equal(exitCode, 0);
    assert.match(text, /^-options .* sealtree\.pin=/m);
    assert.deepEqual(snapshot(sysroot.path), installed);
  });

  it('asks, and without a terminal wants --yes', async () => {
    const installed = snapshot(sysroot.path);
    const nobody = await run(sysroot, ['remove']);
    assert.equal(nobody.exitCode, 64);
    assert.match(nobody.stderr, /--yes/);
    const no = await run(sysroot, ['remove'], { answers: ['n'] });
    assert.equal(no.exitCode, 1);
    assert.match(no.text, /To take|plain ostree deployments again/);
    assert.match(no.text, /Nothing is changed\.\n$/);
    assert.deepEqual(snapshot(sysroot.path), installed);
  });

  it('does only the plan it was told, step by step', async () => {
    const installed = snapshot(sysroot.path);
    const other = await run(sysroot, ['remove', '--yes', '--plan', '0123456789ab']);
    assert.equal(other.exitCode, 1);
    assert.match(other.stderr, /was changed since the plan was shown/);
    assert.equal((await run(sysroot, ['remove', '--yes', '--plan', 'xyz'])).exitCode, 64);
    assert.deepEqual(snapshot(sysroot.path), installed);
    const { text: preview } = await run(sysroot, ['remove', '--dry-run']);
    const [, id = ''] = /This plan and no other:\n.* --plan ([0-9a-f]{12})\n$/.exec(preview) ?? [];
    const { exitCode, text } = await run(sysroot, ['remove', '--plan', id], { answers: ['y'] });
    assert.equal(exitCode, 0, text);
    assert.match(text, /^\[1\/7\] put back boot\/ostree\/alpha-/m);
    assert.deepEqual(snapshot(sysroot.path), plain);
  });

  it('has nothing to do the second time, and asks nothing', async () => {
    const { exitCode, text } = await run(sysroot, ['remove']);
    assert.deepEqual(
      [exitCode, text],
      [0, 'Nothing to do: nothing of sealtree is in the boot of this system.\n'],
    );
    assert.deepEqual(await run(sysroot, ['remove', '--quiet']), { exitCode: 0, text: '', stderr: '' });
  });
});

describe('history and rollback', () => {
  let sysroot: BootableSysroot;
  let plain: Map<string, string>;
  before(async () => {
    sysroot = await makeSealedSysroot(work, 'history');
    plain = snapshot(sysroot.path);
    const history = (): History => openHistory(readSysroot(sysroot.path, sysroot.system), sysroot.system);
    await change(sysroot, 'install', sysroot.system, { cause: 'boot install', history });
  });

  it('say when, who and why, the newest first', async () => {
    const { exitCode, text } = await run(sysroot, ['history']);
    assert.equal(exitCode, 0);
    const [second, first, ...rest] = text.trimEnd().split('\n');
    assert.match(
      second ?? '',
      /^2 {2}\d{4}-\d\d-\d\d \d\d:\d\d .* boot install +alpha [0-9a-f]{12} as [0-9a-f]{12}$/,
    );
    assert.match(first ?? '', /^1 .* found before boot install {2}alpha [0-9a-f]{12} plain$/);
    assert.deepEqual(rest, []);
  });

  it('show what an entry changed, in words and as a diff', async () => {
    const { text } = await run(sysroot, ['history', '2']);
    assert.match(text, /^From entry 1 to entry 2\n {2}installed: no → yes$/m);
    assert.match(text, /^ {4}seal pin: +none → [0-9a-f]{12}$/m);
    assert.match(text, /^\+\+\+ b\/loader\/entries\/ostree-3\.conf$/m);
    assert.equal(
      (await run(sysroot, ['history', '2', '2'])).text,
      'Nothing of the boot configuration is another.\n',
    );
  });

  it('have JSON for programs', async () => {
    const list = JSON.parse((await run(sysroot, ['history', '--json'])).text) as {
      entries: { number: number; kind: string; cause: string; deployments: { sealPin: string | null }[] }[];
    };
    assert.deepEqual(
      list.entries.map(({ number, kind, cause }) => [number, kind, cause]),
      [
        [1, 'found', 'boot install'],
        [2, 'change', 'boot install'],
      ],
    );
    const entry = JSON.parse((await run(sysroot, ['history', '1', '2', '--json'])).text) as {
      changes: { what: string; from: string; to: string; deployment: string | null }[];
    };
    assert.deepEqual(entry.changes[0], { deployment: null, what: 'installed', from: 'no', to: 'yes' });
  });

  it('know their entries', async () => {
    for (const word of ['0', 'x', '-1', '1.5', '99999999'])
      assert.equal((await run(sysroot, ['rollback', '--', word])).exitCode, 64, word);
    const none = await run(sysroot, ['rollback', '3', '--yes']);
    assert.deepEqual([none.exitCode, none.stderr.includes('no entry 3')], [66, true]);
  });

  it('go back after a question', async () => {
    const preview = await run(sysroot, ['rollback', '1', '--dry-run']);
    assert.match(preview.text, /--sysroot \S+ --plan [0-9a-f]{12}\n$/);
    const { exitCode, text } = await run(sysroot, ['rollback', '1'], { answers: ['y'] });
    assert.equal(exitCode, 0, text);
    assert.match(text, /^What changed: sealtree boot history 3 /m);
    assert.deepEqual(snapshot(sysroot.path), plain);
    const again = await run(sysroot, ['rollback', '1', '--yes']);
    assert.equal(again.text, "Nothing to do: sealtree's part of the boot is as it was then.\n");
  });
});

describe('install --root', () => {
  it('writes below /usr of a tree, once, and shows before what it would write', async () => {
    const sysroot = await makeSealedSysroot(work, 'tree-sysroot');
    const tree = work.mkdir('tree');
    mkdirSync(join(tree, 'usr/lib'), { recursive: true });
    const preview = await run(sysroot, ['preview', '--root', tree]);
    assert.equal(preview.exitCode, 0, preview.stderr);
    assert.match(preview.text, /would write usr\/lib\/sealtree\/initramfs\/seal-root/);
    assert.ok(!existsSync(join(tree, 'usr/lib/sealtree')));
    const install = await run(sysroot, ['install', '--root', tree]);
    assert.equal(install.exitCode, 0, install.stderr);
    assert.ok(
      readFileSync(join(tree, 'usr/lib/sealtree/initramfs/seal-root'), 'utf8').startsWith('#!/bin/sh'),
    );
    assert.match((await run(sysroot, ['install', '--root', tree])).text, /Nothing to do/);
  });
});
