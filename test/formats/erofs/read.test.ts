import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ByteString, bytesToString, MAX_PATH_BYTES } from '../../../src/base/bytes.ts';
import { FormatError, UnsupportedError } from '../../../src/base/errors.ts';
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../src/base/mode.ts';
import type { Xattr } from '../../../src/base/xattrs.ts';
import { CompactInode, Header, SUPERBLOCK_START, Superblock } from '../../../src/formats/erofs/layout.ts';
import { ErofsImage, type Inode, readTree } from '../../../src/formats/erofs/read.ts';
import { ImageTree } from '../../../src/formats/erofs/tree.ts';
import { writeImage } from '../../../src/formats/erofs/write.ts';
import { filterBit } from '../../../src/formats/erofs/xattr-names.ts';
import fc from '../../support/fast-check.ts';
import { Random } from '../../support/random.ts';
import { randomTree, treeOf } from '../../support/random-image-tree.ts';

const bytes = (text: string): ByteString => text as ByteString;
const LABEL: Xattr = [bytes('security.selinux'), bytes('label\0')];

/** A bit of everything; `d` has a block of entries. */
function sampleTree(): ImageTree {
  const tree = new ImageTree();
  tree.addRoot({ mode: S_IFDIR | 0o755 });
  const directory = tree.add(0, bytes('d'), { mode: S_IFDIR | 0o755, xattrs: [LABEL] });
  for (let i = 0; i < 300; i++)
    tree.add(directory, bytes(`entry-${i}`), { mode: S_IFREG | 0o600, xattrs: i < 2 ? [LABEL] : [] });
  tree.add(0, bytes('empty'), { mode: S_IFDIR | 0o700 });
  tree.add(0, bytes('link'), { mode: S_IFLNK | 0o777, payload: bytes('target') });
  const content = Buffer.from('content');
  tree.add(0, bytes('inline'), {
    mode: S_IFREG | 0o644,
    content,
    xattrs: [[bytes('trusted.Overlay.b'), bytes('c')]],
  });
  const digest = Buffer.alloc(32, 1);
  tree.add(0, bytes('backed'), { mode: S_IFREG | 0o644, size: 9, payload: bytes('aa/bb'), digest });
  tree.add(0, bytes('device'), { mode: S_IFCHR | 0o644, rdev: 259 });
  for (const name of ['entry-a', 'entry-b'])
    tree.add(0, bytes(name), { mode: S_IFREG | 0o644, content: Buffer.alloc(3000, name) });
  tree.addLink(0, bytes('again'), tree.childByName(0, bytes('inline')));
  return tree;
}

const sample = (): Buffer => writeImage(sampleTree()).bytes;

/** Where things are in an image of {@link sampleTree}. */
class Places {
  readonly image: Buffer;
  readonly #read: ErofsImage;

  constructor(image: Buffer) {
    this.image = image;
    this.#read = new ErofsImage(Buffer.from(image), 'sample');
  }

