import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DigestEngine, nativeEngine } from '../../src/base/digest.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import { VerityHasher, verityDigest } from '../../src/formats/verity.ts';
import { MAX_BATCHED_BYTES, VerityBatch } from '../../src/formats/verity-batch.ts';
import { hashLeaves, leavesDigest, shareLeaves } from '../../src/formats/verity-leaves.ts';
import fc from '../support/fast-check.ts';

/** Bytes that differ from block to block. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = ((i * 7919) >> 3) & 0xff;
  return bytes;
}

/** Sizes around one block, one level and two levels of hashes; digests by `fsverity digest` 1.6. */
const DIGESTS: readonly (readonly [size: number, digest: string])[] = [
  [0, '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95'],
  [1, 'b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551'],
  [4095, 'f459506e25382c1d4ea26c32bc30e088e611d99813081992326f5afaf81b3c79'],
  [4096, '0b0b64720c02b46fffc36c97b203c89d93b7208516f8902ffbd5a7585f28a8f7'],
  [4097, '9655e90518dc96c94b33b99afde2d6aee5b885f45745116d69dca84c0371f89a'],
  [8192, 'f30365d6b1b32c7f97bb25463dc323918ef5e90ff955149585f77ab9f30bb170'],
  [520193, '955b18ba46fd4ad85466346cbd4548f421ccf332d744d142ce53b42ff774fbfe'],
  [524288, '2468c71c49f2e4807ab933eaa7dd8c77fe11b4415919cb91f6eab35b4c5f11a0'],
  [524289, 'a6faffc3871fd647580b688ea2fabe7616632f0c11eb4f4a6ebd57104191433f'],
  [67108864, '96bb0e40adf5d6d448880870f290e6b5589bacfe283395a705475923b0d0280c'],
  [67108865, '1816f0beb2864c2af9fa855411bc6503cffe3c6df356cc81dd7c89707264f077'],
];

describe('fs-verity digest', () => {
  for (const [size, digest] of DIGESTS) {
    it(`of ${size} bytes is what fsverity(1) says`, () => {
      assert.equal(verityDigest(pattern(size)).toString('hex'), digest);
    });
  }

  it('is the same of blocks that two take in turn, and nothing is left for who comes late', () => {
    const late: DigestEngine = { ...nativeEngine, sha256Blocks: () => assert.fail('all blocks are taken') };
    for (const [size, digest] of DIGESTS) {
      if (size > 1 << 20) continue;
      const leaves = shareLeaves(pattern(size));
      for (let engine = nativeEngine; hashLeaves(leaves, engine); )
        engine = engine === nativeEngine ? nobleEngine : nativeEngine;
      assert.equal(hashLeaves(leaves, late), false);
      assert.equal(leavesDigest(leaves, nobleEngine).toString('hex'), digest, `${size} bytes`);
    }
  });

  it('is the same by both engines', () => {
    for (const [size, digest] of DIGESTS) {
      if (size < 1 << 20) assert.equal(verityDigest(pattern(size), nobleEngine).toString('hex'), digest);
    }
  });

  it('does not depend on how the bytes are cut into pieces', () => {
    fc.assert(
      fc.property(fc.nat(600_000), fc.array(fc.nat(300_000), { maxLength: 12 }), (size, cuts) => {
        const bytes = pattern(size);
        const hasher = new VerityHasher(nativeEngine);
        let from = 0;
        for (const to of [...cuts, size].filter((cut) => cut <= size).sort((a, b) => a - b)) {
          hasher.update(bytes.subarray(from, to));
          from = to;
        }
        return hasher.digest().equals(verityDigest(bytes));
      }),
      { numRuns: 30 },
    );
  });

  const batched = (sizes: readonly number[], engine = nativeEngine): string[] => {
    const digests: string[] = [];
    const batch = new VerityBatch((file, bytes, offset) => {
      digests[file] = bytes.toString('hex', offset, offset + 32);
    }, engine);
    sizes.forEach((size, i) => {
      pattern(size).copy(batch.room(size));
      batch.add(i, size);
    });
    batch.flush();
    return digests;
  };

  it('is the same where many files are digested at once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 60 }), (sizes) => {
        assert.deepEqual(
          batched(sizes),
          sizes.map((size) => verityDigest(pattern(size)).toString('hex')),
        );
      }),
      { numRuns: 30 },
    );
    const known = DIGESTS.filter(([size]) => size > 0 && size <= MAX_BATCHED_BYTES);
    for (const engine of [nativeEngine, nobleEngine])
      assert.deepEqual(
        batched(
          known.map(([size]) => size),
          engine,
        ),
        known.map(([, digest]) => digest),
      );
  });

  it('is not batched for files with more than one level of hashes, nor for empty ones', () => {
    for (const size of [0, MAX_BATCHED_BYTES + 1])
      assert.throws(() => new VerityBatch(() => undefined).room(size), RangeError);
  });
});
