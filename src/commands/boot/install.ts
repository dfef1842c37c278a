/** `sealtree boot install` and `boot remove`: show the plan, ask, carry it out. */
import { join } from 'node:path';
import { ExitCode, UsageError } from '../../base/errors.ts';
import { type Change, changeBoot } from '../../boot/change.ts';
import { bootCommand } from '../../boot/check/context.ts';
import type { BootPlan } from '../../boot/plan.ts';
import { stepTitle } from '../../boot/step-title.ts';
import { ensureWritable } from '../../deployment/writable.ts';
import type { Context } from '../context.ts';
import { lockTimeoutMs } from '../lock-timeout.ts';
import { bootPlanJson } from '../text/boot-plan.ts';
import { previewOf, showPlan, type TreeOption } from './preview.ts';
import { installTree } from './tree.ts';

export interface ChangeCommandOptions {
  readonly lockTimeout: string;
  /** The beginning of the id of a plan, as preview prints it. */
  readonly plan?: string;
}

export async function install(context: Context, options: ChangeCommandOptions & TreeOption): Promise<number> {
  if (options.root !== undefined) return await installTree(context, options.root, context.options.dryRun);
  return await change(context, 'install', options);
}

export async function remove(context: Context, options: ChangeCommandOptions): Promise<number> {
  return await change(context, 'remove', options);
}

async function change(
  context: Context,
  verb: BootPlan['verb'],
  { lockTimeout, plan: expected }: ChangeCommandOptions,
): Promise<number> {
  const { dryRun, yes, json, quiet } = context.options;
  const timeoutMs = lockTimeoutMs(lockTimeout);
  if (expected !== undefined && !/^[0-9a-f]{8,64}$/.test(expected))
    throw new UsageError('--plan takes 8 or more digits of the id that preview prints');
  if (dryRun) return await previewOf(context, verb);
  const sysrootPath = context.sysrootPath();
  await ensureWritable([sysrootPath], context.system, [join(sysrootPath, 'boot')]);
  const done = await changeBoot(
    verb,
    sysrootPath,
    {
      lockTimeoutMs: timeoutMs,
      progress: context.progress(),
      expected,
      agree: yes
        ? undefined
        : async (plan, state) => {
            context.clearProgress();
            if (!json) showPlan(context, plan, state, { diffs: false });
            return await context.confirm(verb === 'install' ? 'Make these changes?' : 'Take all of it back?');
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
  return report(context, verb, done);
}

function report(context: Context, verb: BootPlan['verb'], { outcome, plan, state }: Change): number {
  const { json, quiet, yes } = context.options;
  const isFailed = outcome === 'refused' || outcome === 'declined';
  if (json) context.printJson(`boot-${verb}`, { outcome, ...bootPlanJson(plan, state) });
  else if (outcome === 'declined') context.print('Nothing is changed.');
  else if (outcome === 'refused' || (outcome === 'nothing' && !quiet))
    showPlan(context, plan, state, { diffs: false });
  else if (outcome === 'done' && !quiet) {
    // Who was asked has read them.
    if (yes) for (const { where, message } of plan.warnings) context.say('warning', `${where}: ${message}`);
    for (const line of ending(verb, plan, state.sysroot.path)) context.print(line);
  }
  return isFailed ? ExitCode.failed : ExitCode.ok;
}

function ending(verb: BootPlan['verb'], { waitsFor }: BootPlan, sysrootPath: string): string[] {
  if (verb === 'remove') return ['Done: every deployment boots plain from now on, as ostree left it.'];
  if (waitsFor !== undefined)
    return [
      'Done so far. The mount script follows once the boot menu has the seal pins:',
      `  ${waitsFor.command ?? `(bring ${waitsFor.path} up to date)`}`,
      `  ${bootCommand(sysrootPath, 'install')}`,
    ];
  return [
    'Done: from the next boot on, what was sealed is what boots. To try it without a reboot:',
    `  ${bootCommand(sysrootPath, 'check')}`,
  ];
}