  inode(name: string): Inode {
    const root = this.#read.inode(this.#read.rootNid);
    if (name === '') return root;
    for (const entry of this.#read.entries(root)) if (entry.name === name) return this.#read.inode(entry.nid);
    throw new Error(`no ${name}`);
  }

  /** The offset of the entry of a name in the root. */
  entry(name: string): number {
    const start = this.inode('').dataStart;
    const names = [...this.#read.entries(this.inode(''))].map((entry) => entry.name as string);
    return start + 12 * names.indexOf(name);
  }
}

/** Everything that can be asked of an image. */
function readAll(image: Buffer): void {
  const read = new ErofsImage(image, 'sample');
  for (const { inode } of read.walk()) {
    read.node(inode);
    read.xattrs(inode);
  }
  readTree(read);
}

describe('ErofsImage', () => {
  it('walks depth-first, with hard links to where an inode was met first', () => {
    const image = new ErofsImage(sample(), 'sample');
    const walked = [...image.walk()].filter(({ name }) => !name.startsWith('entry-'));
    assert.deepEqual(
      walked.map(({ path, depth, linkOf }) => [path, depth, linkOf]),
      [
        ['/', 0, undefined],
        ['/again', 1, undefined],
        ['/backed', 1, undefined],
        ['/d', 1, undefined],
        ['/device', 1, undefined],
        ['/empty', 1, undefined],
        ['/inline', 1, '/again'],
        ['/link', 1, undefined],
      ],
    );
  });

  it('knows the whole path of where a hard link leads, however deep that is', () => {
    const tree = new ImageTree();
    const root = tree.addRoot({ mode: S_IFDIR | 0o755 });
    let folder: number = root;
    for (const name of ['a', 'longer', 'c'])
      folder = tree.add(folder, bytes(name), { mode: S_IFDIR | 0o755 });
    const file = tree.add(folder, bytes('file'), { mode: 0o100644, nlink: 4 });
    tree.addLink(folder, bytes('beside'), file);
    tree.addLink(root, bytes('z'), file);
    tree.addLink(root, bytes('b'), file);
    const image = new ErofsImage(writeImage(tree).bytes, 'image');
    const links = [...image.walk()].filter(({ inode }) => inode.nlink === 4);
    assert.deepEqual(
      links.map(({ path, linkOf }) => [path, linkOf]),
      [
        ['/a/longer/c/beside', undefined],
        ['/a/longer/c/file', '/a/longer/c/beside'],
        ['/b', '/a/longer/c/beside'],
        ['/z', '/a/longer/c/beside'],
      ],
    );
  });

  it('gives xattrs as stored: unshared before shared', () => {
    const places = new Places(sample());
    const image = new ErofsImage(places.image, 'sample');
    assert.deepEqual(image.rawXattrs(places.inode('d')), { unshared: [], shared: [LABEL] });
    assert.deepEqual(image.xattrs(places.inode('')), [['trusted.overlay.opaque', 'y']]);
    const metacopy = bytesToString(Buffer.from(`00240001${'01'.repeat(32)}`, 'hex'));
    assert.deepEqual(image.xattrs(places.inode('backed')), [
      ['trusted.overlay.metacopy', metacopy],
      ['trusted.overlay.redirect', '/aa/bb'],
    ]);
  });

  it('finds the target of a symlink whose size libostree left at 0', () => {
    const tree = new ImageTree();
    tree.addRoot({ mode: S_IFDIR | 0o755 });
    const target = bytes('t'.repeat(4090));
    const link = tree.add(0, bytes('l'), { mode: S_IFLNK | 0o777, payload: target, size: 0 });
    const image = writeImage(tree).bytes;
    const again = readTree(new ErofsImage(image, 'image'));
    assert.equal(again.fields(link).payload, target);
    assert.equal(again.fields(link).size, 0);
    assert.ok(writeImage(again).bytes.equals(image));
  });

  it('says which format versions it reads', () => {
    const image = sample();
    image[Header.composefsVersion] = 2;
    assert.throws(() => new ErofsImage(image, 'image'), UnsupportedError);
  });

  const at = (field: number) => SUPERBLOCK_START + field;
  const refusals: readonly (readonly [
    what: string,
    pattern: RegExp,
    damage: (p: Places) => Buffer | undefined,
  ])[] = [
    ['an empty file', /not a composefs image/, () => Buffer.alloc(0)],
    ['a file of zeros', /not a composefs image/, () => Buffer.alloc(8192)],
    ['a file that was cut', /size of the image/, (p) => p.image.subarray(0, -4096)],
    ['a file with more at its end', /size of the image/, (p) => Buffer.concat([p.image, Buffer.alloc(4096)])],
    ['another kind of image', /kind of image/, (p) => set(p, Header.version, 2)],
    ['unknown flags', /flags/, (p) => set(p, Header.flags, 2)],
    ['a flag for ACLs without ACLs', /flag for ACLs/, (p) => set(p, Header.flags, 1)],
    ['something in the header', /reserved byte of header/, (p) => set(p, 16, 1)],
    ['another magic', /EROFS magic/, (p) => set(p, at(Superblock.magic), 0)],
    ['unknown compatible features', /compatible features/, (p) => set(p, at(Superblock.featureCompat), 0x16)],
    ['incompatible features', /incompatible features/, (p) => set(p, at(Superblock.featureIncompat), 1)],
    ['other blocks', /block size/, (p) => set(p, at(Superblock.blockBits), 9)],
    ['another place of the inodes', /block of inode 0/, (p) => set(p, at(Superblock.metaBlock), 1)],
    ['many inodes', /more inodes than fit/, (p) => set(p, at(Superblock.inodeCount) + 4, 1)],
    [
      'another number of inodes',
      /out of order|number of inodes/,
      (p) => set(p, at(Superblock.inodeCount), 3),
    ],
    ['xattrs outside', /outside the image/, (p) => set(p, at(Superblock.xattrBlock) + 1, 0xff)],
    [
      'a root that is a file',
      /not a directory/,
      (p) => set(p, at(Superblock.rootNid), p.inode('link').nid, 2),
    ],
    ['a root in the super block', /bad inode number/, (p) => set(p, at(Superblock.rootNid), 33, 2)],
    ['a root outside', /past the end/, (p) => set(p, at(Superblock.rootNid), 0xffff, 2)],
    ['an unknown layout', /data layout/, (p) => set(p, p.inode('inline').offset, 1 << 1)],
    ['an unknown format', /unknown format/, (p) => set(p, p.inode('inline').offset, 0x10)],
    ['reserved bytes of an inode', /reserved byte/, (p) => set(p, p.inode('inline').offset + 12, 1)],
    ['an unknown type', /file type/, (p) => set(p, p.inode('inline').offset + CompactInode.mode, 0, 2)],
    ['another type than the entry', /another type/, (p) => set(p, p.entry('link') + 10, 1)],
    ['an unknown type of an entry', /unknown type/, (p) => set(p, p.entry('link') + 10, 8)],
    ['a reserved byte of an entry', /bad entry/, (p) => set(p, p.entry('link') + 11, 1)],
    ['a nid of 64 bits', /bad entry/, (p) => set(p, p.entry('link') + 4, 1)],
    ['a nid outside', /past the end/, (p) => set(p, p.entry('link') + 2, 0xff)],
    ['names out of order', /not sorted/, (p) => rename(p, 'link', 'aaaa')],
    ['a name twice', /not sorted/, (p) => rename(p, '01', '00')],
    ['a slash in a name', /bad name/, (p) => rename(p, 'link', 'l/nk')],
    ['a NUL in a name', /bad name/, (p) => rename(p, 'device', 'dev\0ce')],
    ['a directory without "."', /lacks|overlaps/, (p) => rename(p, '.', '-')],
    ['a "." that is another directory', /bad "\."/, (p) => set(p, p.entry('.'), p.inode('empty').nid, 2)],
    [
      'a ".." that is not the parent',
      /not the parent/,
      (p) => set(p, p.entry('..'), p.inode('empty').nid, 2),
    ],
    [
      'a directory within itself',
      /overlaps|out of order/,
      (p) => set(p, p.entry('empty'), p.inode('').nid, 2),
    ],
    [
      'a directory twice',
      /not the parent|overlaps|out of order/,
      (p) => set(p, p.entry('empty'), p.inode('d').nid, 2),
    ],
    ['a bad first name offset', /bad block/, (p) => set(p, p.entry('.') + 8, 13, 2)],
    ['a name offset beyond the block', /length of a name/, (p) => set(p, p.entry('link') + 8, 0xffff, 2)],
    ['padding of a directory', /padding/, (p) => set(p, p.inode('').dataStart + 4095, 1)],
    ['data outside', /past the end/, (p) => set(p, p.inode('').offset + CompactInode.data, 0xffffff, 4)],
    [
      'data over the header',
      /overlaps|bad block/,
      (p) => set(p, p.inode('').offset + CompactInode.data, 0, 4),
    ],
    [
      'one block for two files',
      /overlaps/,
      (p) => set(p, p.inode('entry-b').offset + CompactInode.data, p.inode('entry-a').dataStart / 4096, 4),
    ],
    ['a size that outgrows the tail', /bad tail/, (p) => set(p, p.inode('inline').offset + 8, 4095, 2)],
    ['a device with a size', /bad size/, (p) => set(p, p.inode('device').offset + 8, 1)],
    ['a chunk with data', /chunk with data/, (p) => set(p, p.inode('backed').tailStart, 0)],
    [
      'an unknown chunk format',
      /chunk format/,
      (p) => set(p, p.inode('backed').offset + CompactInode.data, 0x20),
    ],
    ['no chunks', /number of chunks/, (p) => set(p, p.inode('backed').offset + 8, 0)],
    ['a symlink without a target', /without a target|bad tail/, (p) => set(p, p.inode('link').offset + 8, 0)],
    ['a NUL in a target', /symlink target/, (p) => set(p, p.inode('link').tailStart, 0)],
    [
      'a link count of a directory',
      /link count/,
      (p) => set(p, p.inode('empty').offset + CompactInode.nlink, 3),
    ],
    [
      'inodes in another order',
      /out of order|number of inodes/,
      (p) => set(p, p.inode('empty').offset + CompactInode.ino, 1),
    ],
    [
      'a link to an inode of no entry',
      /nowhere else|number of inodes/,
      (p) => set(p, p.inode('link').offset + CompactInode.ino, 0),
    ],
    [
      'xattrs outside',
      /past the end/,
      (p) => set(p, p.inode('device').offset + CompactInode.xattrCount, 0xffff, 2),
    ],
    ['many ids of shared xattrs', /shared xattrs run/, (p) => set(p, p.inode('d').xattrStart + 4, 9)],
    ['an id outside', /xattr entry runs/, (p) => set(p, p.inode('d').xattrStart + 14, 0xff)],
    ['reserved bytes of an xattr area', /reserved byte/, (p) => set(p, p.inode('d').xattrStart + 5, 1)],
    ['a filter that hides a name', /filter/, (p) => set(p, p.inode('d').xattrStart, 0xffffffff, 4)],
    ['a long xattr', /entry runs past/, (p) => set(p, p.inode('inline').xattrStart + 14, 0xff)],
    ['an unknown prefix', /unknown prefix/, (p) => set(p, p.inode('inline').xattrStart + 13, 7)],
    ['an xattr of overlayfs on a file', /overlayfs' own/, makeOverlayXattr],
    ['a digest of another kind', /SHA-256/, (p) => set(p, p.inode('backed').xattrStart + 12 + 20 + 3, 2)],
    [
      'a redirect that is not a path',
      /redirect/,
      (p) => set(p, p.inode('backed').xattrStart + 12 + 56 + 20, 0x61),
    ],
    ['a root that is not opaque', /not opaque/, (p) => set(p, p.inode('').xattrStart + 12 + 18, 0x7a)],
    [
      'a whiteout of something else',
      /object folder/,
      (p) => set(p, p.inode('device').offset + CompactInode.data, 0, 2),
    ],
    [
      'a whiteout of another owner',
      /not as the root/,
      (p) => set(p, p.inode('07').offset + CompactInode.uid, 1),
    ],
    ['a whiteout under another name', /object folder/, (p) => rename(p, 'ff', 'fg')],
  ];
  for (const [what, pattern, damage] of refusals) {
    it(`refuses ${what}`, () => {
      const image = damage(new Places(sample()));
      assert.ok(image !== undefined);
      assert.throws(
        () => readAll(image),
        (error) => error instanceof FormatError && pattern.test(error.message),
      );
    });
  }
});

/** Sets a little-endian integer. */
function set({ image }: Places, offset: number, value: number, size = 1): Buffer {
  image.writeUIntLE(value, offset, size);
  return image;
}

/** Overwrites a name in the root by one of the same length. */
function rename(places: Places, from: string, to: string): Buffer {
  const { image } = places;
  const start = places.inode('').dataStart + image.readUInt16LE(places.entry(from) + 8);
  image.write(to, start, 'latin1');
  return image;
}

/** Turns the xattr of `inline` into one of overlayfs' own, with the right filter. */
function makeOverlayXattr(places: Places): Buffer {
  const { xattrStart } = places.inode('inline');
  set(places, xattrStart + 16, 'o'.charCodeAt(0));
  return set(places, xattrStart, ~(1 << filterBit({ index: 4, suffix: bytes('overlay.b') })) >>> 0, 4);
}

/** What there is at each path: fields, and the path of the first of a hard link's names. */
function contentsOf(tree: ImageTree): Map<string, unknown> {
  const contents = new Map<string, unknown>();
  const firstPaths = new Map<number, string>();
  const visit = (node: number): void => {
    const target = tree.linkTarget(node);
    const inode = target < 0 ? node : target;
    const path = tree.path(node);
    if (!firstPaths.has(inode)) firstPaths.set(inode, path);
    const { nlink, ...fields } = tree.fields(node);
    const isDirectory = (fields.mode & S_IFMT) === S_IFDIR;
    contents.set(path, { ...fields, nlink: isDirectory ? 0 : nlink, first: firstPaths.get(inode) });
    if (isDirectory) for (const child of tree.children(node)) visit(child);
  };
  visit(0);
  return contents;
}

describe('readTree', () => {
  const seeds = fc.nat(0xffffffff);

  it('gives the tree that was written', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const tree = treeOf(randomTree(new Random(seed), { reversible: true }));
        const read = readTree(new ErofsImage(writeImage(tree, { maxVersion: 0 }).bytes, 'image'));
        assert.deepEqual(contentsOf(read), contentsOf(tree));
      }),
      { numRuns: 100 },
    );
  });

