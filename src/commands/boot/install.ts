/** `sealtree boot install`, `boot remove` and what they share with `boot rollback`: show the plan, ask, carry it out. */
import { join } from 'node:path';
import { ExitCode, UsageError } from '../../base/errors.ts';
import { type Change, changeBoot } from '../../boot/change.ts';
import { bootCommand } from '../../boot/check/context.ts';
import type { BootPlan, MenuByHand } from '../../boot/plan.ts';
import { stepTitle } from '../../boot/step-title.ts';
import { ensureWritable } from '../../deployment/writable.ts';
import type { Context } from '../context.ts';
import { lockTimeoutMs } from '../lock-timeout.ts';
import { bootPlanJson } from '../text/boot-plan.ts';
import { type Previewed, previewOf, showPlan, type TreeOption } from './preview.ts';
import { installTree, removeTree } from './tree.ts';

export interface ChangeCommandOptions {
  readonly lockTimeout: string;
  /** The beginning of the id of a plan, as preview prints it. */
  readonly plan?: string;
}

export async function install(context: Context, options: ChangeCommandOptions & TreeOption): Promise<number> {
  if (options.root !== undefined) return await installTree(context, options.root, context.options.dryRun);
  return await change(
    context,
    { name: 'install', verb: 'install', question: 'Make these changes?' },
    options,
  );
}

export async function remove(context: Context, options: ChangeCommandOptions & TreeOption): Promise<number> {
  if (options.root !== undefined) return await removeTree(context, options.root, context.options.dryRun);
  return await change(context, { name: 'remove', verb: 'remove', question: 'Take all of it back?' }, options);
}

/** A change as a person asked for it. */
interface ChangeRequest extends Previewed {
  /** Asked when the plan has been shown. */
  readonly question: string;
}

/** Shows the plan, asks, carries it out, and says what became of it. */
export async function change(
  context: Context,
  request: ChangeRequest,
  { lockTimeout, plan: expected }: ChangeCommandOptions,
): Promise<number> {
  const { name, verb, question } = request;
  const { dryRun, yes, json, quiet } = context.options;
  const timeoutMs = lockTimeoutMs(lockTimeout);
  if (expected !== undefined && !/^[0-9a-f]{8,64}$/.test(expected))
    throw new UsageError('--plan takes 8 or more digits of the id that preview prints');
  if (dryRun) return await previewOf(context, request);
  const sysrootPath = context.sysrootPath();
  await ensureWritable([sysrootPath], context.system, [join(sysrootPath, 'boot')]);
  const done = await changeBoot(
    verb,
    sysrootPath,
    {
      lockTimeoutMs: timeoutMs,
      cause: `boot ${name}`,
      progress: context.progress(),
      expected,
      agree: yes
        ? undefined
        : async (plan, state) => {
            context.clearProgress();
            if (!json) showPlan(context, plan, state, { diffs: false, name });
            return await context.confirm(question);
          },
      onStep: (step, number, { steps }) => {
        context.clearProgress();
        const title = stepTitle(step, sysrootPath);
        context.tell({ step: number, steps: steps.length, title });
        if (!json && !quiet) context.print(`[${number}/${steps.length}] ${title}`);
      },
    },
    context.system,
  );
  context.clearProgress();
  return report(context, request, done);
}

function report(
  context: Context,
  { name }: ChangeRequest,
  { outcome, plan, state, history }: Change,
): number {
  const { json, quiet, yes } = context.options;
  const isFailed = outcome === 'refused' || outcome === 'declined';
  for (const note of history?.notes ?? []) context.say('warning', note);
  if (json)
    context.printJson(`boot-${name.replace(/ .*/, '')}`, {
      outcome,
      ...bootPlanJson(plan, state),
      history: history === undefined ? null : { entry: history.number ?? null, notes: history.notes },
    });
  else if (outcome === 'declined') context.print('Nothing is changed.');
  else if (outcome === 'refused' || (outcome === 'nothing' && !quiet))
    showPlan(context, plan, state, { diffs: false, name });
  else if (outcome === 'done' && !quiet) {
    // Who was asked has read them.
    if (yes) for (const { where, message } of plan.warnings) context.say('warning', `${where}: ${message}`);
    for (const line of ending(plan, state.sysroot.path)) context.print(line);
    if (history?.number !== undefined)
      context.print(`What changed: ${bootCommand(state.sysroot.path, 'history', [String(history.number)])}`);
  }
  return isFailed ? ExitCode.failed : ExitCode.ok;
}

function ending({ verb, waitsFor, warnings }: BootPlan, sysrootPath: string): string[] {
  const check = `  ${bootCommand(sysrootPath, 'check')}`;
  if (waitsFor !== undefined)
    return [
      'Done so far. The mount script follows once the boot menu has the seal pins:',
      bringUpToDate(waitsFor),
      `  ${bootCommand(sysrootPath, 'install')}`,
    ];
  const behind = warnings.find(({ code }) => code === 'menu-behind');
  const menu = behind && bringUpToDate({ path: behind.where, command: behind.remedy?.[0] });
  if (verb === 'remove')
    return menu === undefined
      ? ['Done: every deployment boots plain from now on, as ostree left it.']
      : ['Done. Every deployment boots plain, as ostree left it, once the boot menu follows:', menu];
  return menu === undefined
    ? ['Done: from the next boot on, what was sealed is what boots. To try it without a reboot:', check]
    : ['Done. What was sealed is what boots once the boot menu follows:', menu, check];
}

const bringUpToDate = ({ path, command }: MenuByHand): string =>
  `  ${command ?? `(bring ${path} up to date)`}`;
