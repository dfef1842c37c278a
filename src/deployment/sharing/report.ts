/** What is said of how a repository is shared. Sizes are bytes on the disk. */
import type { Finding } from '../../image/findings.ts';
import type { SameContent } from './contents.ts';
import type { Division } from './divide.ts';
import type { FolderShare } from './folders.ts';
import type { Holder } from './holders.ts';
import type { Size } from './shares.ts';

export interface Share {
  readonly holder: Holder;
  /**
   * Inodes: of a deployment its folder and all objects of its commit; of a ref the latter and the image it was sealed
   * with; of an image its file and the objects it points to.
   *
   * Freed is what the disk has back once it is gone and what nothing keeps was pruned: a deployment after
   * `ostree admin undeploy`, which prunes what neither a deployment nor the head of a ref has, a ref after
   * `ostree refs --delete` and `ostree prune --refs-only --depth=0`, both after `sealtree gc` too; an image after that alone.
   */
  readonly files: Division;
  /** Of these the content objects. */
  readonly objects: Division;
  /** The same, each content once, whatever the metadata of its objects; undefined where that was not asked for. */
  readonly contents: Division | undefined;
  /** Deployments and refs that keep what no other one has that it is compared with; of an image those that use its file. */
  readonly keptBy: readonly string[];
  /** With which others it shares, those with the most first; some of them where they are many. */
  readonly partners: readonly (Size & { readonly name: string })[];
  /** What `du` says of a deployment's folder; of an image its file; of a ref the image it was sealed with. */
  readonly folder: Size;
  /** Where most of its content lies. */
  readonly folders: readonly FolderShare[];
}

export interface SharingReport {
  /** Deployments, refs, images; what was chosen in the order in which it was. */
  readonly shares: readonly Share[];
  /** All of them together, each inode once. */
  readonly total: Size;
  /** Of these the content objects. */
  readonly totalObjects: Size;
  /** Undefined where it was not asked for. */
  readonly contents: ContentsReport | undefined;
  /** Where most of the content of all of them lies. */
  readonly folders: readonly FolderShare[];
  /** What could not be looked at: the figures are lower limits then. */
  readonly problems: readonly Finding[];
}

export interface ContentsReport {
  /** All of them together, each content once. */
  readonly total: Size;
  /** Objects whose bytes another one has already. */
  readonly again: Size;
  /** Where that is most. */
  readonly same: readonly SameContent[];
}
