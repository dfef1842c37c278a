/**
 * Publication: an image gets its name in the repository's store and in the deployments it belongs to, or nothing
 * changes.
 *
 * The image is written under a temporary name, synced, validated as it lies on disk, protected by fs-verity where
 * that can be had, renamed, and only then linked into the deployments, again by a temporary name and rename. What
 * is published is never written to again. A deployment's folder is immutable (chattr +i) once ostree has finished
 * it; the flag is lifted for the link alone and put back. So that a killed run can be made good, a symlink in the
 * store names the folder whose flag is lifted: {@link planRecovery} puts the flag back and removes what is left.
 *
 * The caller holds the lock of {@link ../deployment/locks.ts}. Plans are made by reading only and can be shown;
 * carrying one out is a sequence of {@link SystemWrites}, each of which leaves the old or the new state.
 */
import { dirname, join, relative, resolve } from 'node:path';
import { asBuffer, bytesEqual, bytesToText, textToBytes } from '../base/bytes.ts';
import type { Digest } from '../base/digest.ts';
import { errnoOf, OperationError, UnsupportedError } from '../base/errors.ts';
import { eachChunk } from '../base/file-chunks.ts';
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts';
import { randomHex } from '../base/random.ts';
import type { System, SystemReads } from '../base/system.ts';
import {
  DEPLOYMENT_IMAGE,
  existingStoreFolder,
  imagePath,
  isTemporaryName,
  makeStoreFolder,
  storeFolder,
  temporaryName,
  writeSynced,
} from './store.ts';

/** What the symlink is called that names a folder whose immutable flag is lifted; the rest is random. */
export const LIFTED_PREFIX = '.sealtree-lifted-';

const LIFTED_NAME = /^\.sealtree-lifted-[0-9a-f]{12}$/;

const IMAGE_MODE = 0o644;

/** `auto`: where kernel and file system can; `require`: or nothing is published; `off`: never. */
export type VerityPolicy = 'auto' | 'require' | 'off';

export interface Publication {
  readonly repositoryPath: string;
  readonly digest: Digest;
  /** The image as it was emitted. */
  readonly bytes: Uint8Array;
  /** Folders of the deployments that get it; may be empty. */
  readonly deploymentPaths: readonly string[];
  readonly verity: VerityPolicy;
}

/**
 * What becomes of the image in the store: `keep` what is there, its bytes are right; `write` it; `replace` what is
 * there and wrong; `adopt` the file of those bytes that a deployment has (ostree made it), if it belongs to whom the
 * repository belongs to: any other owner could change it.
 */
export type StoreAction =
  | { readonly kind: 'keep' }
  | { readonly kind: 'write' }
  | { readonly kind: 'replace'; readonly why: string }
  | { readonly kind: 'adopt'; readonly from: string };

export interface LinkAction {
  readonly deploymentPath: string;
  /** `keep`: it has the stored file already; `replace`: it has another one, which goes. */
  readonly kind: 'keep' | 'link' | 'replace';
}

export interface PublicationPlan {
  readonly publication: Publication;
  readonly imagePath: string;
  readonly store: StoreAction;
  readonly links: readonly LinkAction[];
  /** Whether there is nothing to do but, perhaps, to enable fs-verity. */
  readonly isPublished: boolean;
}

/** What fs-verity protects the published image now; `reason` says why not. */
export type ImageVerity =
  | { readonly state: 'enabled' }
  | { readonly state: 'unsupported'; readonly reason: string }
  | { readonly state: 'off' };

export interface PublicationResult {
  readonly imagePath: string;
  readonly store: StoreAction['kind'];
  readonly links: readonly LinkAction[];
  readonly verity: ImageVerity;
}

/**
 * Checks an image before it is published: throws when it is not the right one.
 * @param bytes the image as the disk has it: read from there, or compared with what was read
 * @param path the file they were read from
 */
export type Validate = (bytes: Buffer, path: string) => void | Promise<void>;

