/** `sealtree pin`: keeps deployments, as `ostree admin pin` does. */
import { ExitCode } from '../base/errors.ts';
import { setPinned } from '../deployment/pinned.ts';
import { selectDeployments } from '../deployment/seal.ts';
import { ensureWritable } from '../deployment/writable.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { lockTimeoutMs } from './lock-timeout.ts';

interface Options {
  readonly unpin?: boolean;
  readonly lockTimeout: string;
}

export const command: CommandModule = {
  name: 'pin',
  summary: 'Keep deployments that upgrades would push out',
  details: [
    'Pins deployments as ostree admin pin does, which takes indexes only, and indexes change: new deployments do not push a pinned one out. It has nothing to do with seal pins, which say what may boot.',
  ],
  examples: [
    ['pin booted', 'keep what runs now'],
    ['pin --unpin 2', 'let deployment 2 go when its time comes'],
  ],
  define(command, run) {
    command
      .argument(
        '<deployment...>',
        '0, booted, pending, rollback, OS/CHECKSUM.SERIAL or the start of a checksum',
      )
      .option('--unpin', 'keep them no more')
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run(pin));
  },
};

async function pin(context: Context, specs: readonly string[], options: Options): Promise<number> {
  const { dryRun, json, quiet } = context.options;
  const pinned = options.unpin !== true;
  const timeoutMs = lockTimeoutMs(options.lockTimeout);
  const sysroot = context.sysrootPath();
  if (!dryRun) await ensureWritable([sysroot], context.system);
  const progress = context.progress();
  const results = await setPinned(
    sysroot,
    (found) => selectDeployments(found, specs),
    { pinned, dryRun, times: { timeoutMs, progress } },
    context.system,
  );
  progress.end();
  if (json) {
    const deployments = results.map(({ deployment, isChanged }) => ({ id: deployment.id, isChanged }));
    context.printJson('pin', { dryRun, pinned, deployments });
    return ExitCode.ok;
  }
  const verb = `${dryRun ? 'would be ' : ''}${pinned ? 'pinned' : 'unpinned'}`;
  for (const { deployment, isChanged } of results)
    if (!quiet)
      context.print(`${deployment.id}: ${isChanged ? verb : `already ${pinned ? '' : 'un'}pinned`}`);
  return ExitCode.ok;
}
