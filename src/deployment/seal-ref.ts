/**
 * An image for a ref: that of the commit it names, validated and published beside the repository's objects as that of a
 * deployment is, and noted so that `gc` keeps it. For trees that are mounted rather than booted.
 */
import type { Checksum, Digest } from '../base/digest.ts';
import { UsageError } from '../base/errors.ts';
import { HelperThreads } from '../image/helper-threads.ts';
import { buildImage } from '../image/plan.ts';
import type { ObjectProtection } from '../image/protect-objects.ts';
import {
  describePublication,
  type ImageVerity,
  planPublication,
  planRecovery,
  recover,
} from '../image/publish.ts';
import { requireObjects } from '../image/require-objects.ts';
import { publishImage, refuseChanged } from '../image/seal-image.ts';
import { recordSealedRef, refLeftovers, sealedRef } from '../image/sealed-refs.ts';
import { DirtreePack } from '../repository/dirtree-pack.ts';
import { readObjectInfo, writeObjectInfo } from '../repository/object-info.ts';
import type { Ref, Repository } from '../repository/repository.ts';
import { withPublishingLock } from './locks.ts';
import type { SealOptions } from './seal.ts';

export interface SealedRefResult {
  readonly ref: string;
  readonly commit: Checksum;
  /** `unchanged`: it was sealed as this already, as far as can be; all was compared again all the same. */
  readonly action: 'sealed' | 'unchanged';
  readonly digest: Digest;
  readonly imagePath: string;
  readonly sizeBytes: number;
  readonly steps: readonly string[];
  readonly imageVerity?: ImageVerity;
  readonly objects?: ObjectProtection;
}

/**
 * Seals the commit that a ref names.
 * @throws NotFoundError without such a ref, UnsupportedError for repositories that cannot back a mount, ValidationError
 */
export async function sealRef(
  repository: Repository,
  refspec: string,
  options: SealOptions,
): Promise<SealedRefResult> {
  requireObjects(repository);
  const ref = refNamed(repository, refspec).refspec;
  const work = (): Promise<SealedRefResult> => seal(repository, ref, options);
  if (options.dryRun) return await work();
  const times = { timeoutMs: options.lockTimeoutMs, progress: options.progress };
  return await withPublishingLock(repository.path, times, repository.system, work);
}

/** A ref and nothing else: a checksum cannot be kept for, and what `main^` means changes. */
function refNamed(repository: Repository, refspec: string): Ref {
  const found = repository.listRefs().find((ref) => ref.refspec === refspec);
  if (found !== undefined) return found;
  repository.resolve(refspec);
  throw new UsageError(`${refspec} is no ref: images are kept for refs`, {
    hint: 'sealtree refs lists them; ostree refs --create NAME COMMIT makes one',
  });
}

async function seal(
  repository: Repository,
  ref: string,
  { digests, verity, dryRun, rebuild, progress }: SealOptions,
): Promise<SealedRefResult> {
  const { system } = repository;
  if (!dryRun) {
    recover(planRecovery(repository.path, [], system), system);
    for (const path of refLeftovers(repository.path, system)) system.unlink(path);
  }
  const commit = refNamed(repository, ref).checksum;
  const isBelieving = digests === 'yes' && !rebuild;
  const known = isBelieving ? readObjectInfo(repository) : undefined;
  if (isBelieving) repository.packDirtreesInto(DirtreePack.read(repository));
  await using helpers = new HelperThreads(system);
  const image = await buildImage(repository, commit, { verity: digests, known, helpers, progress });
  const plan = planPublication(
    {
      repositoryPath: repository.path,
      digest: image.digest,
      bytes: image.bytes,
      deploymentPaths: [],
      verity,
    },
    system,
  );
  refuseChanged(repository, image, plan.imagePath);
  const before = sealedRef(repository.path, ref, system);
  const isRecorded = before?.commit === commit && before.digest === image.digest;
  const steps = describePublication(plan);
  if (!isRecorded) steps.push(`keep it for ${ref}`);
  const common = {
    ref,
    commit,
    digest: image.digest,
    imagePath: plan.imagePath,
    sizeBytes: image.bytes.length,
    steps,
  };
  const isDone = plan.isPublished && isRecorded;
  if (dryRun) return { ...common, action: isDone ? 'unchanged' : 'sealed' };
  const sealed = await publishImage(repository, image, plan, { digests, helpers, progress });
  recordSealedRef(repository.path, ref, { commit, digest: image.digest }, system);
  const { table, rows, learnt } = image.objects;
  if (digests === 'yes' && learnt > 0) writeObjectInfo(repository, table, [rows]);
  repository.pack?.save(repository);
  progress.end();
  const { objects } = sealed;
  const isUnchanged = isDone && (objects.state !== 'enabled' || objects.enabledNow === 0);
  return { ...common, ...sealed, action: isUnchanged ? 'unchanged' : 'sealed' };
}
