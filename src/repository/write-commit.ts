/** Commits a file tree: every file and folder becomes an object, and a commit names the root. */
import { textToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { type Progress, silent } from '../base/progress.ts';
import type { VariantMap } from '../formats/objects.ts';
import { BatchWriter, MAX_BATCHED } from './batch-writer.ts';
import { type NewFolder, newFolder, writeNewTree } from './new-tree.ts';
import { type Content, requireText, type SourceDirectory, type SourceFile } from './source.ts';
import type { RepositoryWriter } from './write.ts';
import { measured } from './write-object.ts';

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

/** Writes the objects of a tree; small files in batches, which threads hash and write. */
export async function writeTree(
  writer: RepositoryWriter,
  tree: SourceDirectory,
  progress: Progress = silent(),
): Promise<WrittenTree> {
  await using batches = new BatchWriter(writer, { signal: progress.signal });
  const root = newFolder(tree);
  const pending: PendingFolder[] = [{ source: tree, folder: root, path: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop())
    await writeEntries(batches, next, pending, progress);
  await batches.finish();
  return writeNewTree(writer, root);
}

interface PendingFolder {
  readonly source: SourceDirectory;
  readonly folder: NewFolder;
  readonly path: string;
}

/** So many entries are taken before others get a turn. */
const TURN_ENTRIES = 32;

/** Takes what is in a folder; the folders in it become pending. */
async function writeEntries(
  batches: BatchWriter,
  { source, folder: { entries }, path }: PendingFolder,
  pending: PendingFolder[],
  progress: Progress,
): Promise<void> {
  let taken = 0;
  for (const [name, node] of source.entries()) {
    requireText(name, path);
    if (node.kind === 'directory') {
      const folder = newFolder(node);
      entries.set(name, folder);
      pending.push({ source: node, folder, path: `${path}/${name}` });
      continue;
    }
    if (node.kind === 'symlink') {
      entries.set(name, { kind: 'symlink', checksum: batches.writer.writeSymlink(node) });
    } else {
      writeFile(batches, node, (checksum) => entries.set(name, { kind: 'file', checksum }));
    }
    progress.advance(1, node.kind === 'file' ? node.content.size : 0);
    if (++taken % TURN_ENTRIES !== 0) continue;
    await batches.room();
    await progress.breathe();
  }
  await batches.room();
  await progress.breathe();
}

function writeFile(batches: BatchWriter, node: SourceFile, done: (checksum: Checksum) => void): void {
  const { uid, gid, mode, xattrs, content } = node;
  // Nothing but this: it goes to a thread.
  const header = { uid, gid, mode, xattrs };
  if (content.path !== undefined) batches.copy(header, content.path, content.size, done);
  else if (content.size > MAX_BATCHED) done(batches.writer.writeFile(header, content));
  else readContent(content, batches.add(header, content.size, done));
}

/** @throws FormatError when the content is not as long as it said */
function readContent(content: Content, target: Buffer): void {
  if (content.readInto !== undefined) {
    content.readInto(target);
    return;
  }
  let done = 0;
  for (const chunk of measured(content)) {
    target.set(chunk, done);
    done += chunk.length;
  }
}
