/** `sealtree import tar`: a tar archive becomes a commit. */
import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../base/bytes.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import { fileStream } from '../base/file-chunks.ts';
import { shellWord } from '../base/shell.ts';
import { BatchWriter } from '../repository/batch-writer.ts';
import { decompressed } from '../repository/decompress.ts';
import { importTar } from '../repository/import-tar.ts';
import { writeNewTree } from '../repository/new-tree.ts';
import { RepositoryWriter } from '../repository/write.ts';
import { writeCommit } from '../repository/write-commit.ts';
import type { Context } from './context.ts';
import {
  type CommitOptions,
  type LimitOptions,
  limitsOf,
  parentOf,
  refBinding,
  timestampOf,
  warnSkipped,
} from './import-options.ts';
import { lockTimeoutMs } from './lock-timeout.ts';
import { jsonBytes } from './output.ts';

export interface TarOptions extends LimitOptions, CommitOptions {}

export async function importTarFile(context: Context, file: string, options: TarOptions): Promise<number> {
  const { dryRun, json } = context.options;
  const limits = limitsOf(options);
  const repository = await context.openRepository();
  const parent = parentOf(options, repository);
  const progress = context.progress();
  using writer = await RepositoryWriter.open(repository, {
    lockTimeoutMs: lockTimeoutMs(options.lockTimeout),
  });
  if (options.ref !== undefined) writer.checkRef(options.ref);
  progress.begin('reading the archive');
  const isStdin = file === '-';
  if (!isStdin && context.system.stat(context.path(file)).isDirectory())
    throw new UsageError(`${file} is a folder`, {
      hint: `sealtree import dir ${shellWord(file)} imports it`,
    });
  const source = isStdin ? process.stdin : fileStream(context.path(file), context.system);
  const where = isStdin ? 'standard input' : file;
  await using batches = new BatchWriter(writer, { signal: progress.signal });
  const imported = await importTar(decompressed(source, where), batches, {
    where,
    limits,
    skipSpecial: options.skipSpecial ?? false,
    progress,
  });
  const commit = writeCommit(writer, writeNewTree(writer, imported.tree.finish()), {
    timestamp: timestampOf(options, context),
    metadata: refBinding(options.ref),
    ...(parent === undefined ? {} : { parent }),
    ...(options.subject === undefined ? {} : { subject: options.subject }),
    ...(options.ref === undefined ? {} : { ref: options.ref }),
  });
  progress.begin('writing objects to disk');
  if (!dryRun) writer.commit();
  progress.end();
  const { entries, bytes, skipped } = imported;
  if (json) {
    context.printJson('import-tar', {
      dryRun,
      checksum: commit,
      parent: parent ?? null,
      ref: options.ref ?? null,
      entries,
      bytes,
      skipped: skipped.map(jsonBytes),
    });
    return ExitCode.ok;
  }
  context.print(commit);
  warnSkipped(context, skipped.map(displayBytes));
  const what = `${entries} entries, ${prettyBytes(bytes)}`;
  context.say('info', dryRun ? `${what} read; nothing was written` : `${what} imported`);
  return ExitCode.ok;
}
