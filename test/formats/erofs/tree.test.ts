import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../../src/base/bytes.ts';
import { FormatError } from '../../../src/base/errors.ts';
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } from '../../../src/base/mode.ts';
import type { Xattr } from '../../../src/base/xattrs.ts';
import type { BackingObjects } from '../../../src/formats/erofs/backing-objects.ts';
import { ImageTree, type NodeFields, type PlainNode } from '../../../src/formats/erofs/tree.ts';
import { writeImage } from '../../../src/formats/erofs/write.ts';

const bytes = (text: string): ByteString => text as ByteString;
const DIRECTORY: NodeFields = { mode: S_IFDIR | 0o755 };
const FILE: NodeFields = { mode: S_IFREG | 0o644 };

const ROWS = 4;
/** Rows 0 and 3 have one digest, row 2 has none. */
const OBJECTS: BackingObjects = {
  checksums: Buffer.from(Array.from({ length: 32 * ROWS }, (_, i) => (i * 37) % 256)),
  digests: Buffer.concat([1, 2, 3, 1].map((byte) => Buffer.alloc(32, byte))),
  hasDigest: (row) => row !== 2,
};

function newTree(objects?: BackingObjects): ImageTree {
  const tree = new ImageTree(objects === undefined ? {} : { objects });
  tree.addRoot(DIRECTORY);
  return tree;
}

