import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { SecondDigest } from '../../src/image/second-digest.ts';
import { allowThreads } from '../support/played-threads.ts';

async function secondDigest(bytes: Uint8Array): Promise<Digest> {
  await using hashing = new SecondDigest(bytes);
  return await hashing.finish(silent());
}

for (const size of [5000, 4 * 1024 * 1024 + 1])
  test(`the second engine agrees with the first about ${size} bytes, in a thread or not`, async () => {
    const bytes = Buffer.alloc(size, 'an image, as it may be');
    assert.equal(await secondDigest(bytes), digestOf(verityDigest(bytes)));
    // The bytes stay those of the caller.
    assert.equal(bytes.length, size);
  });

test('the second engine needs no thread where the system has none', async () => {
  using _ = allowThreads(0);
  const bytes = Buffer.alloc(4 * 1024 * 1024 + 1, 'an image, as it may be');
  assert.equal(await secondDigest(bytes), digestOf(verityDigest(bytes)));
});
