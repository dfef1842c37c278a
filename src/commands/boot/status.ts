/** `sealtree boot status`: what each deployment would come up as, and what keeps it from booting sealed. */
import { ExitCode } from '../../base/errors.ts';
import { bootSettings } from '../../boot/change.ts';
import { readBootState } from '../../boot/state.ts';
import type { Context } from '../context.ts';
import { bootStatusJson, renderBootStatus } from '../text/boot-status.ts';

export async function status(context: Context): Promise<number> {
  const { system, style, options } = context;
  const sysroot = await context.openSysroot();
  const state = await readBootState(sysroot, bootSettings(sysroot, system), context.progress(), system);
  context.clearProgress();
  if (options.json) context.printJson('boot-status', bootStatusJson(state));
  else for (const line of renderBootStatus(state, style)) context.print(line);
  return ExitCode.ok;
}
