/**
 * From a commit to the tree of its image, exactly as libostree builds it for `ostree checkout --composefs`
 * and for `.ostree.cfs` (libostree's ostree-repo-composefs.c): nothing inlined, no hard links, no times, the
 * five directories a root needs added, each non-empty file pointing to its object.
 */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../base/digest.ts';
import { UnsupportedError } from '../base/errors.ts';
import { isRegular, isSymlink, S_IFDIR } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { ImageTree, type NodeFields } from '../formats/erofs/tree.ts';
import { writeImage } from '../formats/erofs/write.ts';
import type { Dirmeta } from '../formats/objects.ts';
import { verityDigest } from '../formats/verity.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import { treeSize } from '../repository/tree.ts';
import { ObjectDigests, type VerityMode } from './digests.ts';

/** Directories that a deployment's root must have so that the boot can mount there. */
const ROOT_DIRECTORIES: readonly ByteString[] = ['usr', 'etc', 'boot', 'var', 'sysroot'].map(textToBytes);

/** Where an object lies below `objects/` in a bare repository: the payload of an image's file. */
function objectPayload(checksum: Checksum): ByteString {
  return `${checksum.slice(0, 2)}/${checksum.slice(2)}.file` as ByteString;
}

export interface BuiltImage {
  readonly commit: Checksum;
  /** The whole file. */
  readonly bytes: Buffer;
  /** Its fs-verity digest. */
  readonly digest: Digest;
  /** The format version that was written. */
  readonly version: 0 | 1;
  readonly objects: CommitObjects;
  readonly digests: ObjectDigests;
}

/** The content objects of a commit, each once. */
export interface CommitObjects {
  readonly all: ReadonlyMap<Checksum, ContentInfo>;
  /** Regular files that are not empty: what an image points to. */
  readonly backing: ReadonlyMap<Checksum, ContentInfo>;
  /** Bytes of all backing objects. */
  readonly backingBytes: number;
}

/** A few dirtrees that name each other many times can describe more entries than there are atoms. */
const MOST_ENTRIES = 50_000_000;

/**
 * To be asked before a walk of a whole commit.
 * @throws UnsupportedError where it would not come to an end
 */
export function refuseEndless(repository: Repository, commit: Checksum): void {
  const { files, directories } = treeSize(repository, repository.commit(commit).rootTree);
  const entries = files + directories;
  if (entries > MOST_ENTRIES)
    throw new UnsupportedError(`commit ${commit} has ${entries} entries, more than an image is made of`, {
      details: { commit, entries, limit: MOST_ENTRIES },
    });
}

/** Loads the metadata of every content object of a commit. */
export async function collectObjects(
  repository: Repository,
  commit: Checksum,
  progress: Progress,
): Promise<CommitObjects> {
  refuseEndless(repository, commit);
  const { rootTree } = repository.commit(commit);
  const all = new Map<Checksum, ContentInfo>();
  const backing = new Map<Checksum, ContentInfo>();
  let backingBytes = 0;
  const seen = new Set<Checksum>();
  const pending = [rootTree];
  progress.begin('reading the commit');
  for (let tree = pending.pop(); tree !== undefined; tree = pending.pop()) {
    if (seen.has(tree)) continue;
    seen.add(tree);
    const { files, dirs } = repository.dirtree(tree);
    for (const { checksum } of files) {
      if (all.has(checksum)) continue;
      const info = repository.content(checksum);
      all.set(checksum, info);
      if (isRegular(info.mode) && info.size > 0) {
        backing.set(checksum, info);
        backingBytes += info.size;
      }
      progress.advance(1);
      await progress.breathe();
    }
    for (const dir of dirs) pending.push(dir.tree);
  }
  return { all, backing, backingBytes };
}

/** Builds the image tree of a commit from its loaded objects. */
async function planTree(
  repository: Repository,
  commit: Checksum,
  objects: CommitObjects,
  digests: ObjectDigests,
  progress: Progress,
): Promise<ImageTree> {
  const image = new ImageTree();
  const { rootTree, rootMeta } = repository.commit(commit);
  progress.begin('planning the image');
  const root = image.addRoot(directoryFields(repository.dirmeta(rootMeta)));
  const pending: { node: number; tree: Checksum }[] = [{ node: root, tree: rootTree }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { files, dirs } = repository.dirtree(next.tree);
    for (const { name, checksum } of files) {
      const info = objects.all.get(checksum) ?? repository.content(checksum);
      image.add(next.node, name, fileFields(checksum, info, digests));
    }
    for (const { name, tree, meta } of dirs) {
      const node = image.add(next.node, name, directoryFields(repository.dirmeta(meta)));
      pending.push({ node, tree });
    }
    progress.advance(files.length + dirs.length);
    await progress.breathe();
  }
  for (const name of ROOT_DIRECTORIES) {
    if (image.childByName(root, name) === -1) image.add(root, name, { mode: S_IFDIR | 0o755 });
  }
  return image;
}

function directoryFields({ mode, uid, gid, xattrs }: Dirmeta): NodeFields {
  return { mode, uid, gid, xattrs };
}

function fileFields(checksum: Checksum, info: ContentInfo, digests: ObjectDigests): NodeFields {
  const { mode, uid, gid, xattrs } = info;
  // libostree leaves the size of a symlink node 0; only targets too long to be inline show it.
  if (isSymlink(mode)) return { mode, uid, gid, xattrs, payload: info.target, size: 0 };
  if (info.size === 0) return { mode, uid, gid, xattrs };
  const digest = digests.get(checksum);
  const payload = objectPayload(checksum);
  const fields: NodeFields = { mode, uid, gid, xattrs, size: info.size, payload };
  return digest === undefined ? fields : { ...fields, digest };
}

/**
 * The image of a commit as bytes in memory, and its digest. Nothing is written.
 * @throws NotFoundError when an object is missing, FormatError when one is damaged.
 */
export async function buildImage(
  repository: Repository,
  commit: Checksum,
  options: { readonly verity?: VerityMode; readonly progress: Progress },
): Promise<BuiltImage> {
  const { progress } = options;
  const objects = await collectObjects(repository, commit, progress);
  const digests = new ObjectDigests(repository, options.verity ?? 'yes');
  await digests.load(objects.backing, progress);
  const tree = await planTree(repository, commit, objects, digests, progress);
  progress.begin('writing the image');
  const { bytes, version } = writeImage(tree);
  await progress.breathe();
  return { commit, bytes, version, digest: digestOf(verityDigest(bytes)), objects, digests };
}
