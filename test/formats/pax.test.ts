/** PAX records as bytes, and the xattrs and ACLs they tell. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { formatPax, type PaxRecords, parsePax, xattrRecords, xattrsOf } from '../../src/formats/pax.ts';
import fc from '../support/fast-check.ts';

const records = (list: Record<string, string>): PaxRecords => Object.entries(list) as unknown as PaxRecords;
const byteString = (options: fc.StringConstraints) =>
  fc.string({
    ...options,
    unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  }) as fc.Arbitrary<ByteString>;

describe('PAX records', () => {
  it('come back as they were written, whatever bytes they hold', () => {
    const key = byteString({ minLength: 1, maxLength: 120 }).filter((text) => !text.includes('='));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, byteString({ maxLength: 1100 }))), (list) => {
        assert.deepEqual(parsePax(formatPax(list), 'records'), list);
      }),
    );
  });

  it('with a wrong length are refused', () => {
    for (const text of [
      '7 a=b\n',
      '5 a=b\n',
      '0 a=b\n',
      'x a=b\n',
      '6 a=b',
      '6a=bcd\n',
      '5 =b\n',
      '6 ab\n\n',
    ])
      assert.throws(() => parsePax(Buffer.from(text), 'records'), FormatError, JSON.stringify(text));
  });
});

describe('xattrs in PAX records', () => {
  it('come back as they were written', () => {
    const name = byteString({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, byteString({ minLength: 1, maxLength: 300 })), {
          selector: ([n]) => n,
        }),
        (list) => {
          const sorted = [...list].sort(([a], [b]) => (a < b ? -1 : 1));
          assert.deepEqual(xattrsOf(parsePax(formatPax(xattrRecords(sorted)), 'records'), 'records'), sorted);
        },
      ),
    );
  });

  it('are read as GNU tar, libarchive and star write them', () => {
    assert.deepEqual(xattrsOf(records({ 'SCHILY.xattr.user.a%3Db%25': 'v' }), 'f'), [['user.a=b%', 'v']]);
    assert.deepEqual(xattrsOf(records({ 'LIBARCHIVE.xattr.user.a%3Db': 'dg' }), 'f'), [['user.a=b', 'v']]);
    assert.deepEqual(xattrsOf(records({ 'RHT.security.selinux': 'u:r:t:s0' }), 'f'), [
      ['security.selinux', 'u:r:t:s0'],
    ]);
    assert.deepEqual(xattrsOf(records({ 'SCHILY.xattr.user.none': '' }), 'f'), []);
  });

  it('are refused where two records differ', () => {
    const both = records({ 'SCHILY.xattr.user.a': 'b', 'LIBARCHIVE.xattr.user.a': 'Yw==' });
    assert.throws(() => xattrsOf(both, 'f'), /f: two records of xattr user\.a differ/);
    assert.throws(() => xattrsOf(records({ 'LIBARCHIVE.xattr.user.a': 'Y' }), 'f'), /not base64/);
    assert.throws(
      () => xattrsOf(records({ 'SCHILY.xattr.user.a': 'x'.repeat(65_537) }), 'f'),
      /more than a file/,
    );
  });
});

describe('ACLs in PAX records', () => {
  const hex = (text: string): string | undefined => {
    const value = xattrsOf(records({ 'SCHILY.acl.access': text }), 'f')[0]?.[1];
    return value && Buffer.from(value, 'latin1').toString('hex');
  };
  // As getfattr(1) shows what setfacl(1) made of it.
  const VALUE =
    '02000000' +
    '01000600ffffffff' +
    '02000400e8030000' +
    '04000400ffffffff' +
    '10000400ffffffff' +
    '20000000ffffffff';

  it('become the value the kernel keeps, in whatever order and form they are written', () => {
    assert.equal(hex('user::rw-,user:1000:r--,group::r--,mask::r--,other::---'), VALUE);
    assert.equal(hex('other::---\nmask::r--\ngroup::r--\nuser:1000:r--\t#effective:r--\nuser::rw-\n'), VALUE);
    assert.equal(hex('u::rw-,u:joe:r--:1000,g::r--,m::r--,o::---'), VALUE);
  });

  it('that say no more than the mode are none', () => {
    assert.equal(hex('user::rw-,group::r--,other::---'), undefined);
  });

  it('are refused without numbers, or incomplete', () => {
    assert.throws(
      () => hex('user::rw-,user:joe:r--,group::r--,mask::r--,other::---'),
      /somebody without a number/,
    );
    for (const text of [
      'user::rw-',
      'user::rw-,user:1:r--,group::r--,other::---',
      'user::rw-,user::rw-,group::r--,other::---',
      'x::rwx',
      'user::rw',
    ])
      assert.throws(() => hex(text), FormatError, text);
  });
});
