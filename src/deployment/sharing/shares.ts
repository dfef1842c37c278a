/**
 * Who shares what on a disk. Files are told apart by their inode, as du(1) does it, and each is counted for all that
 * hold it, whoever that is. In columns, so that millions of files fit into memory. Pure.
 */

import { grownLength } from './digest-table.ts';

/** A file, a folder or a link as the disk has it. */
export interface DiskFile {
  /** Device and number tell inodes apart. */
  readonly dev: number;
  readonly ino: number;
  /** Bytes it takes on the disk, not bytes in it: st_blocks times 512. */
  readonly bytes: number;
}

/** Bytes on the disk, and of how many: files, objects, or contents. */
export interface Size {
  readonly bytes: number;
  readonly count: number;
}

/** Files that the same holders have. Each file is in one of these. */
export interface SharedSet extends Size {
  /** Tells sets apart: {@link Shares.setOf} gives it. */
  readonly id: number;
  /** Their numbers, ascending. */
  readonly holders: readonly number[];
}

/** Collects the files of one holder after the other. Holders are numbers, and come in ascending order. */
export class Shares {
  #count = 0;
  /** Open addressing over the inodes: number + 1, or 0. At most half full. */
  #slots = new Int32Array(2048);
  #ino = new Float64Array(1024);
  /** Places in {@link #devices}. */
  #dev = new Uint8Array(1024);
  readonly #devices: number[] = [];
  #bytes = new Float64Array(1024);
  #set = new Int32Array(1024);
  /** Sets are made by one holder more: here is the set before and that holder. The first set has none. */
  readonly #sets: { readonly before: number; readonly holder: number; bytes: number; count: number }[] = [
    { before: 0, holder: -1, bytes: 0, count: 0 },
  ];
  /** By the number of a set that of the same with the present holder. */
  readonly #widened = new Map<number, number>();
  #holder = -1;
  #held = { bytes: 0, count: 0 };

  /** What the present holder has so far. */
  get held(): Size {
    return { ...this.#held };
  }

  /** From now on files are this one's; the number is larger than those before. */
  begin(holder: number): void {
    this.#holder = holder;
    this.#widened.clear();
    this.#held = { bytes: 0, count: 0 };
  }

  /** The present holder has this file. Returns the file's number, for {@link hold} and {@link setOf}. */
  add(file: DiskFile): number {
    const number = this.#numberOf(file);
    this.hold(number);
    return number;
  }

  /** The present holder has a file that was added before; one that it has already counts once. */
  hold(number: number): void {
    const before = this.#set[number] as number;
    const set = this.#sets[before]!;
    if (set.holder === this.#holder) return;
    let after = this.#widened.get(before);
    if (after === undefined) {
      after = this.#sets.push({ before, holder: this.#holder, bytes: 0, count: 0 }) - 1;
      this.#widened.set(before, after);
    }
    const bytes = this.#bytes[number] as number;
    this.#set[number] = after;
    const wider = this.#sets[after]!;
    wider.bytes += bytes;
    wider.count++;
    this.#held.bytes += bytes;
    this.#held.count++;
    if (before === 0) return;
    set.bytes -= bytes;
    set.count--;
  }

  /** Which set a file is in, now that all holders were there. */
  setOf(number: number): number {
    return this.#set[number] as number;
  }

  bytesOf(number: number): number {
    return this.#bytes[number] as number;
  }

  /** All of it, each file in one set. */
  sets(): SharedSet[] {
    return this.#sets.flatMap(({ bytes, count }, id) =>
      count === 0 ? [] : [{ id, holders: this.#holdersOf(id), bytes, count }],
    );
  }

  #holdersOf(set: number): number[] {
    const holders: number[] = [];
    for (let at = set; at !== 0; at = this.#sets[at]!.before) holders.push(this.#sets[at]!.holder);
    return holders.reverse();
  }

  #numberOf({ dev: device, ino, bytes }: DiskFile): number {
    const dev = this.#deviceOf(device);
    const mask = this.#slots.length - 1;
    let slot = slotOf(dev, ino) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const known = (this.#slots[slot] as number) - 1;
      if (this.#ino[known] === ino && this.#dev[known] === dev) return known;
    }
    if (this.#count === this.#ino.length) this.#growColumns();
    const number = this.#count++;
    this.#ino[number] = ino;
    this.#dev[number] = dev;
    this.#bytes[number] = bytes;
    this.#slots[slot] = number + 1;
    if (2 * this.#count > this.#slots.length) this.#growSlots();
    return number;
  }

  /** Files lie on few file systems: those of the repository, of its parents, and of images that are named. */
  #deviceOf(device: number): number {
    const known = this.#devices.indexOf(device);
    return known === -1 ? this.#devices.push(device) - 1 : known;
  }

  #growColumns(): void {
    const length = grownLength(this.#ino.length);
    const grown = (column: Float64Array): Float64Array<ArrayBuffer> => {
      const larger = new Float64Array(length);
      larger.set(column);
      return larger;
    };
    this.#ino = grown(this.#ino);
    this.#bytes = grown(this.#bytes);
    const set = new Int32Array(length);
    set.set(this.#set);
    this.#set = set;
    const dev = new Uint8Array(length);
    dev.set(this.#dev);
    this.#dev = dev;
  }

  #growSlots(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = slotOf(this.#dev[number] as number, this.#ino[number] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Numbers of inodes follow one another, those of XFS and btrfs in the upper half as well. */
const slotOf = (dev: number, ino: number): number =>
  Math.imul(ino ^ Math.imul(ino / 2 ** 32, 0x85ebca6b) ^ dev, 0x9e3779b1) >>> 1;
