/** composefs-dump text: what is accepted and refused, what it means, and how it is written. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../../src/base/bytes.ts';
import { FormatError } from '../../../src/base/errors.ts';
import { S_IFCHR } from '../../../src/base/mode.ts';
import { formatDump, type ParseDumpOptions, parseDump } from '../../../src/formats/erofs/dump.ts';
import { ErofsImage, readTree } from '../../../src/formats/erofs/read.ts';
import { ImageTree } from '../../../src/formats/erofs/tree.ts';
import { writeImage } from '../../../src/formats/erofs/write.ts';
import fc from '../../support/fast-check.ts';
import { Random } from '../../support/random.ts';
import { dumpOf, randomTree, treeOf } from '../../support/random-image-tree.ts';

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const OBJECT = '35d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408';

const parse = (text: string, options?: ParseDumpOptions): ImageTree =>
  parseDump(Buffer.from(text, 'latin1'), 'test.dump', options);

/** The fields of `/f` when a dump has this line besides the root. */
const fieldsOf = (line: string, options?: ParseDumpOptions) => {
  const tree = parse(`${ROOT}${line}\n`, options);
  return tree.fields(tree.childByName(0, 'f' as ByteString));
};

const written = (tree: ImageTree): string => [...formatDump(tree)].join('');
const dumped = (tree: ImageTree): string =>
  [...formatDump(new ErofsImage(writeImage(tree).bytes, 'test.cfs'))].join('');

