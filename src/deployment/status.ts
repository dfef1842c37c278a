/**
 * `status`: what every deployment has for an image, and what sealing would take on this host. Reads each image
 * once to recompute its digest; reads no object. Whatever could not be looked at is said to be unknown.
 */
import { type Digest, digestOf } from '../base/digest.ts';
import { errnoOf, SealtreeError, UnsupportedError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { System, VerityMeasurement } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';
import type { Deployment } from './deployment.ts';
import { type ImageStateKind, readImageState } from './image-state.ts';
import type { Sysroot } from './sysroot.ts';

export interface ImageReport {
  readonly state: ImageStateKind;
  readonly path: string;
  /** Recomputed from the bytes; undefined when there is no image or it cannot be read. */
  readonly digest: Digest | undefined;
  /** What the seal recorded for the commit. */
  readonly recorded: Digest | undefined;
  /**
   * Whether the bytes are those that were sealed; undefined where nothing was recorded to compare with, or this user
   * must not read the image. What is no image at all is wrong also where nothing was recorded.
   */
  readonly valid: boolean | undefined;
  readonly sizeBytes: number | undefined;
  /** When the image was made, seconds since 1970. */
  readonly madeAt: number | undefined;
  readonly verity: VerityMeasurement['state'] | 'unknown';
  /** Why something is unknown or wrong. */
  readonly problem: string | undefined;
}

export interface DeploymentReport {
  readonly deployment: Deployment;
  readonly image: ImageReport;
}

export function reportDeployments(sysroot: Sysroot, system: System): DeploymentReport[] {
  return sysroot.deployments.map((deployment) =>
    reportDeployment(deployment, sysroot.repositoryPath, system),
  );
}

/** One of them: takes as long as reading its image does. */
export function reportDeployment(
  deployment: Deployment,
  repositoryPath: string,
  system: System,
): DeploymentReport {
  return { deployment, image: reportImage(deployment, repositoryPath, system) };
}

function reportImage(deployment: Deployment, repositoryPath: string, system: System): ImageReport {
  const state = readImageState(deployment, repositoryPath, system);
  const common = {
    state: state.kind,
    path: state.path,
    recorded: state.recorded,
    sizeBytes: state.stats?.size,
    madeAt: state.stats === undefined ? undefined : Math.floor(state.stats.mtimeMs / 1000),
  };
  const unread = { ...common, digest: undefined, valid: undefined, verity: 'unknown' as const };
  if (state.stats === undefined) return { ...unread, problem: undefined };
  const wrong = state.recorded === undefined ? undefined : (false as const);
  if (!isRegular(state.stats.mode)) return { ...unread, valid: false, problem: 'it is not a regular file' };
  try {
    const bytes = system.readFile(state.path);
    const digest = digestOf(verityDigest(bytes));
    const measured = { ...common, digest, verity: measure(state.path, system) };
    if (state.recorded === undefined) return { ...measured, ...judgeHeader(bytes, state.path) };
    if (state.recorded === digest) return { ...measured, valid: true, problem: undefined };
    return { ...measured, valid: false, problem: `its digest is ${digest}, sealed was ${state.recorded}` };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    if (errnoOf(error) === 'EACCES') return { ...unread, problem: 'not readable for this user' };
    // EIO is what fs-verity says of a damaged file.
    return { ...unread, valid: wrong, problem: error.message };
  }
}

/** What can be said of a file that nothing was recorded of; its inside is `verify`'s business. */
function judgeHeader(bytes: Uint8Array, path: string): Pick<ImageReport, 'valid' | 'problem'> {
  try {
    new ErofsImage(bytes, path);
    return { valid: undefined, problem: undefined };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    // A later format is none of ours, and no damage.
    return { valid: error instanceof UnsupportedError ? undefined : false, problem: error.message };
  }
}

function measure(path: string, system: System): VerityMeasurement['state'] {
  const fd = system.openRead(path, { noFollow: true });
  try {
    return system.measureVerity(fd).state;
  } finally {
    system.close(fd);
  }
}
