/** `sealtree diff [A] B`: what differs between two commits, or commits and folders on disk. */
import type { ByteString } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { ExitCode, UsageError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import { type Change, diffTrees, expandChange } from '../repository/diff.ts';
import { type HashedFolder, hashFolder } from '../repository/hashed-folder.ts';
import type { ObjectType, Repository } from '../repository/repository.ts';
import { type DirectoryOptions, directorySource } from '../repository/source-directory.ts';
import { type DirtreeSource, rootOf, type TreeNode } from '../repository/tree.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { jsonBytes, nameBytes } from './output.ts';
import { type OwnerOptions, ownerOptions } from './owner-options.ts';
import { resolveRev } from './revision.ts';
import { formatSize } from './text/size.ts';

interface DiffOptions extends OwnerOptions {
  readonly stats?: boolean;
  readonly fsDiff?: boolean;
  readonly xattrs: boolean;
}

export const command: CommandModule = {
  name: 'diff',
  summary: 'Compare two commits, or commits with folders',
  details: [
    'With one argument a commit is compared with its parent. What begins with / or ./ is a folder on disk; its files are hashed.',
    'Lines begin with M (modified: content, owner, mode or xattrs), D (deleted, with all that is below) or A (added). The root folder itself is compared in JSON only: ostree diff leaves it out.',
  ],
  examples: [
    ['diff REV', 'what a commit changed'],
    ['diff 1 0', 'between two deployments'],
  ],
  define(command, run) {
    command
      .argument('<from>', 'revision or folder; with no other argument the newer side')
      .argument('[to]', 'revision or folder')
      .option('--stats', 'print how many objects the two share')
      .option('--fs-diff', 'print the differences (default without --stats)')
      .option('--no-xattrs', 'ignore xattrs of folders on disk')
      .option('--owner-uid <uid>', 'take this owner for files of folders on disk')
      .option('--owner-gid <gid>', 'take this group for files of folders on disk')
      .action(run(diff));
  },
};

async function diff(
  context: Context,
  from: string,
  to: string | undefined,
  options: DiffOptions,
): Promise<number> {
  if (to === undefined && isFolder(from))
    throw new UsageError('a folder needs something to be compared with');
  const [before, after] = to === undefined ? [`${from}^`, from] : [from, to];
  const repository = await context.openRepository();
  const stats = options.stats ? await sharedObjects(context, repository, before, after) : undefined;
  if (stats !== undefined && !options.fsDiff) {
    if (context.options.json) context.printJson('diff', { stats });
    else printStats(context, stats);
    return ExitCode.ok;
  }

  const taking = directoryOptions(repository, options);
  const progress = context.progress();
  const a = await openSide(context, repository, before, taking, progress);
  const b = await openSide(context, repository, after, taking, progress);
  progress.end();
  const source: DirtreeSource = {
    dirtree: (checksum) =>
      a.dirtrees.get(checksum) ?? b.dirtrees.get(checksum) ?? repository.dirtree(checksum),
  };
  const changes = diffTrees(source, a.root, b.root);
  if (!context.options.json) {
    printChanges(context, source, [...changes], a, b);
    if (stats !== undefined) printStats(context, stats);
  } else if (stats !== undefined)
    context.printJson('diff', { changes: [...changesJson(source, changes)], stats });
  else context.printJsonList('diff', 'changes', changesJson(source, changes));
  return ExitCode.ok;
}

/** One of the two trees; `dirtrees` holds what the repository does not have. */
interface Side extends HashedFolder {
  readonly isFolder: boolean;
}

/** As ostree tells them apart: a ref never begins so. */
const isFolder = (text: string): boolean => /^(\.{0,2}\/|\.{1,2}$)/.test(text);

async function openSide(
  context: Context,
  repository: Repository,
  text: string,
  taking: DirectoryOptions,
  progress: Progress,
): Promise<Side> {
  if (!isFolder(text)) {
    const root = rootOf(repository, await resolveRev(context, repository, text));
    return { root, dirtrees: new Map(), isFolder: false };
  }
  progress.begin(`hashing ${text}`);
  const folder = directorySource(context.path(text), context.system, taking);
  return { ...(await hashFolder(folder, progress)), isFolder: true };
}

/** A repository without xattrs cannot tell whether those on disk differ. */
function directoryOptions(repository: Repository, options: DiffOptions): DirectoryOptions {
  const lacksXattrs =
    repository.mode === 'bare-user-only' || repository.config.getBoolean('core', 'disable-xattrs') === true;
  return { ...ownerOptions(options), ignoreXattrs: !options.xattrs || lacksXattrs };
}

/** Modified, deleted and added, each in ostree's order. */
function printChanges(
  context: Context,
  source: DirtreeSource,
  changes: readonly Change[],
  a: Side,
  b: Side,
): void {
  const line = (letter: string, path: ByteString, side: Side): void => {
    // What lies on disk is named relative to the folder.
    const shown = side.isFolder ? (path.slice(1) as ByteString) : path;
    context.write(`${letter}    ${nameBytes(shown, context.stdout)}\n` as ByteString);
  };
  for (const change of ofKind(changes, 'modified')) line('M', change.path, a);
  for (const change of ofKind(changes, 'removed')) line('D', change.path, a);
  for (const change of ofKind(changes, 'added'))
    for (const { path } of expandChange(source, change)) line('A', path, b);
}

/** Changes come in ostree's order already. It never compares the metadata of the two roots. */
function ofKind(changes: readonly Change[], kind: Change['kind']): Change[] {
  return changes.filter((change) => change.kind === kind && change.path !== '/');
}

function* changesJson(source: DirtreeSource, changes: Iterable<Change>): Generator<Record<string, unknown>> {
  for (const top of changes) {
    for (const { kind, path, before, after } of expandChange(source, top))
      yield {
        change: kind,
        path: jsonBytes(path),
        ...(before === undefined ? {} : { before: nodeJson(before) }),
        ...(after === undefined ? {} : { after: nodeJson(after) }),
      };
  }
}

function nodeJson(node: TreeNode): Record<string, unknown> {
  if (node.kind === 'file') return { type: 'file', checksum: node.checksum };
  return { type: 'directory', treeChecksum: node.tree, metaChecksum: node.meta };
}

interface SharedObjects {
  readonly objectsBefore: number;
  readonly objectsAfter: number;
  readonly objectsShared: number;
  /** Bytes the shared ones take on disk. */
  readonly sharedSize: number;
}

async function sharedObjects(
  context: Context,
  repository: Repository,
  before: string,
  after: string,
): Promise<SharedObjects> {
  const a = reachable(repository, await resolveRev(context, repository, before));
  const b = reachable(repository, await resolveRev(context, repository, after));
  let objectsShared = 0;
  let sharedSize = 0;
  for (const [name, [checksum, type]] of a) {
    if (!b.has(name)) continue;
    objectsShared++;
    sharedSize += context.system.lstat(repository.objectPath(checksum, type)).size;
  }
  return { objectsBefore: a.size, objectsAfter: b.size, objectsShared, sharedSize };
}

/** All objects of a commit, itself included, by `CHECKSUM.TYPE`. */
function reachable(repository: Repository, commit: Checksum): Map<string, readonly [Checksum, ObjectType]> {
  const found = new Map<string, readonly [Checksum, ObjectType]>();
  const add = (checksum: Checksum, type: ObjectType): boolean => {
    const name = `${checksum}.${type}`;
    if (found.has(name)) return false;
    found.set(name, [checksum, type]);
    return true;
  };
  const { rootTree, rootMeta } = repository.commit(commit);
  add(commit, 'commit');
  add(rootMeta, 'dirmeta');
  const trees = [rootTree];
  for (let tree = trees.pop(); tree !== undefined; tree = trees.pop()) {
    if (!add(tree, 'dirtree')) continue;
    const { files, dirs } = repository.dirtree(tree);
    for (const { checksum } of files) add(checksum, 'file');
    for (const dir of dirs) {
      add(dir.meta, 'dirmeta');
      trees.push(dir.tree);
    }
  }
  return found;
}

function printStats(context: Context, stats: SharedObjects): void {
  context.print(`[A] Object Count: ${stats.objectsBefore}`);
  context.print(`[B] Object Count: ${stats.objectsAfter}`);
  context.print(`Common Object Count: ${stats.objectsShared}`);
  context.print(`Common Object Size: ${formatSize(stats.sharedSize)}`);
}
