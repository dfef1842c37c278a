/** `sealtree gc`: removes images and records that nothing uses. */
import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../base/bytes.ts';
import { ExitCode } from '../base/errors.ts';
import { sweep } from '../deployment/gc.ts';
import { ensureWritable } from '../deployment/writable.ts';
import type { Context } from './context.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import { jsonBytes } from './output.ts';
import type { CommandModule } from './registry.ts';

export const command: CommandModule = {
  name: 'gc',
  summary: 'Remove images that no deployment uses',
  details: [
    'Removes stored images whose digest no deployment has, their records, and what killed runs left. What a deployment has is told by the bytes of its .ostree.cfs; when one cannot be read, nothing is removed.',
  ],
  examples: [['gc --dry-run', 'what would go, and how much that frees']],
  define(command, run) {
    command
      .option('--lock-timeout <seconds>', 'how long to wait for ostree or another run', '60')
      .action(run((context, options: { lockTimeout: string }) => gc(context, options.lockTimeout)));
  },
};

async function gc(context: Context, lockTimeout: string): Promise<number> {
  const { dryRun, json, quiet } = context.options;
  const sysroot = context.sysrootPath();
  const timeoutMs = lockTimeoutMs(lockTimeout);
  if (!dryRun) await ensureWritable([sysroot], context.system);
  const plan = await sweep(
    sysroot,
    { dryRun, lockTimeoutMs: timeoutMs, progress: context.progress() },
    context.system,
  );
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
      temporary: leftovers,
      foreign: foreign.map(jsonBytes),
      freedBytes,
    });
    return ExitCode.ok;
  }
  if (quiet) return ExitCode.ok;
  const verb = dryRun ? 'would remove' : 'removed';
  for (const { path, sizeBytes } of removed) context.print(`${verb} ${path} (${prettyBytes(sizeBytes)})`);
  for (const path of [...plan.records, ...leftovers]) context.print(`${verb} ${path}`);
  for (const name of foreign) context.print(`left alone: ${displayBytes(name)} is not ours`);
  context.print(
    `${kept.length} ${kept.length === 1 ? 'image' : 'images'} in use, ${removed.length} ${dryRun ? 'to remove' : 'removed'}, ${prettyBytes(freedBytes)} ${dryRun ? 'to free' : 'freed'}`,
  );
  return ExitCode.ok;
}
