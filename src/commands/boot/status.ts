/** `sealtree boot status`: what each deployment would come up as, and what keeps it from booting sealed. */
import { ExitCode, SealtreeError } from '../../base/errors.ts';
import type { System } from '../../base/system.ts';
import { bootSettings } from '../../boot/change.ts';
import { readBootState } from '../../boot/state.ts';
import { type Settings, settingsOf } from '../../config/settings.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import type { Context } from '../context.ts';
import { bootStatusJson, renderBootStatus } from '../text/boot-status.ts';

export async function status(context: Context): Promise<number> {
  const { system, style, options } = context;
  const sysroot = await context.openSysroot();
  const { settings, problems } = settingsOrDefaults(sysroot, system);
  const found = await readBootState(sysroot, settings, context.progress(), system);
  context.clearProgress();
  const state = { ...found, problems: [...problems, ...found.problems] };
  if (options.json) context.printJson('boot-status', bootStatusJson(state));
  else for (const line of renderBootStatus(state, style)) context.print(line);
  return ExitCode.ok;
}

/** What is wrong with the settings is one of the things that a status has to tell. */
function settingsOrDefaults(
  sysroot: Sysroot,
  system: System,
): { settings: Settings; problems: readonly Finding[] } {
  try {
    return { settings: bootSettings(sysroot, system), problems: [] };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    const where = error.details.where ?? error.details.path;
    const problem: Finding = {
      severity: 'error',
      code: 'settings-unreadable',
      where: typeof where === 'string' ? where : 'sealtree.conf',
      message: `${error.message}; below, the defaults stand for it, and nothing is installed with them`,
    };
    return { settings: settingsOf({ read: [], unread: [] }), problems: [problem] };
  }
}