/** Finds out what there is to do. Reads only. @throws OperationError where a folder has the place of an image */
export function planPublication(publication: Publication, system: SystemReads): PublicationPlan {
  const path = imagePath(publication.repositoryPath, publication.digest);
  refuseFolder(path, system);
  const wrong = differs(path, publication, system);
  const store = planStore(wrong, publication, system);
  const links = publication.deploymentPaths.map((deploymentPath): LinkAction => {
    const link = join(deploymentPath, DEPLOYMENT_IMAGE);
    refuseFolder(link, system);
    const kept = store.kind === 'keep' ? path : store.kind === 'adopt' ? store.from : undefined;
    if (kept !== undefined && isSameFile(link, kept, system)) return { deploymentPath, kind: 'keep' };
    return { deploymentPath, kind: system.lstatIfExists(link) === undefined ? 'link' : 'replace' };
  });
  const isPublished = store.kind === 'keep' && links.every(({ kind }) => kind === 'keep');
  return { publication, imagePath: path, store, links, isPublished };
}

function planStore(wrong: string | undefined, publication: Publication, system: SystemReads): StoreAction {
  if (wrong === undefined) return { kind: 'keep' };
  const owner = system.stat(publication.repositoryPath).uid;
  for (const deploymentPath of publication.deploymentPaths) {
    const from = join(deploymentPath, DEPLOYMENT_IMAGE);
    if (differs(from, publication, system) !== undefined) continue;
    if (system.lstat(from).uid === owner) return { kind: 'adopt', from };
  }
  return wrong === MISSING ? { kind: 'write' } : { kind: 'replace', why: wrong };
}

/** A file can be put in the place of anything but a folder. */
function refuseFolder(path: string, system: SystemReads): void {
  if (!isDirectory(system.lstatIfExists(path)?.mode ?? 0)) return;
  throw new OperationError('publish', `${path} is a folder, and the image is to have that name`, {
    hint: 'nothing that ostree or sealtree made: see what is in it, then move it away and seal again',
  });
}

const MISSING = 'missing';

/** Why the file cannot serve as the published image, or undefined when it can. */
function differs(path: string, publication: Publication, system: SystemReads): string | undefined {
  const stats = system.lstatIfExists(path);
  if (stats === undefined) return MISSING;
  if (!isRegular(stats.mode)) return 'not a regular file';
  if (stats.size !== publication.bytes.length)
    return `${stats.size} bytes long instead of ${publication.bytes.length}`;
  if ((stats.mode & 0o7777) !== IMAGE_MODE)
    return `mode 0${(stats.mode & 0o7777).toString(8)} instead of 0644`;
  let isSame: boolean;
  try {
    isSame = isFileOf(publication.bytes, path, system);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    // EIO is what fs-verity says of a damaged file.
    return `unreadable (${errno})`;
  }
  return isSame ? undefined : 'its bytes are not those of the image';
}

/** Whether a file has these bytes and no others. An image may be hundreds of megabytes: a piece of the file at a time. */
function isFileOf(bytes: Uint8Array, path: string, system: SystemReads): boolean {
  let done = 0;
  let isSame = true;
  eachChunk(path, system, (chunk) => {
    isSame &&= bytesEqual(chunk, bytes.subarray(done, done + chunk.length));
    done += chunk.length;
  });
  return isSame && done === bytes.length;
}

function isSameFile(a: string, b: string, system: SystemReads): boolean {
  const [x, y] = [system.lstatIfExists(a), system.lstatIfExists(b)];
  return x !== undefined && y !== undefined && x.ino === y.ino && x.dev === y.dev;
}

/** One sentence per change, for `--dry-run`; empty when there is none. */
export function describePublication(plan: PublicationPlan): string[] {
  const { store, publication } = plan;
  const lines: string[] = [];
  if (store.kind === 'write') lines.push(`write ${plan.imagePath} (${publication.bytes.length} bytes)`);
  if (store.kind === 'replace') lines.push(`replace ${plan.imagePath}: ${store.why}`);
  if (store.kind === 'adopt') lines.push(`link ${store.from} to ${plan.imagePath}`);
  for (const { deploymentPath, kind } of plan.links) {
    if (kind === 'link') lines.push(`link it to ${join(deploymentPath, DEPLOYMENT_IMAGE)}`);
    if (kind === 'replace') lines.push(`replace ${join(deploymentPath, DEPLOYMENT_IMAGE)} by it`);
  }
  return lines;
}

