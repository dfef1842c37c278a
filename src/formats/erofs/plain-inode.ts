/**
 * What nearly every inode of an image is: a directory, a symlink with its target right behind it, or a file with its
 * content in the image or in an object, with no xattrs but its own and those that point to the object. Of such an inode
 * everything is known by its place in the image, without the strings and lists that {@link ./read-node.ts} makes.
 */
import type { ByteString } from '../../base/bytes.ts';
import { isRegular, isSymlink } from '../../base/mode.ts';
import {
  DataLayout,
  Limit,
  METACOPY_HEAD,
  METACOPY_SIZE,
  Overlay,
  XATTR_ACL_ACCESS,
  XATTR_ACL_DEFAULT,
  XATTR_AREA_COST,
  XATTR_COST,
} from './layout.ts';
import type { ErofsImage, Inode, XattrReader } from './read.ts';

/** What a name of an xattr means. */
const Meaning = {
  /** An xattr of the tree's own. */
  own: 1,
  acl: 2,
  redirect: 3,
  metacopy: 4,
  /** The root's mark, which every image has. */
  opaque: 5,
  /** Of overlayfs, or of the marks for it. */
  mark: 6,
} as const;

const SLASH = 0x2f;

/** Looks at one inode after the other. */
export class PlainInode {
  /** The inode's xattrs; undefined where it has none. */
  xattrs: XattrReader | undefined;
  /** Where the target or the path of the backing file is in the image; 0 for none. */
  payloadStart = 0;
  payloadEnd = 0;
  /** Where the 32 bytes of the backing file's digest are; 0 for none. */
  digestStart = 0;
  /** Whether it is a file with content in the image. */
  isInline = false;
  /** How many of its own xattrs are stored after the inode, and how many it shares with others. */
  unshared = 0;
  shared = 0;
  hasAcl = false;
  readonly #image: ErofsImage;
  /** By the number that the reader gives a name. */
  readonly #meanings: number[] = [];

  constructor(image: ErofsImage) {
    this.#image = image;
  }

  /** Fills in the fields; false for an inode that is something else, or wrong: then they mean nothing. */
  look(inode: Inode): boolean {
    const { mode, size, tailStart } = inode;
    this.xattrs = inode.xattrSize === 0 ? undefined : this.#image.xattrPlaces(inode);
    this.payloadStart = 0;
    this.payloadEnd = 0;
    this.digestStart = 0;
    this.unshared = 0;
    this.shared = 0;
    this.hasAcl = false;
    const isBacked = inode.dataLayout === DataLayout.chunkBased;
    this.isInline = isRegular(mode) && !isBacked && size > 0;
    if (isSymlink(mode)) {
      if (size === 0 || inode.dataSize !== 0 || !this.#isPath(tailStart, tailStart + size)) return false;
      this.payloadStart = tailStart;
      this.payloadEnd = tailStart + size;
    } else if (this.isInline && size > Limit.inlineContent) {
      return false;
    }
    const isRoot = inode.nid === this.#image.rootNid;
    return this.xattrs === undefined || this.#arePlain(this.xattrs, isBacked, isRoot);
  }

  /** Whether the xattr at a place in {@link xattrs} is one of the tree's own. */
  isOwn(xattrs: XattrReader, place: number): boolean {
    return this.#meaningOf(xattrs, place) <= Meaning.acl;
  }

  #arePlain(xattrs: XattrReader, isBacked: boolean, isRoot: boolean): boolean {
    let cost: number = XATTR_AREA_COST;
    for (let i = 0; i < xattrs.count; i++) {
      const start = xattrs.valueStarts[i] as number;
      const end = xattrs.valueEnds[i] as number;
      const meaning = this.#meaningOf(xattrs, i);
      if (meaning <= Meaning.acl) {
        if (meaning === Meaning.acl) this.hasAcl = true;
        if (i < xattrs.sharedCount) this.shared++;
        else this.unshared++;
        cost += XATTR_COST + xattrs.name(xattrs.names[i] as number).length + end - start;
      } else if (meaning === Meaning.redirect && isBacked) {
        if (this.#image.bytes[start] !== SLASH || !this.#isPath(start + 1, end)) return false;
        this.payloadStart = start + 1;
        this.payloadEnd = end;
      } else if (meaning === Meaning.metacopy && isBacked) {
        if (!this.#isMetacopy(start, end)) return false;
        if (end > start) this.digestStart = start + METACOPY_HEAD.length;
      } else if (meaning !== Meaning.opaque || !isRoot) {
        return false;
      }
    }
    return cost <= Limit.xattrBudget;
  }

  #meaningOf(xattrs: XattrReader, place: number): number {
    const number = xattrs.names[place] as number;
    this.#meanings[number] ??= meaningOf(xattrs.name(number));
    return this.#meanings[number];
  }

  #isPath(start: number, end: number): boolean {
    const { bytes } = this.#image;
    if (end <= start || end - start > Limit.payloadLength) return false;
    for (let i = start; i < end; i++) if (bytes[i] === 0) return false;
    return true;
  }

  #isMetacopy(start: number, end: number): boolean {
    if (end === start) return true;
    if (end - start !== METACOPY_SIZE) return false;
    for (let i = 0; i < METACOPY_HEAD.length; i++)
      if (this.#image.bytes[start + i] !== METACOPY_HEAD[i]) return false;
    return true;
  }
}

function meaningOf(name: ByteString): number {
  if (name === Overlay.redirect) return Meaning.redirect;
  if (name === Overlay.metacopy) return Meaning.metacopy;
  if (name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT) return Meaning.acl;
  if (name === Overlay.opaque) return Meaning.opaque;
  const isMark =
    name.startsWith(Overlay.prefix) || name === Overlay.userWhiteout || name === Overlay.userWhiteouts;
  // A name that no tree may have is left to who says so.
  return isMark || name.length > Limit.xattrNameLength ? Meaning.mark : Meaning.own;
}
