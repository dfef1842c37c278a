/** `sealtree cat REV PATH…`: contents of files of a commit. */
import { displayBytes, textToBytes } from '../base/bytes.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { Repository } from '../repository/repository.ts';
import { type FileNode, lookup, rootOf } from '../repository/tree.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { jsonBytes } from './output.ts';
import { resolveRev } from './revision.ts';

export const command: CommandModule = {
  name: 'cat',
  summary: 'Print the content of files of a commit',
  details: ['Symlinks are not followed. With --json contents are base64.'],
  examples: [['cat 0 /usr/lib/os-release', 'which system deployment 0 is']],
  define(command, run) {
    command.argument('<rev>', 'commit').argument('<path...>', 'files in it').action(run(cat));
  },
};

async function cat(context: Context, rev: string, paths: readonly string[]): Promise<number> {
  const repository = await context.openRepository();
  const root = rootOf(repository, await resolveRev(context, repository, rev));
  // All names are looked up first: half an output and then an error helps nobody.
  const files = paths.map((path) => regularFile(repository, lookup(repository, root, textToBytes(path))));
  if (context.options.json) {
    const entries: Record<string, unknown>[] = [];
    for (const { path, checksum } of files) {
      const chunks: Buffer[] = [];
      await repository.readContent(checksum, (chunk) => chunks.push(Buffer.from(chunk)));
      entries.push({ path: jsonBytes(path), checksum, base64: Buffer.concat(chunks).toString('base64') });
    }
    context.printJsonList('cat', 'files', entries);
    return ExitCode.ok;
  }
  for (const { checksum } of files) await repository.readContent(checksum, (chunk) => context.write(chunk));
  return ExitCode.ok;
}

function regularFile(repository: Repository, node: ReturnType<typeof lookup>): FileNode {
  const path = displayBytes(node.path);
  if (node.kind === 'directory') throw new UsageError(`${path} is a directory`);
  const { mode, target } = repository.content(node.checksum);
  if (!isRegular(mode)) throw new UsageError(`${path} is a symlink to ${displayBytes(target)}`);
  return node;
}
