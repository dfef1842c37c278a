import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, bytesToString, textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import { FormatError } from '../../src/base/errors.ts';
import { sortedXattrs, type Xattrs } from '../../src/base/xattrs.ts';
import { writeVariant } from '../../src/formats/gvariant.ts';
import {
  type Commit,
  contentChecksum,
  contentHeader,
  type Dirtree,
  filezHeader,
  filezHeaderLength,
  metadataChecksum,
  parseCommit,
  parseDirmeta,
  parseDirtree,
  parseFilezHeader,
  parseOstreemeta,
  parseVariantMap,
  parseXattrs,
  serializeCommit,
  serializeDirmeta,
  serializeDirtree,
  serializeOstreemeta,
  serializeXattrs,
} from '../../src/formats/objects.ts';
import fc from '../support/fast-check.ts';

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const b = (text: string): ByteString => textToBytes(text);
const sum = (digit: string): Checksum => digit.repeat(64) as Checksum;

/** A five-byte file of 1000:1001 with one xattr, as ostree wrote it into archive and bare-user repositories. */
const SMALL = {
  uid: 1000,
  gid: 1001,
  mode: 0o100644,
  target: b(''),
  xattrs: [[b('user.foo'), b('bar')]],
} as const;
const SMALL_META = '757365722e666f6f00 626172 09 0d';

