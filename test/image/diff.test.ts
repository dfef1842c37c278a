/** What differs between two images, what is in one, and what lies where. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDump } from '../../src/formats/erofs/dump.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { diffObjects, diffTrees, type EntryChange, firstDifference } from '../../src/image/diff.ts';
import { surveyImage } from '../../src/image/inspect.ts';
import { locate } from '../../src/image/locate.ts';

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -';
const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const treeOf = (...lines: string[]) => parseDump(Buffer.from([ROOT, ...lines, ''].join('\n')), 'dump');
const imageOf = (...lines: string[]) => new ErofsImage(writeImage(treeOf(...lines)).bytes, 'image');
const changes = (a: string[], b: string[]): EntryChange[] => [...diffTrees(treeOf(...a), treeOf(...b))];
const short = (list: EntryChange[]): string[] =>
  list.map((change) => {
    const fields = change.kind === 'modified' ? change.fields.map(({ field }) => field) : [];
    return [change.kind, change.path, ...fields].join(' ');
  });

describe('differences of trees', () => {
  const file = '/f 3 100644 1 0 0 0 1.5 - abc -';
  it('are none between equal trees', () => assert.deepEqual(changes([file], [file]), []));

  const cases: readonly (readonly [what: string, a: string[], b: string[], want: string[]])[] = [
    ['an added file', [], [file], ['added /f']],
    ['a removed file', [file], [], ['removed /f']],
    ['a mode', [file], [file.replace('644', '600')], ['modified /f mode']],
    ['owners', [file], ['/f 3 100644 1 7 8 0 1.5 - abc -'], ['modified /f uid gid']],
    ['a time', [file], [file.replace('1.5', '1.6')], ['modified /f mtime']],
    ['contents', [file], [file.replace('abc', 'abd')], ['modified /f content']],
    [
      'objects',
      [`/f 9 100644 1 0 0 0 0.0 aa/a - ${A}`],
      [`/f 9 100644 1 0 0 0 0.0 bb/b - ${B}`],
      ['modified /f payload digest'],
    ],
    [
      'targets',
      ['/f 1 120777 1 0 0 0 0.0 a - -'],
      ['/f 1 120777 1 0 0 0 0.0 b - -'],
      ['modified /f payload'],
    ],
    ['devices', ['/f 0 20644 1 0 0 1 0.0 - - -'], ['/f 0 20644 1 0 0 2 0.0 - - -'], ['modified /f rdev']],
    [
      'xattrs',
      [`${file} user.a=1 user.b=2 user.c=3`],
      [`${file} user.a=1 user.b=9 user.d=4`],
      ['modified /f xattr user.b xattr user.c xattr user.d'],
    ],
    [
      'a hard link that became a file',
      [file, '/g 3 @100644 1 0 0 0 0.0 /f - -'],
      [file, file.replace('/f', '/g')],
      ['modified /g hard link to'],
    ],
    [
      'another type, with what was below it',
      ['/d 0 40755 2 0 0 0 0.0 - - -', '/d/x 0 100644 1 0 0 0 0.0 - - -'],
      ['/d 0 100644 1 0 0 0 0.0 - - -'],
      ['removed /d', 'removed /d/x', 'added /d'],
    ],
    [
      'entries in the order of the tree',
      ['/a 0 40755 2 0 0 0 0.0 - - -', '/a/z 0 100644 1 0 0 0 0.0 - - -', '/b 0 100644 1 0 0 0 0.0 - - -'],
      ['/a 0 40755 2 0 0 0 0.0 - - -', '/a/y 0 100644 1 0 0 0 0.0 - - -', '/a.b 0 100644 1 0 0 0 0.0 - - -'],
      ['added /a/y', 'removed /a/z', 'added /a.b', 'removed /b'],
    ],
  ];
  for (const [what, a, b, want] of cases) it(what, () => assert.deepEqual(short(changes(a, b)), want));

  it('give both values', () =>
    assert.deepEqual(changes([file], [file.replace(' 1.5 ', ' -3.7 ')]), [
      {
        kind: 'modified',
        path: '/f',
        mode: 0o100644,
        fields: [{ field: 'mtime', before: '1.000000005', after: '-3.000000007' }],
      },
    ]));

  it('are found in trees of any depth', () => {
    const deep = Array.from({ length: 5000 }, (_, i) => `${'/d'.repeat(i + 1)} 0 40755 2 0 0 0 0.0 - - -`);
    assert.deepEqual(short(changes(deep, deep.slice(0, -1))), [`removed ${'/d'.repeat(5000)}`]);
  });
});

describe('objects of two images', () => {
  const survey = (...lines: string[]) => surveyImage(imageOf(...lines)).objects;
  it('are shared, changed, or in one alone', () => {
    const a = survey(
      `/1 9 100644 1 0 0 0 0.0 same - ${A}`,
      `/2 9 100644 1 0 0 0 0.0 changed - ${A}`,
      `/3 9 100644 1 0 0 0 0.0 only-a - ${A}`,
    );
    const b = survey(
      `/1 9 100644 1 0 0 0 0.0 same - ${A}`,
      `/2 9 100644 1 0 0 0 0.0 changed - ${B}`,
      '/3 9 100644 1 0 0 0 0.0 only-b - -',
    );
    const { onlyInA, onlyInB, changed, shared } = diffObjects(a, b);
    assert.deepEqual(
      onlyInA.map(({ payload }) => payload),
      ['only-a'],
    );
    assert.deepEqual(
      onlyInB.map(({ payload, digest }) => [payload, digest]),
      [['only-b', undefined]],
    );
    assert.deepEqual(
      changed.map((pair) => [pair.a.digest, pair.b.digest]),
      [[A, B]],
    );
    assert.equal(shared, 1);
  });
});

describe('figures of an image', () => {
  it('count inodes, names and bytes', () => {
    const image = imageOf(
      '/d 0 40755 2 0 0 0 0.0 - - -',
      '/d/w 0 20644 1 0 0 0 0.0 - - -',
      `/f 100 100644 1 0 0 0 0.0 aa/a - ${A}`,
      `/g 100 100644 1 0 0 0 0.0 aa/a - ${A}`,
      '/h 100 @100644 1 0 0 0 0.0 /g - -',
      '/i 3 100644 1 0 0 0 0.0 - abc -',
      '/e 0 100644 1 0 0 0 0.0 - - -',
      '/n 50 100644 1 0 0 0 0.0 - - -',
      '/l 1 120777 1 0 0 0 0.0 a - -',
      '/c 0 20644 1 0 0 5 0.0 - - -',
      '/b 0 60644 1 0 0 5 0.0 - - -',
      '/p 0 10644 1 0 0 0 0.0 - - -',
      '/s 0 140644 1 0 0 0 0.0 - - -',
    );
    const { counts, hardLinks, inlineBytes, fileBytes, objects, withoutPayload, inodes, composefsVersion } =
      surveyImage(image);
    assert.deepEqual(counts, {
      directories: 2,
      backedFiles: 3,
      inlineFiles: 2,
      symlinks: 1,
      devices: 2,
      whiteouts: 1,
      fifos: 1,
      sockets: 1,
    });
    assert.deepEqual([hardLinks, inlineBytes, fileBytes, inodes, composefsVersion], [1, 3, 253, 269, 1]);
    assert.deepEqual(objects, [{ payload: 'aa/a', sizeBytes: 100, digest: A, paths: ['/f', '/g'] }]);
    assert.deepEqual(withoutPayload, ['/n']);
  });
});

describe('where two images part', () => {
  const parting = (a: ErofsImage, b: ErofsImage) => {
    const offset = firstDifference(a, b);
    return offset === undefined ? undefined : locate(a, offset);
  };
  const file = '/f 3 100644 1 0 0 0 0.0 - abc -';

  it('is nowhere between equal ones', () => assert.equal(parting(imageOf(file), imageOf(file)), undefined));

  const cases: readonly (readonly [what: string, a: string[], b: string[], place: object])[] = [
    [
      'the size of an inode',
      [file],
      ['/f 2 100644 1 0 0 0 0.0 - ab -'],
      { part: 'inode', field: 'fileSize', path: '/f', nid: 278 },
    ],
    [
      'an owner',
      [file],
      [file.replace('1 0 0', '1 9 0')],
      { part: 'inode', field: 'uid', path: '/f', nid: 278 },
    ],
    ['content', [file], [file.replace('abc', 'abd')], { part: 'inline content', path: '/f', nid: 278 }],
    [
      'a target',
      ['/l 1 120777 1 0 0 0 0.0 a - -'],
      ['/l 1 120777 1 0 0 0 0.0 b - -'],
      { part: 'symlink target', path: '/l', nid: 294 },
    ],
    [
      'a digest',
      [`/f 9 100644 1 0 0 0 0.0 x - ${A}`],
      [`/f 9 100644 1 0 0 0 0.0 x - ${B}`],
      { part: 'xattrs', path: '/f', nid: 278 },
    ],
    [
      'a name',
      [file.replace('/f', '/x')],
      [file.replace('/f', '/y')],
      { part: 'directory entries', path: '/', nid: 36 },
    ],
    [
      'the number of inodes',
      [file],
      [file, '/g 0 100644 1 0 0 0 0.0 - - -'],
      { part: 'super block', field: 'inodeCount' },
    ],
    [
      'a shared xattr',
      ['/a 0 100644 1 0 0 0 0.0 - - - user.a=1', '/b 0 100644 1 0 0 0 0.0 - - - user.a=1'],
      ['/a 0 100644 1 0 0 0 0.0 - - - user.a=2', '/b 0 100644 1 0 0 0 0.0 - - - user.a=2'],
      { part: 'shared xattrs' },
    ],
  ];
  for (const [what, a, b, place] of cases)
    it(what, () => assert.deepEqual(parting(imageOf(...a), imageOf(...b)), place));

  it('may be the version in the header', () => {
    const versions = ([0, 1] as const).map(
      (version) =>
        new ErofsImage(writeImage(treeOf(file), { minVersion: version, maxVersion: version }).bytes, 'image'),
    );
    const place = parting(versions[0]!, versions[1]!);
    assert.deepEqual(place, { part: 'composefs header', field: 'composefsVersion' });
  });

  it('may be where the shorter one ends', () => {
    const image = imageOf(file);
    assert.deepEqual(locate(image, image.bytes.length), { part: 'end of the image' });
    assert.deepEqual(locate(image, 100), { part: 'padding' });
  });
});
