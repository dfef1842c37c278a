/**
 * What differs between two trees. Equal dirtrees are skipped without being opened, so the cost follows the change
 * and not the size of the trees.
 */
import type { ByteString } from '../base/bytes.ts';
import { child, children, type DirectoryNode, type DirtreeSource, type TreeNode, walk } from './tree.ts';

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

/**
 * All changes from `before` to `after`, in libostree's order: folder by folder and depth-first, in each what was
 * removed and modified, files before folders, then what was added.
 */
export function* diffTrees(
  source: DirtreeSource,
  before: DirectoryNode,
  after: DirectoryNode,
): Generator<Change, void> {
  if (before.meta !== after.meta) yield modified(before, after);
  if (before.tree === after.tree) return;
  const stack = [compare(source, before, after)];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.next();
    if (next.done) stack.pop();
    else if ('kind' in next.value) yield next.value;
    else stack.push(compare(source, next.value.before, next.value.after));
  }
}

interface ChangedFolder {
  readonly before: DirectoryNode;
  readonly after: DirectoryNode;
}

/** Changes in one folder; a folder in it whose entries differ is given to be compared at this point. */
function* compare(
  source: DirtreeSource,
  before: DirectoryNode,
  after: DirectoryNode,
): Generator<Change | ChangedFolder, void> {
  for (const old of children(source, before)) {
    const now = child(source, after, old.name);
    if (now === undefined) {
      yield { kind: 'removed', path: old.path, before: old, after: undefined };
    } else if (old.kind === 'directory' && now.kind === 'directory') {
      if (old.meta !== now.meta) yield modified(old, now);
      if (old.tree !== now.tree) yield { before: old, after: now };
    } else if (old.kind === 'directory' || now.kind === 'directory' || old.checksum !== now.checksum) {
      yield modified(old, now);
    }
  }
  for (const now of children(source, after)) {
    if (child(source, before, now.name) === undefined)
      yield { kind: 'added', path: now.path, before: undefined, after: now };
  }
}

/** The change itself and, where a whole folder came or went, one change for each node below it. */
export function* expandChange(source: DirtreeSource, change: Change): Generator<Change, void> {
  if (change.kind === 'modified') yield change;
  else if (change.kind === 'added') {
    for (const node of walk(source, change.after))
      yield { kind: 'added', path: node.path, before: undefined, after: node };
  } else {
    for (const node of walk(source, change.before))
      yield { kind: 'removed', path: node.path, before: node, after: undefined };
  }
}

const modified = (before: TreeNode, after: TreeNode): Change => ({
  kind: 'modified',
  path: after.path,
  before,
  after,
});
