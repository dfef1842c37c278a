/** Where in the trees most of the content lies: folders, with what of it is shared. */
import type { ByteString } from '../../base/bytes.ts';
import { addSize } from './divide.ts';
import type { ObjectTable } from './object-table.ts';
import type { Size } from './shares.ts';
import type { TreeObject } from './tree-objects.ts';

/** A folder with all below it, unless that is in another one that is listed. Content objects are counted. */
export interface FolderShare {
  readonly path: ByteString;
  readonly total: Size;
  /** What of that others that are compared with it have as well. */
  readonly shared: Size;
}

interface Tally {
  readonly total: { bytes: number; count: number };
  readonly shared: { bytes: number; count: number };
}

/** Adds up one tree, or several: an object counts once, in the folder where it comes first. */
export class FolderTally {
  readonly #objects: ObjectTable;
  readonly #isShared: (set: number) => boolean;
  readonly #counted: Uint8Array;
  readonly #folders = new Map<ByteString, Tally>();

  /** @param isShared by the set of an object's file */
  constructor(objects: ObjectTable, isShared: (set: number) => boolean) {
    this.#objects = objects;
    this.#isShared = isShared;
    this.#counted = new Uint8Array(objects.count);
  }

  add({ type, checksum, folder }: TreeObject): void {
    const number = type === 'file' ? this.#objects.contentNumber(checksum) : undefined;
    if (number === undefined || this.#counted[number] === 1) return;
    this.#counted[number] = 1;
    let tally = this.#folders.get(folder);
    if (tally === undefined) {
      tally = { total: { bytes: 0, count: 0 }, shared: { bytes: 0, count: 0 } };
      this.#folders.set(folder, tally);
    }
    const size = { bytes: this.#objects.bytes(number), count: 1 };
    addSize(tally.total, size);
    if (this.#isShared(this.#objects.setOf(number))) addSize(tally.shared, size);
  }

  /** The largest ones. */
  largest(count: number): FolderShare[] {
    return Array.from(this.#folders, ([path, tally]) => ({ path, ...tally }))
      .sort((a, b) => b.total.bytes - a.total.bytes || b.total.count - a.total.count)
      .slice(0, count);
  }
}
