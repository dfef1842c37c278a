/**
 * fs-verity digests: SHA-256, blocks of 4096 bytes, no salt (all that composefs uses).
 *
 * The data is cut into blocks, the last one zero padded, and each block hashed; the hashes, 128 to a block, are
 * treated alike until one block is left, whose hash is the root. The digest is the hash of a 256-byte
 * descriptor with the root hash and the size. Of empty data the root hash is all zeros, as the kernel has it
 * (libcomposefs up to 1.0.8 hashes a zero block instead). Source: the kernel's
 * Documentation/filesystems/fsverity.rst.
 */
import { asBuffer } from '../base/bytes.ts';
import { type DigestEngine, nativeEngine } from '../base/digest.ts';

const BLOCK_SIZE = 4096;
const HASH_SIZE = 32;

const DESCRIPTOR_SIZE = 256;
const DESCRIPTOR_VERSION = 1;
const ALGORITHM_SHA256 = 1;
const LOG_BLOCK_SIZE = 12;
const DESCRIPTOR_DATA_SIZE = 8;
const DESCRIPTOR_ROOT = 16;

/** Computes a digest of bytes that come in pieces of any size, in memory that grows by 4 KiB per power of 128. */
export class VerityHasher {
  readonly #engine: DigestEngine;
  /** The block being filled: [0] of data, the others of hashes of the level below. */
  readonly #levels: Buffer[] = [Buffer.alloc(BLOCK_SIZE)];
  readonly #used: number[] = [0];
  /** Blocks finished per level. */
  readonly #blocks: number[] = [0];
  readonly #descriptor = Buffer.alloc(DESCRIPTOR_SIZE);
  #size = 0;

  constructor(engine: DigestEngine = nativeEngine) {
    this.#engine = engine;
    this.#descriptor[0] = DESCRIPTOR_VERSION;
    this.#descriptor[1] = ALGORITHM_SHA256;
    this.#descriptor[2] = LOG_BLOCK_SIZE;
  }

  update(bytes: Uint8Array): void {
    const input = asBuffer(bytes);
    const partial = this.#levels[0] as Buffer;
    const used = this.#used[0] as number;
    this.#size += input.length;
    let at = 0;
    if (used > 0) {
      at = Math.min(BLOCK_SIZE - used, input.length);
      input.copy(partial, used, 0, at);
      this.#used[0] = used + at;
      if (used + at < BLOCK_SIZE) return;
      this.#hashBlock(partial, 0);
      this.#used[0] = 0;
    }
    for (; at + BLOCK_SIZE <= input.length; at += BLOCK_SIZE)
      this.#hashBlock(input.subarray(at, at + BLOCK_SIZE), 0);
    this.#used[0] = input.copy(partial, 0, at);
  }

  /** The 32 bytes of the digest. The hasher is then as new: use it again for many small files. */
  digest(): Buffer {
    const descriptor = this.#descriptor;
    descriptor.writeUInt32LE(this.#size % 2 ** 32, DESCRIPTOR_DATA_SIZE);
    descriptor.writeUInt32LE(Math.floor(this.#size / 2 ** 32), DESCRIPTOR_DATA_SIZE + 4);
    if (this.#size > 0) this.#root().copy(descriptor, DESCRIPTOR_ROOT);
    else descriptor.fill(0, DESCRIPTOR_ROOT, DESCRIPTOR_ROOT + HASH_SIZE);
    this.#size = 0;
    this.#used.fill(0);
    this.#blocks.fill(0);
    return this.#engine.sha256(descriptor);
  }

  /** Closes the levels from below: a level of one block in all gives the root hash. */
  #root(): Buffer {
    for (let level = 0; ; level++) {
      const block = this.#levels[level] as Buffer;
      const used = this.#used[level] as number;
      if (used > 0) {
        block.fill(0, used);
        this.#hashBlock(block, level);
        this.#used[level] = 0;
      }
      // One block in all: its hash is the only one in the level above.
      if (this.#blocks[level] === 1) return (this.#levels[level + 1] as Buffer).subarray(0, HASH_SIZE);
    }
  }

  /** Hashes one block of `level` into the level above, and that block in turn when it is full. */
  #hashBlock(block: Buffer, level: number): void {
    let from = block;
    for (let at = level; ; at++) {
      this.#blocks[at] = (this.#blocks[at] as number) + 1;
      const above = at + 1;
      if (above === this.#levels.length) {
        this.#levels.push(Buffer.alloc(BLOCK_SIZE));
        this.#used.push(0);
        this.#blocks.push(0);
      }
      const target = this.#levels[above] as Buffer;
      const used = this.#used[above] as number;
      this.#engine.sha256Into(from, target, used);
      if (used + HASH_SIZE < BLOCK_SIZE) {
        this.#used[above] = used + HASH_SIZE;
        return;
      }
      this.#used[above] = 0;
      from = target;
    }
  }
}

/** One hasher per engine: making its blocks would cost more than a small file's hash. */
const hashers = new Map<DigestEngine, VerityHasher>();

/** The fs-verity digest of `bytes`, 32 bytes. */
export function verityDigest(bytes: Uint8Array, engine: DigestEngine = nativeEngine): Buffer {
  const hasher = hashers.get(engine) ?? new VerityHasher(engine);
  // Not kept while at work: should the engine fail, nobody meets a half-filled one.
  hashers.delete(engine);
  hasher.update(bytes);
  const digest = hasher.digest();
  hashers.set(engine, hasher);
  return digest;
}
