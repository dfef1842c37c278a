/**
 * What differs between two trees. Equal dirtrees are skipped without being opened, so the cost follows the change
 * and not the size of the trees.
 */
import type { ByteString } from '../base/bytes.ts';
import type { Repository } from './repository.ts';
import { children, type DirectoryNode, type TreeNode, walk } from './tree.ts';

/**
 * One difference. `removed` and `added` name the top of what came or went: {@link expandChange} gives the rest.
 * `modified` is a file with another checksum (content or metadata), a folder with another dirmeta (its entries
 * follow as changes of their own), or a name whose kind changed between folder and file (no entries follow).
 */
export type Change =
  | {
      readonly kind: 'added';
      readonly path: ByteString;
      readonly before: undefined;
      readonly after: TreeNode;
    }
  | {
      readonly kind: 'removed';
      readonly path: ByteString;
      readonly before: TreeNode;
      readonly after: undefined;
    }
  | {
      readonly kind: 'modified';
      readonly path: ByteString;
      readonly before: TreeNode;
      readonly after: TreeNode;
    };

/** All changes from `before` to `after`, folder by folder, in the order of names. */
export function* diffTrees(
  repository: Repository,
  before: DirectoryNode,
  after: DirectoryNode,
): Generator<Change, void> {
  if (before.meta !== after.meta) yield modified(before, after);
  const stack: (readonly [DirectoryNode, DirectoryNode])[] = [[before, after]];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [a, b] = pair;
    if (a.tree === b.tree) continue;
    const common: (readonly [DirectoryNode, DirectoryNode])[] = [];
    for (const [old, now] of byName(repository, a, b)) {
      if (now === undefined) {
        if (old !== undefined) yield { kind: 'removed', path: old.path, before: old, after: undefined };
      } else if (old === undefined) yield { kind: 'added', path: now.path, before: undefined, after: now };
      else if (old.kind === 'directory' && now.kind === 'directory') {
        if (old.meta !== now.meta) yield modified(old, now);
        if (old.tree !== now.tree) common.push([old, now]);
      } else if (old.kind === 'file' && now.kind === 'file' ? old.checksum !== now.checksum : true)
        yield modified(old, now);
    }
    stack.push(...common.reverse());
  }
}

/** The change itself and, where a whole folder came or went, one change for each node below it. */
export function* expandChange(repository: Repository, change: Change): Generator<Change, void> {
  if (change.kind === 'modified') yield change;
  else if (change.kind === 'added') {
    for (const node of walk(repository, change.after))
      yield { kind: 'added', path: node.path, before: undefined, after: node };
  } else {
    for (const node of walk(repository, change.before))
      yield { kind: 'removed', path: node.path, before: node, after: undefined };
  }
}

const modified = (before: TreeNode, after: TreeNode): Change => ({
  kind: 'modified',
  path: after.path,
  before,
  after,
});

/** Children of two folders, paired by name, in the order of names. */
function* byName(
  repository: Repository,
  a: DirectoryNode,
  b: DirectoryNode,
): Generator<readonly [TreeNode | undefined, TreeNode | undefined], void> {
  const left = sorted(repository, a);
  const right = sorted(repository, b);
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    const old = left[i];
    const now = right[j];
    if (now === undefined || (old !== undefined && old.name < now.name)) {
      yield [old, undefined];
      i++;
    } else if (old === undefined || now.name < old.name) {
      yield [undefined, now];
      j++;
    } else {
      yield [old, now];
      i++;
      j++;
    }
  }
}

function sorted(repository: Repository, folder: DirectoryNode): TreeNode[] {
  return [...children(repository, folder)].sort((a, b) => (a.name < b.name ? -1 : 1));
}
