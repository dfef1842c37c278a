/**
 * Where a repository keeps what sealtree adds to it: folders in `REPO/extensions/sealtree`, which is the place
 * ostree leaves to other programs (its cleanup, prune, fsck and deploy do not touch it).
 */
import { type Digest, isHex64 } from '../base/digest.ts';
import { OperationError } from '../base/errors.ts';
import { isDirectory } from '../base/mode.ts';
import { randomHex } from '../base/random.ts';
import type { System, SystemReads } from '../base/system.ts';

/** A deployment's image (libostree's OSTREE_COMPOSEFS_NAME). */
export const DEPLOYMENT_IMAGE = '.ostree.cfs';

/** What a file of ours is called until it is whole; the rest is random. What a killed run left is removed by the next. */
export const TEMPORARY_PREFIX = '.sealtree-tmp-';

/**
 * `images`: the published images, DIGEST.cfs; `commits`: which image was made of a commit; `layers`: what layers of
 * container images hold (../container/records.ts); `refs`: refs whose images are kept; `boot`: see ../boot.
 */
export type StoreFolder = 'images' | 'commits' | 'layers' | 'refs' | 'boot';

const ABOVE = ['extensions', 'sealtree'] as const;

const FOLDER_MODE = 0o755;

/** The folder, whether it exists or not. */
export const storeFolder = (repositoryPath: string, folder: StoreFolder): string =>
  [repositoryPath, ...ABOVE, folder].join('/');

/**
 * The folder, or undefined where it is missing.
 * @throws OperationError where something else has its place: a symlink would lead out of the repository
 */
export function existingStoreFolder(
  repositoryPath: string,
  folder: StoreFolder,
  system: SystemReads,
): string | undefined {
  let path = repositoryPath;
  for (const name of [...ABOVE, folder]) {
    path = `${path}/${name}`;
    const stats = system.lstatIfExists(path);
    if (stats === undefined) return undefined;
    if (!isDirectory(stats.mode)) throw notAFolder(path);
  }
  return path;
}

const notAFolder = (path: string): OperationError => new OperationError('publish', `${path}: not a folder`);

/** The published image of that digest, whether it exists or not. */
export const imagePath = (repositoryPath: string, digest: Digest): string =>
  `${storeFolder(repositoryPath, 'images')}/${digest}.cfs`;

/** The published images, by digest; what else lies among them is passed over. */
export function listImages(
  repositoryPath: string,
  system: SystemReads,
): { readonly path: string; readonly digest: Digest }[] {
  const folder = existingStoreFolder(repositoryPath, 'images', system);
  const names = folder === undefined ? [] : system.readdir(folder).sort();
  return names
    .filter((name) => name.endsWith('.cfs') && isHex64(name.slice(0, -'.cfs'.length)))
    .map((name) => ({ path: `${folder}/${name}`, digest: name.slice(0, -'.cfs'.length) as Digest }));
}

/** A fresh temporary name. */
export const temporaryName = (): string => `${TEMPORARY_PREFIX}${randomHex(6)}`;

/** Whether {@link temporaryName} could have made it: whatever else is called so is not ours. */
export const isTemporaryName = (name: string): boolean => /^\.sealtree-tmp-[0-9a-f]{12}$/.test(name);

/**
 * Makes the folder where it is missing, durably and readable for everybody whatever the umask: `status` needs no
 * rights. Returns its path.
 */
export function makeStoreFolder(repositoryPath: string, folder: StoreFolder, system: System): string {
  let path = repositoryPath;
  for (const name of [...ABOVE, folder]) {
    const parent = path;
    path = `${parent}/${name}`;
    const stats = system.lstatIfExists(path);
    if (stats === undefined) makeFolder(path, parent, system);
    else if (!isDirectory(stats.mode)) throw notAFolder(path);
  }
  return path;
}

function makeFolder(path: string, parent: string, system: System): void {
  system.mkdir(path, FOLDER_MODE);
  const fd = system.openRead(path);
  try {
    system.fchmod(fd, FOLDER_MODE);
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
  system.fsyncDirectory(parent);
}

/** Writes a new file of that mode and syncs it, whatever the umask. Whoever fails leaves it to the caller to remove. */
export function writeSynced(path: string, bytes: Uint8Array, mode: number, system: System): void {
  const fd = system.create(path, 0o600);
  try {
    system.write(fd, bytes);
    system.fchmod(fd, mode);
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
}
