/**
 * `sealtree hook EVENT`: what units and package hooks call. Seals what is new, and where `boot install` was run brings
 * the boot up to date with it; is silent when nothing is new. In that case it must cost next to nothing, so neither the
 * option parser nor the kernel's calls are loaded before it is clear that there is work.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, errnoOf, UsageError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { installedPath } from '../boot/journal.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readImageState } from '../deployment/image-state.ts';
import { readSysroot, type Sysroot } from '../deployment/sysroot.ts';
import type { RawCommand } from './command.ts';
import type { Level } from './context.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import type { Surroundings } from './surroundings.ts';

const USAGE = 'Usage: sealtree hook EVENT [--sysroot PATH] [--lock-timeout SECONDS]';

/** Long enough for a deployment to be written by whoever holds the lock. */
const DEFAULT_TIMEOUT_MS = 120_000;

export const command: RawCommand = {
  name: 'hook',
  summary: 'Seal what is new and keep the boot up to date with it, quietly; for units and package hooks',
  details: [
    'Seals every deployment that is not sealed yet and prints a line for each; silent, and done at once, where there is nothing to do or no ostree system. On a system that boot install was run on, it then does what boot install does: the new boot entry gets its seal pin and the mount script, or, where the deployment is staged, what ostree makes the entry of at shutdown. Where there is something to do, objects of sealed deployments that lost their fs-verity get it back as well. EVENT is a word of your choice, such as boot or deploy: it begins each line and changes nothing else. Unlocked deployments are left as they are. What is wrong with the sysroot itself is a warning each time and leaves the exit code to the seals. Called from inside ostree it does not wait for a lock that its own caller holds, and exits with 75 instead.',
  ],
  examples: [
    ['hook boot', 'in a unit that runs after each boot'],
    ['hook deploy --sysroot /mnt', 'in an installer'],
  ],
  arguments: [{ name: 'event', description: 'what happened: a word for the lines it prints' }],
  options: [
    { flags: '--sysroot <path>', description: 'the system to seal (default: $OSTREE_SYSROOT or /)' },
    {
      flags: '--lock-timeout <seconds>',
      description: 'how long to wait for ostree or another run (default: 120)',
    },
  ],
  async main(args, surroundings) {
    if (args.includes('--help') || args.includes('-h')) {
      surroundings.stdout.write(`${USAGE}\n`);
      surroundings.stdout.flush();
      return ExitCode.ok;
    }
    const { event, sysrootPath, timeoutMs } = parse(args, surroundings);
    const { system } = surroundings;
    if (system.lstatIfExists(`${sysrootPath}/ostree/deploy`) === undefined) return ExitCode.ok;
    let seen = deployTime(sysrootPath, system);
    let sysroot = readSysroot(sysrootPath, system);
    const broken = sysroot.problems.filter(({ severity }) => severity === 'error');
    for (const { where, message } of broken)
      await say(surroundings, 'warning', `${event}: ${where}: ${message}`);
    for (let turn = 1; ; turn++) {
      const sealed = isSomethingToSeal(sysroot, system)
        ? await sealNew(event, sysrootPath, timeoutMs, surroundings)
        : ExitCode.ok;
      const updated = await updateBoot(event, sysrootPath, timeoutMs, surroundings);
      if (sealed !== ExitCode.ok || updated !== ExitCode.ok) return sealed || updated;
      // Whoever deploys does not wait for us, and nobody tells a unit that runs of what was deployed meanwhile.
      const now = deployTime(sysrootPath, system);
      if (turn === MAX_TURNS || now === seen) return ExitCode.ok;
      seen = now;
      sysroot = readSysroot(sysrootPath, system);
    }
  },
};

function parse(
  args: readonly string[],
  { env }: Surroundings,
): { event: string; sysrootPath: string; timeoutMs: number } {
  let event: string | undefined;
  let sysrootPath = env.OSTREE_SYSROOT || '/';
  let timeoutMs = DEFAULT_TIMEOUT_MS;
  const rest = args.flatMap((arg) => (/^--[a-z-]+=/.test(arg) ? splitOption(arg) : [arg]));
  for (let i = 0; i < rest.length; i++) {
    const arg = rest[i] as string;
    const value = () => {
      const next = rest[++i];
      // An unset variable in a script must not stand for the running system.
      if (next === undefined || next === '') throw new UsageError(`${arg} needs a value`, { hint: USAGE });
      return next;
    };
    if (arg === '--sysroot') sysrootPath = value();
    else if (arg === '--lock-timeout') timeoutMs = lockTimeoutMs(value());
    else if (arg.startsWith('-') || event !== undefined)
      throw new UsageError(`unexpected ${JSON.stringify(arg)}`, { hint: USAGE });
    else event = arg;
  }
  if (event === undefined) throw new UsageError('the event is missing', { hint: USAGE });
  if (!/^[a-z][a-z0-9-]*$/.test(event))
    throw new UsageError(`not an event: ${JSON.stringify(event)}`, { hint: USAGE });
  return { event, sysrootPath, timeoutMs };
}

function splitOption(arg: string): [string, string] {
  const at = arg.indexOf('=');
  return [arg.slice(0, at), arg.slice(at + 1)];
}

/** Unlocked deployments are left as they are. */
const sealable = ({ deployments }: Sysroot): Deployment[] =>
  deployments.filter(({ unlocked }) => unlocked === undefined);

