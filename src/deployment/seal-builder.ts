/** Seals deployments that are not sealed yet: builds the image of their commit, publishes it and links it. */
import { HelperThreads } from '../image/helper-threads.ts';
import { buildImage } from '../image/plan.ts';
import { describePublication, planPublication } from '../image/publish.ts';
import { recordedImage } from '../image/records.ts';
import { accusesObjects, listedDigests, publishImage, refuseChanged } from '../image/seal-image.ts';
import { ContentTable } from '../repository/content-table.ts';
import { DirtreePack } from '../repository/dirtree-pack.ts';
import { readObjectInfo, writeObjectInfo } from '../repository/object-info.ts';
import type { Repository } from '../repository/repository.ts';
import type { Deployment } from './deployment.ts';
import type { Protections } from './protections.ts';
import type { SealAction, SealOptions, SealResult } from './seal.ts';

export class SealBuilder implements AsyncDisposable {
  readonly #repository: Repository;
  readonly #protections: Protections;
  readonly #options: SealOptions;
  /** What is known of objects, how many were before this run, and those that it needed. */
  #known: ContentTable | undefined;
  #knownBefore = 0;
  readonly #needed: Uint32Array[] = [];
  readonly #helpers: HelperThreads;

  constructor(repository: Repository, protections: Protections, options: SealOptions) {
    this.#repository = repository;
    this.#protections = protections;
    this.#options = options;
    this.#helpers = new HelperThreads(repository.system);
  }

  /**
   * Seals deployments of one commit.
   * @throws ValidationError and whatever stands in the way: nothing is published then
   */
  async build(deployments: readonly Deployment[]): Promise<SealResult[]> {
    try {
      return await this.#build(deployments);
    } catch (error) {
      if (accusesObjects(error)) this.#forgetKnown();
      throw error;
    }
  }

  /** Keeps what was learnt of objects, and dirtrees that were read, for the next run. */
  keepKnown(): void {
    if (this.#known === undefined || this.#options.dryRun) return;
    if (this.#known.count !== this.#knownBefore) writeObjectInfo(this.#repository, this.#known, this.#needed);
    this.#repository.pack?.save(this.#repository);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#helpers[Symbol.asyncDispose]();
  }

  async #build(deployments: readonly Deployment[]): Promise<SealResult[]> {
    const { digests, verity, dryRun, progress } = this.#options;
    const { path: repositoryPath, system } = this.#repository;
    const commit = (deployments[0] as Deployment).checksum;
    const image = await buildImage(this.#repository, commit, {
      verity: digests,
      known: this.#knownObjects(),
      helpers: this.#helpers,
      progress,
    });
    this.#needed.push(image.objects.rows);
    const plan = planPublication(
      {
        repositoryPath,
        digest: image.digest,
        bytes: image.bytes,
        deploymentPaths: deployments.map(({ path }) => path),
        verity,
      },
      system,
    );
    const recorded = recordedImage(repositoryPath, commit, system);
    refuseChanged(this.#repository, image, plan.imagePath);
    const steps = describePublication(plan);
    const common = { digest: image.digest, imagePath: plan.imagePath, sizeBytes: image.bytes.length };
    const wasProtected =
      plan.store.kind === 'keep' &&
      (await this.#protections.of(plan.imagePath, image.digest, () => listedDigests(image))) !== undefined;
    if (plan.isPublished && !wasProtected) steps.push('enable fs-verity where it is off');
    const actionOf = (deployment: Deployment): SealAction => {
      const link = plan.links.find(({ deploymentPath }) => deploymentPath === deployment.path);
      if (plan.store.kind === 'adopt' && link?.kind === 'keep') return 'adopted';
      if (link?.kind === 'keep' && recorded !== image.digest) return 'adopted';
      if (link?.kind === 'keep') return wasProtected ? 'unchanged' : 'protected';
      return plan.store.kind === 'keep' || plan.store.kind === 'adopt' ? 'linked' : 'sealed';
    };
    if (dryRun)
      return deployments.map(
        (deployment): SealResult => ({ deployment, action: actionOf(deployment), ...common, steps }),
      );

    const { imageVerity, objects } = await publishImage(this.#repository, image, plan, {
      digests,
      helpers: this.#helpers,
      progress,
    });
    return deployments.map(
      (deployment): SealResult => ({
        deployment,
        action: actionOf(deployment),
        ...common,
        steps,
        imageVerity,
        objects,
      }),
    );
  }

  /** What earlier runs learnt, and this one for its other commits; who has images built again has objects read again. */
  #knownObjects(): ContentTable | undefined {
    if (this.#options.digests !== 'yes') return undefined;
    if (this.#known === undefined) {
      const isBelieving = !this.#options.rebuild;
      this.#known = (isBelieving ? readObjectInfo(this.#repository) : undefined) ?? new ContentTable();
      if (isBelieving) this.#repository.packDirtreesInto(DirtreePack.read(this.#repository));
      this.#knownBefore = this.#known.count;
    }
    return this.#known;
  }

  /** What was learnt for an image that is not right is not kept: its objects may be mended before the next run. */
  #forgetKnown(): void {
    this.#known = undefined;
    this.#needed.length = 0;
  }
}
