/** Commits a file tree: every file and folder becomes an object, and a commit names the root. */
import { textToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { type Progress, silent } from '../base/progress.ts';
import type { VariantMap } from '../formats/objects.ts';
import type { SourceDirectory } from './source.ts';
import { makeObjects } from './source-tree.ts';
import type { RepositoryWriter } from './write.ts';

export interface CommitOptions {
  /** The commit this one follows. */
  readonly parent?: Checksum;
  readonly subject?: string;
  readonly body?: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Such as `version`; in the order it is to be stored in. */
  readonly metadata?: VariantMap;
  /** A refspec that names the commit once the transaction is committed. */
  readonly ref?: string;
  /** Counts files and bytes. */
  readonly progress?: Progress;
}

export interface WrittenTree {
  readonly rootTree: Checksum;
  readonly rootMeta: Checksum;
}

/**
 * Writes the objects of a tree and a commit of it; visible after `writer.commit()`.
 * @throws FormatError for names ostree cannot hold, InterruptedError when the progress says so
 */
export async function writeCommitOf(
  writer: RepositoryWriter,
  tree: SourceDirectory,
  options: CommitOptions,
): Promise<Checksum> {
  return writeCommit(writer, await writeTree(writer, tree, options.progress), options);
}

/** Writes a commit of a tree whose objects are written; visible after `writer.commit()`. */
export function writeCommit(
  writer: RepositoryWriter,
  root: WrittenTree,
  options: Omit<CommitOptions, 'progress'>,
): Checksum {
  const commit = writer.writeCommit({
    metadata: options.metadata ?? new Map(),
    parent: options.parent,
    related: [],
    subject: textToBytes(options.subject ?? ''),
    body: textToBytes(options.body ?? ''),
    timestamp: options.timestamp,
    rootTree: root.rootTree,
    rootMeta: root.rootMeta,
  });
  if (options.ref !== undefined) writer.setRef(options.ref, commit);
  return commit;
}

/** Writes the objects of a tree. */
export async function writeTree(
  writer: RepositoryWriter,
  tree: SourceDirectory,
  progress: Progress = silent(),
): Promise<WrittenTree> {
  const { tree: rootTree, meta: rootMeta } = await makeObjects(
    tree,
    {
      content: (node) =>
        node.kind === 'symlink' ? writer.writeSymlink(node) : writer.writeFile(node, node.content),
      directory: (node, dirtree) => ({
        tree: writer.writeDirtree(dirtree),
        meta: writer.writeDirmeta(node),
      }),
    },
    progress,
  );
  return { rootTree, rootMeta };
}
