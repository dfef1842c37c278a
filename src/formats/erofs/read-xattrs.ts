/** The xattrs of inodes as they are stored: every length, id, name and filter checked. */
import { type ByteString, bytesToString, displayBytes, roundUp } from '../../base/bytes.ts';
import type { Xattr } from '../../base/xattrs.ts';
import { hex, type ImageBytes } from './image-bytes.ts';
import { XATTR_PREFIXES, XATTR_UNIT, XattrArea, XattrEntry } from './layout.ts';
import { filterBit, splitName } from './xattr-names.ts';

const PREFIXES: ReadonlyMap<number, string> = new Map([[0, ''], ...XATTR_PREFIXES]);

export interface StoredXattrs {
  /** In stored order. */
  readonly unshared: readonly Xattr[];
  readonly shared: readonly Xattr[];
}

interface Entry {
  readonly xattr: Xattr;
  /** Bytes with padding. */
  readonly size: number;
}

export class XattrReader {
  readonly #image: ImageBytes;
  readonly #bytes: Buffer;
  /** Where ids of shared xattrs count from, in bytes. */
  readonly #sharedStart: number;
  /** By id: so that many inodes that share a long value cost no more than their ids. */
  readonly #shared = new Map<number, Xattr>();
  readonly #filterBits = new Map<ByteString, number>();
  /** Whole names by the index of their prefix and what follows it. */
  readonly #names = new Map<number, Map<ByteString, ByteString>>();

  constructor(image: ImageBytes, sharedStart: number) {
    this.#image = image;
    this.#bytes = image.bytes;
    this.#sharedStart = sharedStart;
  }

  /** Reads the area of `size` bytes at `start`, which lies inside the image. */
  read(start: number, size: number): StoredXattrs {
    const bytes = this.#bytes;
    const end = start + size;
    const sharedCount = bytes[start + XattrArea.sharedCount] as number;
    let at = start + XattrArea.size;
    if (at + XATTR_UNIT * sharedCount > end)
      throw this.#image.error(
        'ids of shared xattrs run past their area',
        start,
        `${sharedCount} ids in ${size} bytes`,
      );
    for (let i = start + XattrArea.sharedCount + 1; i < at; i++) {
      if (bytes[i] !== 0) throw this.#image.error('reserved byte of an xattr area', i, bytes[i], 0);
    }
    const shared: Xattr[] = [];
    for (let i = 0; i < sharedCount; i++, at += XATTR_UNIT)
      shared.push(this.#sharedXattr(bytes.readUInt32LE(at)));
    const unshared: Xattr[] = [];
    while (at < end) {
      const entry = this.#entry(at, end);
      unshared.push(entry.xattr);
      at += entry.size;
    }
    this.#checkNames(start, shared.length === 0 ? unshared : [...unshared, ...shared]);
    return { unshared, shared };
  }

  #sharedXattr(id: number): Xattr {
    let xattr = this.#shared.get(id);
    if (xattr === undefined) {
      xattr = this.#entry(this.#sharedStart + id * XATTR_UNIT, this.#bytes.length).xattr;
      this.#shared.set(id, xattr);
    }
    return xattr;
  }

  #entry(at: number, end: number): Entry {
    const bytes = this.#bytes;
    if (at + XattrEntry.size > end) throw this.#image.error('xattr entry runs past its area', at);
    const nameLength = bytes[at + XattrEntry.nameLength] as number;
    const nameIndex = bytes[at + XattrEntry.nameIndex] as number;
    const valueSize = bytes.readUInt16LE(at + XattrEntry.valueSize);
    const nameStart = at + XattrEntry.size;
    const valueStart = nameStart + nameLength;
    const valueEnd = valueStart + valueSize;
    const size = roundUp(valueEnd - at, XATTR_UNIT);
    if (at + size > end)
      throw this.#image.error(
        'xattr entry runs past its area',
        at,
        `ends at 0x${(at + size).toString(16)}`,
        `0x${end.toString(16)}`,
      );
    const name = this.#name(at, nameIndex, bytesToString(bytes, nameStart, valueStart));
    for (let i = valueEnd; i < at + size; i++) {
      if (bytes[i] !== 0) throw this.#image.error('padding of an xattr entry', i, bytes[i], 0);
    }
    return { xattr: [name, bytesToString(bytes, valueStart, valueEnd)], size };
  }

  /** The name of the entry at `at`; an image has few different ones. */
  #name(at: number, index: number, suffix: ByteString): ByteString {
    let names = this.#names.get(index);
    if (names === undefined) {
      names = new Map();
      this.#names.set(index, names);
    }
    let name = names.get(suffix);
    if (name === undefined) {
      const prefix = PREFIXES.get(index);
      if (prefix === undefined) throw this.#image.error('unknown prefix of an xattr name', at, index);
      name = (prefix + suffix) as ByteString;
      // One spelling per name, or a name could be there twice.
      if (name === '' || name.includes('\0') || splitName(name).index !== index)
        throw this.#image.error('bad xattr name', at, displayBytes(name));
      names.set(suffix, name);
    }
    return name;
  }

  /** Names must be unique, and the filter, which the kernel believes, must be theirs. */
  #checkNames(start: number, xattrs: readonly Xattr[]): void {
    let filter = -1;
    for (const [name] of xattrs) filter &= ~(1 << this.#filterBit(name));
    const twice = firstTwice(xattrs);
    if (twice !== undefined) throw this.#image.error('xattr is there twice', start, displayBytes(twice));
    const got = this.#bytes.readUInt32LE(start + XattrArea.filter);
    if (got !== filter >>> 0)
      throw this.#image.error('xattr name filter', start, hex(got), hex(filter >>> 0));
  }

  #filterBit(name: ByteString): number {
    let bit = this.#filterBits.get(name);
    if (bit === undefined) {
      bit = filterBit(splitName(name));
      this.#filterBits.set(name, bit);
    }
    return bit;
  }
}

/** Up to so many names each is compared with each: that is cheaper than a Set. */
const FEW = 8;

function firstTwice(xattrs: readonly Xattr[]): ByteString | undefined {
  if (xattrs.length > FEW) {
    const seen = new Set<ByteString>();
    return xattrs.find(([name]) => seen.size === seen.add(name).size)?.[0];
  }
  for (let i = 1; i < xattrs.length; i++) {
    const name = xattrs[i]![0];
    for (let j = 0; j < i; j++) if (xattrs[j]![0] === name) return name;
  }
  return undefined;
}