describe('reading a dump', () => {
  it('reads all fields', () => {
    const line = `/f 1000 104755 3 1 2 9 10.5 35/d0 - ${OBJECT} user.b=2 user.a=\\x001`;
    const { xattrs, digest, ...fields } = fieldsOf(line);
    assert.deepEqual(fields, {
      mode: 0o104755,
      nlink: 3,
      uid: 1,
      gid: 2,
      rdev: 0,
      size: 1000,
      mtimeSec: 10n,
      mtimeNsec: 5,
      payload: '35/d0',
    });
    assert.equal(Buffer.from(digest!).toString('hex'), OBJECT);
    assert.deepEqual(xattrs, [
      ['user.a', '\x001'],
      ['user.b', '2'],
    ]);
  });

  it('unescapes', () => {
    const { content } = fieldsOf('/f 9 100644 1 0 0 0 0.0 - \\\\\\n\\r\\t\\x00\\xfF\\x2d=~ -');
    assert.equal(Buffer.from(content!).toString('latin1'), '\\\n\r\t\0\xff-=~');
  });

  it('reads a lone dash as nothing and an escaped one as a dash', () => {
    assert.equal(fieldsOf('/f 0 100644 1 0 0 0 0.0 - - -').content, undefined);
    assert.equal(Buffer.from(fieldsOf('/f 1 100644 1 0 0 0 0.0 - \\x2d -').content!).toString(), '-');
  });

  it('reads integers as strtoull does', () => {
    const fields = fieldsOf('/f +5 100644 4294967297 -1 \t7 0 -1.-5 - - -');
    const { size, nlink, uid, gid, mtimeSec, mtimeNsec } = fields;
    assert.deepEqual([size, nlink, uid, gid, mtimeSec, mtimeNsec], [5, 1, 0xffffffff, 7, -1n, 4294967291]);
    assert.equal(fieldsOf('/f 0 100644 1 0 0 0 99999999999999999999.0 - - -').mtimeSec, -1n);
  });

  it('cuts paths and payloads at an escaped NUL', () => {
    const tree = parse(`${ROOT}/f\\x00gone 1 100644 1 0 0 0 0.0 a\\x00b - -\n`);
    assert.equal(tree.fields(tree.childByName(0, 'f' as ByteString)).payload, 'a');
  });

  it('takes paths with and without leading and repeated slashes', () => {
    const tree = parse(
      `${ROOT}d 0 40755 1 0 0 0 0.0 - - -\nd//x 0 100644 1 0 0 0 0.0 - - -\n//d/y 0 100644 1 0 0 0 0.0 - - -`,
    );
    const paths = Array.from({ length: tree.count }, (_, node) => tree.path(node));
    assert.deepEqual(paths, ['/', '/d', '/d/x', '/d/y']);
  });

  it('of repeated xattr keys the last one counts', () =>
    assert.deepEqual(fieldsOf('/f 0 100644 1 0 0 0 0.0 - - - user.a=1 user.b= user.a=2').xattrs, [
      ['user.a', '2'],
      ['user.b', ''],
    ]));

  it('finds targets of hard links that come later, through other links', () => {
    const tree = parse(
      `${ROOT}/a 0 @100644 1 0 0 0 0.0 /b - -\n/b 0 @100644 1 0 0 0 0.0 d/c - -\n/d 0 40755 1 0 0 0 0.0 - - -\n/d/c 3 100644 3 0 0 0 0.0 - abc -\n`,
    );
    for (const name of ['a', 'b'] as ByteString[])
      assert.equal(tree.path(tree.linkTarget(tree.childByName(0, name))), '/d/c');
  });

  it('follows a chain of 100,000 links in no time', () => {
    const links = Array.from({ length: 100_000 }, (_, i) => `/l${i} 0 @100644 1 0 0 0 0.0 /l${i + 1} - -\n`);
    const tree = parse(`${ROOT}${links.join('')}/l100000 0 100644 1 0 0 0 0.0 - - -\n`);
    assert.equal(
      tree.linkTarget(tree.childByName(0, 'l0' as ByteString)),
      tree.childByName(0, 'l100000' as ByteString),
    );
  });

  it('symlinks have the size of their target, whatever the dump says', () =>
    assert.equal(fieldsOf('/f 99 120777 1 0 0 0 0.0 target - -').size, 6));

  it('ends where a line cannot, without waiting for its end', () => {
    const endless = function* (byte: number): Generator<Uint8Array> {
      yield Buffer.from(`${ROOT}/a`);
      for (;;) yield Buffer.alloc(1 << 20, byte);
    };
    assert.throws(() => parseDump(endless(0), 'test.dump'), /line 2: a NUL byte at column 3$/);
    assert.throws(() => parseDump(endless(0x61), 'test.dump'), /line 2: a line longer than 16777216 bytes$/);
    const whole = Buffer.concat([Buffer.from(ROOT), Buffer.alloc(17 << 20, 'a'), Buffer.from('\n')]);
    assert.throws(() => parseDump(whole, 'test.dump'), /line 2: a line longer/);
  });

  it('gives the same tree however the text is cut in pieces', () => {
    const whole = `${ROOT}/d 0 40755 2 0 0 0 0.0 - - - user.x=\\x41\n/d/f 3 100644 1 0 0 0 7.8 - abc -\n/e 0 100644 1 0 0 0 0.0 - - -`;
    const want = written(parse(whole));
    const bytes = Buffer.from(whole, 'latin1');
    for (let size = 1; size <= bytes.length; size++) {
      const shared = Buffer.alloc(size);
      const pieces = function* (): Generator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size)
          // The memory of a chunk is used again for the next one.
          yield shared.subarray(0, bytes.copy(shared, 0, at, at + size));
      };
      assert.equal(written(parseDump(pieces(), 'test.dump')), want);
    }
  });
});

/** The same with paths spelled as no line is that is read by a look alone. */
const atLength = (text: string): string => text.replace(/^\/(?! )/gm, '//');

/** What becomes of a dump: all that is known of its nodes, or why it was refused. */
function outcome(text: string, options: ParseDumpOptions): unknown {
  let tree: ImageTree;
  try {
    tree = parse(text, options);
  } catch (error) {
    assert(error instanceof FormatError, String(error));
    return error.message.replaceAll('//', '/').replace(/ at column \d+$/, '');
  }
  return Array.from({ length: tree.count }, (_, node) => ({
    path: tree.path(node),
    linkTarget: tree.linkTarget(node),
    ...tree.fields(node),
  }));
}

