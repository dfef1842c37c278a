/**
 * A /boot of its own that is nearly full, with ostree 2025.2 and 2026.4: for a new kernel it drops the deployment that
 * goes anyway before it writes, and what sealtree has put there must not keep it from that.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { planInstall } from '../../src/boot/plan.ts';
import { bootableTree } from '../support/bootable-tree.ts';
import { BootedMachine } from '../support/booted-machine.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const MIB = 1 << 20;
const KERNEL_BYTES = 8 * MIB;
const BOOT_BYTES = 32 * MIB;

for (const suite of ['sid', 'trixie'] as const)
  describeSystem(`a /boot of its own and ostree of ${suite}`, [suite], () => {
    let work: Sandbox;
    let sysroot: OstreeSysroot;
    let machine: BootedMachine;

    before(async () => {
      work = new Sandbox();
      sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      for (const version of ['1', '2', '3', '4'])
        sysroot.commit(
          `os/${version}`,
          bootableTree(version, 'append', version.padEnd(KERNEL_BYTES, version)),
        );
      const boot = join(sysroot.path, 'boot');
      const disk = work.join('boot');
      runHost(['truncate', `--size=${BOOT_BYTES}`, disk]);
      runHost(['mke2fs', '-q', '-t', 'ext4', '-m', '0', '-J', 'size=4', disk]);
      runHost(['cp', '--archive', boot, work.join('content')]);
      runHost(['mount', '-o', 'loop', disk, boot]);
      runHost(['cp', '--archive', `${work.join('content')}/.`, boot]);
      sysroot.deploy('os', 'os/1', ['--karg=root=LABEL=x']);
      machine = new BootedMachine(sysroot, sysroot.deploy('os', 'os/2'));
      machine.run('sealtree seal --all');
      await machine.change(planInstall);
    });
    after(() => work.dispose());

    const freeBytes = async (): Promise<number> => (await machine.readState()).boot.availableBytes;
    const mend = (): string =>
      machine.run('sh /sysroot/ostree/repo/extensions/sealtree/boot/mend-entries').said;

    for (const [what, version, isFull] of [
      ['where all of it fits', '3', false],
      ['where ostree has to make room for the kernel first', '4', true],
    ] as const)
      it(`gets kernel and script at shutdown ${what}`, async () => {
        if (!isFull) machine.run('ostree admin undeploy 1');
        machine.run(`ostree admin deploy --stage os/${version}; sealtree seal --all`);
        assert.equal((await freeBytes()) < KERNEL_BYTES + MIB, isFull);
        const { warnings } = await machine.change(planInstall);
        assert.deepEqual(
          warnings.map(({ code }) => code),
          isFull ? ['boot-full'] : [],
        );
        const staged = await machine.readState();
        assert.equal(staged.staged?.entry.pin, 'right');
        assert.deepEqual(planInstall(staged).steps, [], 'nothing is done twice');
        // ostree removes a folder that no boot entry names.
        assert(!existsSync(dirname(staged.staged?.initramfsPath ?? '')));
        machine.run('ostree admin finalize-staged');
        assert(!existsSync(machine.stagedFile), 'the update is not lost');
        assert.match(mend(), /^<5>os\/\S+: the mount script is in its initramfs\n$/);
        machine.run('ostree admin cleanup');
        const state = await machine.readState();
        assert.deepEqual(
          state.targets.map(({ entry }) => entry.pin),
          ['right', 'right'],
        );
        assert.deepEqual(
          state.initramfs.map(({ content }) => content),
          ['extended', 'extended'],
        );
        assert.deepEqual(
          planInstall(state).steps.map(({ kind }) => kind),
          ['record', 'unlink'],
          'nothing is left but what was written down for the shutdown',
        );
      });
  });
