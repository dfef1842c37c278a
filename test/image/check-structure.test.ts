/** What the check by numbers takes for sound is so for the tree and the survey, which make everything of an image. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { MAX_PATH_BYTES } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { finish } from '../../src/base/steps.ts';
import { ErofsImage, readTree } from '../../src/formats/erofs/read.ts';
import { ImageTree, type NodeFields } from '../../src/formats/erofs/tree.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { checkStructure } from '../../src/image/check-structure.ts';
import { surveyImage } from '../../src/image/inspect.ts';
import { Random } from '../support/random.ts';
import { randomTree, treeOf } from '../support/random-image-tree.ts';

const checked = (image: ErofsImage): boolean => finish(checkStructure(image));

/** The same question, answered with everything at hand. */
function surveyed(image: ErofsImage): boolean {
  readTree(image);
  const { objects, withoutPayload } = surveyImage(image);
  return (
    withoutPayload.length === 0 &&
    objects.every(({ digest }) => digest !== undefined) &&
    new Set(objects.map(({ payload }) => payload)).size === objects.length
  );
}

function answerOf(bytes: Buffer, check: (image: ErofsImage) => boolean): boolean | 'damaged' {
  try {
    return check(new ErofsImage(bytes, 'image'));
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    return 'damaged';
  }
}

const digest = Buffer.alloc(32, 7);
const backed = (fields: Partial<NodeFields> = {}): NodeFields => ({
  mode: 0o100644,
  size: 9,
  payload: 'aa/object' as ByteString,
  digest,
  ...fields,
});

function imageOf(...files: readonly NodeFields[]): Buffer {
  const tree = new ImageTree();
  tree.addRoot({ mode: 0o40755 });
  for (const [i, fields] of files.entries()) tree.add(0, `f${i}` as ByteString, fields);
  return writeImage(tree).bytes;
}

describe('the check of a structure', () => {
  const acl = [['system.posix_acl_access' as ByteString, 'acl' as ByteString]] as const;
  const cases: readonly (readonly [what: string, sound: boolean, image: () => Buffer])[] = [
    ['an empty tree', true, () => imageOf()],
    ['files that share an object', true, () => imageOf(backed(), backed(), backed())],
    [
      'files with objects of their own',
      true,
      () => imageOf(backed(), backed({ payload: 'b' as ByteString })),
    ],
    ['content in the image', true, () => imageOf({ mode: 0o100644, content: Buffer.from('abc') })],
    ['an ACL', true, () => imageOf(backed({ xattrs: acl }))],
    ['a file without an object', false, () => imageOf({ mode: 0o100644, size: 9, digest })],
    [
      'an object without a digest',
      false,
      () => imageOf({ mode: 0o100644, size: 9, payload: 'p' as ByteString }),
    ],
    ['files that disagree about the size', false, () => imageOf(backed(), backed({ size: 8 }))],
    [
      'files that disagree about the digest',
      false,
      () => imageOf(backed(), backed({ digest: Buffer.alloc(32) })),
    ],
  ];
  for (const [what, sound, image] of cases)
    it(`of ${what}`, () => {
      assert.equal(answerOf(image(), surveyed), sound);
      assert.equal(answerOf(image(), checked), sound);
    });

  it('of random trees, some bits of which are flipped', () => {
    const answers = new Map<boolean | 'damaged', number>();
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      const image = writeImage(treeOf(randomTree(random, { entries: 20 }))).bytes;
      for (let round = 0; round < 30; round++) {
        const bytes = Buffer.from(image);
        if (round > 0)
          bytes[random.below(random.chance(0.5) ? bytes.length : 20_000)]! ^= 1 << random.below(8);
        const answer = answerOf(bytes, checked);
        const want = answerOf(bytes, surveyed);
        // An inode that is out of the ordinary is for the survey to tell of.
        if (answer === false) assert.notEqual(want, 'damaged', `seed ${seed}, round ${round}`);
        else assert.equal(answer, want, `seed ${seed}, round ${round}`);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    }
    assert.ok((answers.get('damaged') ?? 0) > 20, JSON.stringify([...answers]));
  });

  it('of inodes of which any bit is flipped', () => {
    const xattrs = [['user.a' as ByteString, 'own' as ByteString]] as const;
    const link = { mode: 0o120777, payload: 'target' as ByteString };
    const image = imageOf(backed({ xattrs }), link, { mode: 0o100644, content: Buffer.from('abc') });
    const wrong: string[] = [];
    for (const { path, depth, inode } of new ErofsImage(image, 'image').walk()) {
      if (depth === 0) continue;
      for (let at = inode.offset; at < inode.tailStart + inode.tailSize; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const bytes = Buffer.from(image);
          bytes[at]! ^= 1 << bit;
          const [answer, want] = [answerOf(bytes, checked), answerOf(bytes, surveyed)];
          const isRight = answer === false ? want !== 'damaged' : answer === want;
          if (!isRight)
            wrong.push(`bit ${bit} of byte ${at - inode.offset} of ${path}: ${answer}, not ${want}`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('of folders whose path is too long to be walked', () => {
    const tree = new ImageTree();
    let parent: number = tree.addRoot({ mode: 0o40755 });
    const name = 'n'.repeat(255) as ByteString;
    for (let depth = 0; depth < MAX_PATH_BYTES / 256; depth++)
      parent = tree.add(parent, name, { mode: 0o40755 });
    assert.equal(answerOf(writeImage(tree).bytes, checked), true);
    tree.add(parent, name, { mode: 0o40755 });
    assert.equal(answerOf(writeImage(tree).bytes, checked), 'damaged');
  });
});
