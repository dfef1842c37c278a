/**
 * fs-verity on everything of a repository that a sealed root can come to need: all its objects, not only those that
 * an image lists, and all images; and ostree told to go on so with what it writes (`ex-integrity.fsverity`).
 *
 * It may be stopped at any file and run again: a file either has fs-verity or not, and nothing is noted anywhere.
 */
import { join } from 'node:path';
import { bytesToText } from '../base/bytes.ts';
import { isHex64 } from '../base/digest.ts';
import { errnoOf, SealtreeError, UnsupportedError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import type { SystemReads } from '../base/system.ts';
import type { Finding } from '../image/findings.ts';
import { protectFile } from '../image/protect-objects.ts';
import { DEPLOYMENT_IMAGE, existingStoreFolder } from '../image/store.ts';
import type { Repository } from '../repository/repository.ts';

/** What of a repository has fs-verity. Symlinks are objects too, and cannot have it. */
export interface ProtectionState {
  /** Regular files: objects and images. */
  readonly total: number;
  readonly enabled: number;
  readonly disabled: number;
  /** The kernel or the file system lacks it. */
  readonly unsupported: number;
  /** Could not be opened or measured. */
  readonly unreadable: readonly Finding[];
}

export interface ProtectionResult {
  readonly enabledNow: number;
  readonly enabledBefore: number;
  /** Files that could not get it: damaged on disk, or being written. */
  readonly failed: readonly Finding[];
}

/** A file to be protected; `digest` is what it must then measure as. */
interface Protectable {
  readonly path: string;
  readonly digest: Buffer | undefined;
}

/** Measures every file; changes nothing. */
export async function readProtection(
  repository: Repository,
  deploymentPaths: readonly string[],
  progress: Progress,
): Promise<ProtectionState> {
  const { system } = repository;
  const counts = { enabled: 0, disabled: 0, unsupported: 0 };
  const unreadable: Finding[] = [];
  progress.begin('measuring objects');
  for (const { path } of protectables(repository, deploymentPaths)) {
    try {
      const fd = system.openRead(path, { noFollow: true });
      try {
        counts[system.measureVerity(fd).state]++;
      } finally {
        system.close(fd);
      }
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const severity = errnoOf(error) === 'EACCES' ? 'unchecked' : 'error';
      unreadable.push({ severity, code: 'object-unreadable', where: path, message: error.message });
    }
    progress.advance(1);
    await progress.breathe();
  }
  progress.end();
  const total = counts.enabled + counts.disabled + counts.unsupported + unreadable.length;
  return { total, ...counts, unreadable };
}

/**
 * Enables fs-verity on every file that lacks it, and makes that durable. The caller holds the locks. One file that
 * cannot get it does not keep the others from it.
 * @throws UnsupportedError when the kernel or the file system has no fs-verity; InterruptedError
 */
export async function protectRepository(
  repository: Repository,
  deploymentPaths: readonly string[],
  progress: Progress,
): Promise<ProtectionResult> {
  const { system } = repository;
  const files = [...protectables(repository, deploymentPaths)];
  const failed: Finding[] = [];
  let enabledNow = 0;
  let enabledBefore = 0;
  progress.begin('enabling fs-verity', files.length);
  try {
    for (const { path, digest } of files) {
      try {
        if (protectFile(path, digest, system)) enabledNow++;
        else enabledBefore++;
      } catch (error) {
        if (!(error instanceof SealtreeError) || error instanceof UnsupportedError) throw error;
        failed.push({ severity: 'error', code: 'object-unprotected', where: path, message: error.message });
      }
      progress.advance(1);
      await progress.breathe();
    }
  } finally {
    // One flush instead of an fsync per file; also of what an interrupted run did.
    if (enabledNow > 0) system.syncfs(repository.path);
  }
  progress.end();
  return { enabledNow, enabledBefore, failed };
}

/** As `ostree admin post-copy`: all loose objects that are regular files; and the images. */
function* protectables(repository: Repository, deploymentPaths: readonly string[]): Generator<Protectable> {
  const { system } = repository;
  for (const { checksum, type } of repository.listObjects()) {
    const path = repository.objectPath(checksum, type);
    if (isFile(path, system)) yield { path, digest: undefined };
  }
  const images = existingStoreFolder(repository.path, 'images', system);
  for (const name of images === undefined ? [] : system.readdir(images).map(bytesToText)) {
    const digest = name.endsWith('.cfs') ? name.slice(0, -'.cfs'.length) : '';
    const path = join(images as string, name);
    if (isHex64(digest) && isFile(path, system)) yield { path, digest: Buffer.from(digest, 'hex') };
  }
  for (const deployment of deploymentPaths) {
    const path = join(deployment, DEPLOYMENT_IMAGE);
    if (isFile(path, system)) yield { path, digest: undefined };
  }
}

const isFile = (path: string, system: SystemReads): boolean =>
  isRegular(system.lstatIfExists(path)?.mode ?? 0);
