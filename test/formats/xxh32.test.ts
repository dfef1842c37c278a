import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import xxhash from 'xxhash-wasm';
import { xxh32 } from '../../src/formats/xxh32.ts';
import fc from '../support/fast-check.ts';

describe('xxh32', () => {
  it('is what the reference implementation says, for all lengths and seeds', async () => {
    const { h32Raw } = await xxhash();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70 }),
        fc.nat(0xffffffff),
        (bytes, seed) => xxh32(bytes, seed) === h32Raw(bytes, seed) >>> 0,
      ),
      { numRuns: 500 },
    );
  });

  it('hashes a part of the bytes', () => {
    const bytes = Buffer.from('some bytes and more bytes');
    assert.equal(xxh32(bytes, 1, 5, 21), xxh32(bytes.subarray(5, 21), 1));
  });
});
