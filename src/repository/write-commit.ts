/** Commits a file tree: every file and folder becomes an object, and a commit names the root. */
import { isUtf8 } from 'node:buffer';
import { type ByteString, displayBytes, stringToBytes, textToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import { type Progress, silent } from '../base/progress.ts';
import type { DirtreeDirectory, DirtreeFile, VariantMap } from '../formats/objects.ts';
import type { SourceDirectory, SourceNode } from './source.ts';
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
  const root = await writeTree(writer, tree, options.progress);
  const commit = writer.writeCommit({
    metadata: options.metadata ?? new Map(),
    parent: options.parent,
    related: [],
    subject: textToBytes(options.subject ?? ''),
    body: textToBytes(options.body ?? ''),
    timestamp: options.timestamp,
    ...root,
  });
  if (options.ref !== undefined) writer.setRef(options.ref, commit);
  return commit;
}

/** Writes the objects of a tree. */
export function writeTree(
  writer: RepositoryWriter,
  tree: SourceDirectory,
  progress: Progress = silent(),
): Promise<WrittenTree> {
  return writeDirectory(writer, tree, '', progress);
}

async function writeDirectory(
  writer: RepositoryWriter,
  directory: SourceDirectory,
  path: string,
  progress: Progress,
): Promise<WrittenTree> {
  const files: DirtreeFile[] = [];
  const dirs: DirtreeDirectory[] = [];
  for (const [name, node] of directory.entries()) {
    checkName(name, path);
    if (node.kind === 'directory') {
      const { rootTree, rootMeta } = await writeDirectory(writer, node, `${path}/${name}`, progress);
      dirs.push({ name, tree: rootTree, meta: rootMeta });
    } else {
      files.push({ name, checksum: writeContent(writer, node) });
      progress.advance(1, node.kind === 'file' ? node.content.size : 0);
      await progress.breathe();
    }
  }
  return {
    rootTree: writer.writeDirtree({ files: files.sort(byName), dirs: dirs.sort(byName) }),
    rootMeta: writer.writeDirmeta(directory),
  };
}

function writeContent(writer: RepositoryWriter, node: Exclude<SourceNode, SourceDirectory>): Checksum {
  return node.kind === 'symlink' ? writer.writeSymlink(node) : writer.writeFile(node, node.content);
}

/** Names are strings in a dirtree, and GVariant's strings are UTF-8. */
function checkName(name: ByteString, path: string): void {
  if (/[\x80-\xff]/.test(name) && !isUtf8(stringToBytes(name)))
    throw new FormatError(
      displayBytes(`${path}/${name}` as ByteString),
      'name is not UTF-8, which ostree requires',
    );
}

function byName(a: { readonly name: ByteString }, b: { readonly name: ByteString }): number {
  return a.name < b.name ? -1 : 1;
}
