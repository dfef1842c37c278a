/**
 * fs-verity digests of many small files at once. Most files of a root have one block or a few; the blocks of all
 * that are gathered are hashed side by side, then their trees level by level, then their descriptors.
 */
import { roundUp } from '../base/bytes.ts';
import { type DigestEngine, nativeEngine } from '../base/digest.ts';
import { BLOCK_SIZE, DESCRIPTOR_SIZE, HASH_SIZE, writeDescriptor } from './verity.ts';

/** A file of more bytes has more than one level of hashes: {@link VerityHasher} takes those. */
export const MAX_BATCHED_BYTES = BLOCK_SIZE * (BLOCK_SIZE / HASH_SIZE);

/** Room for the largest file that is batched, and for hundreds of the usual ones; more would leave the processor's cache. */
const CAPACITY_BYTES = MAX_BATCHED_BYTES;
const CAPACITY_BLOCKS = CAPACITY_BYTES / BLOCK_SIZE;

/** Gets the 32 bytes at `offset` of `digests`, whose memory is reused, for the file that was added as `file`. */
export type DigestSink = (file: number, digests: Buffer, offset: number) => void;

export class VerityBatch {
  readonly #engine: DigestEngine;
  readonly #data = Buffer.allocUnsafeSlow(CAPACITY_BYTES);
  /** Of every block of data. */
  readonly #leaves = Buffer.allocUnsafeSlow(CAPACITY_BLOCKS * HASH_SIZE);
  /** The level above, a block for each file of more than one. */
  readonly #trees = Buffer.allocUnsafeSlow((CAPACITY_BLOCKS / 2) * BLOCK_SIZE);
  readonly #roots = Buffer.allocUnsafeSlow((CAPACITY_BLOCKS / 2) * HASH_SIZE);
  readonly #descriptors = Buffer.alloc(CAPACITY_BLOCKS * DESCRIPTOR_SIZE);
  readonly #digests = Buffer.allocUnsafeSlow(CAPACITY_BLOCKS * HASH_SIZE);
  readonly #sink: DigestSink;
  // What waits: by which number it is known, where its data begins, how long it is.
  readonly #files = new Float64Array(CAPACITY_BLOCKS);
  readonly #firstBlocks = new Uint32Array(CAPACITY_BLOCKS);
  readonly #sizes = new Uint32Array(CAPACITY_BLOCKS);
  #waiting = 0;
  #blocks = 0;

  constructor(sink: DigestSink, engine: DigestEngine = nativeEngine) {
    this.#sink = sink;
    this.#engine = engine;
  }

  /**
   * Room for the content of the next file, 1 to {@link MAX_BATCHED_BYTES}, to be filled before {@link add}. What
   * waits is digested first where there is too little left.
   */
  room(sizeBytes: number): Buffer {
    if (sizeBytes < 1 || sizeBytes > MAX_BATCHED_BYTES)
      throw new RangeError(`a file of ${sizeBytes} bytes is not batched`);
    if (this.#blocks * BLOCK_SIZE + sizeBytes > CAPACITY_BYTES) this.flush();
    const start = this.#blocks * BLOCK_SIZE;
    return this.#data.subarray(start, start + sizeBytes);
  }

  /** Takes the file whose content was put into {@link room}; its digest comes at the latest by {@link flush}. */
  add(file: number, sizeBytes: number): void {
    const start = this.#blocks * BLOCK_SIZE;
    const padded = roundUp(sizeBytes, BLOCK_SIZE);
    this.#data.fill(0, start + sizeBytes, start + padded);
    const waiting = this.#waiting++;
    this.#files[waiting] = file;
    this.#firstBlocks[waiting] = this.#blocks;
    this.#sizes[waiting] = sizeBytes;
    this.#blocks += padded / BLOCK_SIZE;
  }

  /** Digests what waits. */
  flush(): void {
    const engine = this.#engine;
    const waiting = this.#waiting;
    engine.sha256Blocks(this.#data, BLOCK_SIZE, this.#blocks, this.#leaves, 0);
    let trees = 0;
    for (let i = 0; i < waiting; i++) {
      const size = this.#sizes[i] as number;
      if (size <= BLOCK_SIZE) continue;
      const from = (this.#firstBlocks[i] as number) * HASH_SIZE;
      const hashes = Math.ceil(size / BLOCK_SIZE) * HASH_SIZE;
      const at = trees++ * BLOCK_SIZE;
      this.#leaves.copy(this.#trees, at, from, from + hashes);
      this.#trees.fill(0, at + hashes, at + BLOCK_SIZE);
    }
    engine.sha256Blocks(this.#trees, BLOCK_SIZE, trees, this.#roots, 0);
    let tree = 0;
    for (let i = 0; i < waiting; i++) {
      const size = this.#sizes[i] as number;
      const isLeaf = size <= BLOCK_SIZE;
      const root = isLeaf ? this.#leaves : this.#roots;
      const at = (isLeaf ? (this.#firstBlocks[i] as number) : tree++) * HASH_SIZE;
      writeDescriptor(this.#descriptors, i * DESCRIPTOR_SIZE, size, root, at);
    }
    engine.sha256Blocks(this.#descriptors, DESCRIPTOR_SIZE, waiting, this.#digests, 0);
    this.#waiting = 0;
    this.#blocks = 0;
    for (let i = 0; i < waiting; i++) this.#sink(this.#files[i] as number, this.#digests, i * HASH_SIZE);
  }
}
