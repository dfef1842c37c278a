/** Files by path, wherever they are described: in the objects of a commit or in an image. Opened folder by folder. */
import type { ByteString } from '../../src/base/bytes.ts';
import type { Steps } from '../../src/base/steps.ts';
import type { TreeNode } from '../../src/repository/tree.ts';
import type { EntryFacts } from '../models/entry.ts';

/** An entry of an image, by the number of its inode. */
export interface ImageNode {
  readonly kind: 'directory' | 'file';
  readonly path: ByteString;
  readonly name: ByteString;
  readonly nid: number;
  /** The inode of the folder around; the root is its own. */
  readonly parentNid: number;
}

/** Cheap to have: what there is to say about it is in its facts. */
export type FileNode = TreeNode | ImageNode;

/** The start of a content. */
export interface Content {
  readonly bytes: Buffer;
  /** Whether there is more. */
  readonly isCut: boolean;
}

/** So many entries are listed in a step. */
export const STEP_ENTRIES = 2048;

/** Everything throws a SealtreeError where what is described is damaged or missing. */
export interface FileTree {
  readonly root: FileNode;
  /** Sorted by name. A folder can have so many that they are listed in steps. */
  children(folder: FileNode): Steps<FileNode[]>;
  lookup(path: ByteString): FileNode | undefined;
  /** What cannot be read says so in `problem`. */
  facts(node: FileNode): EntryFacts;
  /** At most `limit` bytes of a regular file; nothing of all else. */
  content(node: FileNode, limit: number): Promise<Content>;
}

/** Everything below the root, depth-first, folders before what is in them; undefined while a folder is being listed. */
export function* walkFiles(
  tree: FileTree,
  from: FileNode = tree.root,
): Generator<FileNode | undefined, void, undefined> {
  const stack = [(yield* tree.children(from)).values()];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.next();
    if (next.done) {
      stack.pop();
      continue;
    }
    yield next.value;
    if (next.value.kind === 'directory') stack.push((yield* tree.children(next.value)).values());
  }
}
