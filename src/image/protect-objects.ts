/**
 * fs-verity on the objects an image points to: what makes the kernel refuse a changed one. It takes nothing away
 * that ostree does with objects (links, xattrs, removal); only their bytes are fixed. May be stopped and run again:
 * an object either has it or not.
 */
import { bytesEqual } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { errnoOf, OperationError, UnsupportedError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { VerityPolicy } from './publish.ts';

/** `unsupported`: kernel or file system cannot, and it was not required; `off`: it was not asked for. */
export type ObjectProtection =
  | { readonly state: 'enabled'; readonly enabledNow: number; readonly enabledBefore: number }
  | { readonly state: 'unsupported'; readonly reason: string }
  | { readonly state: 'off' };

/** Where objects lie: a repository. */
export interface ObjectFiles {
  readonly path: string;
  readonly system: System;
  objectPath(checksum: Checksum, type: 'file'): string;
}

/**
 * Objects, each with the digest that the image lists, or undefined where it lists none: a Map, or what makes one entry
 * after the other, since there may be a million.
 */
export interface ListedDigests extends Iterable<readonly [Checksum, Uint8Array | undefined]> {
  readonly size: number;
}

/**
 * Enables fs-verity on content objects (regular files) and lets the kernel confirm what the image says of them.
 * @throws UnsupportedError when the policy is `require` and it cannot be had; OperationError when the kernel measures
 *   another digest; IoError, such as ETXTBSY for an object that is being written
 */
export async function protectObjects(
  repository: ObjectFiles,
  objects: ListedDigests,
  policy: VerityPolicy,
  progress: Progress,
): Promise<ObjectProtection> {
  if (policy === 'off') return { state: 'off' };
  const { system } = repository;
  progress.begin('enabling fs-verity on objects', objects.size);
  let enabledNow = 0;
  try {
    for (const [checksum, digest] of objects) {
      if (protectFile(repository.objectPath(checksum, 'file'), digest, system)) enabledNow++;
      progress.advance(1);
      await progress.breathe();
    }
  } catch (error) {
    if (!(error instanceof UnsupportedError) || policy === 'require') throw error;
    return { state: 'unsupported', reason: error.message };
  }
  // One flush instead of an fsync per object.
  if (enabledNow > 0) system.syncfs(repository.path);
  return { state: 'enabled', enabledNow, enabledBefore: objects.size - enabledNow };
}

/**
 * Whether all these objects have fs-verity and measure as the image says: ostree replaces objects that it found
 * damaged, and what it fetches anew has none. Ends at the first that lacks it or cannot be opened.
 */
export async function areProtected(
  repository: ObjectFiles,
  objects: ListedDigests,
  progress: Progress,
): Promise<boolean> {
  progress.begin('measuring objects', objects.size);
  for (const [checksum, digest] of objects) {
    if (!isProtected(repository.objectPath(checksum, 'file'), digest, repository.system)) return false;
    progress.advance(1);
    await progress.breathe();
  }
  return true;
}

function isProtected(path: string, digest: Uint8Array | undefined, system: System): boolean {
  let fd: number;
  try {
    fd = system.openRead(path, { noFollow: true });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
  try {
    const measured = system.measureVerity(fd);
    return measured.state === 'enabled' && (digest === undefined || bytesEqual(measured.digest, digest));
  } finally {
    system.close(fd);
  }
}

/**
 * Enables fs-verity on a file where it is off. Returns whether it had to be enabled; durable only after a flush.
 * @throws as {@link protectObjects}
 */
export function protectFile(path: string, digest: Uint8Array | undefined, system: System): boolean {
  const fd = system.openRead(path, { noFollow: true });
  try {
    let measured = system.measureVerity(fd);
    const isNew = measured.state !== 'enabled';
    if (isNew) {
      system.enableVerity(fd);
      measured = system.measureVerity(fd);
    }
    const got = measured.state === 'enabled' ? measured.digest.toString('hex') : measured.state;
    const want = digest === undefined ? got : Buffer.from(digest).toString('hex');
    if (got !== want)
      throw new OperationError('verity', `${path}: fs-verity measures ${got}, the image says ${want}`);
    return isNew;
  } finally {
    system.close(fd);
  }
}
