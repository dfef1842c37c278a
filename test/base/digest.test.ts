import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashBlocksPlainly } from '../../src/base/digest.ts';
import { hashesRight, loadLanes } from '../../src/base/digest-lanes.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import fc from '../support/fast-check.ts';

/** Node's own builds bring an OpenSSL whose names can be found; that of a distribution hides them. */
const HAS_LANES =
  process.arch === 'x64' &&
  (process.config.variables as { node_shared_openssl?: boolean }).node_shared_openssl === false;

describe('hashing blocks', () => {
  const lanes = loadLanes();

  it('can be had for many at once where Node brings its own OpenSSL', () => {
    assert.equal(lanes !== undefined, HAS_LANES);
  });

  it('is the same one after the other, many at once and by the second engine', () => {
    const ways = [hashBlocksPlainly, nobleEngine.sha256Blocks, ...(lanes === undefined ? [] : [lanes])];
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.constantFrom(64, 256, 4096),
        fc.nat(100),
        fc.nat(100),
        fc.integer(),
        (count, blockBytes, from, to, seed) => {
          const whole = Buffer.alloc(from + count * blockBytes);
          for (let i = 0; i < whole.length; i++) whole[i] = Math.imul(i + seed, 0x9e3779b1) >>> 24;
          const results = ways.map((hash) => {
            const target = Buffer.alloc(to + count * 32 + 1);
            hash(whole.subarray(from), blockBytes, count, target, to);
            return target.toString('hex');
          });
          assert.equal(new Set(results).size, 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is believed only where known blocks are hashed right to the last bit', () => {
    assert.ok(hashesRight(hashBlocksPlainly));
    for (const wrong of [0, 1, 2, 7, 8, 18])
      assert.ok(
        !hashesRight((input, blockBytes, count, target, offset) => {
          hashBlocksPlainly(input, blockBytes, count, target, offset);
          if (count > wrong) target[offset + wrong * 32] = (target[offset + wrong * 32] as number) ^ 1;
        }),
        `block ${wrong}`,
      );
  });
});
