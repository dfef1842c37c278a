/** `sealtree boot preview`: every change that install would make; the same as `boot install --dry-run`. */
import { ExitCode } from '../../base/errors.ts';
import { bootSettings } from '../../boot/change.ts';
import { bootCommand } from '../../boot/check/context.ts';
import { type BootPlan, planInstall, planRemove } from '../../boot/plan.ts';
import { planId } from '../../boot/plan-id.ts';
import { type BootState, readBootState } from '../../boot/state.ts';
import type { Context } from '../context.ts';
import { bootPlanJson, type RenderPlanOptions, renderBootPlan } from '../text/boot-plan.ts';
import { installTree } from './tree.ts';

export interface TreeOption {
  readonly root?: string;
}

export async function preview(context: Context, { root }: TreeOption): Promise<number> {
  if (root !== undefined) return await installTree(context, root, true);
  return await previewOf(context, 'install');
}

/** Shows the plan; exits with 2 where it would be refused. */
export async function previewOf(context: Context, verb: BootPlan['verb']): Promise<number> {
  const { system } = context;
  const sysroot = await context.openSysroot();
  const state = await readBootState(sysroot, bootSettings(sysroot, system), context.progress(), system);
  context.clearProgress();
  const plan = verb === 'install' ? planInstall(state) : planRemove(state);
  showPlan(context, plan, state, { diffs: true });
  if (plan.steps.length > 0 && !context.options.json)
    context.print(
      `\nThis plan and no other:\n  ${bootCommand(sysroot.path, verb)} --plan ${planId(plan).slice(0, 12)}`,
    );
  return plan.refusals.length > 0 ? ExitCode.findings : ExitCode.ok;
}

export function showPlan(
  context: Context,
  plan: BootPlan,
  state: BootState,
  options: RenderPlanOptions,
): void {
  if (context.options.json) context.printJson('boot-plan', bootPlanJson(plan, state));
  else for (const line of renderBootPlan(plan, state, context.style, options)) context.print(line);
}