describe('ImageTree', () => {
  it('gives back the fields of a node', () => {
    const tree = newTree();
    const fields = {
      mode: S_IFREG | 0o640,
      nlink: 70000,
      uid: 1,
      gid: 2 ** 32 - 1,
      rdev: 0,
      size: 2 ** 53,
      mtimeSec: -(2n ** 63n),
      mtimeNsec: 999_999_999,
      payload: bytes('aa/b\xff'),
      digest: Buffer.alloc(32, 7),
      xattrs: [[bytes('user.a'), bytes('\0\xff')] as Xattr],
    };
    const node = tree.add(0, bytes('f'), fields);
    assert.deepEqual(tree.fields(node), fields);
    assert.equal(tree.path(node), '/f');
    assert.equal(tree.parent(node), 0);
  });

  it('takes plain nodes as they lie in bytes, and leaves what it would refuse to be said', () => {
    const tree = newTree();
    const plain = (name: string, fields: Partial<PlainNode> = {}): PlainNode => ({
      bytes: Buffer.from(`${name}aa/b`, 'latin1'),
      nameStart: 0,
      nameEnd: name.length,
      payloadStart: name.length,
      payloadEnd: name.length + 4,
      mode: S_IFREG | 0o640,
      nlink: 1,
      uid: 2,
      gid: 3,
      size: 2 ** 40,
      mtimeHigh: 1,
      mtimeLow: 5,
      mtimeNsec: 6,
      hasDigest: true,
      digest: Buffer.alloc(32, 7),
      ...fields,
    });
    const node = tree.addPlain(0, plain('f'), 0);
    assert.deepEqual(tree.fields(node), {
      mode: S_IFREG | 0o640,
      nlink: 1,
      uid: 2,
      gid: 3,
      rdev: 0,
      size: 2 ** 40,
      mtimeSec: 2n ** 32n + 5n,
      mtimeNsec: 6,
      payload: 'aa/b',
      digest: Buffer.alloc(32, 7),
      xattrs: [],
    });
    for (const name of ['', '.', '..', 'a/b', 'a\0', 'n'.repeat(256), 'f'])
      assert.equal(tree.addPlain(0, plain(name), 0), -1, JSON.stringify(name));
    for (const parent of [-1, node, 2, 0.5]) assert.equal(tree.addPlain(parent, plain('g'), 0), -1);
    assert.equal(tree.addPlain(0, plain('g'.repeat(4), { payloadStart: 0, payloadEnd: 4096 }), 0), -1);
    assert.equal(newTree(OBJECTS).addPlain(0, plain('g'), 0), -1);
    assert.equal(tree.count, 2);
    assert.equal(tree.path(tree.addPlain(0, plain('g'), 0)), '/g');
  });

  it('has defaults: of a symlink the size of its target, of a file that of its content', () => {
    const tree = newTree();
    const link = tree.fields(tree.add(0, bytes('l'), { mode: S_IFLNK | 0o777, payload: bytes('abc') }));
    assert.deepEqual([link.size, link.nlink, link.uid, link.mtimeSec], [3, 1, 0, 0n]);
    const file = tree.add(0, bytes('f'), { ...FILE, content: Buffer.from('abcd') });
    assert.equal(tree.fields(file).size, 4);
  });

  it('lists children by the bytes of their names, whatever the order they came in', () => {
    const tree = newTree();
    const names = ['b', 'a', '\xff', '.hidden', '-', 'ab', 'B', '\x01'];
    for (const name of names) tree.add(0, bytes(name), FILE);
    assert.deepEqual(
      [...tree.children(0)].map((node) => tree.name(node)),
      [...names].sort(),
    );
  });

  it('finds children by name before and after it has grown', () => {
    const tree = newTree();
    const directory = tree.add(0, bytes('d'), DIRECTORY);
    for (let i = 0; i < 5000; i++) tree.add(i % 2 === 0 ? 0 : directory, bytes(`n${i}`), FILE);
    assert.equal(tree.name(tree.childByName(0, bytes('n42'))), 'n42');
    assert.equal(tree.childByName(0, bytes('n43')), -1);
    assert.equal(tree.parent(tree.childByName(directory, bytes('n43'))), directory);
    assert.equal(tree.count, 5002);
  });

  it('resolves links to links', () => {
    const tree = newTree();
    const file = tree.add(0, bytes('f'), { ...FILE, uid: 5 });
    const link = tree.addLink(0, bytes('l'), tree.addLink(0, bytes('k'), file));
    assert.equal(tree.linkTarget(link), file);
    assert.equal(tree.linkTarget(file), -1);
    assert.equal(tree.fields(link).uid, 5);
  });

  it('takes backing files by their rows in a table, and makes the same image of them', () => {
    const rows = [0, 1, 2, 3, 1, 2, 0, 3, 1];
    const byRow = newTree(OBJECTS);
    const byPath = newTree();
    for (const tree of [byRow, byPath]) {
      tree.add(0, bytes('empty'), FILE);
      tree.add(0, bytes('link'), { mode: S_IFLNK | 0o777, payload: bytes('empty') });
    }
    rows.forEach((row, i) => {
      const name = bytes(`file ${i}`);
      const fields = { ...FILE, size: 100 + i };
      const hex = Buffer.from(OBJECTS.checksums.subarray(32 * row, 32 * row + 32)).toString('hex');
      const payload = bytes(`${hex.slice(0, 2)}/${hex.slice(2)}.file`);
      const digest = Buffer.from(OBJECTS.digests.subarray(32 * row, 32 * row + 32));
      const node = byRow.add(0, name, { ...fields, object: row });
      byPath.add(0, name, { ...fields, payload, ...(row === 2 ? {} : { digest }) });
      assert.deepEqual(byRow.fields(node), byPath.fields(node));
    });
    assert.deepEqual(writeImage(byRow), writeImage(byPath));
  });

  it('keeps nothing of a node that was refused', () => {
    const tree = newTree();
    const all = { uid: 1, gid: 2, size: 3, mtimeSec: 4n, mtimeNsec: 5, payload: bytes('p') };
    const tooMany = [[bytes('user.a'), bytes('v'.repeat(32767))] as Xattr];
    assert.throws(() => tree.add(0, bytes('a'), { ...FILE, ...all, xattrs: tooMany }), /too many xattrs/);
    const plain = { uid: 0, gid: 0, size: 0, mtimeSec: 0n, mtimeNsec: 0, nlink: 1, rdev: 0, xattrs: [] };
    assert.deepEqual(tree.fields(tree.add(0, bytes('a'), FILE)), { ...FILE, ...plain });
  });

  it('keeps one copy of equal xattrs', () => {
    const tree = newTree();
    for (let i = 0; i < 10; i++)
      tree.add(0, bytes(`${i}`), { ...FILE, xattrs: [[bytes('user.a'), bytes('b')]] });
    assert.equal(tree.xattrSets.length, 2);
  });

  const value = (length: number) => bytes('v'.repeat(length));
  const refusals: readonly (readonly [what: string, pattern: RegExp, build: (tree: ImageTree) => unknown])[] =
    [
      ['an empty name', /length of a name/, (t) => t.add(0, bytes(''), FILE)],
      ['a name of 256 bytes', /length of a name/, (t) => t.add(0, value(256), FILE)],
      ['"."', /bad name/, (t) => t.add(0, bytes('.'), FILE)],
      ['".."', /bad name/, (t) => t.add(0, bytes('..'), FILE)],
      ['a slash in a name', /bad name/, (t) => t.add(0, bytes('a/b'), FILE)],
      ['a NUL in a name', /bad name/, (t) => t.add(0, bytes('a\0'), FILE)],
      ['a name of characters that are not bytes', /bad name/, (t) => t.add(0, bytes('\u20ac'), FILE)],
      ['a second root', /one root/, (t) => t.addRoot(DIRECTORY)],
      ['a root that is no directory', /must be a directory/, () => new ImageTree().addRoot(FILE)],
      [
        'a parent that is a file',
        /not a directory/,
        (t) => t.add(t.add(0, bytes('f'), FILE), bytes('g'), FILE),
      ],
      ['a parent that does not exist', /no such node/, (t) => t.add(7, bytes('g'), FILE)],
      ['a link to a directory', /hard link to a directory/, (t) => t.addLink(0, bytes('l'), 0)],
      ['a link to nothing', /no such node/, (t) => t.addLink(0, bytes('l'), 1)],
      ['an unknown type', /file type/, (t) => t.add(0, bytes('f'), { mode: 0o644 })],
      ['a symlink without a target', /without a target/, (t) => t.add(0, bytes('l'), { mode: S_IFLNK })],
      ['a long target', /too long/, (t) => t.add(0, bytes('l'), { mode: S_IFLNK, payload: value(4096) })],
      ['a NUL in a target', /NUL/, (t) => t.add(0, bytes('l'), { mode: S_IFLNK, payload: bytes('a\0') })],
      [
        'much content',
        /inline content/,
        (t) => t.add(0, bytes('f'), { ...FILE, content: Buffer.alloc(5001) }),
      ],
      [
        'content of a device',
        /outside a regular/,
        (t) => t.add(0, bytes('f'), { mode: S_IFCHR, content: Buffer.alloc(1) }),
      ],
      [
        'another size than the content',
        /differs/,
        (t) => t.add(0, bytes('f'), { ...FILE, size: 2, content: Buffer.alloc(1) }),
      ],
      [
        'an object without a table of them',
        /no such object/,
        (t) => t.add(0, bytes('f'), { ...FILE, object: 0 }),
      ],
      [
        'an object that the table lacks',
        /no such object/,
        () => newTree(OBJECTS).add(0, bytes('f'), { ...FILE, object: ROWS }),
      ],
      [
        'an object of a symlink',
        /all that a regular file/,
        () => newTree(OBJECTS).add(0, bytes('l'), { mode: S_IFLNK, payload: bytes('t'), object: 0 }),
      ],
      [
        'a path beside a table of objects',
        /none of the objects/,
        () => newTree(OBJECTS).add(0, bytes('f'), { ...FILE, payload: bytes('p') }),
      ],
      ['a size beyond 2^53', /bad size/, (t) => t.add(0, bytes('f'), { ...FILE, size: 2 ** 53 + 2 })],
      ['a negative size', /bad size/, (t) => t.add(0, bytes('f'), { ...FILE, size: -1 })],
      ['a uid of 33 bits', /bad uid/, (t) => t.add(0, bytes('f'), { ...FILE, uid: 2 ** 32 })],
      ['an mtime of 65 bits', /bad mtime/, (t) => t.add(0, bytes('f'), { ...FILE, mtimeSec: 2n ** 63n })],
      [
        'a digest of 20 bytes',
        /bad digest/,
        (t) => t.add(0, bytes('f'), { ...FILE, digest: Buffer.alloc(20) }),
      ],
      [
        'an xattr without a name',
        /xattr name/,
        (t) => t.add(0, bytes('f'), { ...FILE, xattrs: [[bytes(''), bytes('')]] }),
      ],
      [
        'an xattr name of 256 bytes',
        /xattr name/,
        (t) => t.add(0, bytes('f'), { ...FILE, xattrs: [[value(256), bytes('')]] }),
      ],
      [
        'an xattr value of 64 KiB',
        /too long/,
        (t) => t.add(0, bytes('f'), { ...FILE, xattrs: [[bytes('user.a'), value(65536)]] }),
      ],
      [
        '32 KiB of xattrs',
        /too many xattrs/,
        (t) => t.add(0, bytes('f'), { ...FILE, xattrs: [[bytes('user.a'), value(32767 - 12 - 7 - 5)]] }),
      ],
    ];
  for (const [what, pattern, build] of refusals) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => build(newTree()),
        (error) => error instanceof FormatError && pattern.test(error.message),
      );
    });
  }

  it('takes xattrs up to the budget', () => {
    newTree().add(0, bytes('f'), { ...FILE, xattrs: [[bytes('user.a'), value(32767 - 12 - 7 - 6)]] });
  });

  it('refuses a name twice, and names the path', () => {
    const tree = newTree();
    const directory = tree.add(0, bytes('d'), DIRECTORY);
    const file = tree.add(directory, bytes('f'), FILE);
    assert.throws(() => tree.add(directory, bytes('f'), FILE), /^FormatError: \/d\/f: duplicate name/);
    assert.throws(() => tree.addLink(directory, bytes('f'), file), /duplicate name/);
    assert.equal(tree.count, 3);
    tree.add(0, bytes('f'), FILE);
  });
});
