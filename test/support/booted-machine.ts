/**
 * A machine that runs one of the deployments of a real ostree's sysroot, for what happens there between staging and
 * shutdown: `/run/ostree` outlives each of the scripts that are run on it. fs-verity is played.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silent } from '../../src/base/progress.ts';
import { bootSettings } from '../../src/boot/change.ts';
import type { BootPlan } from '../../src/boot/plan.ts';
import { type BootState, readBootState } from '../../src/boot/state.ts';
import { carryOut } from '../../src/boot/transaction.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { NOTHING_KEPT } from './boot-change.ts';
import { playedVerity } from './bootable-tree.ts';
import type { OstreeSysroot } from './ostree-sysroot.ts';

export class BootedMachine {
  readonly #sysroot: OstreeSysroot;
  readonly #deployment: string;
  readonly #system = playedVerity();

  /** @param deployment - the folder of the one that runs */
  constructor(sysroot: OstreeSysroot, deployment: string) {
    this.#sysroot = sysroot;
    this.#deployment = deployment;
    mkdirSync(join(sysroot.path, 'run/ostree'), { recursive: true });
  }

  get stagedFile(): string {
    return join(this.#sysroot.path, 'run/ostree/staged-deployment');
  }

  /** Runs a script on it. Returns what `ostree admin status` says after it, and what the script said. */
  run(script: string): { readonly status: string; readonly said: string } {
    // ostree must not ask for fs-verity, which is only played.
    const config = join(this.#sysroot.repositoryPath, 'config');
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, text.replace('fsverity=yes', 'fsverity=no'));
    const { stdout, stderr } = this.#sysroot.runBooted(
      this.#deployment,
      `mkdir -p /run/ostree
      mount --bind /sysroot/run/ostree /run/ostree
      cp /run/ostree-booted /sysroot/run/ostree-booted
      { ${script}
      } >&2
      ostree admin status`,
    );
    writeFileSync(config, text);
    return { status: stdout, said: stderr };
  }

  async readState(): Promise<BootState> {
    const { path } = this.#sysroot;
    const read = readSysroot(path, this.#system, { runDirectory: join(path, 'run') });
    const settings = bootSettings(read, this.#system);
    const state = await readBootState(read, settings, silent(), this.#system);
    return {
      ...state,
      storage: { ...state.storage, verity: { state: 'ready' } },
      keep: { ...state.keep, ...NOTHING_KEPT },
    };
  }

  /** Makes the plan and carries it out. */
  async change(planOf: (state: BootState) => BootPlan): Promise<BootPlan> {
    const state = await this.readState();
    const plan = planOf(state);
    assert.deepEqual(plan.refusals, []);
    await carryOut(plan, state.sysroot, { progress: silent() }, this.#system);
    return plan;
  }
}
