/**
 * Eight SHA-256 at once. A processor's SHA instructions wait for each other within one message; of messages side by
 * side it works on two in the time of one (measured: 2.7 GB/s a core, where one after the other gives 1.4).
 *
 * OpenSSL has a function for that, `sha256_multi_block(ctx, descriptors, n)` of crypto/sha/asm/sha256-mb-x86_64.pl, and
 * the official builds of Node for x86-64 let it be found. It is internal: nobody promises that it stays, so it is
 * believed only after it has hashed known blocks right in this very process, and {@link loadLanes} gives undefined
 * wherever it is missing or wrong. n counts fours of lanes. `ctx` holds the states word by word: word w of lane l is
 * number 8 w + l. A descriptor is the address of the lane's bytes (64 bits), how many 64-byte blocks of SHA-256 to
 * take, and padding.
 */
import { roundUp } from './bytes.ts';
import { type Koffi, loadKoffi } from './koffi.ts';

/** Hashes `count` blocks of `blockBytes` (a multiple of 64), one after the other, into `target`: 32 bytes each. */
export type HashBlocks = (
  input: Buffer,
  blockBytes: number,
  count: number,
  target: Buffer,
  offset: number,
) => void;

const LANES = 8;
const WORDS = 8;
const HASH_BYTES = 32;
/** What SHA-256 compresses at a time. */
const COMPRESSED = 64;
const FOURS_OF_LANES = LANES / 4;
const DESCRIPTOR_WORDS = 4;
const WORD_RANGE = 2 ** 32;

/** FIPS 180-4, 5.3.3. */
const INITIAL_STATE = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;

/** The function in a form that takes addresses, or undefined: see above. */
export function loadLanes(): HashBlocks | undefined {
  if (process.arch !== 'x64') return undefined;
  let lanes: HashBlocks;
  try {
    lanes = bind(loadKoffi());
  } catch {
    // No koffi, or a Node without the function: the plain way hashes the same.
    return undefined;
  }
  return hashesRight(lanes) ? lanes : undefined;
}

function bind(koffi: Koffi): HashBlocks {
  const multiBlock = koffi.load(null).func('sha256_multi_block', 'void', ['void *', 'void *', 'int']);
  // Signed, as all arithmetic below: to V8 a number of 31 bits and a sign is no object, and there are thousands of each.
  const initial = new Int32Array(LANES * WORDS);
  INITIAL_STATE.forEach((word, w) => {
    initial.fill(word, w * LANES, (w + 1) * LANES);
  });
  // Larger than what V8 keeps in its moving heap (64 bytes), so their addresses stay.
  const state = new Int32Array(LANES * WORDS);
  const descriptors = new Int32Array(LANES * DESCRIPTOR_WORDS);
  const stateAddress = koffi.address(state);
  const descriptorsAddress = koffi.address(descriptors);
  const padding = Buffer.alloc(COMPRESSED * 2);
  const paddingAddress = Number(koffi.address(padding));

  /** Has a lane take blocks from so many bytes after an address, whose words are `low` and `high`. */
  const point = (lane: number, low: number, high: number, offset: number, blocks: number): void => {
    const at = lane * DESCRIPTOR_WORDS;
    const sum = (low + offset) | 0;
    descriptors[at] = sum;
    // Beyond 2^32, which is where the signed word goes from -1 to 0.
    descriptors[at + 1] = low < 0 && sum >= 0 ? high + 1 : high;
    descriptors[at + 2] = blocks;
  };
  const lowWord = (address: number): number => address | 0;
  const highWord = (address: number): number => Math.floor(address / WORD_RANGE);
  const [paddingLow, paddingHigh] = [lowWord(paddingAddress), highWord(paddingAddress)];

  return (input, blockBytes, count, target, offset) => {
    const address = Number(koffi.address(input));
    const [low, high] = [lowWord(address), highWord(address)];
    padding[0] = 0x80;
    padding.writeUInt32BE(blockBytes * 8, COMPRESSED - 4);
    for (let first = 0; first < count; first += LANES) {
      const lanes = Math.min(LANES, count - first);
      state.set(initial);
      // Lanes to spare take the last block once more: with none to take they would take as long.
      for (let lane = 0; lane < LANES; lane++)
        point(lane, low, high, (first + Math.min(lane, lanes - 1)) * blockBytes, blockBytes / COMPRESSED);
      multiBlock(stateAddress, descriptorsAddress, FOURS_OF_LANES);
      for (let lane = 0; lane < LANES; lane++) point(lane, paddingLow, paddingHigh, 0, 1);
      multiBlock(stateAddress, descriptorsAddress, FOURS_OF_LANES);
      for (let lane = 0; lane < lanes; lane++) {
        let to = offset + (first + lane) * HASH_BYTES;
        for (let word = lane; word < LANES * WORDS; word += LANES) {
          const value = state[word] as number;
          target[to++] = value >>> 24;
          target[to++] = value >>> 16;
          target[to++] = value >>> 8;
          target[to++] = value;
        }
      }
    }
  };
}

/** Of the trees in {@link hashesRight}, the hash at the top: computed by node:crypto, one block after the other. */
const KNOWN_ANSWERS = new Map([
  [256, 'e0f736d30630da455c5688b1a7b65d9c97f2030fa267fee806c9b56ba79e5552'],
  [4096, 'c5bd59b3d6dd563ae19047c4a313524be6e4e8fc8d8f2f217b1cb61ec93435f5'],
]);

/** Of a length that no block's is a multiple of: of two blocks filled with it none is like the other. */
const PATTERN = Uint8Array.from({ length: 251 }, (_, i) => i);

/**
 * Whether it hashes known blocks right, of both sizes that fs-verity has, all different and more than one round of lanes
 * of them. The hashes are made blocks and hashed in turn until one is left: a single bit that is wrong changes that one.
 * Comparing with node:crypto instead would have every run load it that only looks whether images are what they were.
 */
export function hashesRight(hash: HashBlocks): boolean {
  for (const [blockBytes, answer] of KNOWN_ANSWERS) {
    let count = 2 * LANES + 3;
    let blocks = Buffer.alloc(count * blockBytes, PATTERN);
    for (;;) {
      const hashes = Buffer.alloc(roundUp(count * HASH_BYTES, blockBytes));
      hash(blocks, blockBytes, count, hashes, 0);
      if (count === 1) {
        if (hashes.toString('hex', 0, HASH_BYTES) !== answer) return false;
        break;
      }
      count = hashes.length / blockBytes;
      blocks = hashes;
    }
  }
  return true;
}
