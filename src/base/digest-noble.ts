/** The second engine: audited, pure, independent of OpenSSL. It checks the digests that decide. */
import { sha256 } from '@noble/hashes/sha2.js';
import { type DigestEngine, digestOf } from './digest.ts';

const HASH_BYTES = 32;

export const nobleEngine: DigestEngine = {
  name: '@noble/hashes',
  sha256: (bytes) => Buffer.from(sha256(bytes)),
  sha256Hex: (bytes) => digestOf(sha256(bytes)),
  sha256Blocks: (input, blockBytes, count, target, offset) => {
    for (let i = 0; i < count; i++)
      target.set(sha256(input.subarray(i * blockBytes, (i + 1) * blockBytes)), offset + i * HASH_BYTES);
  },
  create() {
    const hasher = sha256.create();
    return { update: (bytes) => void hasher.update(bytes), digest: () => Buffer.from(hasher.digest()) };
  },
};
