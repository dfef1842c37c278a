/**
 * The values of an xattr that every backed file has its own of: finds equal ones and keeps their places in the
 * shared table. The values stay where they are, in the tree's arena.
 */

import { randomSeed } from '../../base/random.ts';
import { xxh32 } from '../xxh32.ts';
import { XATTR_UNIT } from './layout.ts';
import { DIGEST_SIZE, HAS_DIGEST, type ImageTree, type TreeColumns } from './tree.ts';

/** States of a value's place; higher ones are 2 + its offset in units. */
const ALONE = 0;
const SHARED = 1;
const FIRST_PLACE = 2;

export class FileValues {
  readonly #columns: TreeColumns;
  readonly #isDigest: boolean;
  /** Random, so that nobody can prepare values that all meet in one slot. */
  readonly #seed = randomSeed(2 ** 32);
  /** By node: the first node with the same value. */
  readonly #first: Int32Array;
  /** By first node. */
  readonly #place: Uint32Array;
  readonly #shared: number[] = [];
  /** Open addressing over values: first node + 1, or 0. At most half full. */
  #slots: Int32Array;

  constructor(tree: ImageTree, kind: 'digest' | 'payload') {
    this.#columns = tree.columns;
    this.#isDigest = kind === 'digest';
    this.#first = new Int32Array(tree.count);
    this.#place = new Uint32Array(tree.count);
    this.#slots = new Int32Array(2 ** (1 + Math.ceil(Math.log2(tree.count))));
  }

  /** Adds a file, each once. */
  add(node: number): void {
    const slot = this.#find(node);
    const entry = this.#slots[slot] as number;
    if (entry === 0) {
      this.#slots[slot] = node + 1;
      this.#first[node] = node;
      return;
    }
    const first = entry - 1;
    this.#first[node] = first;
    if (this.#place[first] === ALONE) {
      this.#place[first] = SHARED;
      this.#shared.push(first);
    }
  }

  /** After all files: the first ones with each shared value, by descending length, then descending value. */
  sharedDescending(): readonly number[] {
    this.#slots = new Int32Array(0);
    const { arena } = this.#columns;
    return this.#shared.sort((a, b) => {
      const lengthA = this.length(a);
      const lengthB = this.length(b);
      if (lengthA !== lengthB) return lengthB - lengthA;
      const startA = this.start(a);
      const startB = this.start(b);
      return arena.compare(arena, startA, startA + lengthA, startB, startB + lengthB);
    });
  }

  setOffset(first: number, offset: number): void {
    this.#place[first] = FIRST_PLACE + offset / XATTR_UNIT;
  }

  /** The place of a file's value in the shared table in bytes, or -1. */
  offset(node: number): number {
    const place = this.#place[this.#first[node] as number] as number;
    return place < FIRST_PLACE ? -1 : (place - FIRST_PLACE) * XATTR_UNIT;
  }

  /** Where a file's value starts in the arena. */
  start(node: number): number {
    const { bytes, nameLength, dataLength } = this.#columns;
    const payload = (bytes[node] as number) + (nameLength[node] as number);
    return this.#isDigest ? payload + (dataLength[node] as number) : payload;
  }

  /** 0 for a file without a digest. */
  length(node: number): number {
    if (!this.#isDigest) return this.#columns.dataLength[node] as number;
    return (this.#columns.flags[node] as number) & HAS_DIGEST ? DIGEST_SIZE : 0;
  }

  #find(node: number): number {
    const { arena } = this.#columns;
    const start = this.start(node);
    const length = this.length(node);
    const mask = this.#slots.length - 1;
    let slot = xxh32(arena, this.#seed, start, start + length) & mask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return slot;
      if (this.length(entry - 1) === length && sameBytes(arena, start, this.start(entry - 1), length))
        return slot;
      slot = (slot + 1) & mask;
    }
  }
}

function sameBytes(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
