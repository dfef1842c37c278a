/**
 * From a built image to a published one: objects under fs-verity, the image validated as it lies on disk, placed, and
 * recorded. What deployments and refs are sealed with alike.
 */
import { bytesEqual } from '../base/bytes.ts';
import { type Checksum, digestOf } from '../base/digest.ts';
import { ExitCode, errnoOf, SealtreeError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { SystemReads } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';
import type { Repository } from '../repository/repository.ts';
import type { VerityMode } from './digests.ts';
import type { Finding } from './findings.ts';
import type { HelperThreads } from './helper-threads.ts';
import type { BuiltImage } from './plan.ts';
import { type ListedDigests, type ObjectProtection, protectObjects } from './protect-objects.ts';
import { type ImageVerity, type PublicationPlan, publish } from './publish.ts';
import { recordedImage, recordImage } from './records.ts';
import { type ObjectsRead, objectsRead, rereadObjects } from './reread-objects.ts';
import { checkDigests, sampleOf } from './sample-objects.ts';
import { imagePath } from './store.ts';
import { validateImage } from './validate.ts';
import { expectedObjects } from './verify-objects.ts';

/** The digests of the objects an image lists. */
export const listedDigests = ({ objects }: BuiltImage): ListedDigests => ({
  size: objects.backingCount,
  *[Symbol.iterator]() {
    for (const { checksum, digest } of objects.backing()) yield [checksum, digest];
  },
});

/**
 * An object never changes. Where one differs from what the commit was sealed with, a new image would call the
 * change right: it is refused, as long as the image of then is there to bear witness.
 * @throws ValidationError
 */
export function refuseChanged(repository: Repository, image: BuiltImage, path: string): void {
  const recorded = recordedImage(repository.path, image.commit, repository.system);
  if (recorded === undefined || recorded === image.digest) return;
  const formerPath = imagePath(repository.path, recorded);
  const former = readIfPossible(formerPath, repository.system);
  if (former === undefined || digestOf(verityDigest(former)) !== recorded) return;
  const findings: Finding[] = [];
  for (const [checksum, { digest }] of expectedObjects(new ErofsImage(former, formerPath))) {
    const now = image.objects.digest(checksum);
    if (digest === undefined || now === undefined || bytesEqual(digest, now)) continue;
    const where = `object ${checksum}.file`;
    const message = `${where} was sealed with the digest ${digestOf(digest)} and has ${digestOf(now)} now`;
    findings.push({ severity: 'error', code: 'object-changed', where, message });
  }
  if (findings.length > 0) throw new ValidationError(path, findings);
}

/** Whether a seal failed for what its image says of objects. */
export const accusesObjects = (error: unknown): boolean =>
  error instanceof SealtreeError && (error instanceof ValidationError || error.code === 'verity');

/** The bytes of a file; undefined where it cannot be read (EIO is what fs-verity says of a damaged one). */
export function readIfPossible(path: string, system: SystemReads): Buffer | undefined {
  try {
    return system.readFile(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

export interface SealedImage {
  readonly imageVerity: ImageVerity;
  readonly objects: ObjectProtection;
}

interface ValidationOptions {
  readonly digests: VerityMode;
  /** Those the image was built with. */
  readonly helpers: HelperThreads;
  readonly progress: Progress;
}

/**
 * Publishes an image as planned and records it; the caller holds the lock.
 * @throws ValidationError when it is not the image of its commit; nothing is published then
 */
export async function publishImage(
  repository: Repository,
  image: BuiltImage,
  plan: PublicationPlan,
  options: ValidationOptions,
): Promise<SealedImage> {
  const { progress } = options;
  const { verity } = plan.publication;
  const objects = await protectObjects(repository, listedDigests(image), verity, progress);
  const validate = (bytes: Buffer, path: string): Promise<void> =>
    validateBuilt(repository, image, bytes, path, options);
  const { verity: imageVerity } = await publish(plan, validate, repository.system);
  recordImage(repository.path, image.commit, image.digest, repository.system);
  return { imageVerity, objects };
}

async function validateBuilt(
  repository: Repository,
  image: BuiltImage,
  bytes: Buffer,
  path: string,
  { digests, helpers, progress }: ValidationOptions,
): Promise<void> {
  const { table, rows } = image.objects;
  const expected = {
    repository,
    commit: image.commit,
    verity: digests,
    digest: image.digest,
    objectInfo: (checksum: Checksum) => image.objects.info(checksum),
    objectDigest: (checksum: Checksum) => image.objects.digest(checksum),
    helpers,
  };
  const findings = [...(await validateImage(bytes, path, expected, progress))];
  const rereading = image.rereading ?? reread(repository, objectsRead(table, rows), progress);
  findings.push(...(await progress.waitFor(rereading)));
  const sampling = image.sampling ?? checkDigests(repository, sampleOf(table, rows), progress);
  findings.push(...(await progress.waitFor(sampling)));
  if (findings.length > 0) throw new ValidationError(path, findings);
}

async function reread(repository: Repository, objects: ObjectsRead, progress: Progress): Promise<Finding[]> {
  progress.begin('reading objects again', objects.rows.length);
  const steps = rereadObjects(repository, objects);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    progress.advance(step.value);
    await progress.breathe();
  }
}

/** An image that is not the image of its commit; it was not published. */
export class ValidationError extends SealtreeError {
  readonly findings: readonly Finding[];

  constructor(path: string, findings: readonly Finding[]) {
    const messages = findings.slice(0, 3).map(({ message }) => message);
    const more = findings.length > 3 ? `; and ${findings.length - 3} more` : '';
    super('validation-failed', ExitCode.findings, `${path}: not published: ${messages.join('; ')}${more}`, {
      hint: 'sealtree verify --deep checks the repository this was built from',
      details: { findings },
    });
    this.findings = findings;
  }
}
