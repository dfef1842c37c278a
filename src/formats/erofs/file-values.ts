/**
 * The values of an xattr that every backed file has its own of: finds equal ones and keeps their places in the
 * shared table. The values stay where they are: in the tree's arena, or in its table of objects, where a checksum stands
 * for a path: checksums are equal, and ordered, as their paths are.
 */

import { asBuffer } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { randomSeed } from '../../base/random.ts';
import { xxh32 } from '../xxh32.ts';
import { type BackingObjects, HASH_SIZE, OBJECT_PATH_LENGTH, writeObjectPath } from './backing-objects.ts';
import { XATTR_UNIT } from './layout.ts';
import { DIGEST_SIZE, HAS_DIGEST, type ImageTree, objectOf, type TreeColumns } from './tree.ts';

/**
 * States of a file's value; higher ones are 2 + its place in units, and of a file that is not the first with its value
 * it is the complement of the first's node, below 0.
 */
const ALONE = 0;
const SHARED = 1;
const FIRST_PLACE = 2;
const MAX_STATE = 0x7fffffff;

/** Numbers in a slot that is found by a hash. */
const SLOT_NUMBERS = 2;

/** Bytes of a value that {@link FileValues} looks at first where it sorts: with their number they are exact as one number. */
const HEAD_BYTES = 5;

export class FileValues {
  readonly #columns: TreeColumns;
  readonly #isDigest: boolean;
  readonly #objects: BackingObjects | undefined;
  /** Where values lie. */
  readonly #bytes: Buffer;
  /** Random, so that nobody can prepare values that all meet in one slot. */
  readonly #seed = randomSeed(2 ** 32);
  /** By node. */
  readonly #state: Int32Array;
  readonly #shared: number[] = [];
  /**
   * First nodes + 1, or 0: of paths of objects by row, else by open addressing over values, at most half full; there each
   * has the hash of its value behind it, so that others are told apart without looking where they lie.
   */
  #slots: Int32Array;

  constructor(tree: ImageTree, kind: 'digest' | 'payload') {
    const { columns, objects, count } = tree;
    this.#columns = columns;
    this.#isDigest = kind === 'digest';
    this.#objects = objects;
    this.#bytes =
      objects === undefined ? columns.arena : asBuffer(this.#isDigest ? objects.digests : objects.checksums);
    this.#state = new Int32Array(count);
    this.#slots = new Int32Array(
      objects === undefined || this.#isDigest
        ? SLOT_NUMBERS * 2 ** (1 + Math.ceil(Math.log2(count)))
        : objects.checksums.length / HASH_SIZE,
    );
  }

  /** Adds a file, each once. */
  add(node: number): void {
    const first = this.#firstLike(node);
    if (first === node) return;
    this.#state[node] = ~first;
    if (this.#state[first] === ALONE) {
      this.#state[first] = SHARED;
      this.#shared.push(first);
    }
  }

  /** After all files: the first ones with each shared value, by descending length, then descending value. */
  sharedDescending(): readonly number[] {
    this.#slots = new Int32Array(0);
    const nodes = this.#shared;
    const heads = Float64Array.from(nodes, (node) => this.#head(node));
    const order = Int32Array.from(nodes.keys());
    order.sort(
      (a, b) =>
        (heads[b] as number) - (heads[a] as number) ||
        this.#compareRest(nodes[b] as number, nodes[a] as number),
    );
    return Array.from(order, (place) => nodes[place] as number);
  }

  setOffset(first: number, offset: number): void {
    const state = FIRST_PLACE + offset / XATTR_UNIT;
    if (state > MAX_STATE) throw new FormatError('image', 'more shared xattrs than 8 GiB');
    this.#state[first] = state;
  }

  /** The place of a file's value in the shared table in bytes, or -1. */
  offset(node: number): number {
    const own = this.#state[node] as number;
    const state = own < 0 ? (this.#state[~own] as number) : own;
    return state < FIRST_PLACE ? -1 : (state - FIRST_PLACE) * XATTR_UNIT;
  }

  /** Of a file's value in the image; 0 for a file without a digest. */
  length(node: number): number {
    return this.#objects === undefined || this.#isDigest ? this.#size(node) : OBJECT_PATH_LENGTH;
  }

  /** Writes a file's value at `at`. */
  write(out: Buffer, at: number, node: number): void {
    const objects = this.#objects;
    const start = this.#start(node);
    if (objects === undefined || this.#isDigest) this.#bytes.copy(out, at, start, start + this.#size(node));
    else writeObjectPath(out, at, objects, start / HASH_SIZE);
  }

  /** Where a file's value starts in {@link #bytes}, */
  #start(node: number): number {
    const columns = this.#columns;
    if (this.#objects !== undefined) return objectOf(columns, node) * HASH_SIZE;
    const payload = (columns.bytes[node] as number) + (columns.nameLength[node] as number);
    return this.#isDigest ? payload + (columns.dataLength[node] as number) : payload;
  }

  /** and how many there are of it. */
  #size(node: number): number {
    if (this.#isDigest) return (this.#columns.flags[node] as number) & HAS_DIGEST ? DIGEST_SIZE : 0;
    return this.#objects === undefined ? (this.#columns.dataLength[node] as number) : HASH_SIZE;
  }

  /** The file that was added first of those with the value of this one. */
  #firstLike(node: number): number {
    const slots = this.#slots;
    // No two objects have one path.
    if (this.#objects !== undefined && !this.#isDigest)
      return takeSlot(slots, objectOf(this.#columns, node), node);
    const bytes = this.#bytes;
    const start = this.#start(node);
    const size = this.#size(node);
    const hash = xxh32(bytes, this.#seed, start, start + size) | 0;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + SLOT_NUMBERS) & mask) {
      const first = takeSlot(slots, slot, node);
      if (first === node) slots[slot + 1] = hash;
      else if (slots[slot + 1] !== hash) continue;
      else if (this.#size(first) !== size || !sameBytes(bytes, start, this.#start(first), size)) continue;
      return first;
    }
  }

  /** Length and first bytes of a value as one number, which is larger for what comes earlier. */
  #head(node: number): number {
    const bytes = this.#bytes;
    const start = this.#start(node);
    const size = this.#size(node);
    let head = size;
    for (let i = 0; i < HEAD_BYTES; i++) head = head * 256 + (i < size ? (bytes[start + i] as number) : 0);
    return head;
  }

  /** Compares two values with the same {@link #head} by what is behind it. */
  #compareRest(a: number, b: number): number {
    const bytes = this.#bytes;
    const startA = this.#start(a);
    const startB = this.#start(b);
    const size = this.#size(a);
    for (let i = HEAD_BYTES; i < size; i++) {
      const difference = (bytes[startA + i] as number) - (bytes[startB + i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** The node in a slot: where it is free, the one that is to take it. */
function takeSlot(slots: Int32Array, slot: number, node: number): number {
  const entry = slots[slot] as number;
  if (entry !== 0) return entry - 1;
  slots[slot] = node + 1;
  return node;
}

function sameBytes(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