/**
 * Carries a plan out. `validate` sees every image that gets a name, be it written or adopted, and one that is kept.
 * @throws whatever `validate` throws; OperationError when disk or kernel do not give back what was written; IoError.
 *   Nothing is published then that was not before.
 */
export async function publish(
  plan: PublicationPlan,
  validate: Validate,
  system: System,
): Promise<PublicationResult> {
  const { publication } = plan;
  let verity: ImageVerity;
  if (plan.store.kind === 'keep') {
    await validate(system.readFile(plan.imagePath), plan.imagePath);
    verity = protect(plan.imagePath, publication, system);
  } else {
    verity = await storeImage(plan, validate, system);
  }
  for (const link of plan.links) {
    if (link.kind !== 'keep')
      linkImage(link.deploymentPath, plan.imagePath, publication.repositoryPath, system);
  }
  return { imagePath: plan.imagePath, store: plan.store.kind, links: plan.links, verity };
}

async function storeImage(plan: PublicationPlan, validate: Validate, system: System): Promise<ImageVerity> {
  const { publication, store } = plan;
  const folder = makeStoreFolder(publication.repositoryPath, 'images', system);
  const temporary = join(folder, temporaryName());
  return await removedOnFailure(temporary, system, async () => {
    if (store.kind === 'adopt') adopt(store.from, temporary, system);
    else writeSynced(temporary, publication.bytes, IMAGE_MODE, system);
    if (!isFileOf(publication.bytes, temporary, system)) {
      throw new OperationError('publish', `${temporary}: the disk gave back other bytes than were written`);
    }
    await validate(asBuffer(publication.bytes), temporary);
    const verity = protect(temporary, publication, system);
    system.rename(temporary, plan.imagePath);
    system.fsyncDirectory(folder);
    return verity;
  });
}

function adopt(from: string, path: string, system: System): void {
  system.link(from, path);
  const fd = system.openRead(path, { noFollow: true });
  try {
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
}

/** Enables fs-verity as the policy says, and lets the kernel confirm the digest. */
function protect(path: string, publication: Publication, system: System): ImageVerity {
  if (publication.verity === 'off') return { state: 'off' };
  const fd = system.openRead(path, { noFollow: true });
  try {
    let measured = system.measureVerity(fd);
    if (measured.state === 'unsupported' && publication.verity === 'auto')
      return { state: 'unsupported', reason: `kernel or file system has no fs-verity (${measured.errno})` };
    if (measured.state !== 'enabled') {
      system.enableVerity(fd);
      system.fsync(fd);
      measured = system.measureVerity(fd);
    }
    const got = measured.state === 'enabled' ? measured.digest.toString('hex') : measured.state;
    if (got !== publication.digest) {
      throw new OperationError(
        'publish',
        `${path}: fs-verity measures ${got}, expected ${publication.digest}`,
      );
    }
    return { state: 'enabled' };
  } catch (error) {
    if (error instanceof UnsupportedError && publication.verity === 'auto')
      return { state: 'unsupported', reason: error.message };
    throw error;
  } finally {
    system.close(fd);
  }
}

/** Links the stored image into a deployment as `.ostree.cfs`, in place of whatever has that name. */
function linkImage(deploymentPath: string, image: string, repositoryPath: string, system: System): void {
  const link = join(deploymentPath, DEPLOYMENT_IMAGE);
  const temporary = join(deploymentPath, temporaryName());
  changeNames(deploymentPath, repositoryPath, system, () => {
    try {
      system.link(image, temporary);
      system.rename(temporary, link);
    } catch (error) {
      removeQuietly(temporary, system);
      throw error;
    }
  });
}

/**
 * Changes names in a folder, durably. If the folder is immutable the flag is lifted for the change, and put back
 * whatever happens.
 */
function changeNames(path: string, repositoryPath: string, system: System, change: () => void): void {
  if (system.isImmutable(path) !== true) {
    change();
    system.fsyncDirectory(path);
    return;
  }
  const store = system.realpath(storeFolder(repositoryPath, 'images'));
  const note = join(store, `${LIFTED_PREFIX}${randomHex(6)}`);
  // Relative, so that it holds wherever the sysroot is mounted next.
  system.symlink(textToBytes(relative(store, system.realpath(path))), note);
  system.fsyncDirectory(store);
  try {
    system.setImmutable(path, false);
    change();
  } finally {
    system.setImmutable(path, true);
    // Names and flag must be on disk before the note of it goes.
    system.fsyncDirectory(path);
    system.unlink(note);
  }
}

async function removedOnFailure<T>(path: string, system: System, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    removeQuietly(path, system);
    throw error;
  }
}

