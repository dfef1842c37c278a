import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { NO_XATTRS } from '../../src/base/xattrs.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { checkDigests, type ListedObject, sampleOf } from '../../src/image/sample-objects.ts';
import { ContentTable, Known, writeDigest } from '../../src/repository/content-table.ts';

const MIB = 1024 * 1024;

const NO_DIGEST = Buffer.alloc(32);

/** All different, and as evenly spread as hashes are: a table of others would be slow. */
const checksumOf = (i: number): Checksum =>
  ((i * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0').repeat(8) as Checksum;

const objects = (count: number, sizeBytes: number): ListedObject[] =>
  Array.from({ length: count }, (_, i) => ({
    checksum: checksumOf(i),
    sizeBytes,
    digest: NO_DIGEST,
  }));

/** The table and the rows of an image that lists them. */
function listed(objects: readonly ListedObject[]): [ContentTable, Uint32Array] {
  const table = new ContentTable();
  const rows = objects.map(({ checksum, sizeBytes, digest }) => {
    const row = table.add(checksum);
    const target = '' as ByteString;
    table.setInfo(row, { size: sizeBytes, mode: 0o100644, uid: 0, gid: 0, xattrs: NO_XATTRS, target });
    writeDigest(table.columns, row, digest, 0);
    return row;
  });
  return [table, Uint32Array.from(rows)];
}

for (const [count, sizeBytes, want] of [
  [0, 1, 0],
  [1, 1, 1],
  [101, 1, 2],
  [100_000, 1, 200],
  [10_000, 10 * MIB, 6],
  [5, 65 * MIB, 0],
] as const)
  test(`of ${count} objects of ${sizeBytes} bytes ${want} are chosen, each once`, () => {
    const sample = sampleOf(...listed(objects(count, sizeBytes)));
    assert.equal(new Set(sample.map(({ checksum }) => checksum)).size, sample.length);
    assert.equal(sample.length, want);
  });

test('a large object does not keep a small one from being chosen', () => {
  const [small, ...large] = objects(50, 65 * MIB);
  assert.deepEqual(
    sampleOf(...listed([...large, { ...small!, sizeBytes: 1 }])).map(({ checksum }) => checksum),
    [small!.checksum],
  );
});

test('an object that the image lists without a digest is not chosen, nor one of which it says nothing', () => {
  const [table, rows] = listed(objects(3, 1));
  table.columns.known[1]! &= ~Known.digest;
  assert.deepEqual(
    Array.from({ length: 50 }, () => sampleOf(table, rows.subarray(1))[0]?.checksum),
    Array.from({ length: 50 }, () => table.checksum(2)),
  );
});

test('which objects are chosen is left to chance', () => {
  const image = listed(objects(100, 1));
  const firsts = new Set(Array.from({ length: 100 }, () => sampleOf(...image)[0]?.checksum));
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
  const sample = [wrong, { ...right, digest: verityDigest(content) }];
  assert.deepEqual(
    (await checkDigests(repository, sample, silent())).map(({ code, where }) => [code, where]),
    [['object-digest', `object ${wrong.checksum}.file`]],
  );
});
