/**
 * What layers hold that were unpacked once: one file a layer in `REPO/extensions/sealtree/layers`, named by its diff_id
 * and holding its tree with the checksums of the objects. The next image with that layer need not unpack it. A record is
 * used only while all its objects exist, carries a digest of its own, and is safe to delete.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { type ByteString, stringToBytes } from '../base/bytes.ts';
import { type Checksum, isHex64, nativeEngine } from '../base/digest.ts';
import { errnoOf, SealtreeError } from '../base/errors.ts';
import type { System, SystemReads } from '../base/system.ts';
import type { Dirmeta } from '../formats/objects.ts';
import { type BlobDigest, parseConfig } from '../formats/oci.ts';
import {
  existingStoreFolder,
  isTemporaryName,
  makeStoreFolder,
  storeFolder,
  temporaryName,
  writeSynced,
} from '../image/store.ts';
import { type NewFolder, type NewNode, newFolder } from '../repository/new-tree.ts';
import type { Repository } from '../repository/repository.ts';
import { ImageKey } from './keys.ts';

/** A record of another version is none. */
const VERSION = 1;

/** Bytes of a record, unpacked, that are read: two million entries have no more. */
const MAX_BYTES = 512 << 20;

/** A node as JSON: a checksum after `f` or `s`, `w` alone, or a folder's attributes and entries. */
type Stored = string | { readonly meta?: Dirmeta; readonly entries: Readonly<Record<string, Stored>> };

/** The tree of a layer; undefined without a record, or with one that is damaged. */
export function recordedLayer(
  repositoryPath: string,
  diffId: BlobDigest,
  system: SystemReads,
): NewFolder | undefined {
  const path = `${storeFolder(repositoryPath, 'layers')}/${diffId}`;
  if (system.lstatIfExists(path) === undefined) return undefined;
  try {
    const bytes = system.readFile(path);
    const packed = bytes.subarray(32);
    if (!nativeEngine.sha256(packed).equals(bytes.subarray(0, 32))) return undefined;
    const { version, root } = JSON.parse(
      gunzipSync(packed, { maxOutputLength: MAX_BYTES }).toString('latin1'),
    ) as {
      readonly version: number;
      readonly root: Stored;
    };
    const node = version === VERSION ? nodeOf(root) : undefined;
    return node?.kind === 'folder' ? node : undefined;
  } catch (error) {
    // A record that cannot be read is none: the layer is unpacked again.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Records the tree of a layer whose objects are in the repository. */
export function recordLayer(
  repositoryPath: string,
  diffId: BlobDigest,
  root: NewFolder,
  system: System,
): void {
  const folder = makeStoreFolder(repositoryPath, 'layers', system);
  const packed = gzipSync(Buffer.from(JSON.stringify({ version: VERSION, root: stored(root) }), 'latin1'), {
    level: 1,
  });
  const temporary = `${folder}/${temporaryName()}`;
  writeSynced(temporary, Buffer.concat([nativeEngine.sha256(packed), packed]), 0o644, system);
  system.rename(temporary, `${folder}/${diffId}`);
  system.fsyncDirectory(folder);
}

/** Records of layers that `isNeeded` refuses, and what killed runs left: paths that may be removed. */
export function unneededLayers(
  repositoryPath: string,
  isNeeded: (diffId: string) => boolean,
  system: SystemReads,
): string[] {
  const folder = existingStoreFolder(repositoryPath, 'layers', system);
  if (folder === undefined) return [];
  return system
    .readdir(folder)
    .filter((name) => isTemporaryName(name) || (isHex64(name) && !isNeeded(name)))
    .map((name) => `${folder}/${name}`);
}

/** The diff_ids of the container image that a commit is; none for a commit that is none. */
export function layersOf(repository: Repository, commit: Checksum): readonly BlobDigest[] {
  const config = repository.commitIfExists(commit)?.metadata.get(ImageKey.config);
  if (config?.type !== 's') return [];
  try {
    return parseConfig(stringToBytes(config.value as ByteString), commit).diffIds;
  } catch (error) {
    // What is no configuration names no layers.
    if (!(error instanceof SealtreeError)) throw error;
    return [];
  }
}

/** The checksums of all content objects in a tree. */
export function* objectsIn(folder: NewFolder): Generator<Checksum> {
  for (const node of folder.entries.values()) {
    if (node.kind === 'folder') yield* objectsIn(node);
    else if (node.kind !== 'whiteout') yield node.checksum;
  }
}

function stored(node: NewNode): Stored {
  if (node.kind === 'whiteout') return 'w';
  if (node.kind !== 'folder') return `${node.kind === 'file' ? 'f' : 's'}${node.checksum}`;
  const entries = Object.fromEntries([...node.entries].map(([name, child]) => [`/${name}`, stored(child)]));
  return node.meta === undefined ? { entries } : { meta: node.meta, entries };
}

function nodeOf(value: Stored): NewNode {
  if (value === 'w') return { kind: 'whiteout' };
  if (typeof value === 'string')
    return { kind: value.startsWith('f') ? 'file' : 'symlink', checksum: value.slice(1) as Checksum };
  const folder = newFolder(value.meta);
  // A slash before each name: `__proto__` and numbers are names like others.
  for (const [name, child] of Object.entries(value.entries))
    folder.entries.set(name.slice(1) as ByteString, nodeOf(child));
  return folder;
}
