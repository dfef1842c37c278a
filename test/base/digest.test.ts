import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { type DigestEngine, hashBlocksPlainly } from '../../src/base/digest.ts';
import { hashesRight, loadLanes } from '../../src/base/digest-lanes.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import { secondEngine } from '../../src/base/digest-second.ts';
import { loadVectors } from '../../src/base/digest-vectors.ts';
import fc from '../support/fast-check.ts';

/** Node's own builds bring an OpenSSL whose names can be found; that of a distribution hides them. */
const HAS_LANES =
  process.arch === 'x64' &&
  (process.config.variables as { node_shared_openssl?: boolean }).node_shared_openssl === false;

declare const WebAssembly: { readonly Instance: new (module: object) => { readonly exports: object } };

/** Compresses nothing. */
class Lazy {
  readonly exports: object;
  constructor(module: object) {
    this.exports = { ...new WebAssemblyInstance(module).exports, compress: () => undefined };
  }
}
const WebAssemblyInstance = WebAssembly.Instance;

function replaceWebAssembly(instead: object | undefined): Disposable {
  const before = WebAssembly;
  const put = (value: object | undefined): void => void Reflect.set(globalThis, 'WebAssembly', value);
  put(instead);
  return { [Symbol.dispose]: () => put(before) };
}

describe('hashing blocks', () => {
  const lanes = loadLanes();
  const vectors = loadVectors();

  it('can be had for many at once where Node brings its own OpenSSL', () => {
    assert.equal(lanes !== undefined, HAS_LANES);
  });

  it('can be had in vectors wherever there is WebAssembly', () => {
    assert.notEqual(vectors, undefined);
  });

  it('is the same one after the other, many at once and by the second engine', () => {
    const ways = [
      hashBlocksPlainly,
      nobleEngine.sha256Blocks,
      secondEngine.sha256Blocks,
      lanes,
      vectors,
    ].filter((way) => way !== undefined);
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

  for (const [what, instead] of [
    ['missing', undefined],
    ['wrong', Object.create(WebAssembly, { Instance: { value: Lazy } })],
  ] as const)
    it(`is done in no vectors where WebAssembly is ${what}`, () => {
      using _ = replaceWebAssembly(instead);
      assert.equal(loadVectors(), undefined);
    });

  it('is left to the pure engine where vectors cannot be had', async () => {
    using _ = replaceWebAssembly(undefined);
    // One that has not been asked yet.
    const fresh = `${new URL('../../src/base/digest-second.ts', import.meta.url)}?without-vectors`;
    const { secondEngine } = (await import(fresh)) as { readonly secondEngine: DigestEngine };
    const hashes = Buffer.alloc(2 * 32);
    secondEngine.sha256Blocks(Buffer.alloc(2 * 64, 'x'), 64, 2, hashes, 0);
    const hash = createHash('sha256').update(Buffer.alloc(64, 'x')).digest('hex');
    assert.equal(hashes.toString('hex'), `${hash}${hash}`);
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
