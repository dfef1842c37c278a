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
 * States of a file's value: 0 where no other file has it; higher ones are 2 + its place in units, and of a file that is
 * not the first with its value it is the complement of the first's node, below 0.
 */
const SHARED = 1;
const FIRST_PLACE = 2;
const MAX_STATE = 0x7fffffff;

/** Numbers in a slot of the table that finds equal values. */
const SLOT_NUMBERS = 2;
const NOTHING = new Int32Array(0);

/** Bytes of a value that decide nearly all comparisons; with the length they are exact as one number. */
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
  /** The files that were added, and the hashes of their values. */
  #nodes: Int32Array;
  #hashes: Int32Array;
  #count = 0;

  constructor(tree: ImageTree, kind: 'digest' | 'payload') {
    const { columns, objects, count } = tree;
    this.#columns = columns;
    this.#isDigest = kind === 'digest';
    this.#objects = objects;
    this.#bytes =
      objects === undefined ? columns.arena : asBuffer(this.#isDigest ? objects.digests : objects.checksums);
    this.#state = new Int32Array(count);
    this.#nodes = new Int32Array(count);
    this.#hashes = new Int32Array(count);
  }

  /** Adds a file, each once. */
  add(node: number): void {
    this.#nodes[this.#count] = node;
    this.#hashes[this.#count] = this.#hash(node);
    this.#count++;
  }

  /** After all files: the first ones with each shared value, by descending length, then descending value. */
  sharedDescending(): readonly number[] {
    const nodes = this.#findShared();
    const heads = Float64Array.from(nodes, (node) => this.#head(node));
    const order = Int32Array.from(nodes.keys());
    order.sort(
      (a, b) =>
        (heads[b] as number) - (heads[a] as number) ||
        this.#compareRest(nodes[b] as number, nodes[a] as number),
    );
    return Array.from(order, (place) => nodes[place] as number);
  }

  /**
   * Finds equal values, and gives the first file with each that others have, too. All at once, as the processor then looks
   * into several places of a large table at a time.
   */
  #findShared(): readonly number[] {
    const shared: number[] = [];
    const state = this.#state;
    const nodes = this.#nodes;
    const hashes = this.#hashes;
    const count = this.#count;
    // By open addressing, at most half full: the first file with a value, as its place + 1, and the hash of the value, by
    // which others are told apart without a look at them.
    const slots = new Int32Array(SLOT_NUMBERS * 2 ** (1 + Math.ceil(Math.log2(count + 1))));
    const mask = slots.length - 1;
    for (let place = 0; place < count; place++) {
      const node = nodes[place] as number;
      const hash = hashes[place] as number;
      let slot = Math.imul(hash, SLOT_NUMBERS) & mask;
      while (slots[slot] !== 0) {
        const first = nodes[(slots[slot] as number) - 1] as number;
        if (slots[slot + 1] === hash && this.#isSame(first, node)) {
          state[node] = ~first;
          if (state[first] !== SHARED) shared.push(first);
          state[first] = SHARED;
          break;
        }
        slot = (slot + SLOT_NUMBERS) & mask;
      }
      if (slots[slot] !== 0) continue;
      slots[slot] = place + 1;
      slots[slot + 1] = hash;
    }
    this.#nodes = NOTHING;
    this.#hashes = NOTHING;
    return shared;
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

  #hash(node: number): number {
    // No two objects have one path.
    if (this.#objects !== undefined && !this.#isDigest) return objectOf(this.#columns, node);
    const start = this.#start(node);
    return xxh32(this.#bytes, this.#seed, start, start + this.#size(node));
  }

  #isSame(a: number, b: number): boolean {
    const size = this.#size(a);
    return this.#size(b) === size && sameBytes(this.#bytes, this.#start(a), this.#start(b), size);
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

function sameBytes(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
