/**
 * A folder on disk as the tree its commit would have: every file and folder gets the checksum ostree would give it,
 * and nothing is written.
 */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, checksumOf } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import {
  contentHasher,
  type Dirtree,
  type DirtreeDirectory,
  type DirtreeFile,
  metadataChecksum,
  serializeDirmeta,
  serializeDirtree,
} from '../formats/objects.ts';
import { requireText, type SourceDirectory, type SourceNode } from './source.ts';
import type { DirectoryNode } from './tree.ts';

export interface HashedFolder {
  readonly root: DirectoryNode;
  readonly dirtrees: ReadonlyMap<Checksum, Dirtree>;
}

/**
 * Hashes all files below `folder`; counts files and bytes.
 * @throws FormatError for names ostree cannot hold, InterruptedError when the progress says so
 */
export async function hashFolder(folder: SourceDirectory, progress: Progress): Promise<HashedFolder> {
  const dirtrees = new Map<Checksum, Dirtree>();
  const top = await hashDirectory('' as ByteString, folder, '', dirtrees, progress);
  return { root: { kind: 'directory', path: '/' as ByteString, ...top }, dirtrees };
}

async function hashDirectory(
  name: ByteString,
  directory: SourceDirectory,
  path: string,
  dirtrees: Map<Checksum, Dirtree>,
  progress: Progress,
): Promise<DirtreeDirectory> {
  const files: DirtreeFile[] = [];
  const dirs: DirtreeDirectory[] = [];
  for (const [name, node] of directory.entries()) {
    requireText(name, path);
    if (node.kind === 'directory') {
      dirs.push(await hashDirectory(name, node, `${path}/${name}`, dirtrees, progress));
    } else {
      files.push({ name, checksum: hashFile(node) });
      progress.advance(1, node.kind === 'file' ? node.content.size : 0);
      await progress.breathe();
    }
  }
  const dirtree = { files: files.sort(byName), dirs: dirs.sort(byName) };
  const tree = metadataChecksum(serializeDirtree(dirtree));
  dirtrees.set(tree, dirtree);
  return { name, tree, meta: metadataChecksum(serializeDirmeta(directory)) };
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
