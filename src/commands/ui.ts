/** `sealtree ui`, and `sealtree` without a command on a terminal. The only way from the commands to `ui/`. */
import { resolve } from 'node:path';
import { ExitCode, InterruptedError, SealtreeError, UnsupportedError, UsageError } from '../base/errors.ts';
import { readSettings } from '../config/settings.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { wantsColor } from './output.ts';

export const command: CommandModule = {
  name: 'ui',
  summary: 'Open the interface',
  details: [
    'Shows the deployments of the system with their images, what is wrong and what to run; the commits of its repository; the images, with the objects they need; the files of each of these, and what differs between any two. On a terminal this is also what sealtree does without a command; elsewhere that prints the status. It only reads until W asks for write mode; then deployments can be sealed and pinned, unused images removed and the boot changed, each after a look at the plan and a key that confirms it. What it does are the commands of sealtree, and it shows them. The ? key lists the keys. Files are shown with $PAGER. With --screen-reader, or where SEALTREE_SCREEN_READER is set in the environment or screen-reader=yes in sealtree.conf(5), it writes plain lines that follow each other: the selected row as a sentence, progress in words.',
  ],
  examples: [
    ['ui --sysroot /mnt', 'another system'],
    ['ui --repo PATH', 'a repository without a system'],
  ],
  define(command, run) {
    command
      .option('--screen-reader', 'for screen readers: plain lines instead of a screen')
      .action(run((context, options: InterfaceOptions) => openInterface(context, options)));
  },
};

/** Whether somebody sits at a terminal that can show it. */
export const hasTerminal = ({ stdout, env }: Pick<Context, 'stdout' | 'env'>): boolean =>
  stdout.isTerminal && process.stdin.isTTY === true && env.TERM !== 'dumb';

/** How it is shown. */
export interface InterfaceOptions {
  readonly screenReader?: boolean;
}

/**
 * Whether it was set, for good, that what is shown is read to a person: in the environment, where ink's name for it
 * counts too, or in the sealtree.conf of the system at `root`.
 */
export function isReadAloud(
  { env, system, say }: Pick<Context, 'env' | 'system' | 'say'>,
  root = '/',
): boolean {
  if ((env.SEALTREE_SCREEN_READER ?? '') !== '' || env.INK_SCREEN_READER === 'true') return true;
  try {
    return readSettings(system, root).screenReader.value === 'yes';
  } catch (error) {
    // A mistake in there must keep nobody from looking at the machine.
    if (!(error instanceof SealtreeError)) throw error;
    say('warning', error.message);
    return false;
  }
}

/** Opens it on the sysroot or repository that the global options name; returns when the person leaves it. */
export async function openInterface(
  context: Context,
  { screenReader = false }: InterfaceOptions = {},
): Promise<number> {
  const { options, system, env, stdout } = context;
  if (!stdout.isTerminal || !process.stdin.isTTY)
    throw new UsageError('the interface needs a terminal', { hint: 'sealtree status prints what it shows' });
  const { start } = await loadInterface();
  const isOwn = options.repo === undefined || options.repo === resolve(options.sysroot, 'ostree/repo');
  const summary = await start({
    sysrootPath: options.sysroot,
    repositoryPath: isOwn ? undefined : options.repo,
    system,
    env,
    hasColor: wantsColor(options.color, env, stdout),
    readsAloud: screenReader || isReadAloud(context),
    signal: context.signal,
  });
  for (const line of summary) context.print(line);
  if (context.signal.aborted) throw new InterruptedError();
  return ExitCode.ok;
}

/** Half a second and 100 MB, which no other command may cost. */
async function loadInterface() {
  try {
    return await import('../../ui/start.tsx');
  } catch (error) {
    // Only the build understands JSX.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    throw new UnsupportedError('the interface does not run from the sources', {
      hint: 'npm run build, then dist/sealtree.js; or name a command, such as status',
      cause: error,
    });
  }
}
