/** The hook: silent when there is nothing to do, one line for each deployment it sealed, plain errors. */
import assert from 'node:assert/strict';
import {
  cpSync,
  lstatSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { BusyError, IoError, UsageError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { command } from '../../src/commands/hook.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';
import { memorySurroundings } from '../support/surroundings.ts';

let folder: string;
let sysroot: SmallSysroot;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtree-hook-'));
  sysroot = await makeSmallSysroot(join(folder, 'sysroot'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function hook(args: readonly string[], options: { system?: System; stderrIsJournal?: boolean } = {}) {
  const { system } = simulateInodes(options.system ?? linuxSystem, { verity: false });
  const surroundings = memorySurroundings({ ...options, system });
  const exitCode = await command.main(args, surroundings);
  return {
    exitCode,
    stdout: surroundings.stdout.text,
    lines: surroundings.stderr.text.split('\n').filter(Boolean),
  };
}

const imageOf = (index: number): string => join(sysroot.deploymentPaths[index] as string, '.ostree.cfs');

test('it seals what is new, says so once a deployment, and is silent from then on', async () => {
  const first = await hook(['deploy', '--sysroot', sysroot.path]);
  assert.equal(first.exitCode, 0);
  assert.equal(first.stdout, '');
  assert.equal(first.lines.length, 3);
  for (const line of first.lines)
    assert.match(line, /^sealtree: deploy: (alpha|beta)\/[0-9a-f]{64}\.0: sealed as [0-9a-f]{64}$/);
  assert.deepEqual(await hook(['deploy', `--sysroot=${sysroot.path}`]), {
    exitCode: 0,
    stdout: '',
    lines: [],
  });
});

test('it says how it is called', async () => {
  const { exitCode, stdout } = await hook(['--help']);
  assert.deepEqual(
    [exitCode, stdout],
    [0, 'Usage: sealtree hook EVENT [--sysroot PATH] [--lock-timeout SECONDS]\n'],
  );
});

test('what is sealed already is not touched', async () => {
  await hook(['deploy', '--sysroot', sysroot.path]);
  const { ctimeMs } = lstatSync(imageOf(1));
  unlinkSync(imageOf(0));
  const { lines } = await hook(['boot', '--sysroot', sysroot.path]);
  assert.equal(lines.length, 1);
  assert.match(lines[0] as string, /boot: alpha\//);
  assert.equal(lstatSync(imageOf(1)).ctimeMs, ctimeMs);
});

test('with what is new, objects that lost their fs-verity get it back', async () => {
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const run = async () => {
    const surroundings = memorySurroundings({ system });
    assert.equal(await command.main(['boot', '--sysroot', sysroot.path], surroundings), 0);
    return surroundings.stderr.text.split('\n').filter(Boolean);
  };
  await run();
  const all = new Set(verity);
  const images = new Set([0, 1, 2].map((index) => lstatSync(imageOf(index)).ino));
  for (const ino of all) if (!images.has(ino)) verity.delete(ino);
  assert.deepEqual(await run(), [], 'stat alone does not show it');
  unlinkSync(imageOf(0));
  const lines = await run();
  assert.match(lines[0] ?? '', /alpha.*: sealed as /);
  for (const line of lines.slice(1)) assert.match(line, /: sealed, fs-verity turned on where it was off$/);
  assert.equal(lines.length, 3);
  assert.deepEqual(verity, all);
});

test('a folder that is no sysroot is nobody to seal for', async () => {
  assert.deepEqual(await hook(['deploy', '--sysroot', folder]), { exitCode: 0, stdout: '', lines: [] });
});

test('journal lines carry their level', async () => {
  const { lines } = await hook(['deploy', '--sysroot', sysroot.path], { stderrIsJournal: true });
  for (const line of lines) assert.match(line, /^<6>deploy: /);
});

test('what is wrong with the sysroot is warned about, whether there is something to seal or not', async () => {
  const entry = join(sysroot.path, 'boot/loader.0/entries/ostree-9.conf');
  writeFileSync(entry, `title Gone\nversion 9\noptions ostree=/ostree/boot.0/gone/${'0'.repeat(64)}/0\n`);
  for (const lineCount of [4, 1]) {
    const args = ['boot', '--sysroot', sysroot.path];
    const { exitCode, lines } = await hook(args, { stderrIsJournal: true });
    assert.deepEqual([exitCode, lines.length], [0, lineCount]);
    assert.match(lines[0] ?? '', /^<4>boot: .*ostree-9\.conf: leads to /);
  }
});

test('a lock that stays taken ends in the exit code for trying again', async () => {
  const busy: System = {
    ...linuxSystem,
    lock: async (path) => {
      throw new BusyError(`${path}: held by somebody`);
    },
  };
  await assert.rejects(
    hook(['deploy', '--sysroot', sysroot.path, '--lock-timeout', '0'], { system: busy }),
    (error) => {
      assert.ok(error instanceof BusyError);
      assert.equal(error.exitCode, 75);
      return true;
    },
  );
});

test('a deployment that may not be written ends in the exit code for missing rights', async () => {
  const denied: System = {
    ...linuxSystem,
    link: (_from, to) => {
      throw new IoError('link', String(to), 'EACCES');
    },
  };
  const { exitCode, lines } = await hook(['deploy', '--sysroot', sysroot.path], { system: denied });
  assert.equal(exitCode, 77);
  assert.match(lines[0] ?? '', /cannot link: EACCES/);
});

for (const [what, args] of [
  ['no event', []],
  ['two events', ['deploy', 'boot']],
  ['an option it does not have', ['deploy', '--all']],
  ['an option without its value', ['deploy', '--sysroot']],
  ['an empty sysroot, such as a variable that is not set', ['deploy', '--sysroot', '']],
  ['the same in one word', ['deploy', '--sysroot=']],
  ['an event that is no word', ['../x']],
  ['a timeout that is no number', ['deploy', '--lock-timeout=soon']],
  ['an empty timeout', ['deploy', '--lock-timeout=']],
] as const) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(hook(args), UsageError);
  });
}

test('what is deployed while it works is taken up as well', async () => {
  let isDeployed = false;
  const link: System['link'] = (from, to) => {
    linuxSystem.link(from, to);
    if (isDeployed || !String(to).includes('/deploy/')) return;
    // Another deployment of the commit that is being sealed, which nobody tells of.
    isDeployed = true;
    const [, second = '', third = ''] = sysroot.deploymentPaths;
    cpSync(second, third.replace('/beta/', '/alpha/').replace(/\.0$/, '.1'), { recursive: true });
    const bootLink = `ostree/boot.0.0/alpha/${'b'.repeat(64)}`;
    symlinkSync(
      `../../../deploy/alpha/deploy/${third.split('/').at(-1)?.replace(/\.0$/, '.1')}`,
      join(sysroot.path, bootLink, '2'),
    );
    writeFileSync(
      join(sysroot.path, 'boot/loader.0/entries/ostree-4.conf'),
      `title New\nversion 4\noptions ostree=/ostree/boot.0/alpha/${'b'.repeat(64)}/2\n`,
    );
    utimesSync(join(sysroot.path, 'ostree/deploy'), 1, 1);
  };
  const { exitCode, lines } = await hook(['deploy', '--sysroot', sysroot.path], {
    system: { ...linuxSystem, link },
  });
  assert.equal(exitCode, 0, lines.join('\n'));
  assert.equal(lines.filter((line) => / sealed as /.test(line)).length, 4, lines.join('\n'));
});
