/** `sealtree ls REV [PATH…]`: files of a commit. */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { ExitCode } from '../base/errors.ts';
import { DirtreePack } from '../repository/dirtree-pack.ts';
import { readObjectInfo } from '../repository/object-info.ts';
import type { Repository } from '../repository/repository.ts';
import { children, type DirtreeSource, lookup, rootOf, type TreeNode, walk } from '../repository/tree.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { nameBytes, writeAll } from './output.ts';
import { resolveRev } from './revision.ts';
import { entryJson, entryLine, readEntry, readPlainEntry } from './text/entry.ts';

interface LsOptions {
  readonly checksum?: boolean;
  readonly xattrs?: boolean;
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
  // For a single folder, looking at its files costs less than reading what is known of all.
  const known = options.recursive ? readObjectInfo(repository) : undefined;
  if (known !== undefined) {
    repository.believe(known);
    repository.takeDirtreesFrom(DirtreePack.read(repository));
  }
  if (context.options.json) {
    context.printJsonList(
      'ls',
      'entries',
      nodes.map((node) => entryJson(node, readEntry(repository, node))),
    );
    return ExitCode.ok;
  }
  writeAll(
    options.nulFilenamesOnly ? names(nodes) : lines(context, repository, nodes, options),
    context.stdout,
  );
  return ExitCode.ok;
}

function* names(nodes: Iterable<TreeNode>): Generator<ByteString> {
  for (const { path } of nodes) yield `${path}\0` as ByteString;
}

function* lines(
  { stdout }: Context,
  repository: Repository,
  nodes: Iterable<TreeNode>,
  { checksum = false, xattrs = false }: LsOptions,
): Generator<ByteString> {
  const shown = (name: ByteString): ByteString => nameBytes(name, stdout);
  const columns = { checksum, xattrs };
  const read = xattrs ? readEntry : readPlainEntry;
  for (const node of nodes)
    yield `${entryLine(node, read(repository, node), columns, shown)}\n` as ByteString;
}

function listed(
  repository: Repository,
  tops: readonly TreeNode[],
  { recursive, dironly }: LsOptions,
): Generator<TreeNode> {
  // Folders are passed once: keeping them would have the collector carry them along.
  const passing = { dirtree: (checksum: Checksum) => repository.passingDirtree(checksum) };
  const lists = tops.map((top) => (recursive ? walk(passing, top) : shallow(passing, top, !dironly)));
  const [only] = lists;
  // It is nearly always one: its entries need not pass through another generator.
  return lists.length === 1 && only !== undefined ? only : inTurn(lists);
}

function* shallow(source: DirtreeSource, top: TreeNode, withChildren: boolean): Generator<TreeNode> {
  yield top;
  if (top.kind === 'directory' && withChildren) yield* children(source, top);
}

function* inTurn(lists: readonly Iterable<TreeNode>[]): Generator<TreeNode> {
  for (const list of lists) yield* list;
}
