/** The objects that a tree is made of, with the folder they count for; a tree is walked, never loaded whole. */
import type { ByteString } from '../../base/bytes.ts';
import type { Checksum } from '../../base/digest.ts';
import { isRegular } from '../../base/mode.ts';
import { ErofsImage } from '../../formats/erofs/read.ts';
import { payloadObject } from '../../image/verify-objects.ts';
import type { ObjectType, Repository } from '../../repository/repository.ts';
import { dirtreesInPassing } from '../../repository/tree.ts';
import { commitOf, type Holder } from './holders.ts';

/** A folder stands for all that is more than so many levels below the root. */
const LEVELS = 3;

export interface TreeObject {
  readonly type: ObjectType;
  readonly checksum: Checksum;
  /** At most {@link LEVELS} deep; `/` for metadata of the commit itself. */
  readonly folder: ByteString;
}

const ROOT = '/' as ByteString;

/**
 * All objects of what it has: a folder that comes twice is walked once, where it comes first; an object may come again.
 * @throws NotFoundError, FormatError
 */
export function treeObjects(holder: Holder, repository: Repository): Generator<TreeObject> {
  const commit = commitOf(holder);
  if (commit !== undefined) return commitObjects(commit, repository);
  return imageObjects((holder as Extract<Holder, { kind: 'image' }>).path, repository);
}

function* commitObjects(commit: Checksum, repository: Repository): Generator<TreeObject> {
  yield { type: 'commit', checksum: commit, folder: ROOT };
  yield { type: 'commitmeta', checksum: commit, folder: ROOT };
  const { rootTree, rootMeta } = repository.commit(commit);
  const pending = [{ tree: rootTree, meta: rootMeta, folder: ROOT, depth: 0 }];
  const seen = new Set<Checksum>();
  const dirtrees = dirtreesInPassing(repository);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { tree, meta, folder, depth } = next;
    yield { type: 'dirmeta', checksum: meta, folder };
    if (seen.has(tree)) continue;
    seen.add(tree);
    yield { type: 'dirtree', checksum: tree, folder };
    const { files, dirs } = dirtrees.dirtree(tree);
    for (const { checksum } of files) yield { type: 'file', checksum, folder };
    // The last first: they are taken from the end.
    for (let i = dirs.length - 1; i >= 0; i--) {
      const { name, tree, meta } = dirs[i]!;
      const below =
        depth === LEVELS ? folder : ((depth === 0 ? `/${name}` : `${folder}/${name}`) as ByteString);
      pending.push({ tree, meta, folder: below, depth: Math.min(depth + 1, LEVELS) });
    }
  }
}

function* imageObjects(path: string, { system }: Repository): Generator<TreeObject> {
  const image = new ErofsImage(system.readFile(path), path);
  for (const { path: at, inode, linkOf } of image.walk()) {
    if (linkOf !== undefined || !isRegular(inode.mode)) continue;
    const checksum = payloadObject(image.node(inode).payload);
    if (checksum !== undefined) yield { type: 'file', checksum, folder: folderOf(at) };
  }
}

/** `/a/b/c` of `/a/b/c/d/e`. */
function folderOf(path: ByteString): ByteString {
  let end = 0;
  for (let level = 0; level <= LEVELS; level++) {
    const next = path.indexOf('/', end + 1);
    if (next === -1) break;
    end = next;
    if (level === LEVELS - 1) break;
  }
  return end === 0 ? ROOT : (path.slice(0, end) as ByteString);
}
