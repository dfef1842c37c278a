/**
 * Install, remove and rollback from end to end: read the state, make the plan, have it agreed to, carry it out under
 * the locks, keep the history. What was agreed to is what is done: the plan is made again once the locks are held, and
 * must be the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { OperationError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System, SystemReads } from '../base/system.ts';
import { readSettings, type Settings } from '../config/settings.ts';
import { withLocks } from '../deployment/locks.ts';
import { readSysroot, type Sysroot } from '../deployment/sysroot.ts';
import { type KeptConfiguration, readConfiguration } from './history/configuration.ts';
import { type History, type HistoryEntry, openHistory } from './history/history.ts';
import { type HistoryOutcome, Recorder, whoRuns } from './history/record.ts';
import { rollbackTo, settingsStep } from './history/rollback.ts';
import { type BootPlan, type BootStep, planInstall, planRemove } from './plan.ts';
import { planId } from './plan-id.ts';
import { settingsRoot } from './settings-files.ts';
import { type BootState, readBootState } from './state.ts';
import { carryOut, hasLeftovers } from './transaction.ts';

/** What is to be done; `to`: go back to that entry of the history. */
export type ChangeVerb = BootPlan['verb'] | { readonly to: HistoryEntry };

export interface ChangeOptions {
  readonly lockTimeoutMs: number;
  /** Why, for the history: what the person typed, such as `boot install`, or what happened, such as `hook deploy`. */
  readonly cause: string;
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
  /** How the state is read, with other settings than the sysroot's where they are given; for tests. */
  readonly read?: (progress: Progress, settings: Settings | undefined) => Promise<BootState>;
  /** Where the history is kept; for tests. */
  readonly history?: (sysroot: Sysroot) => History;
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
  /** Undefined where nothing was changed. */
  readonly history?: HistoryOutcome;
}

/** @throws BusyError; OperationError when somebody else changed things meanwhile; whatever a step throws */
export async function changeBoot(
  verb: ChangeVerb,
  sysrootPath: string,
  options: ChangeOptions,
  system: System,
): Promise<Change> {
  const { progress, lockTimeoutMs, agree } = options;
  const look = (): Promise<Change> => lookAt(verb, sysrootPath, options, system);
  let agreed: BootPlan | undefined;
  const times = { timeoutMs: lockTimeoutMs, progress };
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
    const recorder = new Recorder(
      () => (options.history ?? ((sysroot) => openHistory(sysroot, system)))(change.state.sysroot),
      { cause: options.cause, by: whoRuns(process.env), now: () => Math.floor(Date.now() / 1000) },
    );
    const read = (): KeptConfiguration => {
      const sysroot = readSysroot(sysrootPath, system);
      return readConfiguration(sysroot, bootSettings(sysroot, system), system);
    };
    await recorder.before(read);
    await carryOut(
      change.plan,
      change.state.sysroot,
      {
        progress,
        ...(onStep && { onStep: (step, number) => onStep(step, number, change.plan) }),
      },
      system,
    );
    return { ...change, history: await recorder.after(read) };
  });
}

/**
 * What would be done, for a preview: no locks are taken and nothing is changed. An outcome of `done` is what is ahead.
 * @throws as reading the state does
 */
export async function lookAt(
  verb: ChangeVerb,
  sysrootPath: string,
  options: Pick<ChangeOptions, 'progress' | 'read'>,
  system: System,
): Promise<Change> {
  const { progress } = options;
  const read = options.read ?? defaultRead(sysrootPath, system);
  const seen = (plan: BootPlan, state: BootState): Change => {
    progress.end();
    return { plan, state, outcome: outcomeOf(plan, state, system) };
  };
  const sysroot = readSysroot(sysrootPath, system);
  const root = settingsRoot(sysroot);
  if (typeof verb === 'string') {
    const state = await read(progress, undefined);
    if (verb === 'install') return seen(planInstall(state), state);
    return seen(withSettings(planRemove(state), settingsStep(root, undefined, system)), state);
  }
  const settings = bootSettings(sysroot, system);
  const { configuration } = readConfiguration(sysroot, settings, system);
  const {
    verb: way,
    settings: then,
    step,
    lost,
  } = rollbackTo(verb.to, configuration, settings, root, system);
  const state = await read(progress, then);
  const plan = withSettings(way === 'install' ? planInstall(state) : planRemove(state), step);
  return seen({ ...plan, warnings: [...plan.warnings, ...lost] }, state);
}

/** Settings come before what follows from them, and go after it. */
function withSettings(plan: BootPlan, step: BootStep | undefined): BootPlan {
  if (step === undefined || plan.refusals.length > 0) return plan;
  return { ...plan, steps: plan.verb === 'install' ? [step, ...plan.steps] : [...plan.steps, step] };
}

/** What is ahead: `done` stands for having to be done. */
function outcomeOf(plan: BootPlan, { sysroot, journal }: BootState, system: SystemReads): ChangeOutcome {
  if (plan.refusals.length > 0) return 'refused';
  if (plan.steps.length > 0 || journal !== undefined) return 'done';
  return hasLeftovers(sysroot, system) ? 'done' : 'nothing';
}

const defaultRead =
  (sysrootPath: string, system: System) =>
  async (progress: Progress, settings: Settings | undefined): Promise<BootState> => {
    const sysroot = readSysroot(sysrootPath, system);
    return await readBootState(sysroot, settings ?? bootSettings(sysroot, system), progress, system);
  };

/** The settings that a sysroot goes by. */
export const bootSettings = (sysroot: Sysroot, system: SystemReads): Settings =>
  readSettings(system, settingsRoot(sysroot));