/** Takes a temporary file away after a failure, which must not be hidden by another: the next run cleans up. */
function removeQuietly(path: string, system: System): void {
  try {
    system.unlink(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** What a run that was killed left behind. */
export interface RecoveryPlan {
  readonly repositoryPath: string;
  /** Deployment folders whose immutable flag is to be put back, and the notes that say so. */
  readonly lifted: readonly { readonly note: string; readonly deploymentPath: string | undefined }[];
  /** Files to remove. */
  readonly temporary: readonly string[];
}

/** DEPLOYMENT below SYSROOT/ostree: only such a folder is ever made immutable. */
const DEPLOYMENT_PATH = /\/ostree\/deploy\/[^/]+\/deploy\/[0-9a-f]{64}\.[0-9]+$/;

/** Looks for what a killed run left in the store and in the deployments. Reads only. */
export function planRecovery(
  repositoryPath: string,
  deploymentPaths: readonly string[],
  system: SystemReads,
): RecoveryPlan {
  const images = existingStoreFolder(repositoryPath, 'images', system);
  if (images === undefined) return { repositoryPath, lifted: [], temporary: [] };
  const store = system.realpath(images);
  const temporary: string[] = [];
  const lifted: { note: string; deploymentPath: string | undefined }[] = [];
  const commits = existingStoreFolder(repositoryPath, 'commits', system);
  for (const folder of [store, ...(commits === undefined ? [] : [commits]), ...deploymentPaths]) {
    for (const name of namesIn(folder, system)) {
      if (isTemporaryName(name)) temporary.push(join(folder, name));
    }
  }
  for (const name of namesIn(store, system)) {
    if (!LIFTED_NAME.test(name)) continue;
    const note = join(store, name);
    if (!isSymlink(system.lstat(note).mode)) continue;
    const path = resolve(store, bytesToText(system.readlink(note)));
    const exists = DEPLOYMENT_PATH.test(path) && isDirectory(system.lstatIfExists(path)?.mode ?? 0);
    lifted.push({ note, deploymentPath: exists ? path : undefined });
  }
  return { repositoryPath, lifted, temporary };
}

function namesIn(folder: string, system: SystemReads): string[] {
  return system.lstatIfExists(folder) === undefined ? [] : system.readdir(folder);
}

/** Carries {@link planRecovery} out. To be called with the lock held: temporary files of a living run look the same. */
export function recover(plan: RecoveryPlan, system: System): void {
  for (const [folder, paths] of groupByFolder(plan.temporary)) {
    changeNames(folder, plan.repositoryPath, system, () => {
      for (const path of paths) system.unlink(path);
    });
  }
  for (const { note, deploymentPath } of plan.lifted) {
    if (deploymentPath !== undefined) {
      system.setImmutable(deploymentPath, true);
      system.fsyncDirectory(deploymentPath);
    }
    system.unlink(note);
  }
}

function groupByFolder(paths: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const group = groups.get(dirname(path));
    if (group === undefined) groups.set(dirname(path), [path]);
    else group.push(path);
  }
  return groups;
}
