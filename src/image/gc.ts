/**
 * Removal of what nothing uses: images whose digest neither a deployment nor a ref has, and what killed runs left.
 *
 * A sysroot that was copied may have lost its hard links, so link counts prove nothing: what a deployment has is
 * decided by the bytes of its `.ostree.cfs`; an image that a deployment links stays whatever its bytes are. What cannot be read might be in use, and then nothing is removed.
 * Files that are not ours stay. The caller holds the lock of {@link ../deployment/locks.ts}.
 */
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import { type Digest, digestOf, isHex64 } from '../base/digest.ts';
import { errnoOf, OperationError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { System, SystemReads } from '../base/system.ts';
import { verityDigest } from '../formats/verity.ts';
import { planRecovery, type RecoveryPlan, recover } from './publish.ts';
import { DEPLOYMENT_IMAGE, existingStoreFolder, storeFolder } from './store.ts';

export interface GcInput {
  readonly repositoryPath: string;
  /** Folders of all deployments: those without a boot entry and staged ones too. */
  readonly deploymentPaths: readonly string[];
  /** Digests to keep for another reason: images of refs. */
  readonly keep: ReadonlySet<Digest>;
}

export interface StoredImage {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Folders of the deployments that have it. */
  readonly usedBy: readonly string[];
}

export interface GcPlan {
  readonly repositoryPath: string;
  readonly kept: readonly StoredImage[];
  readonly removed: readonly StoredImage[];
  readonly recovery: RecoveryPlan;
  /** Bytes that removal frees; an image that has other links as well frees none. */
  readonly freedBytes: number;
  /** Names in the folder that are not ours; they stay. */
  readonly foreign: readonly ByteString[];
}

/**
 * Finds out what can go. Reads only.
 * @throws OperationError when a deployment's image cannot be read: it might be any of them
 */
export function planGc(input: GcInput, system: SystemReads): GcPlan {
  const { repositoryPath, deploymentPaths, keep } = input;
  const folder = storeFolder(repositoryPath, 'images');
  const recovery = planRecovery(repositoryPath, deploymentPaths, system);
  const isThere = existingStoreFolder(repositoryPath, 'images', system) !== undefined;
  const names = isThere ? system.readdir(folder).sort() : [];
  const users = findUsers(deploymentPaths, system);
  const kept: StoredImage[] = [];
  const removed: StoredImage[] = [];
  const foreign: ByteString[] = [];
  let freedBytes = 0;
  const leftovers = new Set([...recovery.temporary, ...recovery.lifted.map(({ note }) => note)]);
  for (const name of names) {
    const digest = name.slice(0, -'.cfs'.length);
    const path = join(folder, name);
    // A name that is not ours may be any bytes: it is not looked up.
    const stats = name.endsWith('.cfs') && isHex64(digest) ? system.lstat(path) : undefined;
    if (stats === undefined || !isRegular(stats.mode)) {
      if (!leftovers.has(join(system.realpath(folder), name))) foreign.push(name);
      continue;
    }
    const image = {
      path,
      digest: digest as Digest,
      sizeBytes: stats.size,
      usedBy: [...new Set([...(users.get(digest) ?? []), ...(users.get(inodeOf(stats)) ?? [])])],
    };
    if (image.usedBy.length > 0 || keep.has(image.digest)) {
      kept.push(image);
      continue;
    }
    removed.push(image);
    if (stats.nlink === 1) freedBytes += stats.size;
  }
  return { repositoryPath, kept, removed, recovery, freedBytes, foreign };
}

/** Carries a plan out; the names that are gone are durably so. */
export function executeGc(plan: GcPlan, system: System): void {
  recover(plan.recovery, system);
  for (const { path } of plan.removed) system.unlink(path);
  if (plan.removed.length > 0) system.fsyncDirectory(storeFolder(plan.repositoryPath, 'images'));
}

/** Deployments by the digest of their image and by its inode. */
function findUsers(deploymentPaths: readonly string[], system: SystemReads): Map<string, string[]> {
  const users = new Map<string, string[]>();
  const add = (key: string, deploymentPath: string): void => {
    const list = users.get(key);
    if (list === undefined) users.set(key, [deploymentPath]);
    else list.push(deploymentPath);
  };
  /** Deployments of one commit share a file: it is hashed once. */
  const digests = new Map<string, Digest>();
  for (const deploymentPath of deploymentPaths) {
    const path = join(deploymentPath, DEPLOYMENT_IMAGE);
    const stats = system.lstatIfExists(path);
    if (stats === undefined || !isRegular(stats.mode)) continue;
    const inode = inodeOf(stats);
    const digest = digests.get(inode) ?? digestOf(verityDigest(readImage(path, system)));
    digests.set(inode, digest);
    add(inode, deploymentPath);
    add(digest, deploymentPath);
  }
  return users;
}

const inodeOf = (stats: Stats): string => `${stats.dev}:${stats.ino}`;

function readImage(path: string, system: SystemReads): Buffer {
  try {
    return system.readFile(path);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    throw new OperationError(
      'gc',
      `${path}: cannot be read (${errno}), so it is not known which image it is`,
      {
        hint: 'nothing was removed; seal that deployment again, or remove it with ostree admin undeploy',
        cause,
      },
    );
  }
}
