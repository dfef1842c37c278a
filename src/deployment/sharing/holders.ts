/** Who has files in a repository and beside it: deployments, refs, images, and commits that somebody asks about. */
import type { Checksum, Digest } from '../../base/digest.ts';
import { sealedRefs } from '../../image/sealed-refs.ts';
import { imagePath, listImages } from '../../image/store.ts';
import type { Repository } from '../../repository/repository.ts';
import type { Deployment } from '../deployment.ts';
import type { Sysroot } from '../sysroot.ts';

export type Holder =
  /** Its folder, its origin, and the objects of its commit. */
  | { readonly kind: 'deployment'; readonly name: string; readonly deployment: Deployment }
  /** The objects of the commit it names, and the image it was sealed with. */
  | {
      readonly kind: 'ref';
      readonly name: string;
      readonly checksum: Checksum;
      readonly image: Digest | undefined;
    }
  /** Its file, and the objects it points to. Of a published image the name is its digest, else its path. */
  | {
      readonly kind: 'image';
      readonly name: string;
      readonly path: string;
      readonly digest: Digest | undefined;
    }
  /** The objects of a commit that is no ref's; it keeps none of them. */
  | { readonly kind: 'commit'; readonly name: string; readonly checksum: Checksum };

export type HolderKind = Holder['kind'];

/** Refs that ostree makes for deployments (ostree-sysroot-cleanup.c): they come and go with these. */
const OF_DEPLOYMENTS = /^ostree\/[01]\/[01]\/\d+$/;

/** All of them but single commits, in this order: deployments, refs, images. */
export function listHolders(repository: Repository, sysroot: Sysroot | undefined): Holder[] {
  const { path, system } = repository;
  const sealed = new Map(sealedRefs(path, system).map(({ ref, digest }) => [ref, digest]));
  return [
    ...(sysroot?.deployments ?? []).map(
      (deployment): Holder => ({ kind: 'deployment', name: deployment.id, deployment }),
    ),
    ...repository
      .listRefs()
      .filter(({ refspec }) => !OF_DEPLOYMENTS.test(refspec))
      .map(
        ({ refspec, checksum }): Holder => ({
          kind: 'ref',
          name: refspec,
          checksum,
          image: sealed.get(refspec),
        }),
      ),
    ...listImages(path, system).map(
      (image): Holder => ({ kind: 'image', name: image.digest, path: image.path, digest: image.digest }),
    ),
  ];
}

/** Whether two are the same one. */
export const isSameHolder = (one: Holder, other: Holder): boolean =>
  one.kind === other.kind && one.name === other.name;

/** Whether it keeps objects when `ostree` prunes: an image does not, and a commit by itself neither. */
export const keepsObjects = ({ kind }: Holder): boolean => kind === 'deployment' || kind === 'ref';

/** The commit whose tree it is; undefined for an image. */
export function commitOf(holder: Holder): Checksum | undefined {
  switch (holder.kind) {
    case 'deployment':
      return holder.deployment.checksum;
    case 'ref':
    case 'commit':
      return holder.checksum;
    case 'image':
      return undefined;
  }
}

/** The image file that a ref was sealed with. */
export const imageOf = (holder: Holder, repository: Repository): string | undefined =>
  holder.kind === 'ref' && holder.image !== undefined ? imagePath(repository.path, holder.image) : undefined;
