/**
 * The seal: for each deployment the image of its commit, validated, published beside the repository's objects and
 * linked as `.ostree.cfs`; objects and image under fs-verity where the file system can. Idempotent: what is
 * sealed and protected already is only read, and what builds is not even loaded. One image serves all deployments of
 * a commit.
 */
import type { Digest } from '../base/digest.ts';
import { OperationError, SealtreeError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { VerityMode } from '../image/digests.ts';
import { digestIfPossible } from '../image/file-digest.ts';
import type { ObjectProtection } from '../image/protect-objects.ts';
import { type ImageVerity, planRecovery, recover, type VerityPolicy } from '../image/publish.ts';
import { requireObjects } from '../image/require-objects.ts';
import { Repository } from '../repository/repository.ts';
import type { Deployment } from './deployment.ts';
import { readImageState } from './image-state.ts';
import { withLocks } from './locks.ts';
import { digestsListedIn, Protections } from './protections.ts';
import type { SealBuilder } from './seal-builder.ts';
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

class SealRun {
  readonly #sysroot: Sysroot;
  readonly #repository: Repository;
  readonly #options: SealOptions;
  readonly #system: System;
  readonly #protections: Protections;
  /** Made for the first image that is to be built. */
  #builder: SealBuilder | undefined;

  constructor(sysroot: Sysroot, options: SealOptions, system: System) {
    this.#sysroot = sysroot;
    this.#repository = Repository.open(sysroot.repositoryPath, system);
    this.#options = options;
    this.#system = system;
    this.#protections = new Protections(this.#repository, options);
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
    try {
      for (const group of byCommit.values()) {
        for (const result of await this.#sealCommit(group)) results.set(result.deployment, result);
      }
      this.#builder?.keepKnown();
    } finally {
      await this.#builder?.[Symbol.asyncDispose]();
    }
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
    const { kind, path, recorded } = readImageState(deployment, this.#repository.path, this.#system);
    if (kind !== 'sealed' || recorded === undefined) return undefined;
    const found = digestIfPossible(path, this.#system);
    if (found?.digest !== recorded) return undefined;
    const listed = () => digestsListedIn(path, this.#system);
    const protection = await this.#protections.of(path, recorded, listed);
    if (protection === undefined) return undefined;
    return {
      deployment,
      action: 'unchanged',
      digest: recorded,
      imagePath: path,
      sizeBytes: found.sizeBytes,
      ...protection,
    };
  }

  async #build(deployments: readonly Deployment[]): Promise<SealResult[]> {
    if (this.#builder === undefined) {
      const { SealBuilder } = await import('./seal-builder.ts');
      this.#builder = new SealBuilder(this.#repository, this.#protections, this.#options);
    }
    return await this.#builder.build(deployments);
  }
}

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