describe('objects made by ostree', () => {
  it('has the well-known dirmeta of a plain root directory', () => {
    const bytes = serializeDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] });
    assert.equal(bytes.toString('hex'), '0000000000000000000041ed');
    assert.equal(metadataChecksum(bytes), '446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488');
    assert.equal(metadataChecksum(bytes, nobleEngine), metadataChecksum(bytes));
  });

  it('has the well-known dirtree of an empty directory', () => {
    const bytes = serializeDirtree({ files: [], dirs: [] });
    assert.equal(metadataChecksum(bytes), '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  });

  it('reads and writes the header of a .filez', () => {
    const bytes = hex(
      `00000028 00000000 0000000000000005 000003e8 000003e9 000081a4 00000000 00 ${SMALL_META} 19`,
    );
    assert.equal(filezHeaderLength(bytes, 'filez'), 40);
    assert.deepEqual(parseFilezHeader(bytes.subarray(8), 'filez'), { header: SMALL, size: 5 });
    assert.deepEqual(filezHeader({ header: SMALL, size: 5 }), bytes);
  });

  it('reads and writes user.ostreemeta', () => {
    const bytes = hex(`000003e8 000003e9 000081a4 ${SMALL_META}`);
    const { target: _, ...meta } = SMALL;
    assert.deepEqual(parseOstreemeta(bytes, 'xattr'), meta);
    assert.deepEqual(serializeOstreemeta(meta), bytes);
  });

  it('hashes header and content', () => {
    // sha256 of the eight bytes of framing, the header and "one\n": object of test/fixtures/repositories.
    const header = { uid: 0, gid: 0, mode: 0o100644, target: b(''), xattrs: [] };
    assert.equal(
      contentHeader(header).toString('hex'),
      '00000012 00000000 00000000 00000000 000081a4 00000000 00 11'.replaceAll(' ', ''),
    );
    assert.equal(
      contentChecksum(header, Buffer.from('one\n'), nobleEngine),
      contentChecksum(header, Buffer.from('one\n')),
    );
  });

  it('sorts xattrs of user.ostreemeta that older ostree left unsorted', () => {
    const unsorted = writeVariant('(uuua(ayay))', [
      0,
      0,
      0xa481_0000,
      ['user.z', 'user.a'].map((name) => [Buffer.from(`${name}\0`), Buffer.from('v')]),
    ]);
    assert.deepEqual(parseOstreemeta(unsorted, 'xattr').xattrs, [
      ['user.a', 'v'],
      ['user.z', 'v'],
    ]);
  });
});

describe('what is refused', () => {
  const file = (name: string): readonly [Buffer, Buffer] => [Buffer.from(name), Buffer.alloc(32)];
  const dirtree = (files: readonly string[], dirs: readonly string[] = [], length = 32): Buffer =>
    writeVariant('(a(say)a(sayay))', [
      files.map((name) => [bytesToString(file(name)[0]), Buffer.alloc(length)]),
      dirs.map((name) => [bytesToString(Buffer.from(name)), Buffer.alloc(32), Buffer.alloc(length)]),
    ]);
  const bad: readonly (readonly [why: string, bytes: Buffer])[] = [
    ['an empty name', dirtree([''])],
    ['the name .', dirtree(['.'])],
    ['the name ..', dirtree([], ['..'])],
    ['a name with a slash', dirtree(['a/b'])],
    ['names that are not sorted', dirtree(['b', 'a'])],
    ['folders that are not sorted', dirtree([], ['b', 'a'])],
    ['a name twice', dirtree(['a', 'a'])],
    ['a name in both lists', dirtree(['a', 'c'], ['b', 'c'])],
    ['a short checksum', dirtree(['a'], [], 31)],
    ['a long checksum', dirtree([], ['a'], 33)],
    ['nothing', Buffer.alloc(0)],
  ];
  for (const [why, bytes] of bad)
    it(`dirtree with ${why}`, () => assert.throws(() => parseDirtree(bytes, 'tree'), FormatError));

  it('sorts names as unsigned bytes, not as text', () => {
    // U+FF61 comes before U+10000 in UTF-8 and after it in UTF-16.
    const names = ['\u{ff61}', '\u{10000}'];
    assert.equal(parseDirtree(dirtree(names), 'tree').files.length, 2);
    assert.throws(() => parseDirtree(dirtree(names.reverse()), 'tree'), FormatError);
  });

  const meta = (mode: number, xattrs: readonly (readonly [string, string])[] = []): Buffer =>
    writeVariant('(uuua(ayay))', [
      0,
      0,
      Buffer.from([mode >>> 24, mode >>> 16, mode >>> 8, mode]).readUInt32LE(),
      xattrs.map(([n, v]) => [Buffer.from(n), Buffer.from(v)]),
    ]);
  for (const [why, bytes] of [
    ['the mode of a file', meta(0o100644)],
    ['no type', meta(0o755)],
    ['bits beyond the mode', meta(0o1040755)],
    ['an xattr name without NUL', meta(0o40755, [['user.a', '']])],
    ['an xattr name with NUL inside', meta(0o40755, [['user\0a\0', '']])],
    ['an empty xattr name', meta(0o40755, [['\0', '']])],
    [
      'xattrs that are not sorted',
      meta(0o40755, [
        ['b\0', ''],
        ['a\0', ''],
      ]),
    ],
    [
      'an xattr twice',
      meta(0o40755, [
        ['a\0', ''],
        ['a\0', ''],
      ]),
    ],
  ] as const)
    it(`dirmeta with ${why}`, () => assert.throws(() => parseDirmeta(bytes, 'meta'), FormatError));

  const swap = (value: number): number =>
    Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]).readUInt32LE();
  const filez = (size: bigint, mode: number, rdev: number, target: string): Buffer => {
    const big = Buffer.alloc(8);
    big.writeBigUInt64BE(size);
    return writeVariant('(tuuuusa(ayay))', [big.readBigUInt64LE(), 0, 0, swap(mode), rdev, b(target), []]);
  };
  for (const [why, bytes] of [
    ['a directory', filez(0n, 0o40755, 0, '')],
    ['a device', filez(0n, 0o20644, 0, '')],
    ['a device number', filez(0n, 0o100644, 1, '')],
    ['a link target on a regular file', filez(0n, 0o100644, 0, 'x')],
    ['a symlink without a target', filez(0n, 0o120777, 0, '')],
    ['a symlink with content', filez(1n, 0o120777, 0, 'x')],
    ['a size beyond 2^53', filez(2n ** 53n, 0o100644, 0, '')],
  ] as const)
    it(`.filez of ${why}`, () => assert.throws(() => parseFilezHeader(bytes, 'filez'), FormatError));

  it('.filez with a broken prefix', () => {
    for (const digits of ['', '00000028', '00000028 00000001', 'ffffffff 00000000'])
      assert.throws(() => filezHeaderLength(hex(digits), 'filez'), FormatError);
  });

  const commit = (parent: number, tree: number, meta: number, timestamp = 0n, key = 'k'): Buffer =>
    writeVariant('(a{sv}aya(say)sstayay)', [
      new Map([[b(key), { type: 'b', value: true }]]),
      Buffer.alloc(parent),
      [],
      b(''),
      b(''),
      timestamp,
      Buffer.alloc(tree),
      Buffer.alloc(meta),
    ]);
  for (const [why, bytes] of [
    ['a short parent', commit(31, 32, 32)],
    ['no tree', commit(0, 0, 32)],
    ['no dirmeta', commit(0, 32, 0)],
    ['a time beyond 2^53', commit(0, 32, 32, 0xffn)],
    ['an empty metadata key', commit(0, 32, 32, 0n, '')],
  ] as const)
    it(`commit with ${why}`, () => assert.throws(() => parseCommit(bytes, 'commit'), FormatError));
});