describe('plain lines', () => {
  const PLAIN = `${ROOT}/d 4096 40755 2 0 0 0 1.2 - - - user.a=b
/d/empty 0 100600 1 0 0 0 4294967296.5 - - -
/d/file 5000000000 100644 1 1000 1001 0 1767225600.0 35/d02f - ${OBJECT} user.a=b
/d/link 4 120777 1 0 0 0 0.0 file - -
/d/no-digest 7 104755 2 0 0 0 0.0 x - -
/e 0 40700 2 0 0 0 0.0 - - -
/e/upper 70 100644 1 0 0 0 0.0 y - ${OBJECT.toUpperCase()}
`;

  it('mean what they mean where they are read at length', () => {
    const nodes = outcome(PLAIN, { strict: true });
    assert(Array.isArray(nodes) && nodes.length === 8);
    assert.deepEqual(outcome(atLength(PLAIN), { strict: true }), nodes);
  });

  it('that are a little wrong or strange are refused or read as they are at length', () => {
    const random = new Random(11);
    const strange = [
      ...' \n-/.@=\\0123456789abcdefxF\0\t+',
      '\xff',
      '..',
      '99999999999',
      '18446744073709551616',
    ];
    let read = 0;
    for (let i = 0; i < 4000; i++) {
      const at = ROOT.length + random.below(PLAIN.length - ROOT.length);
      const text = PLAIN.slice(0, at) + random.pick(strange) + PLAIN.slice(at + random.below(3));
      const options = { strict: i % 2 === 0 };
      const got = outcome(text, options);
      if (typeof got !== 'string') read++;
      assert.deepEqual(got, outcome(atLength(text), options), JSON.stringify(text));
    }
    assert(read > 400 && read < 3600, `${read} were read`);
  });

  it('come in any order, and no name twice', () => {
    const lines = PLAIN.slice(ROOT.length).trimEnd().split('\n');
    const [d, empty, file, link, , e, upper] = lines;
    const shuffled = `${ROOT}${[e, upper, d, link, file, empty].join('\n')}\n`;
    assert.deepEqual(outcome(shuffled, {}), outcome(atLength(shuffled), {}));
    for (const twice of [d, link, empty])
      assert.throws(() => parse(`${shuffled}${twice}\n`), /line 8: .*duplicate name/);
  });
});

