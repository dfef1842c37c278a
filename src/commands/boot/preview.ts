/** `sealtree boot preview`: every change that install would make; the same as `boot install --dry-run`. */
import { ExitCode } from '../../base/errors.ts';
import { type ChangeVerb, lookAt } from '../../boot/change.ts';
import { bootCommand } from '../../boot/check/context.ts';
import type { BootPlan } from '../../boot/plan.ts';
import { planId } from '../../boot/plan-id.ts';
import type { BootState } from '../../boot/state.ts';
import type { Context } from '../context.ts';
import { bootPlanJson, type RenderPlanOptions, renderBootPlan } from '../text/boot-plan.ts';
import { installTree } from './tree.ts';

export interface TreeOption {
  readonly root?: string;
}

export async function preview(context: Context, { root }: TreeOption): Promise<number> {
  if (root !== undefined) return await installTree(context, root, true);
  return await previewOf(context, { name: 'install', verb: 'install' });
}

/** The change whose plan is shown. */
export interface Previewed {
  /** What comes after `sealtree boot`. */
  readonly name: string;
  readonly verb: ChangeVerb;
}

/** Shows the plan; exits with 2 where it would be refused. */
export async function previewOf(context: Context, { name, verb }: Previewed): Promise<number> {
  const sysrootPath = context.sysrootPath();
  const { plan, state } = await lookAt(verb, sysrootPath, { progress: context.progress() }, context.system);
  context.clearProgress();
  showPlan(context, plan, state, { diffs: true, name });
  if (plan.steps.length > 0 && !context.options.json) {
    const [word = '', ...rest] = name.split(' ');
    const command = bootCommand(sysrootPath, word, rest);
    context.print(`\nThis plan and no other:\n  ${command} --plan ${planId(plan).slice(0, 12)}`);
  }
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
