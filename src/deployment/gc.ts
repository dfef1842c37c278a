/** The broom over a sysroot's repository: images, records and temporary files that no deployment needs. */
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import { executeGc, type GcPlan, planGc, type StoredImage } from '../image/gc.ts';
import { recordedImage, removeRecords, unneededRecords } from '../image/records.ts';
import { withLocks } from './locks.ts';
import { readSysroot } from './sysroot.ts';

export interface SweepPlan {
  readonly images: GcPlan;
  /** Records of commits that no deployment has any more, or whose image goes; one whose image was lost stays. */
  readonly records: readonly string[];
}

/**
 * Removes what nothing uses; with `dryRun` only finds it. Every deployment folder counts, with or without a boot
 * entry: an image that one of them has is kept.
 */
export async function sweep(
  sysrootPath: string,
  options: { readonly dryRun: boolean; readonly lockTimeoutMs: number; readonly progress: Progress },
  system: System,
): Promise<SweepPlan> {
  if (options.dryRun) return planSweep(sysrootPath, system);
  const times = { timeoutMs: options.lockTimeoutMs, signal: options.progress.signal };
  return await withLocks(sysrootPath, times, system, () => {
    const plan = planSweep(sysrootPath, system);
    // A record must not outlive its image: it would call a deployment's image lost.
    removeRecords(plan.images.repositoryPath, plan.records, system);
    executeGc(plan.images, system);
    return plan;
  });
}

/** The images that {@link sweep} would remove. @throws OperationError as it does */
export const unusedImages = (sysrootPath: string, system: System): readonly StoredImage[] =>
  planSweep(sysrootPath, system).images.removed;

function planSweep(sysrootPath: string, system: System): SweepPlan {
  const { repositoryPath, deployments, unlistedFolders } = readSysroot(sysrootPath, system);
  const folders = [...deployments, ...unlistedFolders];
  // What a deployment was sealed as stays even when its own image is damaged or gone: that is to be seen, and mended.
  const keep = new Set(
    folders.flatMap(({ checksum }) => recordedImage(repositoryPath, checksum, system) ?? []),
  );
  const images = planGc({ repositoryPath, deploymentPaths: folders.map(({ path }) => path), keep }, system);
  const removed = new Set(images.removed.map(({ digest }) => digest));
  const commits = new Set(folders.map(({ checksum }) => checksum));
  const records = unneededRecords(
    repositoryPath,
    (commit, digest) => commits.has(commit) && !removed.has(digest),
    system,
  );
  return { images, records };
}
