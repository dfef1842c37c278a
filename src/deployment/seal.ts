/**
 * The seal: for each deployment the image of its commit, validated, published beside the repository's objects and
 * linked as `.ostree.cfs`; objects and image under fs-verity where the file system can. Idempotent: what is
 * sealed and protected already is only read. One image serves all deployments of a commit.
 */
import type { Checksum, Digest } from '../base/digest.ts';
import { OperationError, SealtreeError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import type { VerityMode } from '../image/digests.ts';
import { HelperThreads } from '../image/helper-threads.ts';
import { buildImage } from '../image/plan.ts';
import { areProtected, type ListedDigests, type ObjectProtection } from '../image/protect-objects.ts';
import {
  describePublication,
  type ImageVerity,
  planPublication,
  planRecovery,
  recover,
  type VerityPolicy,
} from '../image/publish.ts';
import { recordedImage } from '../image/records.ts';
import {
  accusesObjects,
  digestIfPossible,
  listedDigests,
  publishImage,
  refuseChanged,
  requireObjects,
} from '../image/seal-image.ts';
import { expectedObjects } from '../image/verify-objects.ts';
import { ContentTable } from '../repository/content-table.ts';
import { readObjectInfo, writeObjectInfo } from '../repository/object-info.ts';
import { Repository } from '../repository/repository.ts';
import type { Deployment } from './deployment.ts';
import { readImageState } from './image-state.ts';
import { withLocks } from './locks.ts';
import { readSysroot, type Sysroot } from './sysroot.ts';

export interface SealOptions {
  /** How object digests are found; `yes` unless there is a reason. */
  readonly digests: VerityMode;
  /** Whether to enable fs-verity. */
  readonly verity: VerityPolicy;
  readonly dryRun: boolean;
  /** Build and compare the image also where the deployment is sealed already, and read all objects anew. */
  readonly rebuild: boolean;
  /** How long to wait for ostree or another run to finish. */
  readonly lockTimeoutMs: number;
  readonly progress: Progress;
}

/**
 * - `sealed`: an image was written and linked;
 * - `adopted`: the image that the deployment had was right and is now stored and recorded;
 * - `linked`: the stored image was linked into the deployment;
 * - `protected`: it was sealed; fs-verity was off on the image or on objects, and was turned on;
 * - `unchanged`: it was sealed already;
 * - `skipped`: it must not be sealed, `reason` says why;
 * - `failed`: `error` says why; nothing was published for it.
 */
export type SealAction = 'sealed' | 'adopted' | 'linked' | 'protected' | 'unchanged' | 'skipped' | 'failed';

export interface SealResult {
  readonly deployment: Deployment;
  readonly action: SealAction;
  readonly digest?: Digest;
  readonly imagePath?: string;
  readonly sizeBytes?: number;
  /** What was done, or with `dryRun` would be done, a sentence each. */
  readonly steps?: readonly string[];
  readonly imageVerity?: ImageVerity;
  readonly objects?: ObjectProtection;
  readonly reason?: string;
  readonly error?: SealtreeError;
}

/**
 * Seals deployments of a sysroot.
 * @param select chooses among the deployments as they are once the locks are held
 * @returns a result for each chosen deployment, in the sysroot's order
 * @throws BusyError when the locks are not to be had; InterruptedError when told to stop: then nothing is half done
 */
export async function sealDeployments(
  sysrootPath: string,
  select: (sysroot: Sysroot) => readonly Deployment[],
  options: SealOptions,
  system: System,
): Promise<SealResult[]> {
  const work = async (): Promise<SealResult[]> => {
    const sysroot = readSysroot(sysrootPath, system);
    const run = new SealRun(sysroot, options, system);
    if (!options.dryRun) run.recover();
    return await run.seal(select(sysroot));
  };
  if (options.dryRun) return await work();
  return await withLocks(
    sysrootPath,
    { timeoutMs: options.lockTimeoutMs, progress: options.progress },
    system,
    work,
  );
}

type Protection = Required<Pick<SealResult, 'imageVerity'>> & Pick<SealResult, 'objects'>;

class SealRun {
  readonly #sysroot: Sysroot;
  readonly #repository: Repository;
  readonly #options: SealOptions;
  readonly #system: System;
  /** How many objects an image lists, where all of them were seen to have fs-verity. */
  readonly #protected = new Map<Digest, number>();
  /** What is known of objects, how many were before this run, and those that it needed. */
  #known: ContentTable | undefined;
  #knownBefore = 0;
  readonly #needed: Uint32Array[] = [];
  readonly #helpers: HelperThreads;

  constructor(sysroot: Sysroot, options: SealOptions, system: System) {
    this.#sysroot = sysroot;
    this.#repository = Repository.open(sysroot.repositoryPath, system);
    this.#options = options;
    this.#system = system;
    this.#helpers = new HelperThreads(system);
    requireObjects(this.#repository);
  }

  /** Puts right what a killed run left. */
  recover(): void {
    const folders = [...this.#sysroot.deployments, ...this.#sysroot.unlistedFolders].map(({ path }) => path);
    recover(planRecovery(this.#repository.path, folders, this.#system), this.#system);
  }

  async seal(deployments: readonly Deployment[]): Promise<SealResult[]> {
    const byCommit = Map.groupBy(deployments, ({ checksum }) => checksum);
    const results = new Map<Deployment, SealResult>();
    await using _ = this.#helpers;
    for (const group of byCommit.values()) {
      for (const result of await this.#sealCommit(group)) results.set(result.deployment, result);
    }
    this.#keepKnown();
    this.#options.progress.end();
    return deployments.map((deployment) => results.get(deployment) as SealResult);
  }

  /** Seals the deployments of one commit; a failure concerns these alone. */
  async #sealCommit(group: readonly Deployment[]): Promise<SealResult[]> {
    const done: SealResult[] = [];
    const open: Deployment[] = [];
    try {
      for (const deployment of group) {
        const result = this.#unsealable(deployment) ?? (await this.#unchanged(deployment));
        if (result === undefined) open.push(deployment);
        else done.push(result);
      }
      return open.length === 0 ? done : [...done, ...(await this.#build(open))];
    } catch (error) {
      if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
      if (accusesObjects(error)) this.#forgetKnown();
      const left = group.filter((deployment) => !done.some((result) => result.deployment === deployment));
      return [...done, ...left.map((deployment): SealResult => ({ deployment, action: 'failed', error }))];
    }
  }

  #unsealable(deployment: Deployment): SealResult | undefined {
    if (deployment.unlocked === undefined) return undefined;
    const reason = `unlocked (${deployment.unlocked}): its files may differ from its commit`;
    return { deployment, action: 'skipped', reason };
  }

  /**
   * Whether there is nothing to do: the recorded image is linked, its bytes have its digest, and fs-verity is on
   * it and on its objects unless it cannot be or is not wanted. Whoever asks for other object digests than usual
   * asks for another image.
   */
  async #unchanged(deployment: Deployment): Promise<SealResult | undefined> {
    if (this.#options.rebuild || this.#options.digests !== 'yes') return undefined;
    const state = readImageState(deployment, this.#repository.path, this.#system);
    if (state.kind !== 'sealed' || state.recorded === undefined) return undefined;
    const found = digestIfPossible(state.path, this.#system);
    if (found?.digest !== state.recorded) return undefined;
    const protection = await this.#protectionOf(state.path, state.recorded, () =>
      digestsOf(new ErofsImage(this.#system.readFile(state.path), state.path)),
    );
    if (protection === undefined) return undefined;
    return {
      deployment,
      action: 'unchanged',
      digest: state.recorded,
      imagePath: state.path,
      sizeBytes: found.sizeBytes,
      ...protection,
    };
  }

  /** What protects a sealed image and its objects; undefined where something could still be done. */
  async #protectionOf(
    path: string,
    image: Digest,
    objects: () => ListedDigests,
  ): Promise<Protection | undefined> {
    const imageVerity = this.#verityOf(path);
    if (imageVerity?.state !== 'enabled') return imageVerity && { imageVerity };
    // Deployments of one commit share the objects.
    let enabledBefore = this.#protected.get(image);
    if (enabledBefore === undefined) {
      const listed = objects();
      if (!(await areProtected(this.#repository, listed, this.#options.progress))) return undefined;
      enabledBefore = listed.size;
      this.#protected.set(image, enabledBefore);
    }
    return { imageVerity, objects: { state: 'enabled', enabledNow: 0, enabledBefore } };
  }

  #verityOf(path: string): ImageVerity | undefined {
    if (this.#options.verity === 'off') return { state: 'off' };
    const fd = this.#system.openRead(path, { noFollow: true });
    try {
      const verity = this.#system.measureVerity(fd);
      if (verity.state === 'enabled') return { state: 'enabled' };
      if (verity.state === 'unsupported' && this.#options.verity === 'auto')
        return {
          state: 'unsupported',
          reason: `kernel or file system has no fs-verity (${verity.errno})`,
        };
      return undefined;
    } finally {
      this.#system.close(fd);
    }
  }

  /** What earlier runs learnt, and this one for its other commits; who has images built again has objects read again. */
  #knownObjects(): ContentTable | undefined {
    if (this.#options.digests !== 'yes') return undefined;
    if (this.#known === undefined) {
      const read = this.#options.rebuild ? undefined : readObjectInfo(this.#repository);
      this.#known = read ?? new ContentTable();
      this.#knownBefore = this.#known.count;
    }
    return this.#known;
  }

  /** What was learnt for an image that is not right is not kept: its objects may be mended before the next run. */
  #forgetKnown(): void {
    this.#known = undefined;
    this.#needed.length = 0;
  }

  #keepKnown(): void {
    if (this.#known === undefined || this.#known.count === this.#knownBefore || this.#options.dryRun) return;
    writeObjectInfo(this.#repository, this.#known, this.#needed);
  }

  async #build(deployments: readonly Deployment[]): Promise<SealResult[]> {
    const { digests, verity, dryRun, progress } = this.#options;
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
        repositoryPath: this.#repository.path,
        digest: image.digest,
        bytes: image.bytes,
        deploymentPaths: deployments.map(({ path }) => path),
        verity,
      },
      this.#system,
    );
    const recorded = recordedImage(this.#repository.path, commit, this.#system);
    refuseChanged(this.#repository, image, plan.imagePath);
    const steps = describePublication(plan);
    const common = { digest: image.digest, imagePath: plan.imagePath, sizeBytes: image.bytes.length };
    const wasProtected =
      plan.store.kind === 'keep' &&
      (await this.#protectionOf(plan.imagePath, image.digest, () => listedDigests(image))) !== undefined;
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
}

const digestsOf = (image: ErofsImage): Map<Checksum, Uint8Array | undefined> =>
  new Map([...expectedObjects(image)].map(([checksum, { digest }]) => [checksum, digest]));

/** The deployments that a person named, or all. @throws NotFoundError, UsageError */
export function selectDeployments(sysroot: Sysroot, specs: readonly string[]): readonly Deployment[] {
  if (specs.length === 0) return sysroot.deployments;
  const chosen = new Set(specs.map((spec) => sysroot.resolve(spec)));
  return sysroot.deployments.filter((deployment) => chosen.has(deployment));
}

/** The failures of a run as one error, or undefined without any: the exit code is theirs when they agree. */
export function failureOf(results: readonly SealResult[]): SealtreeError | undefined {
  const errors = results.flatMap(({ error }) => error ?? []);
  const [first] = errors;
  if (first === undefined || errors.every(({ exitCode }) => exitCode === first.exitCode)) return first;
  return new OperationError('seal', `${errors.length} deployments could not be sealed: ${first.message}`);
}