describe('refused dumps', () => {
  const F = '100644 1 0 0 0 0.0';
  const cases: readonly (readonly [what: string, text: string, message: RegExp])[] = [
    ['nothing', '', /no entries/],
    ['an empty line', '\n', /line 1: empty PATH/],
    ['an empty line later', `${ROOT}\n`, /line 2: empty PATH/],
    ['no root first', '/a 0 40755 2 0 0 0 0.0 - - -\n', /root must come first/],
    ['two roots', ROOT + ROOT, /second root/],
    ['a root that is a file', '/ 0 100644 1 0 0 0 0.0 - - -\n', /root must be a directory/],
    ['a root that is a hard link', '/ 0 @100644 1 0 0 0 0.0 /a - -\n', /root must be a directory/],
    ['a missing parent', `${ROOT}/a/b 0 ${F} - - -\n`, /line 2: \/a\/b: its parent is missing/],
    ['a parent that is a file', `${ROOT}/a 0 ${F} - - -\n/a/b 0 ${F} - - -\n`, /line 3: .*parent/],
    ['a trailing slash', `${ROOT}/a/ 0 ${F} - - -\n`, /parent is missing/],
    ['only slashes', `${ROOT}// 0 ${F} - - -\n`, /bad length of a name/],
    ['a dot', `${ROOT}/. 0 ${F} - - -\n`, /bad name/],
    ['two dots', `${ROOT}/.. 0 ${F} - - -\n`, /bad name/],
    ['a name of 256 bytes', `${ROOT}/${'n'.repeat(256)} 0 ${F} - - -\n`, /length of a name/],
    ['a name twice', `${ROOT}/a 0 ${F} - - -\n/a 0 ${F} - - -\n`, /line 3: .*duplicate/],
    [
      'a name twice, once a link',
      `${ROOT}/a 0 @${F} /b - -\n/a 0 ${F} - - -\n/b 0 ${F} - - -\n`,
      /duplicate/,
    ],
    ['a mode without type', `${ROOT}/a 0 644 1 0 0 0 0.0 - - -\n`, /no known file type/],
    ['a mode that is decimal', `${ROOT}/a 0 100648 1 0 0 0 0.0 - - -\n`, /MODE: no integer/],
    ['a cut line', `${ROOT}/a 0 100644 1 0 0\n`, /RDEV: no integer/],
    ['a size that is no integer', `${ROOT}/a x ${F} - - -\n`, /SIZE: no integer: "x"/],
    ['a hexadecimal size', `${ROOT}/a 0x10 ${F} - - -\n`, /SIZE: no integer/],
    ['a bad GID', `${ROOT}/a 0 100644 1 1 x 0 0.0 - - -\n`, /GID: no integer/],
    ['a bad RDEV', `${ROOT}/a 0 100644 1 1 1 x 0.0 - - -\n`, /RDEV: no integer/],
    ['an mtime without a dot', `${ROOT}/a 0 100644 1 0 0 0 5 - - -\n`, /MTIME/],
    ['an mtime with two dots', `${ROOT}/a 0 100644 1 0 0 0 5.1.2 - - -\n`, /MTIME/],
    ['a NUL byte', `${ROOT}/a\0 0 ${F} - - -\n`, /line 2: a NUL byte at column 3/],
    ['a NUL byte in an xattr', `${ROOT}/a 0 ${F} - - - user.a=\0\n`, /NUL/],
    ['an unknown escape', `${ROOT}/a\\q 0 ${F} - - -\n`, /unknown escape \\q/],
    ['half an escape', `${ROOT}/a\\ 0 ${F} - - -\n`, /unknown escape/],
    ['a short hex escape', `${ROOT}/a\\x4 0 ${F} - - -\n`, /two hex digits/],
    ['a content of another size', `${ROOT}/a 4 ${F} - abc -\n`, /CONTENT of 3 bytes, want SIZE 4/],
    ['too much content', `${ROOT}/a 5001 ${F} - ${'c'.repeat(5001)} -\n`, /want <= 5000/],
    ['a file beyond 2^53 bytes', `${ROOT}/a 9007199254740993 ${F} - - -\n`, /want <= 2\^53/],
    ['a short digest', `${ROOT}/a 4 ${F} - - abcd\n`, /DIGEST "abcd"/],
    ['a digest that is none', `${ROOT}/a 4 ${F} - - ${'x'.repeat(64)}\n`, /DIGEST/],
    ['a symlink to nowhere', `${ROOT}/a 0 120777 1 0 0 0 0.0 - - -\n`, /without a target/],
    ['a target of 4096 bytes', `${ROOT}/a 0 120777 1 0 0 0 0.0 ${'t'.repeat(4096)} - -\n`, /4096/],
    ['an xattr without =', `${ROOT}/a 0 ${F} - - - user.a\n`, /without =/],
    ['two spaces', `${ROOT}/a 0 ${F} - - - user.a=1  user.b=2\n`, /without =/],
    ['an xattr without name', `${ROOT}/a 0 ${F} - - - =1\n`, /xattr name/],
    ['an xattr name of 256 bytes', `${ROOT}/a 0 ${F} - - - ${'n'.repeat(256)}=1\n`, /xattr name/],
    ['xattrs beyond the budget', `${ROOT}/a 0 ${F} - - - user.a=${'v'.repeat(32767)}\n`, /xattrs/],
    [
      'too much xattr text',
      `${ROOT}/a 0 ${F} - - - user.a=${'\\x00'.repeat(16384)}\n`,
      /xattrs of 65543 bytes/,
    ],
    ['a directory as hard link', `${ROOT}/a 0 @40755 1 0 0 0 0.0 /b - -\n`, /cannot be a hard link/],
    ['a hard link without target', `${ROOT}/a 0 @${F} - - -\n`, /needs its target/],
    ['a hard link to nothing', `${ROOT}/a 0 @${F} /b - -\n`, /line 2: no hard link target at \/b/],
    ['a hard link to itself', `${ROOT}/a 0 @${F} /a - -\n`, /leads back to itself/],
    ['hard links in a circle', `${ROOT}/a 0 @${F} /b - -\n/b 0 @${F} /a - -\n`, /leads back to itself/],
    [
      'a hard link to a directory',
      `${ROOT}/a 0 @${F} /d - -\n/d 0 40755 2 0 0 0 0.0 - - -\n`,
      /link to a directory/,
    ],
    ['a hard link to the root', `${ROOT}/a 0 @${F} / - -\n`, /link to a directory/],
  ];
  for (const [what, text, message] of cases) {
    it(what, () =>
      assert.throws(
        () => parse(text),
        (error) => error instanceof FormatError && message.test(error.message),
      ),
    );
  }
});

