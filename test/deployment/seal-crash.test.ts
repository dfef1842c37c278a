/** The seal of a whole sysroot, stopped at every one of its steps in turn: see also ../image/crash.test.ts. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { InterruptedError } from '../../src/base/errors.ts';
import { Progress } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type Fault, faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { assertOldOrNew, assertSealed, type Expected, imagesOf, sealAll } from '../support/seal-state.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

const OLD_IMAGE = Buffer.from('the image of an earlier seal, or of somebody else');

interface Case {
  readonly name: string;
  readonly hasOldImages: boolean;
  /** Steps of a run that succeeds. When it drops, either steps were saved on purpose or a flush was lost. */
  readonly steps: number;
}

const CASES: readonly Case[] = [
  { name: 'the first seal', hasOldImages: false, steps: 77 },
  { name: 'a seal over other images', hasOldImages: true, steps: 77 },
];

for (const { name, hasOldImages, steps } of CASES) {
  describe(name, () => {
    const work = new Sandbox();
    let sysroot: SmallSysroot;
    let old: Expected = new Map();
    let wanted: Expected;
    const calls: string[] = [];
    /** The step from which on only what is known of objects is written. */
    let cacheAt: number;

    /** The sysroot as before any seal, and a system on which its deployments are immutable. */
    const setUp = () => {
      rmSync(join(sysroot.repositoryPath, 'extensions/sealtree'), { recursive: true, force: true });
      const inodes = simulateInodes(linuxSystem, { verity: true });
      for (const path of sysroot.deploymentPaths) {
        for (const name of readdirSync(path)) rmSync(join(path, name));
        if (hasOldImages) writeFileSync(join(path, '.ostree.cfs'), OLD_IMAGE, { mode: 0o644 });
        inodes.immutable.add(path);
      }
      const isImmutable = (path: string): boolean => inodes.immutable.has(path);
      return { isImmutable, ...inodes };
    };

    const checkAndFinish = async ({ isImmutable, system }: ReturnType<typeof setUp>): Promise<void> => {
      assertOldOrNew(sysroot, old, wanted, isImmutable, system);
      const results = await sealAll(sysroot, 'require', system);
      assert.deepEqual(
        results.map(({ error }) => error),
        [undefined, undefined, undefined],
      );
      assertSealed(sysroot, wanted, isImmutable, system);
    };

    before(async () => {
      sysroot = await makeSmallSysroot(work.join('sysroot'));
      const { isImmutable, system } = setUp();
      if (hasOldImages) old = imagesOf(sysroot);
      const counted = faultSystem(system);
      await sealAll(sysroot, 'require', counted);
      wanted = imagesOf(sysroot);
      assertSealed(sysroot, wanted, isImmutable, system);
      counted.steps.forEach(({ call }) => {
        calls.push(call);
      });
      cacheAt = counted.steps.findIndex(({ subject }) => subject.endsWith('/.object-info-new'));
    });
    after(() => work.dispose());

    it(`takes ${steps} steps`, (t) => {
      t.diagnostic(calls.join(' '));
      assert.equal(calls.length, steps, 'the number of steps changed: look whether it should have');
    });

    it('holds the old or the new state after a power cut at any step', async () => {
      for (let at = 0; at < calls.length; at++) {
        const state = setUp();
        const fault: Fault = { kind: 'power-cut', at };
        await assert.rejects(sealAll(sysroot, 'require', faultSystem(state.system, fault)), PowerCut);
        await checkAndFinish(state);
      }
    });

    it('reports the failure of any step and can be run again', async () => {
      for (let at = 0; at < calls.length; at++) {
        const state = setUp();
        const fault: Fault = { kind: 'fail', at, errno: 'ENOSPC' };
        const results = await sealAll(sysroot, 'require', faultSystem(state.system, fault));
        const failed = results.filter(({ error }) => error !== undefined);
        // What is kept of objects for the next run comes last, and is nothing that a seal could fail for.
        assert.equal(failed.length > 0, at < cacheAt, `step ${at}`);
        for (const { error, action } of failed) {
          assert.equal(action, 'failed');
          assert.match(String(error?.message), /ENOSPC/);
        }
        await checkAndFinish(state);
      }
    });

    it('does nothing when all is sealed', async () => {
      const { system } = setUp();
      await sealAll(sysroot, 'require', system);
      const counted = faultSystem(system);
      const results = await sealAll(sysroot, 'require', counted);
      assert.deepEqual(
        results.map(({ action }) => action),
        ['unchanged', 'unchanged', 'unchanged'],
      );
      assert.deepEqual(counted.steps, []);
    });

    it('stops cleanly when told to', async () => {
      for (let after = 1; after < 8; after++) {
        const state = setUp();
        const controller = new AbortController();
        let stages = 0;
        const onChange = (): void => {
          if (++stages === after) controller.abort();
        };
        const progress = new Progress({ signal: controller.signal, onChange, intervalMs: 0 });
        await assert.rejects(sealAll(sysroot, 'require', state.system, progress), InterruptedError);
        await checkAndFinish(state);
      }
    });
  });
}
