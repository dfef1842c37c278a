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
  metadataChecksum,
  serializeDirmeta,
  serializeDirtree,
} from '../formats/objects.ts';
import type { SourceDirectory, SourceNode } from './source.ts';
import { makeObjects } from './source-tree.ts';
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

/** Hashes all files below `folder`. @throws as {@link makeObjects} */
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

  const { tree, meta } = await makeObjects(
    folder,
    {
      content: (node) => hashFile(attributes(node)),
      directory(node, dirtree) {
        const checksum = metadataChecksum(serializeDirtree(dirtree));
        dirtrees.set(checksum, dirtree);
        return { tree: checksum, meta: metadataChecksum(serializeDirmeta(attributes(node))) };
      },
    },
    progress,
  );
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
