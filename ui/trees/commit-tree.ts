/** The files of a commit, from its objects. */
import { type ByteString, displayBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { SealtreeError } from '../../src/base/errors.ts';
import type { Steps } from '../../src/base/steps.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { child, children, rootOf, type TreeNode } from '../../src/repository/tree.ts';
import { type EntryFacts, NO_FACTS } from '../models/entry.ts';
import { type Content, type FileNode, type FileTree, STEP_ENTRIES } from './file-tree.ts';
import { objectContent } from './object-content.ts';

export class CommitTree implements FileTree {
  readonly #repository: Repository;
  readonly #commit: Checksum;

  constructor(repository: Repository, commit: Checksum) {
    this.#repository = repository;
    this.#commit = commit;
  }

  get root(): TreeNode {
    return rootOf(this.#repository, this.#commit);
  }

  *children(folder: FileNode): Steps<FileNode[]> {
    const node = ownNode(folder);
    if (node.kind !== 'directory') return [];
    yield* this.#repository.dirtreeSteps(node.tree);
    const nodes: FileNode[] = [];
    for (const child of children(this.#repository, node)) if (nodes.push(child) % STEP_ENTRIES === 0) yield;
    return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  lookup(path: ByteString): FileNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of path.split('/') as ByteString[]) {
      if (name === '') continue;
      if (node?.kind !== 'directory') return undefined;
      node = child(this.#repository, node, name);
    }
    return node;
  }

  facts(file: FileNode): EntryFacts {
    const node = ownNode(file);
    const repository = this.#repository;
    const isFolder = node.kind === 'directory';
    const objectPath = isFolder
      ? repository.objectPath(node.tree, 'dirtree')
      : repository.objectPath(node.checksum, 'file');
    const ids: EntryFacts['ids'] = isFolder
      ? [
          ['dirtree', node.tree],
          ['dirmeta', node.meta],
        ]
      : [['object', node.checksum]];
    try {
      if (isFolder) return { ...NO_FACTS, ...repository.dirmeta(node.meta), objectPath, ids };
      const { size, mode, uid, gid, xattrs, target } = repository.content(node.checksum);
      const links = repository.system.lstatIfExists(objectPath)?.nlink;
      const object = node.checksum;
      return { ...NO_FACTS, mode, uid, gid, xattrs, sizeBytes: size, target, objectPath, ids, object, links };
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      return { ...NO_FACTS, objectPath, ids, problem: `${displayBytes(node.path)}: ${error.message}` };
    }
  }

  content(file: FileNode, limit: number): Promise<Content> {
    const node = ownNode(file);
    return node.kind === 'file'
      ? objectContent(this.#repository, node.checksum, limit)
      : Promise.resolve({ bytes: Buffer.alloc(0), isCut: false });
  }
}

function ownNode(node: FileNode): TreeNode {
  if ('nid' in node) throw new TypeError('a node of an image');
  return node;
}
