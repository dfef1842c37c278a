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

export const BLOCK_SIZE = 4096;
export const HASH_SIZE = 32;

export const DESCRIPTOR_SIZE = 256;
const DESCRIPTOR_VERSION = 1;
const ALGORITHM_SHA256 = 1;
const LOG_BLOCK_SIZE = 12;
const DESCRIPTOR_DATA_SIZE = 8;
const DESCRIPTOR_ROOT = 16;

/**
 * Writes what is hashed in the end: `struct fsverity_descriptor` of version 1 without salt and signature, at `at` of
 * `target`, which is zero there or has held one.
 * @param root has the root hash at `rootAt`; undefined for an empty file
 */
export function writeDescriptor(
  target: Buffer,
  at: number,
  sizeBytes: number,
  root: Buffer | undefined,
  rootAt: number,
): void {
  target[at] = DESCRIPTOR_VERSION;
  target[at + 1] = ALGORITHM_SHA256;
  target[at + 2] = LOG_BLOCK_SIZE;
  target.writeUInt32LE(sizeBytes % 2 ** 32, at + DESCRIPTOR_DATA_SIZE);
  target.writeUInt32LE(Math.floor(sizeBytes / 2 ** 32), at + DESCRIPTOR_DATA_SIZE + 4);
  const to = at + DESCRIPTOR_ROOT;
  if (root === undefined) target.fill(0, to, to + HASH_SIZE);
  else root.copy(target, to, rootAt, rootAt + HASH_SIZE);
}

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
      this.#hashBlocks(partial, 1, 0);
      this.#used[0] = 0;
    }
    const whole = Math.floor((input.length - at) / BLOCK_SIZE);
    this.#hashBlocks(input.subarray(at), whole, 0);
    this.#used[0] = input.copy(partial, 0, at + whole * BLOCK_SIZE);
  }

  /**
   * Takes the hashes of blocks in place of their bytes.
   * @param sizeBytes of the data; only its last block may be shorter, and nothing comes after that
   */
  updateHashed(hashes: Buffer, sizeBytes: number): void {
    this.#size += sizeBytes;
    this.#addHashes(hashes.length / HASH_SIZE, 0, (target, at, from, count) =>
      hashes.copy(target, at, from * HASH_SIZE, (from + count) * HASH_SIZE),
    );
  }

  /** The 32 bytes of the digest. The hasher is then as new: use it again for many small files. */
  digest(): Buffer {
    writeDescriptor(this.#descriptor, 0, this.#size, this.#size > 0 ? this.#root() : undefined, 0);
    this.#size = 0;
    this.#used.fill(0);
    this.#blocks.fill(0);
    const digest = Buffer.alloc(HASH_SIZE);
    this.#engine.sha256Blocks(this.#descriptor, DESCRIPTOR_SIZE, 1, digest, 0);
    return digest;
  }

  /** Closes the levels from below: a level of one block in all gives the root hash. */
  #root(): Buffer {
    for (let level = 0; ; level++) {
      const block = this.#levels[level] as Buffer;
      const used = this.#used[level] as number;
      if (used > 0) {
        block.fill(0, used);
        this.#hashBlocks(block, 1, level);
        this.#used[level] = 0;
      }
      // One block in all: its hash is the only one in the level above.
      if (this.#blocks[level] === 1) return (this.#levels[level + 1] as Buffer).subarray(0, HASH_SIZE);
    }
  }

  /** Hashes the first `count` blocks of `input`, which are of `level`, into the level above. */
  #hashBlocks(input: Buffer, count: number, level: number): void {
    this.#addHashes(count, level, (target, at, from, some) => {
      const blocks = from === 0 ? input : input.subarray(from * BLOCK_SIZE);
      this.#engine.sha256Blocks(blocks, BLOCK_SIZE, some, target, at);
    });
  }

  /**
   * Adds the hashes of `count` blocks of `level` to the level above, whose blocks are hashed as they fill.
   * @param put writes those of blocks `from` to `from + count` at `at` of `target`
   */
  #addHashes(
    count: number,
    level: number,
    put: (target: Buffer, at: number, from: number, count: number) => void,
  ): void {
    const above = level + 1;
    if (above === this.#levels.length) {
      this.#levels.push(Buffer.alloc(BLOCK_SIZE));
      this.#used.push(0);
      this.#blocks.push(0);
    }
    this.#blocks[level] = (this.#blocks[level] as number) + count;
    const target = this.#levels[above] as Buffer;
    for (let done = 0; done < count; ) {
      const used = this.#used[above] as number;
      const now = Math.min(count - done, (BLOCK_SIZE - used) / HASH_SIZE);
      put(target, used, done, now);
      done += now;
      this.#used[above] = used + now * HASH_SIZE;
      if (this.#used[above] < BLOCK_SIZE) continue;
      this.#used[above] = 0;
      this.#hashBlocks(target, 1, above);
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
