/** `sealtree gc`: removes images and records that nothing uses. */
import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../base/bytes.ts';
import { ExitCode } from '../base/errors.ts';
import { type SweepOptions, type SweepPlan, sweep, sweepRepository } from '../deployment/gc.ts';
import { ensureWritable } from '../deployment/writable.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import { jsonBytes } from './output.ts';

export const command: CommandModule = {
  name: 'gc',
  summary: 'Remove images that no deployment or ref uses',
  details: [
    'Removes stored images whose digest no deployment has and that no ref was sealed with, their records, what is known of layers that no container image at a ref has and of objects that are gone, and what killed runs left. What a deployment has is told by the bytes of its .ostree.cfs; when one cannot be read, nothing is removed.',
  ],
  examples: [['gc --dry-run', 'what would go, and how much that frees']],
  define(command, run) {
    command
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run((context, options: { lockTimeout: string }) => gc(context, options.lockTimeout)));
  },
};

/** The sysroot, or the repository where --repo names one that is no sysroot's. */
async function sweepTarget(context: Context, options: SweepOptions): Promise<SweepPlan> {
  const { repo, dryRun } = context.options;
  if (repo !== undefined && isApart(context, repo)) {
    if (!dryRun) await ensureWritable([repo], context.system);
    return await sweepRepository(repo, options, context.system);
  }
  const sysroot = context.sysrootPath();
  if (!dryRun) await ensureWritable([sysroot], context.system);
  return await sweep(sysroot, options, context.system);
}

/** Whether a repository lies in no sysroot: in one the deployments count too, so the sysroot must be named. */
const isApart = ({ system }: Context, repo: string): boolean =>
  system.lstatIfExists(`${repo}/objects`) !== undefined && !/\/ostree\/repo$/.test(system.realpath(repo));

async function gc(context: Context, lockTimeout: string): Promise<number> {
  const { dryRun, json, quiet } = context.options;
  const options = { dryRun, lockTimeoutMs: lockTimeoutMs(lockTimeout), progress: context.progress() };
  const plan = await sweepTarget(context, options);
  const { kept, removed, recovery, freedBytes, foreign } = plan.images;
  const leftovers = [...recovery.temporary, ...recovery.lifted.map(({ note }) => note)];
  if (json) {
    const imageJson = ({ path, digest, sizeBytes }: (typeof removed)[number]) => ({
      path,
      imageDigest: digest,
      bytes: sizeBytes,
    });
    context.printJson('gc', {
      dryRun,
      removed: removed.map(imageJson),
      kept: kept.map(imageJson),
      records: plan.records,
      refs: plan.refs,
      layers: plan.layers,
      temporary: leftovers,
      goneObjects: plan.goneObjects,
      foreign: foreign.map(jsonBytes),
      freedBytes,
    });
    return ExitCode.ok;
  }
  if (quiet) return ExitCode.ok;
  const verb = dryRun ? 'would remove' : 'removed';
  for (const { path, sizeBytes } of removed) context.print(`${verb} ${path} (${prettyBytes(sizeBytes)})`);
  for (const path of [...plan.records, ...plan.refs, ...plan.layers, ...leftovers])
    context.print(`${verb} ${path}`);
  if (plan.goneObjects > 0)
    context.print(
      `${verb} what was known of ${plan.goneObjects} ${plan.goneObjects === 1 ? 'object that is' : 'objects that are'} gone`,
    );
  for (const name of foreign) context.print(`left alone: ${displayBytes(name)} is not ours`);
  context.print(
    `${kept.length} ${kept.length === 1 ? 'image' : 'images'} in use, ${removed.length} ${dryRun ? 'to remove' : 'removed'}, ${prettyBytes(freedBytes)} ${dryRun ? 'to free' : 'freed'}`,
  );
  return ExitCode.ok;
}
