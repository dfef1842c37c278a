/**
 * Which image was published for a commit: one small file a commit in `REPO/extensions/sealtree/commits`, named by
 * the commit's checksum and holding the image digest, as ostree writes a ref. It answers "is this deployment
 * sealed, and as what?" without building the image again, and is a record, not a proof: `verify` compares with
 * the commit itself.
 */
import { type Checksum, type Digest, isHex64 } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import type { System, SystemReads } from '../base/system.ts';
import { existingStoreFolder, makeStoreFolder, storeFolder, temporaryName, writeSynced } from './store.ts';

/** The digest recorded for a commit; undefined without a record, or with one that is damaged. */
export function recordedImage(
  repositoryPath: string,
  commit: Checksum,
  system: SystemReads,
): Digest | undefined {
  const path = `${storeFolder(repositoryPath, 'commits')}/${commit}`;
  if (system.lstatIfExists(path) === undefined) return undefined;
  try {
    const text = system.readFile(path).toString('latin1').trimEnd();
    return isHex64(text) ? (text as Digest) : undefined;
  } catch (error) {
    // A record that cannot be read is none: the next seal writes it again.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Records the image of a commit durably; the caller holds the lock. Writes nothing when it is so already. */
export function recordImage(repositoryPath: string, commit: Checksum, digest: Digest, system: System): void {
  if (recordedImage(repositoryPath, commit, system) === digest) return;
  const folder = makeStoreFolder(repositoryPath, 'commits', system);
  const temporary = `${folder}/${temporaryName()}`;
  writeSynced(temporary, Buffer.from(`${digest}\n`, 'latin1'), 0o644, system);
  system.rename(temporary, `${folder}/${commit}`);
  system.fsyncDirectory(folder);
}

/** Records that `isNeeded` refuses, and damaged ones: paths that may be removed. */
export function unneededRecords(
  repositoryPath: string,
  isNeeded: (commit: Checksum, digest: Digest) => boolean,
  system: SystemReads,
): string[] {
  const folder = existingStoreFolder(repositoryPath, 'commits', system);
  if (folder === undefined) return [];
  return system
    .readdir(folder)
    .filter((name) => {
      if (!isHex64(name)) return false;
      const commit = name as string as Checksum;
      const digest = recordedImage(repositoryPath, commit, system);
      return digest === undefined || !isNeeded(commit, digest);
    })
    .map((name) => `${folder}/${name}`);
}

/** Removes what {@link unneededRecords} found, durably; the caller holds the lock. */
export function removeRecords(repositoryPath: string, paths: readonly string[], system: System): void {
  for (const path of paths) system.unlink(path);
  if (paths.length > 0) system.fsyncDirectory(storeFolder(repositoryPath, 'commits'));
}
