/**
 * What stands in a deployment's place for an image, told by stat alone: no image is read or hashed here, so
 * hooks can ask it for every deployment in a millisecond. Whether the bytes are right is `status`'s and
 * `verify`'s question.
 */
import type { Stats } from 'node:fs';
import type { Checksum, Digest } from '../base/digest.ts';
import type { SystemReads } from '../base/system.ts';
import { recordedImage } from '../image/records.ts';
import { DEPLOYMENT_IMAGE, imagePath } from '../image/store.ts';

/**
 * - `sealed`: the image that was recorded for the commit, hard-linked into the deployment;
 * - `unlinked`: recorded and stored, but the deployment has none, or another file (a new deployment of the same
 *   commit, a copied sysroot that lost its links, an image that ostree wrote);
 * - `foreign`: an image that sealtree did not publish: ostree's own;
 * - `lost`: recorded, but the stored image is gone;
 * - `none`: never sealed.
 */
export type ImageStateKind = 'sealed' | 'unlinked' | 'foreign' | 'lost' | 'none';

export interface ImageState {
  readonly kind: ImageStateKind;
  /** DEPLOYMENT/.ostree.cfs */
  readonly path: string;
  /** Of the file in the deployment; undefined when there is none. */
  readonly stats: Stats | undefined;
  /** The digest recorded when the commit was sealed. */
  readonly recorded: Digest | undefined;
  /** The stored image of that digest. */
  readonly storePath: string | undefined;
}

export function readImageState(
  deployment: { readonly path: string; readonly checksum: Checksum },
  repositoryPath: string,
  system: SystemReads,
): ImageState {
  const path = `${deployment.path}/${DEPLOYMENT_IMAGE}`;
  const stats = system.lstatIfExists(path);
  const recorded = recordedImage(repositoryPath, deployment.checksum, system);
  if (recorded === undefined)
    return { kind: stats === undefined ? 'none' : 'foreign', path, stats, recorded, storePath: undefined };
  const storePath = imagePath(repositoryPath, recorded);
  const stored = system.lstatIfExists(storePath);
  const same =
    stats !== undefined && stored !== undefined && stats.ino === stored.ino && stats.dev === stored.dev;
  const kind = stored === undefined ? 'lost' : same ? 'sealed' : 'unlinked';
  return { kind, path, stats, recorded, storePath };
}
