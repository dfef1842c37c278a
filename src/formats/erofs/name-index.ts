/** Finds the children of directories by their names, in a tree that is still growing. */
import { randomSeed } from '../../base/random.ts';
import { xxh32 } from '../xxh32.ts';
import type { TreeColumns } from './tree.ts';

/** Random, so that nobody can prepare names that all meet in one slot. */
const SEED = randomSeed(2 ** 32);
/** Spreads the numbers of directories over the seed. */
const GOLDEN_RATIO = 0x9e3779b1;

export class NameIndex {
  readonly #columns: TreeColumns;
  /** Open addressing over (parent, name): node, or 0 (the root, which is no child). At most half full. */
  #slots: Int32Array;
  #used = 0;

  /** Indexes the nodes below `count`. */
  constructor(columns: TreeColumns, count: number) {
    this.#columns = columns;
    this.#slots = new Int32Array(slotsFor(count));
    for (let node = 1; node < count; node++) this.add(node);
  }

  /** The child of `parent` whose name is `bytes[start .. start + length)`, or -1. */
  find(parent: number, bytes: Uint8Array, start: number, length: number): number {
    const node = this.#slots[this.#slot(parent, bytes, start, length)] as number;
    return node === 0 ? -1 : node;
  }

  /** Adds a node that is not there yet. */
  add(node: number): void {
    if (2 * this.#used >= this.#slots.length) this.#grow();
    this.#slots[this.#slotOf(node)] = node;
    this.#used++;
  }

  #slotOf(node: number): number {
    const { parent, arena, bytes, nameLength } = this.#columns;
    return this.#slot(parent[node] as number, arena, bytes[node] as number, nameLength[node] as number);
  }

  /** The slot of a name, or the free one where it would go. */
  #slot(parent: number, bytes: Uint8Array, start: number, length: number): number {
    const { parent: parents, nameLength, bytes: starts, arena } = this.#columns;
    const mask = this.#slots.length - 1;
    const seed = (SEED + Math.imul(parent, GOLDEN_RATIO)) | 0;
    let slot = xxh32(bytes, seed, start, start + length) & mask;
    for (;;) {
      const node = this.#slots[slot] as number;
      if (node === 0) return slot;
      if (
        parents[node] === parent &&
        nameLength[node] === length &&
        isSame(arena, starts[node] as number, bytes, start, length)
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    for (const node of old) if (node !== 0) this.#slots[this.#slotOf(node)] = node;
  }
}

/** A power of two of which `count` is at most half. */
const slotsFor = (count: number): number => 2 ** Math.max(10, 1 + Math.ceil(Math.log2(count)));

function isSame(a: Uint8Array, startA: number, b: Uint8Array, startB: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[startA + i] !== b[startB + i]) return false;
  return true;
}
