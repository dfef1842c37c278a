/** A dump straight from the image's bytes says what the one by nodes and lines says, and fails where that one fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteString, bytesToString } from '../../../src/base/bytes.ts';
import { FormatError } from '../../../src/base/errors.ts';
import { formatDump } from '../../../src/formats/erofs/dump.ts';
import { dumpImage } from '../../../src/formats/erofs/dump-image.ts';
import { ErofsImage } from '../../../src/formats/erofs/read.ts';
import { ImageTree } from '../../../src/formats/erofs/tree.ts';
import { writeImage } from '../../../src/formats/erofs/write.ts';
import { Random } from '../../support/random.ts';
import { randomTree, treeOf } from '../../support/random-image-tree.ts';

/** The text that is given, and the failure after it. */
function textOf(bytes: Buffer, dump: (image: ErofsImage) => Iterable<Buffer | ByteString>): string {
  let text = '';
  try {
    for (const piece of dump(new ErofsImage(bytes, 'image')))
      text += typeof piece === 'string' ? piece : bytesToString(piece);
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    text += `\n${error.message}`;
  }
  return text;
}

function assertSame(bytes: Buffer, what: string): string {
  const text = textOf(bytes, dumpImage);
  assert.equal(text, textOf(bytes, formatDump), what);
  return text;
}

test('of random trees', () => {
  for (let seed = 1; seed <= 40; seed++)
    assertSame(writeImage(treeOf(randomTree(new Random(seed)))).bytes, `seed ${seed}`);
});

test('of random trees some bits of which are flipped', () => {
  let failures = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const image = writeImage(treeOf(randomTree(random, { entries: 20 }))).bytes;
    for (let round = 0; round < 40; round++) {
      const bytes = Buffer.from(image);
      const at = random.below(random.chance(0.5) ? bytes.length : 20_000);
      bytes[at]! ^= 1 << random.below(8);
      if (/\nimage(: | at )/.test(assertSame(bytes, `seed ${seed}, round ${round}, byte ${at}`))) failures++;
    }
  }
  assert.ok(failures > 50, `${failures} of them failed`);
});

test('of backed files and symlinks with every byte in name, path and xattr, and a path that looks like none', () => {
  const tree = new ImageTree();
  tree.addRoot({ mode: 0o40755 });
  const digest = Buffer.alloc(32, 0xa5);
  for (let byte = 1; byte < 256; byte++) {
    const text = String.fromCharCode(byte) as ByteString;
    const name = (byte === 0x2f ? 'slash' : `${text}name`) as ByteString;
    tree.add(0, name, {
      mode: 0o100644,
      size: byte,
      payload: text,
      digest,
      xattrs: [[`user.${text}` as ByteString, `${text}\0` as ByteString]],
    });
    tree.add(0, `${name}-link` as ByteString, { mode: 0o120777, payload: text });
  }
  const text = assertSame(writeImage(tree).bytes, 'every byte');
  assert.match(text, /^\/-name 45 100644 1 0 0 0 0\.0 \\x2d - (a5){32} user\.-=-\\x00$/m);
});

test('of numbers as large as they get', () => {
  const tree = new ImageTree();
  const most = 2 ** 32 - 1;
  tree.addRoot({ mode: 0o40755, mtimeSec: -(2n ** 63n), mtimeNsec: most });
  tree.add(0, 'f' as ByteString, { mode: 0o100644, size: 2 ** 53 - 1, uid: most, gid: most, nlink: most });
  for (const size of [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32])
    tree.add(0, `size-${size}` as ByteString, { mode: 0o100644, size, payload: 'p' as ByteString });
  assert.match(assertSame(writeImage(tree).bytes, 'numbers'), /^\/f 9007199254740991 100644 4294967295 /m);
});
