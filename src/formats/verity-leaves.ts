/**
 * The fs-verity digest of one large file by several threads. Nearly all of the work is hashing its blocks, and one has
 * nothing to do with another: each thread takes some from a counter that all share, also one that comes late.
 */
import { asBuffer } from '../base/bytes.ts';
import type { DigestEngine } from '../base/digest.ts';
import { BLOCK_SIZE, HASH_SIZE, VerityHasher } from './verity.ts';

/** Plain data of shared memory, to be handed to threads. */
export interface SharedLeaves {
  readonly bytes: Uint8Array;
  /** The hash of each block, filled in by {@link hashLeaves}. */
  readonly hashes: Uint8Array;
  /** One number: the first block that nobody has taken. */
  readonly next: Int32Array;
}

/** Blocks taken at a time. */
const TAKEN = 32;

/** @param bytes are copied where they do not lie in shared memory, and must not change until the digest is there */
export function shareLeaves(bytes: Uint8Array): SharedLeaves {
  let shared = bytes;
  if (!(bytes.buffer instanceof SharedArrayBuffer)) {
    shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
  }
  const blocks = Math.ceil(bytes.length / BLOCK_SIZE);
  return {
    bytes: shared,
    hashes: new Uint8Array(new SharedArrayBuffer(blocks * HASH_SIZE)),
    next: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
  };
}

/** Takes some blocks and hashes them; false where none is left. */
export function hashLeaves({ bytes, hashes, next }: SharedLeaves, engine: DigestEngine): boolean {
  const from = Atomics.add(next, 0, TAKEN);
  const blocks = hashes.length / HASH_SIZE;
  if (from >= blocks) return false;
  const input = asBuffer(bytes);
  const target = asBuffer(hashes);
  const whole = Math.floor(input.length / BLOCK_SIZE);
  const count = Math.min(TAKEN, whole - from);
  engine.sha256Blocks(input.subarray(from * BLOCK_SIZE), BLOCK_SIZE, count, target, from * HASH_SIZE);
  if (whole < blocks && from + TAKEN >= blocks) {
    const last = Buffer.alloc(BLOCK_SIZE);
    input.copy(last, 0, whole * BLOCK_SIZE);
    engine.sha256Blocks(last, BLOCK_SIZE, 1, target, whole * HASH_SIZE);
  }
  return true;
}

/** The digest, 32 bytes, when all who have taken blocks are done with them. */
export function leavesDigest({ bytes, hashes }: SharedLeaves, engine: DigestEngine): Buffer {
  const hasher = new VerityHasher(engine);
  hasher.updateHashed(asBuffer(hashes), bytes.length);
  return hasher.digest();
}