/** Whether sealing would change anything, as far as stat can tell. */
function isSomethingToSeal(sysroot: Sysroot, system: System): boolean {
  return sealable(sysroot).some(
    (deployment) => readImageState(deployment, sysroot.repositoryPath, system).kind !== 'sealed',
  );
}

async function sealNew(
  event: string,
  sysrootPath: string,
  timeoutMs: number,
  surroundings: Surroundings,
): Promise<number> {
  const { system } = surroundings;
  const [{ ensureWritable }, { sealDeployments, failureOf }, { Progress }] = await Promise.all([
    import('../deployment/writable.ts'),
    import('../deployment/seal.ts'),
    import('../base/progress.ts'),
  ]);
  await ensureWritable([sysrootPath], system);
  const results = await sealDeployments(
    sysrootPath,
    sealable,
    {
      digests: 'yes',
      verity: 'auto',
      dryRun: false,
      rebuild: false,
      // Whoever runs inside ostree waits for its own parent's lock for ever.
      lockTimeoutMs: runsInsideOstree() ? 0 : timeoutMs,
      progress: new Progress({ signal: surroundings.signal }),
    },
    system,
  );
  for (const { deployment, action, digest, error } of results) {
    const subject = `${event}: ${deployment.id}`;
    if (error !== undefined) await say(surroundings, 'error', `${subject}: ${error.message}`);
    else if (action === 'protected')
      await say(surroundings, 'info', `${subject}: sealed, fs-verity turned on where it was off`);
    else if (action !== 'skipped' && action !== 'unchanged')
      await say(surroundings, 'info', `${subject}: sealed as ${digest}`);
  }
  return failureOf(results)?.exitCode ?? ExitCode.ok;
}

/**
 * Does what `boot install` does, where it was run before and is behind. What cannot be sealed is said to be left as it
 * is, with every deployment anew.
 * @returns the exit code
 */
async function updateBoot(
  event: string,
  sysrootPath: string,
  timeoutMs: number,
  surroundings: Surroundings,
): Promise<number> {
  const { system } = surroundings;
  const sysroot = readSysroot(sysrootPath, system);
  if (system.lstatIfExists(installedPath(sysroot.repositoryPath)) === undefined) return ExitCode.ok;
  const { isBootCurrent } = await import('../boot/keep/current.ts');
  if (isBootCurrent(sysroot, system)) return ExitCode.ok;
  const [{ ensureWritable }, { changeBoot }, { Progress }] = await Promise.all([
    import('../deployment/writable.ts'),
    import('../boot/change.ts'),
    import('../base/progress.ts'),
  ]);
  await ensureWritable([sysrootPath], system, [join(sysrootPath, 'boot')]);
  const { outcome, plan } = await changeBoot(
    'install',
    sysrootPath,
    {
      lockTimeoutMs: runsInsideOstree() ? 0 : timeoutMs,
      cause: `hook ${event}`,
      progress: new Progress({ signal: surroundings.signal }),
    },
    system,
  );
  for (const { where, message } of plan.refusals)
    await say(surroundings, 'error', `${event}: ${where}: ${message}`);
  for (const { where, message } of plan.warnings)
    await say(surroundings, 'warning', `${event}: ${where}: ${message}`);
  if (outcome === 'refused') return ExitCode.failed;
  const later = plan.atShutdown && `, and ${plan.atShutdown.id} gets the mount script at shutdown`;
  if (outcome === 'done') await say(surroundings, 'info', `${event}: the boot is up to date${later ?? ''}`);
  if (plan.waitsFor === undefined) return ExitCode.ok;
  const { command, path } = plan.waitsFor;
  await say(
    surroundings,
    'error',
    `${event}: ${path}: has to be brought up to date: ${command ?? 'by hand'}`,
  );
  return ExitCode.failed;
}

/** A line to stderr; what that takes is loaded with the first. */
async function say(surroundings: Surroundings, level: Level, message: string): Promise<void> {
  const context = await import('./context.ts');
  context.say(surroundings, { quiet: false, verbose: false, color: 'auto' }, level, message);
}

/** So many deployments in a row are taken up by one run. */
const MAX_TURNS = 5;

/** ostree gives this folder a new time after each change of deployments (`_ostree_sysroot_bump_mtime`). */
const deployTime = (sysrootPath: string, system: System): number | undefined =>
  system.lstatIfExists(`${sysrootPath}/ostree/deploy`)?.mtimeMs;

const OSTREE_PROGRAMS: readonly string[] = ['ostree', 'rpm-ostree', 'rpm-ostreed', 'bootc'];

/** Whether one of the programs that hold the sysroot lock is an ancestor of this process. */
function runsInsideOstree(): boolean {
  for (let pid = process.ppid; pid > 1; ) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    } catch (error) {
      // The ancestor has ended meanwhile, or belongs to another namespace.
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
    // proc_pid_stat(5): pid (comm) state ppid …; comm may hold any byte, so the last parenthesis counts.
    const end = stat.lastIndexOf(')');
    if (OSTREE_PROGRAMS.includes(stat.slice(stat.indexOf('(') + 1, end))) return true;
    pid = Number(stat.slice(end + 2).split(' ')[1]);
  }
  return false;
}
