/** `sealtree boot preview`: every change that install would make, as unified diffs. */
import { ExitCode } from '../../base/errors.ts';
import { planInstall } from '../../boot/plan.ts';
import { readBootState } from '../../boot/state.ts';
import { readSettings } from '../../config/settings.ts';
import type { Context } from '../context.ts';
import { renderBootPlan } from '../text/boot-plan.ts';

export async function preview(context: Context): Promise<number> {
  const { system } = context;
  const sysroot = await context.openSysroot();
  const state = await readBootState(sysroot, readSettings(system, sysroot.path), system);
  const plan = planInstall(state);
  for (const line of renderBootPlan(plan, sysroot.path, context.style)) context.print(line);
  return plan.refusals.length > 0 ? ExitCode.findings : ExitCode.ok;
}
