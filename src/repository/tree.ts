/**
 * The tree of a commit, opened only where one looks: a lookup loads the dirtrees on its way, a walk those it
 * passes. Nothing recurses, so depth costs memory only.
 */
import { type ByteString, displayBytes, MAX_PATH_BYTES } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { Dirtree, DirtreeDirectory, DirtreeFile } from '../formats/objects.ts';
import { BoundedCache } from './cache.ts';
import type { Repository } from './repository.ts';

export interface DirectoryNode {
  readonly kind: 'directory';
  /** Absolute in the tree; `/` is the root. */
  readonly path: ByteString;
  /** Last component; empty for the root. */
  readonly name: ByteString;
  readonly tree: Checksum;
  readonly meta: Checksum;
}

/** A regular file or symlink: which of them only its content object knows. */
export interface FileNode {
  readonly kind: 'file';
  readonly path: ByteString;
  readonly name: ByteString;
  readonly checksum: Checksum;
}

export type TreeNode = DirectoryNode | FileNode;

/** Where dirtrees come from: a repository, or a folder on disk that was hashed. */
export type DirtreeSource = Pick<Repository, 'dirtree'>;

/** So many entries are what most systems have, and a tenth of a second to read again. */
const KEPT_ENTRIES = 100_000;
/** Of the others so many stay for who asks twice, of a folder and then of what is in it. */
const RECENT_ENTRIES = 2_000;

/** The weight in a cache. */
const entriesOf = ({ files, dirs }: Dirtree): number => 1 + files.length + dirs.length;

/**
 * Dirtrees for a walk over all of a commit: those it comes to first are kept for the next walk. More would only drive out
 * one another, and strings that are kept for a while are what V8 lets its heap grow for.
 */
export function dirtreesInPassing(repository: Pick<Repository, 'dirtree' | 'passingDirtree'>): DirtreeSource {
  let entries = 0;
  const recent = new BoundedCache<Checksum, Dirtree>(RECENT_ENTRIES, entriesOf);
  return {
    dirtree(checksum) {
      if (entries < KEPT_ENTRIES) {
        const dirtree = repository.dirtree(checksum);
        entries += entriesOf(dirtree);
        return dirtree;
      }
      const known = recent.get(checksum);
      if (known !== undefined) return known;
      const dirtree = repository.passingDirtree(checksum);
      recent.set(checksum, dirtree);
      return dirtree;
    },
  };
}

/** Root folder of a commit. @throws NotFoundError */
export function rootOf(repository: Repository, commit: Checksum): DirectoryNode {
  const { rootTree, rootMeta } = repository.commit(commit);
  return {
    kind: 'directory',
    path: '/' as ByteString,
    name: '' as ByteString,
    tree: rootTree,
    meta: rootMeta,
  };
}

/** Children of a folder: files first, then folders, each sorted by name, as ostree lists them. */
export function* children(source: DirtreeSource, folder: DirectoryNode): Generator<TreeNode, void> {
  const { files, dirs } = source.dirtree(folder.tree);
  const base = pathBelow(folder);
  for (const file of files) yield fileNode(base, file);
  for (const dir of dirs) yield directoryNode(base, dir);
}

/** What the paths of a folder's children begin with. */
function pathBelow({ path, tree }: DirectoryNode): string {
  const base = path === '/' ? '/' : `${path}/`;
  if (base.length > MAX_PATH_BYTES)
    throw new FormatError(`dirtree ${tree}`, 'path is too long', {
      got: base.length,
      want: `at most ${MAX_PATH_BYTES}`,
    });
  return base;
}

const fileNode = (base: string, { name, checksum }: DirtreeFile): FileNode => ({
  kind: 'file',
  path: (base + name) as ByteString,
  name,
  checksum,
});

const directoryNode = (base: string, { name, tree, meta }: DirtreeDirectory): DirectoryNode => ({
  kind: 'directory',
  path: (base + name) as ByteString,
  name,
  tree,
  meta,
});

/**
 * The node at a path below `from`. Repeated and final slashes and `.` are ignored; symlinks are not followed, and
 * `..` is not a name.
 * @throws NotFoundError
 */
