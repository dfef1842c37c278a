/** What the tap in front of tar-stream says of members, and what it refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatError, UnsupportedError } from '../../src/base/errors.ts';
import { type TarMember, TarTap } from '../../src/formats/tar.ts';
import { member, type TarEntry, tarOf } from '../support/tar.ts';

function membersOf(bytes: Buffer, pieceSize = bytes.length): { members: TarMember[]; out: Buffer } {
  const tap = new TarTap({ where: 'a.tar' });
  const members: TarMember[] = [];
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize)
    for (const piece of tap.push(bytes.subarray(at, at + pieceSize))) out.push(Buffer.from(piece));
  for (let next = tap.next(); next !== undefined; next = tap.next()) members.push(next);
  tap.end();
  return { members, out: Buffer.concat(out) };
}

const one = (entry: TarEntry): TarMember => membersOf(tarOf([entry])).members[0] as TarMember;

function refuses(
  bytes: Buffer,
  message: RegExp,
  type: typeof FormatError | typeof UnsupportedError = FormatError,
) {
  assert.throws(
    () => membersOf(bytes),
    (error: Error) => error instanceof type && message.test(error.message),
  );
}

describe('members of an archive', () => {
  it('have the bytes of their xattrs, not their text', () => {
    const value = '\x01\x00\x00\x02\xff\x80\n=\x00';
    const { xattrs } = one({ name: 'f', pax: { 'SCHILY.xattr.user.bin': value } });
    assert.deepEqual(xattrs, [['user.bin', value]]);
  });

  it('have names as bytes, short, in PAX records and in GNU headers', () => {
    assert.equal(one({ name: 'f\xff' }).path, 'f\xff');
    assert.equal(one({ name: 'short', pax: { path: 'long\xff\xfe' } }).path, 'long\xff\xfe');
    const long = `${'d/'.repeat(200)}\xe9`;
    const gnu = Buffer.concat([
      member({ name: '././@LongLink', type: 'L', data: `${long}\0` }),
      tarOf([{ name: 'd' }]),
    ]);
    assert.equal(membersOf(gnu).members[0]?.path, long);
  });

  it('have owners too large for their field, in base 256 and in PAX records', () => {
    const base256 = Buffer.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe]);
    assert.equal(one({ name: 'f', patch: { 108: base256 } }).uid, 4_294_967_294);
    assert.equal(one({ name: 'f', pax: { uid: '3000000' } }).uid, 3_000_000);
    refuses(tarOf([{ name: 'f', pax: { uid: '4294967295' } }]), /f: uid is none/);
  });

  it('may have no permissions at all', () => {
    assert.equal(one({ name: 'shadow', mode: 0 }).permissions, 0);
    assert.equal(one({ name: 'x', mode: 0o107_755 }).permissions, 0o7755);
  });

  it('take global records for all, and their own before these', () => {
    const bytes = Buffer.concat([
      member({ name: 'g', type: 'g', data: '11 uid=100\n' }),
      tarOf([{ name: 'a' }, { name: 'b', pax: { uid: '7' } }]),
    ]);
    assert.deepEqual(
      membersOf(bytes).members.map(({ uid }) => uid),
      [100, 7],
    );
  });

  it('are the same however the archive is cut into pieces, and what is handed on too', () => {
    const bytes = tarOf([
      { name: 'd/', type: '5' },
      {
        name: 'd/f',
        data: 'x'.repeat(1300),
        pax: { 'SCHILY.xattr.user.a': 'b', path: `d/${'n'.repeat(200)}` },
      },
      { name: 'l', type: '1', link: 'd/f' },
    ]);
    const whole = membersOf(bytes);
    assert(whole.out.equals(bytes));
    for (const size of [1, 7, 511, 512, 513, 1024, 1537]) assert.deepEqual(membersOf(bytes, size), whole);
  });

  it('tell where their data lies', () => {
    const bytes = tarOf([
      { name: 'a', data: 'one' },
      { name: 'b', data: 'two', pax: { path: 'c' } },
    ]);
    const found = membersOf(bytes).members.map(({ dataOffset: at, storedSize }) =>
      bytes.toString('latin1', at, at + storedSize),
    );
    assert.deepEqual(found, ['one', 'two']);
  });

  it('are folders when an old name ends in a slash', () => {
    assert.equal(one({ name: 'd/' }).type, 'folder');
  });
});

describe('an archive is refused', () => {
  it('when it is cut off', () => {
    refuses(tarOf([{ name: 'f', data: 'abc' }], { end: false }), /two blocks of zeros .* missing/);
    refuses(tarOf([{ name: 'f', data: 'abc' }]).subarray(0, 600), /cut off within a member/);
    refuses(Buffer.alloc(0), /missing/);
  });

  it('when something follows its end', () => {
    refuses(Buffer.concat([tarOf([{ name: 'a' }]), tarOf([{ name: 'b' }])]), /after the end/);
  });

  it('when a header is damaged', () => {
    const bytes = tarOf([{ name: 'f' }]);
    bytes[0] = 0x67;
    refuses(bytes, /wrong checksum/);
    refuses(Buffer.alloc(1024, 'some other file '), /no tar archive at all/);
    refuses(tarOf([{ name: 'f', patch: { 124: '1x345670000\0' } }]), /not a number in a header/);
  });

  it('when a header that is kept in memory is too large', () => {
    refuses(tarOf([{ name: 'p', type: 'x', size: 1 << 30 }]), /header of type x has 1073741824 bytes/);
  });

  it('when two headers say the same of one member', () => {
    const twice = [
      { name: 'p', type: 'x', data: '11 uid=100\n' },
      { name: 'f', pax: { uid: '7' } },
    ];
    refuses(tarOf(twice), /two headers say the same/);
  });

  it('when what has no data has some', () => {
    refuses(tarOf([{ name: 'l', type: '1', link: 'f', data: 'x' }]), /a hard link with data/);
  });

  it('when a member is of a kind nobody here understands, by its name', () => {
    refuses(tarOf([{ name: 'vol', type: 'M' }]), /a\.tar: vol: a member of type "M"/, UnsupportedError);
  });

  it('when a path is longer than any the kernel takes', () => {
    refuses(tarOf([{ name: 'f', pax: { path: 'a/'.repeat(2100) } }]), /path is longer/);
  });

  it('when a size cannot be meant', () => {
    refuses(tarOf([{ name: 'f', pax: { size: '9007199254740991' } }]), /size is too large/);
  });
});
