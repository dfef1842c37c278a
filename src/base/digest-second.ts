/**
 * The second engine: it checks the digests that decide, and shares no code with the first. @noble/hashes, audited and
 * pure; many blocks at a time are hashed in vectors of WebAssembly, where they can be.
 */
import { type DigestEngine, isHashingPlain } from './digest.ts';
import { nobleEngine } from './digest-noble.ts';
import { loadVectors } from './digest-vectors.ts';

const { sha256Blocks: hashBlocksPlainly } = nobleEngine;

let hashBlocks: DigestEngine['sha256Blocks'] | undefined;

export const secondEngine: DigestEngine = {
  ...nobleEngine,
  name: `${nobleEngine.name} and WebAssembly`,
  sha256Blocks: (input, blockBytes, count, target, offset) => {
    hashBlocks ??= (isHashingPlain() ? undefined : loadVectors()) ?? hashBlocksPlainly;
    hashBlocks(input, blockBytes, count, target, offset);
  },
};