describe('strictness', () => {
  const strict = { strict: true };
  it('wants a final newline', () => {
    assert.equal(parse(ROOT.trimEnd()).count, 1);
    assert.throws(() => parse(ROOT.trimEnd(), strict), /line 1: the last line does not end/);
    assert.equal(parse(ROOT, strict).count, 1);
  });

  it('wants device number 0 for what is no device', () => {
    assert.equal(fieldsOf('/f 0 100644 1 0 0 7 0.0 - - -').rdev, 0);
    assert.throws(() => fieldsOf('/f 0 100644 1 0 0 7 0.0 - - -', strict), /RDEV/);
    assert.equal(fieldsOf('/f 0 20644 1 0 0 7 0.0 - - -', strict).rdev, 7);
  });

  it('wants exact sizes and no content of symlinks', () => {
    assert.throws(() => fieldsOf('/f 0 120777 1 0 0 0 0.0 target - -', strict), /got 0, want 6/);
    assert.throws(() => fieldsOf('/f 6 120777 1 0 0 0 0.0 target abcdef -', strict), /no CONTENT/);
    assert.equal(fieldsOf('/f 6 120777 1 0 0 0 0.0 target - -', strict).payload, 'target');
  });
});

describe('writing a dump', () => {
  it('escapes what is not printable ASCII, and = in xattrs only', () => {
    const text = `${ROOT}/a\\x20=\\xe9\\\\ 3 100644 1 0 0 0 -1.5 - -\\x00\\x7f - user.\\x3d=\\x3d\\n\n/b 1 100644 1 0 0 0 0.0 - \\x2d -\n/c 1 120777 1 0 0 0 0.0 \\x2d - -\n`;
    assert.equal(written(parse(text)), text);
    assert.equal(written(parse(text.replace('-\\x00', '\\x2d\\x00'))), text);
  });

  it('shows the first name of an inode as the file, the others as links', () => {
    const text = `${ROOT}/a 3 @100644 2 0 0 0 0.0 /b - -\n/b 3 100644 2 0 0 0 0.0 - abc -\n`;
    const lines = `/a 3 100644 2 0 0 0 0.0 - abc -\n/b 3 @100644 2 0 0 0 0.0 /a abc -\n`;
    assert.equal(written(parse(text)), ROOT + lines);
    assert(dumped(parse(text)).endsWith(lines));
  });

  it('shows unshared xattrs of an image before shared ones, and its directory sizes', () => {
    const text = `${ROOT}/a 0 100644 1 0 0 0 0.0 - - - user.a=1 user.z=9\n/b 0 100644 1 0 0 0 0.0 - - - user.a=1 user.y=8\n`;
    assert.equal(
      dumped(parse(text)),
      `/ 4096 40755 2 0 0 0 0.0 - - -\n/a 0 100644 1 0 0 0 0.0 - - - user.z=9 user.a=1\n/b 0 100644 1 0 0 0 0.0 - - - user.y=8 user.a=1\n`,
    );
  });

  it('can be limited to entries of the root; the first name among them is the file', () => {
    const tree = parse(
      `${ROOT}/a 3 100644 2 0 0 0 0.0 - abc -\n/b 3 @100644 2 0 0 0 0.0 /a - -\n/c 3 @100644 2 0 0 0 0.0 /a - -\n/d 0 40755 2 0 0 0 0.0 - - -\n/d/e 0 100644 1 0 0 0 0.0 - - -\n`,
    );
    const image = new ErofsImage(writeImage(tree).bytes, 'test.cfs');
    const only = new Set(['b', 'c', 'd'] as ByteString[]);
    for (const source of [tree, image]) {
      const lines = [...formatDump(source, { only })].map((line) => line.split(' ').slice(0, 3).join(' '));
      assert.deepEqual(
        lines.slice(1).map((line) => line.replace(/^(\/d) \d+/, '$1 0')),
        ['/b 3 100644', '/c 3 @100644', '/d 0 40755', '/d/e 0 100644'],
      );
    }
  });

  it('shows restored whiteouts', () => {
    const tree = parse(`${ROOT}/d 0 40755 2 0 0 0 0.0 - - -\n/d/w 0 20644 1 0 0 0 0.0 - - -\n`);
    assert.match(dumped(tree), /^\/d\/w 0 20644 1 0 0 0 0\.0 - - -$/m);
    const back = readTree(new ErofsImage(writeImage(tree).bytes, 'test.cfs'));
    const w = back.childByName(back.childByName(0, 'd' as ByteString), 'w' as ByteString);
    assert.equal(back.fields(w).mode, S_IFCHR | 0o644);
  });
});

