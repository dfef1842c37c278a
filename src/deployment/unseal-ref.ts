/** The way back from {@link ./seal-ref.ts}: the image of a ref is kept for it no longer, and `gc` may remove it. */
import type { Checksum, Digest } from '../base/digest.ts';
import { NotFoundError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import { forgetSealedRef, sealedRef } from '../image/sealed-refs.ts';
import type { Repository } from '../repository/repository.ts';
import { withPublishingLock } from './locks.ts';

export interface UnsealedRef {
  readonly ref: string;
  /** What it was sealed as. */
  readonly commit: Checksum;
  readonly digest: Digest;
}

export interface UnsealOptions {
  readonly dryRun: boolean;
  readonly lockTimeoutMs: number;
  readonly progress: Progress;
}

/**
 * Forgets what a ref was sealed as; whether there is still such a ref does not matter.
 * @throws NotFoundError for one that was not sealed
 */
export async function unsealRef(
  repository: Repository,
  ref: string,
  { dryRun, lockTimeoutMs, progress }: UnsealOptions,
): Promise<UnsealedRef> {
  const work = async (): Promise<UnsealedRef> => {
    const sealed = sealedRef(repository.path, ref, repository.system);
    if (sealed === undefined)
      throw new NotFoundError(`${ref} was not sealed: no image is kept for it`, { details: { ref } });
    if (!dryRun) forgetSealedRef(repository.path, sealed, repository.system);
    return { ref, commit: sealed.commit, digest: sealed.digest };
  };
  if (dryRun) return await work();
  const times = { timeoutMs: lockTimeoutMs, progress };
  return await withPublishingLock(repository.path, times, repository.system, work);
}
