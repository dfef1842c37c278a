/** The broom over a sysroot's repository: images, records and temporary files that no deployment needs. */
import type { Checksum } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import { layersOf, unneededLayers } from '../container/records.ts';
import { executeGc, type GcPlan, planGc, type StoredImage } from '../image/gc.ts';
import { recordedImage, removeRecords, unneededRecords } from '../image/records.ts';
import { refLeftovers, sealedRefs } from '../image/sealed-refs.ts';
import { DirtreePack } from '../repository/dirtree-pack.ts';
import { countGone, pruneObjectInfo } from '../repository/object-info.ts';
import { type Ref, Repository } from '../repository/repository.ts';
import { withLocks, withPublishingLock } from './locks.ts';
import { readSysroot } from './sysroot.ts';

export interface SweepPlan {
  readonly images: GcPlan;
  /** Records of commits that no deployment has any more, or whose image goes; one whose image was lost stays. */
  readonly records: readonly string[];
  /** Notes of images for refs that are gone. */
  readonly refs: readonly string[];
  /** What is known of layers that no container image at a ref has. */
  readonly layers: readonly string[];
  /** How many objects are gone of which object-info tells something, or which are packed dirtrees. */
  readonly goneObjects: number;
}

/** Without what takes reading the names of all objects. */
type QuickPlan = Omit<SweepPlan, 'goneObjects'>;

export interface SweepOptions {
  readonly dryRun: boolean;
  readonly lockTimeoutMs: number;
  readonly progress: Progress;
}

/**
 * Removes what nothing uses; with `dryRun` only finds it. Every deployment folder counts, with or without a boot
 * entry: an image that one of them has is kept. So is that of a ref, as long as there is the ref.
 */
export async function sweep(sysrootPath: string, options: SweepOptions, system: System): Promise<SweepPlan> {
  const plan = (): SweepPlan => whole(planSweep(sysrootPath, system), system);
  if (options.dryRun) return plan();
  const times = { timeoutMs: options.lockTimeoutMs, progress: options.progress };
  return await withLocks(sysrootPath, times, system, () => execute(plan(), system));
}

/** The same in a repository that is no sysroot's, and so has images for refs only. */
export async function sweepRepository(
  repositoryPath: string,
  options: SweepOptions,
  system: System,
): Promise<SweepPlan> {
  const plan = (): SweepPlan => whole(planFor(repositoryPath, [], system), system);
  if (options.dryRun) return plan();
  const times = { timeoutMs: options.lockTimeoutMs, progress: options.progress };
  return await withPublishingLock(repositoryPath, times, system, () => execute(plan(), system));
}

function whole(plan: QuickPlan, system: System): SweepPlan {
  const repository = Repository.open(plan.images.repositoryPath, system);
  return { ...plan, goneObjects: countGone(repository) + DirtreePack.countGone(repository) };
}

function execute(plan: SweepPlan, system: System): SweepPlan {
  // A note or record must not outlive its image: it would call a deployment's image lost.
  for (const path of [...plan.refs, ...plan.layers]) system.unlink(path);
  removeRecords(plan.images.repositoryPath, plan.records, system);
  executeGc(plan.images, system);
  if (plan.goneObjects > 0) {
    const repository = Repository.open(plan.images.repositoryPath, system);
    pruneObjectInfo(repository);
    DirtreePack.prune(repository);
  }
  return plan;
}

/** The images that {@link sweep} would remove. @throws OperationError as it does */
export const unusedImages = (sysrootPath: string, system: System): readonly StoredImage[] =>
  planSweep(sysrootPath, system).images.removed;

/** The same in a repository whose deployments, if it has any, are known. @throws OperationError as that does */
export const unusedImagesIn = (
  repositoryPath: string,
  folders: readonly DeployedFolder[],
  system: System,
): readonly StoredImage[] => planFor(repositoryPath, folders, system).images.removed;

/** A deployment's, or one that looks like it. */
interface DeployedFolder {
  readonly checksum: Checksum;
  readonly path: string;
}

function planSweep(sysrootPath: string, system: System): QuickPlan {
  const { repositoryPath, deployments, unlistedFolders } = readSysroot(sysrootPath, system);
  return planFor(repositoryPath, [...deployments, ...unlistedFolders], system);
}

function planFor(repositoryPath: string, folders: readonly DeployedFolder[], system: System): QuickPlan {
  const repository = Repository.open(repositoryPath, system);
  const refs = repository.listRefs();
  const names = new Set(refs.map(({ refspec }) => refspec));
  const [kept, gone] = partition(sealedRefs(repositoryPath, system), ({ ref }) => names.has(ref));
  // What a deployment was sealed as stays even when its own image is damaged or gone: that is to be seen, and mended.
  const keep = new Set([
    ...folders.flatMap(({ checksum }) => recordedImage(repositoryPath, checksum, system) ?? []),
    ...kept.map(({ digest }) => digest),
  ]);
  const images = planGc({ repositoryPath, deploymentPaths: folders.map(({ path }) => path), keep }, system);
  const removed = new Set(images.removed.map(({ digest }) => digest));
  const commits = new Set([...folders.map(({ checksum }) => checksum), ...kept.map(({ commit }) => commit)]);
  const records = unneededRecords(
    repositoryPath,
    (commit, digest) => commits.has(commit) && !removed.has(digest),
    system,
  );
  return {
    images,
    records,
    refs: [...gone.map(({ path }) => path), ...refLeftovers(repositoryPath, system)],
    layers: unneededLayers(repositoryPath, isLayerOf(repository, refs), system),
  };
}

/** Whether a layer is of a container image at a ref; no commit is read before there is a record to ask for. */
function isLayerOf(repository: Repository, refs: readonly Ref[]): (diffId: string) => boolean {
  let known: ReadonlySet<string> | undefined;
  return (diffId) => {
    known ??= new Set(refs.flatMap(({ checksum }) => layersOf(repository, checksum)));
    return known.has(diffId);
  };
}

function partition<T>(list: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [list.filter(isFirst), list.filter((one) => !isFirst(one))];
}
