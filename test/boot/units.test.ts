/** Units in the /etc of deployments: written, kept as the administrator wants them, and taken away. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { changeUnits, readUnits, UNIT_NAMES, type UnitsState } from '../../src/boot/keep/units.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

/** The disk may be busy with other things, and no power is cut here. */
const system: System = {
  ...linuxSystem,
  fsync: () => undefined,
  fsyncDirectory: () => undefined,
  syncfs: () => undefined,
};

describe('units', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  let made = 0;
  const deployment = (files: readonly string[] = ['usr/lib/systemd/systemd', 'etc/hostname']) => {
    const path = work.mkdir(`deployment${made++}`);
    for (const name of files) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), '');
    }
    return { id: 'os/0', path, booted: false };
  };
  type Deployed = ReturnType<typeof deployment>;
  const read = (of: Deployed): UnitsState => readUnits(of, undefined, system);
  const write = async (of: Deployed, by = system): Promise<void> => {
    const { wanted, links } = read(of);
    await changeUnits(
      { kind: 'units', deployment: of.id, writes: wanted, links, removes: [], isRunning: false },
      by,
    );
  };
  const remove = async (of: Deployed): Promise<void> => {
    const { found } = read(of);
    await changeUnits(
      { kind: 'units', deployment: of.id, writes: [], links: [], removes: found, isRunning: false },
      system,
    );
  };
  const folder = ({ path }: Deployed): string => join(path, 'etc/systemd/system');
  const tree = ({ path }: Deployed): string[] =>
    readdirSync(join(path, 'etc'), { recursive: true, encoding: 'utf8' }).sort();

  it('are enabled as their [Install] sections say, and go without a trace', async () => {
    const of = deployment();
    mkdirSync(folder(of), { recursive: true });
    const before = tree(of);
    await write(of);
    for (const name of UNIT_NAMES) {
      const text = readFileSync(join(folder(of), name), 'utf8');
      assert.match(text, /^# Written by `sealtree boot install`/);
      const wanted = [...text.matchAll(/^(Wanted|Required)By=(\S+)$/gm)].map(
        ([, kind, target]) => `${target}.${kind === 'Wanted' ? 'wants' : 'requires'}`,
      );
      const enabled = readdirSync(folder(of)).filter((one) => existsSync(join(folder(of), one, name)));
      assert.deepEqual(enabled.sort(), wanted.sort(), name);
      for (const target of wanted) assert.equal(readlinkSync(join(folder(of), target, name)), `../${name}`);
    }
    assert.deepEqual([read(of).wanted, read(of).links], [[], []], 'nothing is left to do');
    await remove(of);
    assert.deepEqual(tree(of), before);
  });

  it('stay masked, and stay disabled, and lose what was changed in them', async () => {
    const of = deployment();
    mkdirSync(folder(of), { recursive: true });
    symlinkSync('/dev/null', join(folder(of), 'sealtree-verify.timer'));
    await write(of);
    assert.equal(readlinkSync(join(folder(of), 'sealtree-verify.timer')), '/dev/null');
    const enabling = join(folder(of), 'multi-user.target.wants/sealtree-deploy.path');
    rmSync(enabling);
    writeFileSync(join(folder(of), 'sealtree-deploy.path'), 'changed');
    assert.deepEqual([read(of).wanted.length, read(of).links], [1, []]);
    await write(of);
    assert(!existsSync(enabling));
    assert.match(readFileSync(join(folder(of), 'sealtree-deploy.path'), 'utf8'), /PathChanged=/);
    await remove(of);
    assert.deepEqual(readdirSync(folder(of)), ['sealtree-verify.timer'], "the mask is the administrator's");
  });

  it('have no place where nothing would start them', () => {
    assert.equal(read(deployment(['etc/hostname'])).problem, 'it has no systemd');
    assert.equal(read(deployment(['usr/lib/systemd/systemd'])).problem, 'its /etc does not outlive a boot');
  });

  it('are started on the running system, and stopped before they go', async () => {
    const of = { ...deployment(), booted: true };
    mkdirSync(work.join('run/systemd/system'), { recursive: true });
    const log = work.join('systemctl.log');
    // Stopping fails: nothing of ours is loaded here.
    chmodSync(work.write('bin/systemctl', `#!/bin/sh\necho "$*" >>${log}\n[ "$1" != stop ]\n`), 0o755);
    const { PATH } = process.env;
    process.env.PATH = `${work.join('bin')}:${PATH}`;
    try {
      const before = readUnits(of, work.join('run'), system);
      assert(before.isRunning);
      const step = { kind: 'units', deployment: of.id, isRunning: true } as const;
      await changeUnits({ ...step, writes: before.wanted, links: before.links, removes: [] }, system);
      // Written again, but not enabled again.
      await changeUnits({ ...step, writes: before.wanted, links: [], removes: [] }, system);
      const { found } = readUnits(of, work.join('run'), system);
      await changeUnits({ ...step, writes: [], links: [], removes: found }, system);
    } finally {
      process.env.PATH = PATH;
    }
    const started = 'sealtree-deploy.path sealtree-finalized.service sealtree-verify.timer';
    assert.deepEqual(readFileSync(log, 'utf8').trimEnd().split('\n'), [
      'daemon-reload',
      `start --no-block ${started}`,
      'daemon-reload',
      `stop ${started}`,
      'daemon-reload',
    ]);
  });

  it('are all enabled in the end after a power cut at any step', async () => {
    const whole = deployment();
    const counted = faultSystem(system);
    await write(whole, counted);
    for (let at = 0; at < counted.steps.length; at++) {
      const of = deployment();
      await assert.rejects(write(of, faultSystem(system, { kind: 'power-cut', at })), PowerCut);
      await write(of);
      const left = tree(of).filter((name) => !name.includes('.sealtree-tmp-'));
      assert.deepEqual(left, tree(whole), `cut at ${at}`);
    }
  });
});
