import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { checkDigests, type ListedObject, sampleOf } from '../../src/image/sample-objects.ts';

const MIB = 1024 * 1024;

const objects = (count: number, sizeBytes: number): ListedObject[] =>
  Array.from({ length: count }, (_, i) => ({
    checksum: String(i).padStart(64, '0') as Checksum,
    sizeBytes,
    digest: Buffer.alloc(32),
  }));

for (const [count, sizeBytes, want] of [
  [0, 1, 0],
  [1, 1, 1],
  [101, 1, 2],
  [100_000, 1, 200],
  [10_000, 10 * MIB, 6],
  [5, 65 * MIB, 0],
] as const)
  test(`of ${count} objects of ${sizeBytes} bytes ${want} are chosen, each once`, () => {
    const sample = sampleOf(objects(count, sizeBytes));
    assert.equal(new Set(sample.map(({ checksum }) => checksum)).size, sample.length);
    assert.equal(sample.length, want);
  });

test('a large object does not keep a small one from being chosen', () => {
  const [small, ...large] = objects(50, 65 * MIB);
  assert.deepEqual(
    sampleOf([...large, { ...small!, sizeBytes: 1 }]).map(({ checksum }) => checksum),
    [small!.checksum],
  );
});

test('which objects are chosen is left to chance', () => {
  const firsts = new Set(Array.from({ length: 100 }, () => sampleOf(objects(100, 1))[0]?.checksum));
  assert.ok(firsts.size > 10);
});

test('a digest that is not that of the content is found, and no other', async () => {
  const content = Buffer.alloc(10_000, 'content');
  const [right, wrong] = objects(2, content.length) as [ListedObject, ListedObject];
  const repository = {
    readContent(_: Checksum, onChunk: (chunk: Buffer) => void) {
      onChunk(content.subarray(0, 5000));
      onChunk(content.subarray(5000));
    },
  };
  const listed = [wrong, { ...right, digest: verityDigest(content) }];
  assert.deepEqual(
    (await checkDigests(repository, listed, silent())).map(({ code, where }) => [code, where]),
    [['object-digest', `object ${wrong.checksum}.file`]],
  );
});
