/** `sealtree import dir`: a folder on disk becomes a commit. */
import prettyBytes from 'pretty-bytes';
import { ExitCode } from '../base/errors.ts';
import { directorySource } from '../repository/source-directory.ts';
import { RepositoryWriter } from '../repository/write.ts';
import { writeCommit, writeTree } from '../repository/write-commit.ts';
import type { Context } from './context.ts';
import { type CommitOptions, parentOf, refBinding, timestampOf, warnSkipped } from './import-options.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import { type OwnerOptions, ownerOptions } from './owner-options.ts';

export interface DirOptions extends CommitOptions, OwnerOptions {
  readonly xattrs: boolean;
  readonly skipSpecial?: boolean;
}

export async function importDir(context: Context, folder: string, options: DirOptions): Promise<number> {
  const { dryRun, json } = context.options;
  const timestamp = timestampOf(options, context);
  const repository = await context.openRepository();
  const parent = parentOf(options, repository);
  const skipped: string[] = [];
  const source = directorySource(context.path(folder), context.system, {
    ...ownerOptions(options),
    ignoreXattrs: !options.xattrs,
    ...(options.skipSpecial ? { onSpecial: (path: string) => skipped.push(path) } : {}),
  });
  const progress = context.progress();
  using writer = await RepositoryWriter.open(repository, {
    lockTimeoutMs: lockTimeoutMs(options.lockTimeout),
  });
  if (options.ref !== undefined) writer.checkRef(options.ref);
  progress.begin('reading the folder');
  const tree = await writeTree(writer, source, progress);
  const { done: files, bytes } = progress.stage ?? { done: 0, bytes: 0 };
  const commit = writeCommit(writer, tree, {
    timestamp,
    metadata: refBinding(options.ref),
    ...(parent === undefined ? {} : { parent }),
    ...(options.subject === undefined ? {} : { subject: options.subject }),
    ...(options.ref === undefined ? {} : { ref: options.ref }),
  });
  progress.begin('writing objects to disk');
  if (!dryRun) writer.commit();
  progress.end();
  if (json) {
    context.printJson('import-dir', {
      dryRun,
      checksum: commit,
      parent: parent ?? null,
      ref: options.ref ?? null,
      files,
      bytes,
      skipped,
    });
    return ExitCode.ok;
  }
  context.print(commit);
  warnSkipped(context, skipped);
  const what = `${files} files, ${prettyBytes(bytes)}`;
  context.say('info', dryRun ? `${what} read; nothing was written` : `${what} imported`);
  return ExitCode.ok;
}
