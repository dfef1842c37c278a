/**
 * A seal that is killed (SIGKILL) before every one of its steps, with the kernel's own immutable flags and locks.
 * Afterwards the old or the new state holds, and the next run, which the dead one's locks do not stop, ends clean.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Sandbox } from '../support/sandbox.ts';
import { assertOldOrNew, assertSealed, imagesOf, sealAll } from '../support/seal-state.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

const PROGRAM = fileURLToPath(new URL('programs/seal-until.ts', import.meta.url));

const OLD_IMAGE = Buffer.from('the image of an earlier seal, or of somebody else');

/**
 * Steps of the whole seal where the file system has no fs-verity, and where it has. When it drops, either steps were
 * saved on purpose or a flush was lost.
 */
const STEPS: ReadonlySet<number> = new Set([68, 77]);

interface End {
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function sealUntil(sysroot: SmallSysroot, at: number): Promise<End> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(sysroot), String(at)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve) => void child.on('close', (_, signal) => resolve({ signal, output })));
}

describeSystem('a killed seal', ['sid'], () => {
  const isImmutable = (path: string): boolean => linuxSystem.isImmutable(path) === true;

  it('leaves the old or the new state, and the next run ends clean', { timeout: 300_000 }, async (t) => {
    using work = new Sandbox();
    const sysroot = await makeSmallSysroot(work.join('sysroot'));
    const reset = (): void => {
      rmSync(join(sysroot.repositoryPath, 'extensions/sealtree'), { recursive: true, force: true });
      for (const path of sysroot.deploymentPaths) {
        linuxSystem.setImmutable(path, false);
        for (const name of readdirSync(path)) rmSync(join(path, name));
        writeFileSync(join(path, '.ostree.cfs'), OLD_IMAGE, { mode: 0o644 });
        linuxSystem.setImmutable(path, true);
      }
    };
    reset();
    const old = imagesOf(sysroot);
    const whole = await sealUntil(sysroot, Number.POSITIVE_INFINITY);
    const steps = Number(whole.output);
    t.diagnostic(`${steps} steps`);
    assert.ok(STEPS.has(steps), `${steps} steps: look whether the number should have changed`);
    const wanted = imagesOf(sysroot);

    for (let at = 0; at < steps; at++) {
      reset();
      assert.equal((await sealUntil(sysroot, at)).signal, 'SIGKILL');
      assertOldOrNew(sysroot, old, wanted, isImmutable, linuxSystem);
      for (const { error } of await sealAll(sysroot, 'auto', linuxSystem)) assert.equal(error, undefined);
      assertSealed(sysroot, wanted, isImmutable, linuxSystem);
    }
    oracle('sid').run(['ostree', 'fsck', '--quiet', `--repo=${sysroot.repositoryPath}`]);
  });
});