export function lookup(source: DirtreeSource, from: DirectoryNode, path: ByteString): TreeNode {
  let node: TreeNode = from;
  for (const name of path.split('/') as ByteString[]) {
    if (name === '' || name === '.') continue;
    if (node.kind === 'file') throw notFound(path, `${displayBytes(node.path)} is not a directory`);
    const found: TreeNode | undefined = child(source, node, name);
    if (found === undefined) throw notFound(path, 'no such file or directory');
    node = found;
  }
  return node;
}

/** One child by name. */
export function child(source: DirtreeSource, folder: DirectoryNode, name: ByteString): TreeNode | undefined {
  const { files, dirs } = source.dirtree(folder.tree);
  const path = (folder.path === '/' ? `/${name}` : `${folder.path}/${name}`) as ByteString;
  const file = find(files, name);
  if (file !== undefined) return { kind: 'file', path, name, checksum: file.checksum };
  const dir = find(dirs, name);
  if (dir !== undefined) return { kind: 'directory', path, name, tree: dir.tree, meta: dir.meta };
  return undefined;
}

/** The node itself, then everything below it, depth-first in the order of {@link children}. */
export function* walk(source: DirtreeSource, node: TreeNode): Generator<TreeNode, void> {
  yield node;
  if (node.kind === 'file') return;
  const stack: { readonly base: string; readonly dirs: readonly DirtreeDirectory[]; next: number }[] = [];
  for (let entered: DirectoryNode | undefined = node; entered !== undefined; ) {
    const { files, dirs } = source.dirtree(entered.tree);
    const base = pathBelow(entered);
    for (const file of files) yield fileNode(base, file);
    stack.push({ base, dirs, next: 0 });
    entered = undefined;
    for (let top = stack.at(-1); top !== undefined && entered === undefined; top = stack.at(-1)) {
      const dir = top.dirs[top.next++];
      if (dir === undefined) stack.pop();
      else entered = directoryNode(top.base, dir);
    }
    if (entered !== undefined) yield entered;
  }
}

export interface TreeSize {
  /** Regular files and symlinks, each as often as it occurs. */
  readonly files: number;
  /** Folders without the top one, each as often as it occurs. */
  readonly directories: number;
}

/**
 * Counts what a walk would pass without making it: every dirtree is loaded once, however often it occurs. A tree
 * of few objects can have more entries than any machine can walk; then the counts are Infinity.
 */
export function treeSize(source: DirtreeSource, tree: Checksum): TreeSize {
  const dirtrees = dirtreesOf(source, tree);
  let next = dirtrees.next();
  while (!next.done) next = dirtrees.next();
  return next.value;
}

/** Every dirtree of a tree once, those in it before it; in the end {@link treeSize}. */
export function* dirtreesOf(source: DirtreeSource, tree: Checksum): Generator<Dirtree, TreeSize> {
  const sizes = new Map<Checksum, TreeSize>();
  const stack = [{ checksum: tree, dirtree: source.dirtree(tree), next: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { checksum, dirtree } = top;
    const below = dirtree.dirs[top.next++]?.tree;
    if (below === undefined) {
      sizes.set(checksum, sumOf(dirtree, sizes));
      stack.pop();
      yield dirtree;
    } else if (!sizes.has(below)) {
      stack.push({ checksum: below, dirtree: source.dirtree(below), next: 0 });
    }
  }
  return sizes.get(tree)!;
}

function sumOf({ files, dirs }: Dirtree, sizes: ReadonlyMap<Checksum, TreeSize>): TreeSize {
  let fileCount = files.length;
  let directoryCount = dirs.length;
  for (const { tree } of dirs) {
    const size = sizes.get(tree)!;
    fileCount += size.files;
    directoryCount += size.directories;
  }
  return { files: fileCount, directories: directoryCount };
}

/** Binary search in a list sorted by name. */
function find<T extends { readonly name: ByteString }>(
  entries: readonly T[],
  name: ByteString,
): T | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.name < name) low = middle + 1;
    else high = middle;
  }
  const found = entries[low];
  return found?.name === name ? found : undefined;
}

function notFound(path: ByteString, why: string): NotFoundError {
  return new NotFoundError(`${displayBytes(path)}: ${why}`, { details: { path: displayBytes(path) } });
}
