/** The unfolded part of a tree as rows. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { FileNode } from '../../trees/file-tree.ts';

/** What decides about the rows. */
export interface Unfolded {
  readonly open: ReadonlySet<ByteString>;
  readonly folders: ReadonlyMap<ByteString, readonly FileNode[]>;
}

export const ROOT = '/' as ByteString;

/** The rows below the root folder, in the order of names, folders among files. */
export function rowsOf({ open, folders }: Unfolded): FileNode[] {
  const rows: FileNode[] = [];
  // A stack, since a tree can be deeper than calls can.
  const stack = [{ nodes: folders.get(ROOT) ?? [], at: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const node = top.nodes[top.at++];
    if (node === undefined) {
      stack.pop();
      continue;
    }
    rows.push(node);
    if (node.kind === 'directory' && open.has(node.path))
      stack.push({ nodes: folders.get(node.path) ?? [], at: 0 });
  }
  return rows;
}

/** The folders on the way to a path, the root folder first. */
export function foldersAbove(path: ByteString): ByteString[] {
  const above: ByteString[] = [ROOT];
  for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1))
    above.push(path.slice(0, slash) as ByteString);
  return above;
}

/** How deep something lies: 0 in the root folder. */
export const depthOf = (path: ByteString): number => foldersAbove(path).length - 1;

/** The folder something lies in. */
export function folderOf(path: ByteString): ByteString {
  return foldersAbove(path).at(-1) as ByteString;
}
