/**
 * Deployments that somebody else staged with ostree 2022.7, 2025.2 and 2026.4: what is written into ostree's state of
 * them beforehand stands in the boot entry that ostree makes at shutdown, and nothing is left to be mended then.
 * fs-verity is played: few kernels that run these tests have it.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, it } from 'node:test';
import { type BootPlan, planInstall, planRemove } from '../../src/boot/plan.ts';
import type { BootState } from '../../src/boot/state.ts';
import { bootableTree } from '../support/bootable-tree.ts';
import { BootedMachine } from '../support/booted-machine.ts';
import { describeSystem, oracle, runHost, SUITES } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

for (const suite of SUITES) {
  for (const way of ['append', 'overlay'] as const) {
    describeSystem(`what ostree of ${suite} finalizes, by ${way}`, [suite], () => {
      let work: Sandbox;
      let sysroot: OstreeSysroot;
      let machine: BootedMachine;

      before(async () => {
        work = new Sandbox();
        sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
        sysroot.commit('os/1', bootableTree('1', way));
        sysroot.commit('os/2', bootableTree('2', way));
        sysroot.commit('os/3', bootableTree('3', way, 'another kernel'));
        const booted = sysroot.deploy('os', 'os/1', ['--karg=root=LABEL=x', '--karg=console=ttyS0']);
        machine = new BootedMachine(sysroot, booted);
        onMachine('sealtree seal --all');
        assert.deepEqual(kinds(await install()), ['record', 'protect', 'edit', 'edit', ...scripts(way)]);
      });
      after(() => work.dispose());

      const scripts = (by: typeof way): string[] => (by === 'append' ? ['append'] : ['overlay', 'edit']);
      const kinds = ({ steps }: BootPlan): string[] => steps.map(({ kind }) => kind);

      const readState = (): Promise<BootState> => machine.readState();
      const install = (): Promise<BootPlan> => machine.change(planInstall);
      const remove = (): Promise<BootPlan> => machine.change(planRemove);
      const onMachine = (script: string): string => machine.run(script).status;

      /** Each entry has its own deployment's pin, and brings the script along. */
      async function assertSealed(count: number): Promise<BootState> {
        const state = await readState();
        assert.equal(state.targets.length, count);
        assert.equal(state.staged, undefined);
        for (const { entry } of state.targets) {
          assert.equal(entry.pin, 'right', entry.bytes.toString());
          assert.match(entry.options, /^root=LABEL=x console=ttyS0 sealtree\.pin=\S+ ostree=\S+$/);
          assert.equal(entry.initrds.length, way === 'append' ? 1 : 2);
        }
        for (const { content } of state.initramfs)
          assert.equal(content, way === 'append' ? 'extended' : 'original');
        // What was written down of a deployment that ostree has dropped goes with the next install.
        const left = kinds(planInstall(state)).filter((kind) => kind !== 'record' && kind !== 'unlink');
        assert.deepEqual(left, []);
        return state;
      }

      for (const [branch, what] of [
        ['os/2', 'the kernel of before'],
        ['os/3', 'another kernel'],
      ] as const)
        it(`${what}: comes out pinned, with the script`, async () => {
          const { length: before } = (await assertSealedBefore()).targets;
          onMachine(`ostree admin deploy --stage ${branch}`);
          const unsealed = await readState();
          assert.equal(unsealed.staged?.entry.pin, 'stale');
          // 2026.4 writes an image of its own, without fs-verity.
          const left = kinds(planInstall(unsealed)).filter((kind) => kind !== 'protect');
          assert.deepEqual(left, [], 'what is not sealed is left as it is');
          assert.deepEqual(
            planInstall(unsealed).warnings.map(({ code }) => code),
            ['deployment-unsealed'],
          );

          onMachine('sealtree seal --all');
          const plan = await install();
          assert(kinds(plan).includes('amend'), kinds(plan).join());
          assert.equal((await readState()).staged?.entry.pin, 'right');
          assert.deepEqual(planInstall(await readState()).steps, [], 'nothing is done twice');
          assert.match(onMachine('ostree admin cleanup'), /\(staged\)/);
          onMachine('ostree admin finalize-staged');
          assert(!existsSync(machine.stagedFile));
          await assertSealed(Math.min(before + 1, 2));
        });

      async function assertSealedBefore(): Promise<BootState> {
        const state = await readState();
        for (const { entry } of state.targets) assert.equal(entry.pin, 'right');
        return state;
      }

      it('keeps the kernel arguments that were asked for', async () => {
        onMachine('ostree admin deploy --stage --karg=quiet os/2; sealtree seal --all');
        await install();
        const { staged } = await readState();
        assert(staged?.staged.kargs.includes('quiet' as never), staged?.staged.kargs.join(' '));
        onMachine('ostree admin finalize-staged');
        const { targets } = await readState();
        assert.match(targets[0]?.entry.options ?? '', / quiet( |$)/);
        assert.equal(targets[0]?.entry.pin, 'right');
      });

      it('comes out plain when it was taken back in between', async () => {
        onMachine('ostree admin deploy --stage os/3; sealtree seal --all');
        await install();
        const plan = await remove();
        assert(kinds(plan).includes('amend'), kinds(plan).join());
        assert.equal((await readState()).staged?.entry.pin, 'none');
        onMachine('ostree admin finalize-staged; ostree admin cleanup');
        const { targets, initramfs, overlays } = await readState();
        for (const { entry } of targets) {
          assert.doesNotMatch(entry.bytes.toString('latin1'), /sealtree/);
          assert.equal(entry.initrds.length, 1);
        }
        for (const { content, path } of initramfs) assert.equal(content, 'original', basename(path));
        assert.deepEqual(overlays, []);
        runHost(['test', '!', '-e', join(sysroot.repositoryPath, 'extensions/sealtree/boot')]);
      });
    });
  }
}
