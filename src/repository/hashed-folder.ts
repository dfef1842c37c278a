/**
 * A folder on disk as the tree its commit would have: every file and folder gets the checksum ostree would give it,
 * and nothing is written.
 */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, checksumOf } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import { NO_XATTRS } from '../base/xattrs.ts';
import {
  contentHasher,
  type Dirtree,
  type DirtreeDirectory,
  type DirtreeFile,
  metadataChecksum,
  serializeDirmeta,
  serializeDirtree,
} from '../formats/objects.ts';
import type { SourceDirectory, SourceNode } from './source.ts';
import type { DirectoryNode } from './tree.ts';

export interface HashOptions {
  /** Take this owner instead of the files' own. */
  readonly uid?: number;
  readonly gid?: number;
  readonly ignoreXattrs?: boolean;
}

export interface HashedFolder {
  readonly root: DirectoryNode;
  readonly dirtrees: ReadonlyMap<Checksum, Dirtree>;
}

/** Hashes all files below `folder`. @throws InterruptedError when the progress says so */
export async function hashFolder(
  folder: SourceDirectory,
  progress: Progress,
  options: HashOptions = {},
): Promise<HashedFolder> {
  const dirtrees = new Map<Checksum, Dirtree>();

  const attributes = <T extends SourceNode>(node: T): T => ({
    ...node,
    uid: options.uid ?? node.uid,
    gid: options.gid ?? node.gid,
    xattrs: options.ignoreXattrs ? NO_XATTRS : node.xattrs,
  });

  async function hashDirectory(directory: SourceDirectory): Promise<Pick<DirectoryNode, 'tree' | 'meta'>> {
    const files: DirtreeFile[] = [];
    const dirs: DirtreeDirectory[] = [];
    for (const [name, node] of directory.entries()) {
      if (node.kind === 'directory') dirs.push({ name, ...(await hashDirectory(node)) });
      else {
        files.push({ name, checksum: hashFile(attributes(node)) });
        progress.advance(1, node.kind === 'file' ? node.content.size : 0);
        await progress.breathe();
      }
    }
    const dirtree = { files: files.sort(byName), dirs: dirs.sort(byName) };
    const tree = metadataChecksum(serializeDirtree(dirtree));
    dirtrees.set(tree, dirtree);
    return { tree, meta: metadataChecksum(serializeDirmeta(attributes(directory))) };
  }

  const { tree, meta } = await hashDirectory(folder);
  return {
    root: { kind: 'directory', path: '/' as ByteString, name: '' as ByteString, tree, meta },
    dirtrees,
  };
}

function hashFile(node: Exclude<SourceNode, SourceDirectory>): Checksum {
  if (node.kind === 'symlink') return checksumOf(contentHasher(node).digest());
  const hasher = contentHasher({ ...node, target: '' as ByteString });
  for (const chunk of node.content.chunks()) hasher.update(chunk);
  return checksumOf(hasher.digest());
}

function byName(a: { readonly name: ByteString }, b: { readonly name: ByteString }): number {
  return a.name < b.name ? -1 : 1;
}
