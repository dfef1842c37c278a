import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { type Checksum, digestOf, nativeEngine } from '../../src/base/digest.ts';
import { ContentTable, writeDigest } from '../../src/repository/content-table.ts';

const checksum = (n: number): Checksum =>
  nativeEngine.sha256(Buffer.from(`${n}`)).toString('hex') as Checksum;

const infoOf = (n: number) => ({
  uid: n,
  gid: n + 1,
  mode: 0o100644,
  size: n * 2 ** 33,
  target: (n % 3 === 0 ? `to ${n}` : '') as ByteString,
  xattrs: n % 2 === 0 ? [] : [['user.n', `${n % 10}`] as [ByteString, ByteString]],
});

test('a table gives back what it was told, however far it has grown', () => {
  const table = new ContentTable();
  const count = 5000;
  for (let n = 0; n < count; n++) {
    const row = table.add(checksum(n));
    assert.equal(row, n);
    table.setInfo(row, infoOf(n));
    if (n % 2 === 0) writeDigest(table.columns, row, nativeEngine.sha256(Buffer.from(`digest ${n}`)), 0);
  }
  assert.equal(table.count, count);
  assert.equal(table.xattrs.sets.length, 6);
  for (let n = 0; n < count; n++) {
    assert.equal(table.add(checksum(n)), n);
    assert.equal(table.row(checksum(n)), n);
    assert.equal(table.rowOf(Buffer.from(checksum(n), 'hex')), n);
    assert.equal(table.checksum(n), checksum(n));
    assert.deepEqual(table.info(n), infoOf(n));
    const digest = table.digest(n);
    assert.equal(
      digest && digestOf(digest),
      n % 2 === 0 ? nativeEngine.sha256(Buffer.from(`digest ${n}`)).toString('hex') : undefined,
    );
  }
});

test('a table knows nothing of an object it was not told of', () => {
  const table = new ContentTable();
  assert.equal(table.row(checksum(1)), -1);
  const row = table.add(checksum(1));
  assert.equal(table.info(row), undefined);
  assert.equal(table.digest(row), undefined);
  assert.equal(table.row(checksum(2)), -1);
  assert.equal(table.rowOf(Buffer.from(checksum(2), 'hex')), -1);
});

test('checksums that differ in their last digit only are told apart', () => {
  const table = new ContentTable();
  const like = (digit: string) => ('0'.repeat(63) + digit) as Checksum;
  for (const digit of '0123456789abcdef') table.add(like(digit));
  assert.equal(table.count, 16);
  for (const digit of '0123456789abcdef') assert.equal(table.row(like(digit)), Number.parseInt(digit, 16));
});
