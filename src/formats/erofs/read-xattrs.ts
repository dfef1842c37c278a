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

/** A name that is met again and again. */
interface KnownName {
  readonly name: ByteString;
  /** What it clears in the filter. */
  readonly filterMask: number;
  /** How and where it was stored when it was met first. */
  readonly index: number;
  readonly suffixStart: number;
  readonly suffixLength: number;
}

/** An entry, by the places of its parts. */
interface Place {
  /** Number of its name. */
  readonly name: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Made when somebody asks: of many inodes that share a long value only once. */
  xattr: Xattr | undefined;
}

/**
 * Reads xattr areas, one after the other: after {@link read} the entries of that area can be asked for by their place
 * in it, shared ones first. Nothing is made per entry but what is asked for.
 */
export class XattrReader {
  /** Entries of the area, and how many of them are shared ones. */
  count = 0;
  sharedCount = 0;
  /** By place: the number of the name, and where the value is in the image. */
  readonly names: number[] = [];
  readonly valueStarts: number[] = [];
  readonly valueEnds: number[] = [];
  readonly #sharedIds: number[] = [];
  readonly #image: ImageBytes;
  readonly #bytes: Buffer;
  /** Where ids of shared xattrs count from, in bytes. */
  readonly #sharedStart: number;
  /** By id: read once, so that many inodes that share an entry cost no more than their ids. */
  readonly #shared = new Map<number, Place>();
  readonly #known: KnownName[] = [];
  /** Numbers of names by the index of their prefix and what follows it. */
  readonly #numbers = new Map<number, Map<ByteString, number>>();
  /** What the names of the area leave of its filter. */
  #filter = -1;

  constructor(image: ImageBytes, sharedStart: number) {
    this.#image = image;
    this.#bytes = image.bytes;
    this.#sharedStart = sharedStart;
  }

  /** The name of a number, which stays the same for all areas of the image; numbers begin with 0. */
  name(number: number): ByteString {
    return (this.#known[number] as KnownName).name;
  }

  /** The names and values of the area at hand. */
  stored(): StoredXattrs {
    const xattr = (place: number): Xattr => [
      this.name(this.names[place] as number),
      bytesToString(this.#bytes, this.valueStarts[place], this.valueEnds[place]),
    ];
    const shared: Xattr[] = [];
    for (let place = 0; place < this.sharedCount; place++) {
      const id = this.#sharedIds[place] as number;
      const known = this.#shared.get(id) as Place;
      known.xattr ??= xattr(place);
      shared.push(known.xattr);
    }
    const unshared: Xattr[] = [];
    for (let place = this.sharedCount; place < this.count; place++) unshared.push(xattr(place));
    return { unshared, shared };
  }

  /** Reads the area of `size` bytes at `start`, which lies inside the image. */
  read(start: number, size: number): this {
    const bytes = this.#bytes;
    const { view } = this.#image;
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
    this.#filter = -1;
    this.count = 0;
    this.sharedCount = sharedCount;
    for (let i = 0; i < sharedCount; i++, at += XATTR_UNIT) this.#readShared(view.getUint32(at, true));
    while (at < end) at = this.#entry(at, end);
    const twice = this.#nameThatIsThereTwice();
    if (twice !== undefined)
      throw this.#image.error('xattr is there twice', start, displayBytes(this.name(twice)));
    // The kernel believes the filter, so it must be theirs.
    const got = view.getInt32(start + XattrArea.filter, true);
    if (got !== this.#filter)
      throw this.#image.error('xattr name filter', start, hex(got >>> 0), hex(this.#filter >>> 0));
    return this;
  }

  #readShared(id: number): void {
    const place = this.count;
    this.#sharedIds[place] = id;
    const known = this.#shared.get(id);
    if (known !== undefined) {
      this.#take(known.name, known.valueStart, known.valueEnd);
      return;
    }
    this.#entry(this.#sharedStart + id * XATTR_UNIT, this.#bytes.length);
    this.#shared.set(id, {
      name: this.names[place] as number,
      valueStart: this.valueStarts[place] as number,
      valueEnd: this.valueEnds[place] as number,
      xattr: undefined,
    });
  }

  /** Takes an entry into the area at hand. */
  #take(name: number, valueStart: number, valueEnd: number): void {
    const place = this.count++;
    this.names[place] = name;
    this.valueStarts[place] = valueStart;
    this.valueEnds[place] = valueEnd;
    this.#filter &= (this.#known[name] as KnownName).filterMask;
  }

  /** Reads the entry at `at` into the area at hand; returns where it ends. */
  #entry(at: number, end: number): number {
    const bytes = this.#bytes;
    if (at + XattrEntry.size > end) throw this.#image.error('xattr entry runs past its area', at);
    const nameLength = bytes[at + XattrEntry.nameLength] as number;
    const nameIndex = bytes[at + XattrEntry.nameIndex] as number;
    const nameStart = at + XattrEntry.size;
    const valueStart = nameStart + nameLength;
    const valueEnd = valueStart + this.#image.view.getUint16(at + XattrEntry.valueSize, true);
    const next = at + roundUp(valueEnd - at, XATTR_UNIT);
    if (next > end)
      throw this.#image.error(
        'xattr entry runs past its area',
        at,
        `ends at 0x${next.toString(16)}`,
        `0x${end.toString(16)}`,
      );
    const name = this.#nameNumber(at, nameIndex, nameStart, nameLength);
    for (let i = valueEnd; i < next; i++) {
      if (bytes[i] !== 0) throw this.#image.error('padding of an xattr entry', i, bytes[i], 0);
    }
    this.#take(name, valueStart, valueEnd);
    return next;
  }

  /** The number of the name of the entry at `at`; most inodes have the names of the one before, in the same order. */
  #nameNumber(at: number, index: number, start: number, length: number): number {
    const likely = this.names[this.count];
    if (likely !== undefined && this.#isStoredAs(likely, index, start, length)) return likely;
    const suffix = bytesToString(this.#bytes, start, start + length);
    let numbers = this.#numbers.get(index);
    if (numbers === undefined) {
      numbers = new Map();
      this.#numbers.set(index, numbers);
    }
    let number = numbers.get(suffix);
    if (number === undefined) {
      const prefix = PREFIXES.get(index);
      if (prefix === undefined) throw this.#image.error('unknown prefix of an xattr name', at, index);
      const name = (prefix + suffix) as ByteString;
      // One spelling per name, or a name could be there twice.
      if (name === '' || name.includes('\0') || splitName(name).index !== index)
        throw this.#image.error('bad xattr name', at, displayBytes(name));
      const filterMask = ~(1 << filterBit(splitName(name)));
      number = this.#known.push({ name, filterMask, index, suffixStart: start, suffixLength: length }) - 1;
      numbers.set(suffix, number);
    }
    return number;
  }

  #isStoredAs(number: number, index: number, start: number, length: number): boolean {
    const known = this.#known[number] as KnownName;
    if (known.index !== index || known.suffixLength !== length) return false;
    const bytes = this.#bytes;
    const { suffixStart } = known;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== bytes[suffixStart + i]) return false;
    return true;
  }

  #nameThatIsThereTwice(): number | undefined {
    const { names, count } = this;
    if (count > FEW) {
      const seen = new Set<number>();
      for (let i = 0; i < count; i++) {
        const name = names[i] as number;
        if (seen.has(name)) return name;
        seen.add(name);
      }
      return undefined;
    }
    for (let i = 1; i < count; i++) for (let j = 0; j < i; j++) if (names[i] === names[j]) return names[i];
    return undefined;
  }
}

/** Up to so many names each is compared with each: that is cheaper than a Set. */
const FEW = 8;