/** As {@link fc.record}, with the prototype literals have. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

describe('round trips', () => {
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => bytesToString(value));
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .map((text) => b(text.replaceAll(/[\0/]/g, '_').replace(/^\.{1,2}$/, '_')));
  const checksum = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((value) => Buffer.from(value).toString('hex') as Checksum);
  const xattrs: fc.Arbitrary<Xattrs> = fc
    .array(fc.tuple(name, bytes), { maxLength: 5 })
    .map((list) => sortedXattrs(list));
  const permissions = fc.integer({ min: 0, max: 0o7777 });
  const regular = plain({
    uid: u32,
    gid: u32,
    mode: permissions.map((mode) => mode | 0o100000),
    target: fc.constant(b('')),
    xattrs,
  });
  const symlink = plain({ uid: u32, gid: u32, mode: fc.constant(0o120777), target: name, xattrs });
  const header = fc.oneof(regular, symlink);
  const dirtree: fc.Arbitrary<Dirtree> = fc
    .uniqueArray(fc.tuple(name, fc.boolean(), checksum, checksum), {
      maxLength: 40,
      selector: ([text]) => text,
    })
    .map((entries) => {
      const sorted = entries.sort((x, y) => (x[0] < y[0] ? -1 : 1));
      return {
        files: sorted.filter((entry) => entry[1]).map(([name, , checksum]) => ({ name, checksum })),
        dirs: sorted.filter((entry) => !entry[1]).map(([name, , tree, meta]) => ({ name, tree, meta })),
      };
    });

  it('dirtree', () => {
    fc.assert(
      fc.property(dirtree, (tree) => assert.deepEqual(parseDirtree(serializeDirtree(tree), 'tree'), tree)),
    );
  });

  it('dirmeta', () => {
    const dirmeta = plain({
      uid: u32,
      gid: u32,
      mode: permissions.map((mode) => mode | 0o40000),
      xattrs,
    });
    fc.assert(
      fc.property(dirmeta, (meta) => assert.deepEqual(parseDirmeta(serializeDirmeta(meta), 'meta'), meta)),
    );
  });

  it('.filez header, user.ostreemeta and xattrs', () => {
    fc.assert(
      fc.property(header, fc.maxSafeNat(), (file, bytes) => {
        const size = file.target === '' ? bytes : 0;
        assert.deepEqual(parseFilezHeader(filezHeader({ header: file, size }).subarray(8), 'filez'), {
          header: file,
          size,
        });
        const { target: _, ...meta } = file;
        assert.deepEqual(parseOstreemeta(serializeOstreemeta(meta), 'meta'), meta);
        assert.deepEqual(parseXattrs(serializeXattrs(file.xattrs), 'xattrs'), file.xattrs);
      }),
    );
  });

  it('commit', () => {
    const commit: fc.Arbitrary<Commit> = plain({
      metadata: fc
        .dictionary(name, bytes)
        .map(
          (entries) =>
            new Map(
              Object.entries(entries).map(([key, value]) => [
                key,
                { type: 'ay', value: Buffer.from(value, 'latin1') },
              ]),
            ),
        ),
      parent: fc.option(checksum, { nil: undefined }),
      related: fc.constant([]),
      subject: name,
      body: name,
      timestamp: fc.maxSafeNat(),
      rootTree: checksum,
      rootMeta: checksum,
    });
    fc.assert(
      fc.property(commit, (value) => assert.deepEqual(parseCommit(serializeCommit(value), 'commit'), value)),
    );
  });

  it('keeps related objects', () => {
    const commit: Commit = {
      metadata: new Map(),
      parent: sum('a'),
      related: [{ name: b('other'), checksum: Buffer.alloc(32, 7) }],
      subject: b('s'),
      body: b(''),
      timestamp: 1,
      rootTree: sum('b'),
      rootMeta: sum('c'),
    };
    assert.deepEqual(parseCommit(serializeCommit(commit), 'commit'), commit);
  });

  it('reads an empty a{sv}', () => assert.deepEqual(parseVariantMap(Buffer.alloc(0), 'map'), new Map()));
});
