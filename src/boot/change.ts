/**
 * Install and remove from end to end: read the state, make the plan, have it agreed to, carry it out under the locks.
 * What was agreed to is what is done: the plan is made again once the locks are held, and must be the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { OperationError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System, SystemReads } from '../base/system.ts';
import { readSettings, type Settings } from '../config/settings.ts';
import { withLocks } from '../deployment/locks.ts';
import { readSysroot, type Sysroot } from '../deployment/sysroot.ts';
import { type BootPlan, type BootStep, planInstall, planRemove } from './plan.ts';
import { planId } from './plan-id.ts';
import { type BootState, readBootState } from './state.ts';
import { carryOut, hasLeftovers } from './transaction.ts';

export interface ChangeOptions {
  readonly lockTimeoutMs: number;
  readonly progress: Progress;
  /**
   * Shows the plan to a person and asks, before the locks are taken; undefined where nobody is to be asked. Not called
   * for a plan that has nothing to do or that is refused.
   */
  readonly agree?: ((plan: BootPlan, state: BootState) => Promise<boolean>) | undefined;
  /** The beginning of the {@link planId} of the one plan that may be carried out: somebody agreed to it in another run. */
  readonly expected?: string | undefined;
  /** Called before each step, counted from 1. */
  readonly onStep?: (step: BootStep, number: number, plan: BootPlan) => void;
  /** How the state is read; for tests. */
  readonly read?: (progress: Progress) => Promise<BootState>;
}

/**
 * - `done`: carried out;
 * - `nothing`: all is as it should be;
 * - `refused`: see the plan's refusals, nothing was changed;
 * - `declined`: nothing was changed.
 */
export type ChangeOutcome = 'done' | 'nothing' | 'refused' | 'declined';

export interface Change {
  readonly outcome: ChangeOutcome;
  readonly plan: BootPlan;
  readonly state: BootState;
}

/** @throws BusyError; OperationError when somebody else changed things meanwhile; whatever a step throws */
export async function changeBoot(
  verb: BootPlan['verb'],
  sysrootPath: string,
  options: ChangeOptions,
  system: System,
): Promise<Change> {
  const { progress, lockTimeoutMs, agree } = options;
  const look = async (): Promise<Change> => {
    const state = await (options.read ?? defaultRead(sysrootPath, system))(progress);
    progress.end();
    const plan = verb === 'install' ? planInstall(state) : planRemove(state);
    return { plan, state, outcome: outcomeOf(plan, state, system) };
  };
  let agreed: BootPlan | undefined;
  const times = { timeoutMs: lockTimeoutMs, signal: progress.signal };
  if (agree !== undefined) {
    // Whoever may not do it is told so before the question.
    await withLocks(sysrootPath, times, system, () => undefined);
    const seen = await look();
    if (seen.outcome !== 'done') return seen;
    if (seen.plan.steps.length > 0 && !(await agree(seen.plan, seen.state)))
      return { ...seen, outcome: 'declined' };
    agreed = seen.plan;
  }
  return await withLocks(sysrootPath, times, system, async () => {
    const change = await look();
    if (change.outcome !== 'done') return change;
    const isAgreed = agreed === undefined || isDeepStrictEqual(agreed.steps, change.plan.steps);
    if (!isAgreed || !planId(change.plan).startsWith(options.expected ?? ''))
      throw new OperationError('changed-meanwhile', `${sysrootPath} was changed since the plan was shown`, {
        hint: 'nothing was done: look at the plan again',
      });
    const onStep = options.onStep;
    await carryOut(
      change.plan,
      change.state.sysroot,
      {
        progress,
        ...(onStep && { onStep: (step, number) => onStep(step, number, change.plan) }),
      },
      system,
    );
    return change;
  });
}

/** What is ahead: `done` stands for having to be done. */
function outcomeOf(plan: BootPlan, { sysroot, journal }: BootState, system: SystemReads): ChangeOutcome {
  if (plan.refusals.length > 0) return 'refused';
  if (plan.steps.length > 0 || journal !== undefined) return 'done';
  return hasLeftovers(sysroot, system) ? 'done' : 'nothing';
}

const defaultRead =
  (sysrootPath: string, system: System) =>
  async (progress: Progress): Promise<BootState> => {
    const sysroot = readSysroot(sysrootPath, system);
    return await readBootState(sysroot, bootSettings(sysroot, system), progress, system);
  };

/**
 * The settings of a sysroot: those of the running system, or of the deployment that boots first: a physical root has
 * no /etc of its own.
 */
export function bootSettings(sysroot: Sysroot, system: SystemReads): Settings {
  const root = sysroot.path === '/' ? '/' : sysroot.deployments.find(({ staged }) => !staged)?.path;
  return readSettings(system, root ?? sysroot.path);
}
