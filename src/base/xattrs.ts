/** Extended attributes as values: a list sorted by name (unsigned bytes), without duplicates. */
import type { ByteString } from './bytes.ts';

export type Xattr = readonly [name: ByteString, value: ByteString];

/** Sorted ascending by name as unsigned bytes; each name once. */
export type Xattrs = readonly Xattr[];

export const NO_XATTRS: Xattrs = [];

/** Sorts by name; of equal names the last one given wins. What is sorted already may be given back as it is. */
export function sortedXattrs(list: Iterable<Xattr>): Xattrs {
  if (Array.isArray(list) && isSorted(list)) return list;
  const byName = new Map<ByteString, Xattr>();
  for (const xattr of list) byName.set(xattr[0], xattr);
  return [...byName.values()].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function isSorted(list: Xattrs): boolean {
  for (let i = 1; i < list.length; i++) {
    if (list[i - 1]![0] >= list[i]![0]) return false;
  }
  return true;
}

export function xattrsEqual(a: Xattrs, b: Xattrs): boolean {
  return a.length === b.length && a.every((x, i) => x[0] === b[i]?.[0] && x[1] === b[i]?.[1]);
}

/** Distinct xattr sets, numbered: of a whole tree's there are few. */
export class InternedXattrs {
  /** By number; 0 is the empty set. */
  readonly sets: Xattrs[] = [NO_XATTRS];
  readonly #ids = new Map<string, number>([['', 0]]);
  #last: Xattrs = NO_XATTRS;
  #lastId = 0;

  id(xattrs: Xattrs): number {
    if (xattrs === this.#last) return this.#lastId;
    const key = xattrs.map(([name, value]) => `${name}\0${value.length}\0${value}`).join('');
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.sets.push(xattrs) - 1;
      this.#ids.set(key, id);
    }
    this.#last = xattrs;
    this.#lastId = id;
    return id;
  }
}
