/** The image of a commit, built for `digest` and `image create`. */
import type { Checksum } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import { withSharedRepositoryLock } from '../deployment/locks.ts';
import { VERITY_MODES } from '../image/digests.ts';
import { type BuiltImage, buildImage } from '../image/plan.ts';
import type { Repository } from '../repository/repository.ts';
import { type Context, oneOf } from './context.ts';

/**
 * Builds it in memory, and warns where parts of it cannot be seen; nothing is pruned from the repository meanwhile.
 * @param digests - the word after `--digests`
 */
export async function buildCommitImage(
  context: Context,
  repository: Repository,
  commit: Checksum,
  digests: string,
  progress: Progress,
): Promise<BuiltImage> {
  if (repository.mayHideXattrs)
    context.say(
      'warning',
      'unchecked: only root (CAP_SYS_ADMIN, and in no container) sees trusted xattrs in a bare repository; where a file has one, this image is not that of the commit',
    );
  const verity = oneOf('--digests', digests, VERITY_MODES, 'yes');
  return await withSharedRepositoryLock(repository.path, { progress }, context.system, () =>
    buildImage(repository, commit, { verity, progress }),
  );
}