describe('round trips', () => {
  it('of random trees: parse(format(tree)) writes the same image', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomTree(new Random(seed));
      const tree = treeOf(random);
      const image = writeImage(tree).bytes;
      assert(image.equals(writeImage(parse(dumpOf(random))).bytes), `seed ${seed}: dump of the entries`);
      const text = written(tree);
      const again = parse(text);
      assert.equal(written(again), text, `seed ${seed}: text`);
      // Where a link sorts before its inode, the inode moves to where the link was.
      if (!random.entries.some(({ linkTo }) => linkTo !== undefined))
        assert(image.equals(writeImage(again).bytes), `seed ${seed}: image`);
    }
  });

  it('of any bytes as name, content, target and xattr', () => {
    const byteString = (minLength: number, maxLength: number) =>
      fc
        .uint8Array({ minLength, maxLength })
        .map((bytes) => Buffer.from(bytes).toString('latin1') as ByteString);
    const name = byteString(1, 255)
      .map((text) => text.replace(/[/\0]/g, '_') as ByteString)
      .filter((text) => text !== '.' && text !== '..');
    const target = byteString(1, 300).map((text) => text.replaceAll('\0', '/') as ByteString);
    fc.assert(
      fc.property(
        name,
        byteString(0, 300),
        target,
        name,
        byteString(0, 100),
        (file, content, to, key, value) => {
          const tree = new ImageTree();
          tree.addRoot({ mode: 0o40755 });
          const xattrs = [[key, value]] as const;
          tree.add(0, file, { mode: 0o100644, content: Buffer.from(content, 'latin1'), xattrs });
          tree.add(0, `${file.slice(0, 250)}link` as ByteString, { mode: 0o120777, payload: to });
          assert.equal(written(parse(written(tree))), written(tree));
          assert(writeImage(parse(written(tree))).bytes.equals(writeImage(tree).bytes));
        },
      ),
      { numRuns: 200 },
    );
  });
});
