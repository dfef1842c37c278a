/**
 * Is an image sound in itself? Everything in it is read and checked; of its entries a few numbers are kept, where a tree
 * or a survey would keep names and paths. Those are made where something is found, to say what it is.
 */
import { randomInt } from 'node:crypto';
import { MAX_PATH_BYTES } from '../base/bytes.ts';
import { isDirectory, isRegular } from '../base/mode.ts';
import type { Steps } from '../base/steps.ts';
import { checkTree, type TreeVisitor } from '../formats/erofs/check-tree.ts';
import { DataLayout, XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from '../formats/erofs/layout.ts';
import { PlainInode } from '../formats/erofs/plain-inode.ts';
import { type DirectoryCursor, type ErofsImage, type Inode, readTree } from '../formats/erofs/read.ts';
import { DIGEST_SIZE } from '../formats/erofs/tree.ts';

/**
 * Checks an image as {@link readTree} and a walk do, in steps.
 * @returns whether each file that is not in the image has an object with a digest, and files with one object agree
 *   about its size and digest; where not, or where an inode is none that can be told by its places, a survey says more
 * @throws FormatError where it is damaged
 */
export function* checkStructure(image: ErofsImage): Steps<boolean> {
  const check = new StructureCheck(image);
  yield* checkTree(image, check);
  if (check.isPlain) return check.objectsAgree;
  readTree(image);
  return false;
}

class StructureCheck implements TreeVisitor {
  hasAcl = false;
  /** Whether all inodes so far could be told by their places. */
  isPlain = true;
  objectsAgree = true;
  readonly #image: ErofsImage;
  readonly #plain: PlainInode;
  readonly #objects: ObjectPlaces;
  /** Bytes of paths, by node. */
  readonly #pathLengths: Float64Array;
  #count = 0;

  constructor(image: ErofsImage) {
    const { inodeCount } = image.superblock;
    this.#image = image;
    this.#plain = new PlainInode(image);
    this.#objects = new ObjectPlaces(image.bytes, inodeCount);
    this.#pathLengths = new Float64Array(inodeCount);
  }

  root(inode: Inode): number {
    return this.#add(inode, 0);
  }

  node(parent: number, { nameStart, nameEnd }: DirectoryCursor, inode: Inode): number {
    return this.#add(inode, (this.#pathLengths[parent] as number) + 1 + nameEnd - nameStart);
  }

  link(): void {}

  #add(inode: Inode, pathLength: number): number {
    const image = this.#image;
    if (isDirectory(inode.mode) && pathLength > MAX_PATH_BYTES)
      throw image.error('path is too long', inode.offset, pathLength, `at most ${MAX_PATH_BYTES}`);
    const plain = this.#plain;
    if (plain.look(inode)) {
      if (plain.hasAcl) this.hasAcl = true;
      if (isRegular(inode.mode) && inode.dataLayout === DataLayout.chunkBased)
        this.objectsAgree = this.#objects.add(inode.size, plain) && this.objectsAgree;
    } else {
      this.isPlain = false;
      const { xattrs = [] } = image.node(inode);
      if (xattrs.some(([name]) => name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT))
        this.hasAcl = true;
    }
    this.#pathLengths[this.#count] = pathLength;
    return this.#count++;
  }
}

/** The objects that files point to, each by the place where a file names it first. */
class ObjectPlaces {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  /** Random, so that nobody can prepare paths that all meet in one slot; the second one is odd. */
  readonly #seed = randomInt(2 ** 32) | 0;
  readonly #factor = randomInt(2 ** 32) | 1;
  #count = 0;
  readonly #payloadStart: Float64Array;
  readonly #payloadEnd: Float64Array;
  readonly #digestStart: Float64Array;
  readonly #size: Float64Array;
  /** Open addressing over paths: object + 1, or 0. At most half full. */
  readonly #slots: Int32Array;

  /** @param most objects there may be */
  constructor(bytes: Buffer, most: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#payloadStart = new Float64Array(most);
    this.#payloadEnd = new Float64Array(most);
    this.#digestStart = new Float64Array(most);
    this.#size = new Float64Array(most);
    this.#slots = new Int32Array(2 ** (1 + Math.ceil(Math.log2(most + 1))));
  }

  /** Adds a file's; false where it has no object or no digest, or where another file says something else of the object. */
  add(size: number, { payloadStart, payloadEnd, digestStart }: PlainInode): boolean {
    if (payloadStart === 0 || digestStart === 0) return false;
    const mask = this.#slots.length - 1;
    const length = payloadEnd - payloadStart;
    let slot = this.#hash(payloadStart, payloadEnd) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const object = (this.#slots[slot] as number) - 1;
      const start = this.#payloadStart[object] as number;
      if (
        (this.#payloadEnd[object] as number) - start !== length ||
        !this.#areSame(start, payloadStart, length)
      )
        continue;
      return (
        this.#size[object] === size &&
        this.#areSame(this.#digestStart[object] as number, digestStart, DIGEST_SIZE)
      );
    }
    const object = this.#count++;
    this.#slots[slot] = object + 1;
    this.#payloadStart[object] = payloadStart;
    this.#payloadEnd[object] = payloadEnd;
    this.#digestStart[object] = digestStart;
    this.#size[object] = size;
    return true;
  }

  /** Of a path, four bytes at a time. Factors carry bits up only, so each step also brings some down. */
  #hash(start: number, end: number): number {
    const view = this.#view;
    const factor = this.#factor;
    let hash = this.#seed;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      hash = Math.imul(hash ^ view.getInt32(at, true), factor);
      hash ^= hash >>> 15;
    }
    for (; at < end; at++) {
      hash = Math.imul(hash ^ view.getUint8(at), factor);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #areSame(a: number, b: number, length: number): boolean {
    if (a === b) return true;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }
}