  it('gives a tree that writes the same image', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const image = writeImage(treeOf(randomTree(new Random(seed), { reversible: true })));
        const options = { minVersion: image.version, maxVersion: image.version };
        assert.ok(
          writeImage(readTree(new ErofsImage(image.bytes, 'image')), options).bytes.equals(image.bytes),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with the walk on what is where', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { bytes } = writeImage(treeOf(randomTree(new Random(seed))));
        const image = new ErofsImage(bytes, 'image');
        const paths = [...image.walk()].map(({ path }) => path);
        assert.deepEqual(paths, [...contentsOf(readTree(image)).keys()]);
      }),
      { numRuns: 30 },
    );
  });

  it('reads directories nested 20,000 deep', () => {
    const tree = new ImageTree();
    let node: number = tree.addRoot({ mode: S_IFDIR | 0o755 });
    for (let i = 0; i < 20_000; i++) node = tree.add(node, bytes('d'), { mode: S_IFDIR | 0o755 });
    const image = new ErofsImage(writeImage(tree).bytes, 'image');
    assert.equal(readTree(image).count, tree.count);
    let depth = 0;
    for (const entry of image.walk()) depth = Math.max(depth, entry.depth);
    assert.equal(depth, 20_000);
  });
});

/** Directories one in another, with names of `length` bytes. */
function chain(depth: number, length: number): ErofsImage {
  const tree = new ImageTree();
  let parent: number = tree.addRoot({ mode: S_IFDIR | 0o755 });
  for (let i = 0; i < depth; i++)
    parent = tree.add(parent, bytes('n'.repeat(length)), { mode: S_IFDIR | 0o755 });
  return new ErofsImage(writeImage(tree).bytes, 'chain');
}

describe('depth', () => {
  it('is walked as deep as a commit is', () => {
    let count = 0;
    for (const { depth } of chain(10_000, 1).walk()) count = depth;
    assert.equal(count, 10_000);
  });

  it('ends where paths would fill the memory', () => {
    const depth = Math.ceil(MAX_PATH_BYTES / 256) + 1;
    assert.throws(() => chain(depth, 255).walk().toArray(), /path is too long/);
    assert.equal(
      chain(depth - 2, 255)
        .walk()
        .toArray().length,
      depth - 1,
    );
  });
});
