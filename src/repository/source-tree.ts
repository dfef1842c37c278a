/** A file tree becomes objects from the leaves up: what a commit and a comparison with one have in common. */
import { type ByteString, displayBytes, isText } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { Dirtree, DirtreeDirectory, DirtreeFile } from '../formats/objects.ts';
import type { SourceDirectory, SourceFile, SourceSymlink } from './source.ts';

/** What a folder's entry in the dirtree above it names. */
export type Folder = Pick<DirtreeDirectory, 'tree' | 'meta'>;

/** What becomes of each node; the dirtree is sorted as ostree wants it. */
export interface TreeObjects {
  content(node: SourceFile | SourceSymlink): Checksum;
  directory(node: SourceDirectory, dirtree: Dirtree): Folder;
}

/**
 * Makes the objects of a tree; counts files and bytes.
 * @throws FormatError for names ostree cannot hold, InterruptedError when the progress says so
 */
export function makeObjects(
  root: SourceDirectory,
  objects: TreeObjects,
  progress: Progress,
): Promise<Folder> {
  return ofDirectory(root, '', objects, progress);
}

async function ofDirectory(
  directory: SourceDirectory,
  path: string,
  objects: TreeObjects,
  progress: Progress,
): Promise<Folder> {
  const files: DirtreeFile[] = [];
  const dirs: DirtreeDirectory[] = [];
  for (const [name, node] of directory.entries()) {
    checkName(name, path);
    if (node.kind === 'directory') {
      dirs.push({ name, ...(await ofDirectory(node, `${path}/${name}`, objects, progress)) });
    } else {
      files.push({ name, checksum: objects.content(node) });
      progress.advance(1, node.kind === 'file' ? node.content.size : 0);
      await progress.breathe();
    }
  }
  return objects.directory(directory, { files: files.sort(byName), dirs: dirs.sort(byName) });
}

/** Names are strings in a dirtree, and GVariant's strings are UTF-8. */
function checkName(name: ByteString, path: string): void {
  if (!isText(name))
    throw new FormatError(
      displayBytes(`${path}/${name}` as ByteString),
      'name is not UTF-8, which ostree requires',
    );
}

function byName(a: { readonly name: ByteString }, b: { readonly name: ByteString }): number {
  return a.name < b.name ? -1 : 1;
}
