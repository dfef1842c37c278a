/**
 * SHA-256 values and the engines that compute them.
 *
 * Two engines exist so that what decides can be checked by a second, independent implementation: OpenSSL
 * through node:crypto for bulk, @noble/hashes for the check. Ports in, engines below: nothing else in the
 * program imports a hash library.
 */
import { type HashBlocks, loadLanes } from './digest-lanes.ts';
import { FormatError } from './errors.ts';

/** A fs-verity digest (of an image or of a content object's bytes): 64 lower-case hex digits. */
export type Digest = string & { readonly __digest: never };

/** An ostree object's checksum: 64 lower-case hex digits. */
export type Checksum = string & { readonly __checksum: never };

const HASH_BYTES = 32;

/** `plain`: hashes are computed by documented calls alone; for a doubt, and to compare. */
const HASH_VARIABLE = 'SEALTREE_HASH';

const HEX64 = /^[0-9a-f]{64}$/;

export function isHex64(text: string): boolean {
  return HEX64.test(text);
}

/** Parses 64 lower-case hex digits; anything else is a FormatError that names `where`. */
export function parseChecksum(text: string, where: string): Checksum {
  if (!HEX64.test(text))
    throw new FormatError(where, 'not a checksum', { got: JSON.stringify(text), want: '64 hex digits' });
  return text as Checksum;
}

/** 32 bytes as a checksum. */
export function checksumOf(bytes: Uint8Array): Checksum {
  return Buffer.from(bytes.buffer, bytes.byteOffset, 32).toString('hex') as Checksum;
}

/** 32 bytes as a digest. */
export function digestOf(bytes: Uint8Array): Digest {
  return Buffer.from(bytes.buffer, bytes.byteOffset, 32).toString('hex') as Digest;
}

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The 32 bytes; the hasher is used up. */
  digest(): Buffer;
}

/** A SHA-256 implementation. */
export interface DigestEngine {
  readonly name: string;
  /** 32 bytes. */
  sha256(bytes: Uint8Array): Buffer;
  /** The same as 64 hex digits, with no memory for bytes: for who hashes thousands of small objects. */
  sha256Hex(bytes: Uint8Array): string;
  /** No memory per hash, and many at once where that can be had: for Merkle trees. */
  readonly sha256Blocks: HashBlocks;
  create(): Hasher;
}

/** Loaded by the first hash: that costs a quarter of Node's own start, and a hook with nothing to do hashes nothing. */
let loaded: typeof import('node:crypto') | undefined;
function openssl(): typeof import('node:crypto') {
  loaded ??= process.getBuiltinModule('node:crypto');
  return loaded;
}

/** One after the other, through node:crypto. */
export const hashBlocksPlainly: HashBlocks = (input, blockBytes, count, target, offset) => {
  const { hash } = openssl();
  for (let i = 0; i < count; i++) {
    const block = input.subarray(i * blockBytes, (i + 1) * blockBytes);
    // A string of 32 characters costs far less than a Buffer: a third more blocks per second.
    target.write(hash('sha256', block, 'binary'), offset + i * HASH_BYTES, 'latin1');
  }
};

/** Fewer than these are hashed sooner one after the other, by a node:crypto that is there. */
const WORTH_LANES = 4;

/** Null where it was tried and cannot be had. */
let lanes: HashBlocks | null | undefined;

const hashBlocks: HashBlocks = (input, blockBytes, count, target, offset) => {
  if (count >= WORTH_LANES && lanes === undefined)
    lanes = (process.env[HASH_VARIABLE] === 'plain' ? undefined : loadLanes()) ?? null;
  const hash = lanes && (count >= WORTH_LANES || loaded === undefined) ? lanes : hashBlocksPlainly;
  hash(input, blockBytes, count, target, offset);
};

/** OpenSSL: through node:crypto 9 times as fast as the pure engine, many blocks at once 20 times. */
export const nativeEngine: DigestEngine = {
  name: 'node:crypto',
  sha256: (bytes) => openssl().hash('sha256', bytes, 'buffer'),
  sha256Hex: (bytes) => openssl().hash('sha256', bytes, 'hex'),
  sha256Blocks: hashBlocks,
  create() {
    const hasher = openssl().createHash('sha256');
    return { update: (bytes) => void hasher.update(bytes), digest: () => hasher.digest() };
  },
};

/** Hands pieces on and hashes them on their way. */
export async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hasher: Hasher,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hasher.update(chunk);
    yield chunk;
  }
}
