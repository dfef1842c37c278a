/** An image that differs from its commit in anything at all is found out, whatever it is. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { FormatError } from '../../src/base/errors.ts';
import { isDirectory } from '../../src/base/mode.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import {
  CHUNK_HOLE,
  CompactInode,
  Dirent,
  FileType,
  HEADER_FLAG_ACL,
  Header,
  SUPERBLOCK_START,
  Superblock,
} from '../../src/formats/erofs/layout.ts';
import { ErofsImage, type Inode } from '../../src/formats/erofs/read.ts';
import { ImageTree, type NodeFields } from '../../src/formats/erofs/tree.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { type BuiltImage, buildImage } from '../../src/image/plan.ts';
import { validateImage } from '../../src/image/validate.ts';
import { Repository } from '../../src/repository/repository.ts';
import { makeSmallSysroot } from '../support/small-sysroot.ts';

let folder: string;
let repository: Repository;
let built: BuiltImage;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtree-validate-'));
  const sysroot = await makeSmallSysroot(join(folder, 'sysroot'));
  repository = Repository.open(sysroot.repositoryPath, linuxSystem);
  built = await buildImage(repository, sysroot.commits[0], { progress: silent() });
});

after(() => rmSync(folder, { recursive: true, force: true }));

const objectDigest = (checksum: Checksum) => built.objects.digest(checksum);

/** Validates without knowing the digest beforehand: only the comparison of the entries can find anything. */
async function differences(bytes: Uint8Array): Promise<string[]> {
  const expected = {
    repository,
    commit: built.commit,
    verity: 'yes',
    digest: undefined,
    objectDigest,
  } as const;
  return (await validateImage(bytes, 'image', expected, silent())).map(({ message }) => message);
}

/** The image's tree with `change` applied to what is at `path`; undefined leaves the entry out. */
function alteredTree(path: string, change: (fields: NodeFields) => NodeFields | undefined) {
  const image = new ErofsImage(built.bytes, 'image');
  const tree = new ImageTree();
  const nodes = new Map<string, number>();
  for (const entry of image.walk()) {
    const original = image.node(entry.inode);
    const fields = entry.path === path ? change(original) : original;
    if (fields === undefined) continue;
    if (entry.path === '/') {
      nodes.set('', tree.addRoot(fields));
      continue;
    }
    const parent = nodes.get(entry.path.slice(0, entry.path.lastIndexOf('/')));
    if (parent !== undefined) nodes.set(entry.path, tree.add(parent, entry.name, fields));
  }
  return { tree, nodes };
}

const altered = (path: string, change: (fields: NodeFields) => NodeFields | undefined): Buffer =>
  writeImage(alteredTree(path, change).tree).bytes;

const unaltered = () => alteredTree('', (fields) => fields);

test('the image that was built for a commit is its image', async () => {
  assert.deepEqual(await differences(built.bytes), []);
});

test('writing it again unchanged gives the same bytes, so that what follows tests one change each', () => {
  assert.deepEqual(writeImage(unaltered().tree).bytes, built.bytes);
});

