/** `sealtree ls REV [PATH…]`: files of a commit. */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { ExitCode } from '../base/errors.ts';
import type { Repository } from '../repository/repository.ts';
import { children, lookup, rootOf, type TreeNode, walk } from '../repository/tree.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { nameBytes } from './output.ts';
import { resolveRev } from './revision.ts';
import { type EntryLineOptions, entryJson, entryLine, readEntry } from './text/entry.ts';

interface LsOptions extends EntryLineOptions {
  readonly dironly?: boolean;
  readonly recursive?: boolean;
  readonly nulFilenamesOnly?: boolean;
}

export const command: CommandModule = {
  name: 'ls',
  summary: 'List files of a commit',
  details: [
    'Each line has type and mode, owner, group, size and path. A folder is followed by what is in it, files before folders.',
    'With --checksum a folder has two checksums, of its dirtree and of its dirmeta.',
  ],
  examples: [
    ['ls 0 /usr/lib/modules', 'a folder of deployment 0'],
    ['ls -R -C REV', 'everything, with checksums'],
  ],
  define(command, run) {
    command
      .argument('<rev>', 'commit')
      .argument('[path...]', 'files and folders in it (default: /)')
      .option('-d, --dironly', 'list folders themselves, not what is in them')
      .option('-R, --recursive', 'list folders with all that is below them')
      .option('-C, --checksum', 'print checksums')
      .option('-X, --xattrs', 'print extended attributes')
      .option('--nul-filenames-only', 'print only names, each with a NUL after it')
      .action(run(ls));
  },
};

async function ls(
  context: Context,
  rev: string,
  paths: readonly string[],
  options: LsOptions,
): Promise<number> {
  const repository = await context.openRepository();
  const root = rootOf(repository, await resolveRev(context, repository, rev));
  const tops = (paths.length === 0 ? ['/'] : paths).map((path) =>
    lookup(repository, root, textToBytes(path)),
  );
  const nodes = listed(repository, tops, options);
  if (context.options.json) {
    context.printJsonList(
      'ls',
      'entries',
      nodes.map((node) => entryJson(readEntry(repository, node))),
    );
    return ExitCode.ok;
  }
  const shown = (name: ByteString): ByteString => nameBytes(name, context.stdout);
  for (const node of nodes) {
    if (options.nulFilenamesOnly) context.write(`${node.path}\0` as ByteString);
    else context.write(`${entryLine(readEntry(repository, node), options, shown)}\n` as ByteString);
  }
  return ExitCode.ok;
}

function* listed(repository: Repository, tops: readonly TreeNode[], options: LsOptions): Generator<TreeNode> {
  for (const top of tops) {
    if (options.recursive) yield* walk(repository, top);
    else {
      yield top;
      if (top.kind === 'directory' && !options.dironly) yield* children(repository, top);
    }
  }
}
