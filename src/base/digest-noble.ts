/** The second engine: audited, pure, independent of OpenSSL. It checks the digests that decide. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { DigestEngine } from './digest.ts';

export const nobleEngine: DigestEngine = {
  name: '@noble/hashes',
  sha256: (bytes) => Buffer.from(sha256(bytes)),
  sha256Into: (bytes, target, offset) => target.set(sha256(bytes), offset),
  create() {
    const hasher = sha256.create();
    return { update: (bytes) => void hasher.update(bytes), digest: () => Buffer.from(hasher.digest()) };
  },
};