const bytes = textToBytes;
const CHANGES: readonly [
  what: string,
  path: string,
  change: (fields: NodeFields) => NodeFields | undefined,
  expected: RegExp,
][] = [
  [
    'mode of a file',
    '/usr/bin/tool',
    (f) => ({ ...f, mode: f.mode | 0o4000 }),
    /\/usr\/bin\/tool: mode is 104755/,
  ],
  ['mode of the root', '/', (f) => ({ ...f, mode: 0o40700 }), /^\/: mode is 40700/],
  ['owner', '/usr/bin/tool', (f) => ({ ...f, uid: 1 }), /uid is 1, the commit says 0/],
  ['group', '/usr/lib', (f) => ({ ...f, gid: 70000 }), /gid is 70000, the commit says 0/],
  ['link count', '/usr/bin/tool', (f) => ({ ...f, nlink: 2 }), /link count is 2, the commit says 1/],
  ['time', '/usr/bin/same', (f) => ({ ...f, mtimeSec: 1n }), /\/usr\/bin\/same: time is 1\.0/],
  [
    'time, in what is beyond 32 bits',
    '/usr/bin/same',
    (f) => ({ ...f, mtimeSec: 2n ** 32n }),
    /time is 4294967296\.0/,
  ],
  ['nanoseconds', '/usr/bin/same', (f) => ({ ...f, mtimeNsec: 5 }), /time is 0\.5, the commit says 0\.0/],
  ['size', '/usr/bin/tool', (f) => ({ ...f, size: 9999 }), /size is 9999, the commit says 10000/],
  ['object', '/usr/bin/tool', (f) => ({ ...f, payload: bytes('aa/bb.file') }), /xattrs is .*aa\/bb\.file/],
  [
    'no object',
    '/usr/bin/tool',
    ({ payload: _, ...f }) => f,
    /xattrs is \{trusted\.overlay\.metacopy=[^}]*\}, the commit says .*redirect/,
  ],
  ['object digest', '/usr/bin/tool', (f) => ({ ...f, digest: Buffer.alloc(32, 7) }), /xattrs is .*metacopy/],
  [
    'no object digest',
    '/usr/bin/tool',
    ({ digest: _, ...f }) => f,
    /xattrs is \{trusted\.overlay\.metacopy=, /,
  ],
  [
    'content inline',
    '/usr/lib/os-release',
    ({ payload: _, digest: __, ...f }) => ({ ...f, size: 2, content: Buffer.from('ab') }),
    /content is inline/,
  ],
  [
    'target',
    '/bin',
    (f) => ({ ...f, payload: bytes('usr/sbin') }),
    /\/bin: target is usr\/sbin, the commit says usr\/bin/,
  ],
  [
    'an xattr more',
    '/usr',
    (f) => ({ ...f, xattrs: [[bytes('user.x'), bytes('1')]] }),
    /\/usr: xattrs is \{user\.x=1\}/,
  ],
  [
    'an entry less',
    '/usr/bin/alias',
    () => undefined,
    /\/usr\/bin\/alias is in the commit but not in the image/,
  ],
  ['a folder less', '/usr/lib', () => undefined, /\/usr\/lib is in the commit but not in the image/],
  ['a mount point less', '/sysroot', () => undefined, /\/sysroot is in the commit but not in the image/],
  ['another kind', '/bin', () => ({ mode: 0o100644 }), /\/bin: mode is 100644/],
];

for (const [what, path, change, expected] of CHANGES) {
  test(`found: ${what}`, async () => {
    const found = await differences(altered(path, change));
    assert.ok(
      found.some((message) => expected.test(message)),
      `${expected} not in ${JSON.stringify(found)}`,
    );
  });
}

test('found: an entry more', async () => {
  const { tree, nodes } = unaltered();
  tree.add(nodes.get('/usr/bin') as number, bytes('backdoor'), { mode: 0o104755 });
  const found = await differences(writeImage(tree).bytes);
  assert.deepEqual(found, ['/usr/bin/backdoor is in the image but not in the commit']);
});

test('found: format version 1', async () => {
  const { bytes } = writeImage(unaltered().tree, { minVersion: 1, maxVersion: 1 });
  assert.deepEqual(await differences(bytes), ['format version 1, want 0']);
});

test('a digest other than the one that was announced is found, even where every entry is right', async () => {
  const expected = {
    repository,
    commit: built.commit,
    verity: 'yes',
    digest: 'a'.repeat(64) as typeof built.digest,
    objectDigest,
  } as const;
  const findings = await validateImage(built.bytes, 'image', expected, silent());
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['image-digest'],
  );
});

test('a cut image is no image', async () => {
  await assert.rejects(differences(built.bytes.subarray(0, 8192)), FormatError);
});

/** Where the n-th entry of the root lies in the image: `.`, `..`, then the whiteout `00`. */
function rootEntry(n: number): number {
  const image = new ErofsImage(built.bytes, 'image');
  return image.inode(image.rootNid).dataStart + n * Dirent.size;
}

function patched(patch: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(built.bytes);
  patch(bytes);
  return bytes;
}

