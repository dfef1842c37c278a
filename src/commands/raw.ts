/** Runs a command that reads its own arguments, without loading the option parser. */
import { NotFoundError } from '../base/errors.ts';
import { leaveAtOnce } from '../base/leave.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { findCommand } from './registry.ts';
import { processSurroundings, type Surroundings } from './surroundings.ts';

/** Runs the command on this machine; returns the exit code. Never throws. */
export async function startRaw(name: string, args: readonly string[]): Promise<number> {
  const exitCode = await runRaw(name, args, processSurroundings(linuxSystem));
  leaveAtOnce();
  return exitCode;
}

/** Runs the command; returns the exit code. Never throws. */
export async function runRaw(
  name: string,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  try {
    const entry = findCommand(name);
    if (entry?.raw !== true) throw new NotFoundError(`no command ${name} of that kind`);
    const { command } = await entry.load();
    const exitCode = await command.main(args, surroundings);
    surroundings.stdout.flush();
    return exitCode;
  } catch (error) {
    const { reportFailure } = await import('./failure.ts');
    return reportFailure(error, surroundings, { json: false, quiet: false, verbose: false, color: 'auto' });
  }
}
