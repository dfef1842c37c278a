import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { HASH_SIZE, verityDigest } from '../../src/formats/verity.ts';
import { hashLeaves, type SharedLeaves } from '../../src/formats/verity-leaves.ts';
import { HelperThreads } from '../../src/image/helper-threads.ts';
import { SecondDigest } from '../../src/image/second-digest.ts';
import { allowThreads, watchWorkers } from '../support/played-threads.ts';

const image = (size: number): Buffer => Buffer.alloc(size, 'an image, as it may be');

async function secondDigest(bytes: Uint8Array, helpers?: HelperThreads): Promise<Digest> {
  await using hashing = new SecondDigest(bytes, helpers);
  return await hashing.finish(silent());
}

for (const [size, threads] of [
  [0, 0],
  [5000, 0],
  [4 * 1024 * 1024 + 1, 0],
  [64 * 1024 * 1024 + 1, 1],
] as const)
  test(`the second engine agrees with the first about ${size} bytes, with ${threads} threads`, async () => {
    let started = 0;
    using _ = watchWorkers(() => started++);
    const bytes = image(size);
    assert.equal(await secondDigest(bytes), digestOf(verityDigest(bytes)));
    assert.equal(started, threads);
    // The bytes stay those of the caller.
    assert.equal(bytes.length, size);
  });

for (const size of [5000, 4 * 1024 * 1024 + 1])
  test(`the second engine agrees with the first about ${size} bytes where there are helpers`, async () => {
    await using helpers = new HelperThreads(linuxSystem, 1);
    const bytes = image(size);
    assert.equal(await secondDigest(bytes, helpers), digestOf(verityDigest(bytes)));
  });

test('the second engine needs no thread where the system has none', async () => {
  using _ = allowThreads(0);
  await using helpers = new HelperThreads(linuxSystem, 1);
  const bytes = image(4 * 1024 * 1024 + 1);
  assert.equal(await secondDigest(bytes, helpers), digestOf(verityDigest(bytes)));
});

test('the second engine waits for what a helper has taken', async () => {
  const bytes = image(4 * 1024 * 1024 + 1);
  // It takes the first blocks at once, and hashes them when no other is left.
  const ask = async ({ leaves }: { readonly leaves: SharedLeaves }): Promise<void> => {
    const { hashes, next } = leaves;
    hashLeaves({ ...leaves, hashes: new Uint8Array(hashes.length) }, nobleEngine);
    while (Atomics.load(next, 0) < hashes.length / HASH_SIZE) await setImmediate();
    await setImmediate();
    hashLeaves({ ...leaves, next: new Int32Array(1) }, nobleEngine);
  };
  const helpers = { idlest: () => ({ ask }) } as unknown as HelperThreads;
  assert.equal(await secondDigest(bytes, helpers), digestOf(verityDigest(bytes)));
});