const PATCHES: readonly [what: string, patch: (bytes: Buffer) => void, expected: RegExp][] = [
  [
    'a parent that is another folder',
    (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(rootEntry(1)) + 2, rootEntry(1)),
    /"\.\." is not the parent/,
  ],
  [
    'an entry of another type than its inode',
    (bytes) => bytes.writeUInt8(FileType.regular, rootEntry(2) + Dirent.fileType),
    /00 is of another type than its entry says/,
  ],
  [
    'two names of one inode',
    (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(rootEntry(2)), rootEntry(3)),
    /inode [0-9]+ overlaps other parts/,
  ],
];
for (const [what, patch, expected] of PATCHES)
  test(`refused: ${what}`, async () => {
    await assert.rejects(differences(patched(patch)), expected);
  });

test('found: a device in the place of a whiteout', async () => {
  const image = new ErofsImage(built.bytes, 'image');
  const { offset } = image.inode(built.bytes.readUInt32LE(rootEntry(2)));
  const bytes = patched((copy) => copy.writeUInt32LE(1, offset + CompactInode.data));
  assert.deepEqual(await differences(bytes), ['/00: device number is 1, the commit says 0']);
});

test('found: an object that no xattr points to any more', async () => {
  const image = new ErofsImage(built.bytes, 'image');
  const tool = image.walk().find(({ path }) => path === '/usr/bin/tool')?.inode as Inode;
  const bytes = patched((copy) => {
    copy.writeUInt16LE(0, tool.offset + CompactInode.xattrCount);
    copy.writeUInt32LE(CHUNK_HOLE, tool.xattrStart);
  });
  const [first] = await differences(bytes);
  assert.match(first ?? '', /^\/usr\/bin\/tool: xattrs is \{\}, the commit says .*metacopy=/);
});

test('found: another value of an xattr', async () => {
  const name = 'overlay.opaque';
  const at = built.bytes.indexOf(`${name}y`) + name.length;
  const bytes = patched((copy) => copy.write('x', at));
  const [first] = await differences(bytes);
  assert.match(first ?? '', /^\/: xattrs is \{trusted\.overlay\.opaque=x\}, the commit says .*opaque=y\}/);
});

test('found: a header that says there are ACLs', async () => {
  const bytes = patched((image) => image.writeUInt32LE(HEADER_FLAG_ACL, Header.flags));
  assert.deepEqual(await differences(bytes), ['the flag for POSIX ACLs is true, want false']);
});

test('found: another number of inodes than there are', async () => {
  const { inodeCount } = new ErofsImage(built.bytes, 'image').superblock;
  const at = SUPERBLOCK_START + Superblock.inodeCount;
  const bytes = patched((image) => image.writeUInt32LE(inodeCount - 1, at));
  assert.deepEqual(await differences(bytes), [`${inodeCount - 1} inodes announced, ${inodeCount} found`]);
});

/** Where inodes say what the digest alone decides: a block of data that is nowhere, the chunk size, the place in the order. */
const UNCOMPARED = [CompactInode.data, CompactInode.uid] as const;

for (const path of ['/usr/bin/tool', '/bin', '/usr'])
  test(`found or refused: any bit that is flipped in inode, xattrs, target and entries of ${path}`, async () => {
    const image = new ErofsImage(built.bytes, 'image');
    const inode = image.walk().find((entry) => entry.path === path)?.inode as Inode;
    assert.ok(inode.compact);
    const end = inode.tailStart + inode.tailSize;
    const unfound: string[] = [];
    for (let at = inode.offset; at < end; at++) {
      const field = at - inode.offset;
      if (field >= UNCOMPARED[0] && field < UNCOMPARED[1]) continue;
      // A folder that is longer by zeros has the same entries.
      if (isDirectory(inode.mode) && field >= CompactInode.fileSize && field < CompactInode.reserved)
        continue;
      for (let bit = 0; bit < 8; bit++) {
        const bytes = patched((copy) => {
          copy[at]! ^= 1 << bit;
        });
        const isFound = await differences(bytes).then(
          (found) => found.length > 0,
          (error) => error instanceof FormatError,
        );
        if (!isFound) unfound.push(`bit ${bit} of byte ${field}`);
      }
    }
    assert.deepEqual(unfound, []);
  });
