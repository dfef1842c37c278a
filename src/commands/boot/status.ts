/** `sealtree boot status`: what the machine boots next, and from what. */
import { ExitCode } from '../../base/errors.ts';
import { readBootState } from '../../boot/state.ts';
import { readSettings } from '../../config/settings.ts';
import type { Context } from '../context.ts';
import { renderBootStatus } from '../text/boot-status.ts';

export async function status(context: Context): Promise<number> {
  const { system } = context;
  const sysroot = await context.openSysroot();
  const state = await readBootState(sysroot, readSettings(system, sysroot.path), system);
  for (const line of renderBootStatus(state, context.style)) context.print(line);
  return ExitCode.ok;
}
