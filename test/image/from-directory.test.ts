/** Directories to image trees; system tests compare them with mkcomposefs. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/base/digest.ts';
import { FormatError, IoError, UnsupportedError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { ImageTree } from '../../src/formats/erofs/tree.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { DigestStore, digestPath } from '../../src/image/digest-store.ts';
import { treeFromDirectory } from '../../src/image/from-directory.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

const work = new Sandbox();
after(() => work.dispose());

const child = (tree: ImageTree, name: string) => {
  const node = tree.childByName(0, name as ByteString);
  assert.notEqual(node, -1, name);
  return tree.fields(node);
};

describe('a directory as image tree', () => {
  const source = work.mkdir('source');
  writeFileSync(`${source}/empty`, '');
  writeFileSync(`${source}/inline`, Buffer.alloc(64, 'i'));
  writeFileSync(`${source}/backed`, Buffer.alloc(65, 'b'));
  linkSync(`${source}/backed`, `${source}/link`);
  symlinkSync('to/where', `${source}/symlink`);
  mkdirSync(`${source}/folder`);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0x0a, 0x5c])]), 'odd');
  chmodSync(`${source}/inline`, 0o4711);
  utimesSync(`${source}/inline`, 0, new Date(-1500));
  lutimesSync(`${source}/symlink`, 1, 2 ** 33);

  it('keeps small files inline and names the others by digest', async () => {
    const tree = await treeFromDirectory(source, linuxSystem);
    assert.equal(tree.count, 8);
    const backed = child(tree, 'backed');
    const digest = digestOf(verityDigest(Buffer.alloc(65, 'b')));
    assert.equal(digestOf(backed.digest!), digest);
    assert.equal(backed.payload, digestPath(digest));
    assert.deepEqual([backed.size, backed.content, backed.nlink], [65, undefined, 1]);
    const inline = child(tree, 'inline');
    assert.deepEqual([inline.size, inline.payload, inline.mode], [64, undefined, 0o104711]);
    assert(Buffer.alloc(64, 'i').equals(inline.content!));
    assert.deepEqual([child(tree, 'empty').size, child(tree, 'empty').payload], [0, undefined]);
    assert.deepEqual([child(tree, 'symlink').payload, child(tree, 'symlink').size], ['to/where', 8]);
    assert.equal(child(tree, '\xff\x0a\x5c').size, 3);
  });

  it('makes hard links separate files', async () => {
    const tree = await treeFromDirectory(source, linuxSystem);
    assert.equal(tree.linkTarget(tree.childByName(0, 'link' as ByteString)), -1);
    assert.equal(child(tree, 'link').payload, child(tree, 'backed').payload);
  });

  it('keeps times to the nanosecond, before 1970 and after 2106, or drops them', async () => {
    const tree = await treeFromDirectory(`${source}/`, linuxSystem);
    assert.deepEqual([child(tree, 'inline').mtimeSec, child(tree, 'inline').mtimeNsec], [-2n, 500_000_000]);
    assert.equal(child(tree, 'symlink').mtimeSec, 2n ** 33n);
    const epoch = await treeFromDirectory(source, linuxSystem, { useEpoch: true });
    for (const name of ['inline', 'symlink', 'folder'])
      assert.deepEqual([child(epoch, name).mtimeSec, child(epoch, name).mtimeNsec], [0n, 0]);
    const { mtimeNs } = statSync(`${source}/backed`, { bigint: true });
    const { mtimeSec, mtimeNsec } = child(tree, 'backed');
    assert.equal(mtimeSec * 1_000_000_000n + BigInt(mtimeNsec), mtimeNs);
  });

  it('takes all xattrs, those of users, or none', async () => {
    const system: System = {
      ...linuxSystem,
      listxattr: () => ['security.selinux', 'user.a'] as ByteString[],
      getxattr: (_, name) => (name === 'user.a' ? '1' : 'label') as ByteString,
    };
    const names = async (xattrs: 'all' | 'user' | 'none') =>
      child(await treeFromDirectory(source, system, { xattrs }), 'inline').xattrs.map(([name]) => name);
    assert.deepEqual(await names('all'), ['security.selinux', 'user.a']);
    assert.deepEqual(await names('user'), ['user.a']);
    assert.deepEqual(await names('none'), []);
  });

  it('copies what is not inline to a store, once', async () => {
    const path = `${work.path}/some/store`;
    await treeFromDirectory(source, linuxSystem, { store: new DigestStore(path, linuxSystem) });
    const name = digestPath(digestOf(verityDigest(Buffer.alloc(65, 'b'))));
    assert(readFileSync(`${path}/${name}`).equals(Buffer.alloc(65, 'b')));
    assert.equal(statSync(`${path}/${name}`).mode & 0o7777, 0o644);
    assert.deepEqual(readdirSync(path), [name.slice(0, 2)]);
    const { ino } = statSync(`${path}/${name}`);
    await treeFromDirectory(source, linuxSystem, { store: new DigestStore(path, linuxSystem) });
    assert.equal(statSync(`${path}/${name}`).ino, ino);
  });

  it('copies files larger than its buffer', async () => {
    const large = work.mkdir('large');
    const content = Buffer.alloc((1 << 20) + 12345, 'large file ');
    writeFileSync(`${large}/exact`, content.subarray(0, 1 << 20));
    writeFileSync(`${large}/more`, content);
    const path = `${work.path}/store2`;
    const tree = await treeFromDirectory(large, linuxSystem, { store: new DigestStore(path, linuxSystem) });
    for (const [name, bytes] of [
      ['exact', content.subarray(0, 1 << 20)],
      ['more', content],
    ] as const) {
      assert.equal(digestOf(child(tree, name).digest!), digestOf(verityDigest(bytes)));
      assert(readFileSync(`${path}/${child(tree, name).payload}`).equals(bytes));
    }
  });

  it('refuses files that change while they are read', async () => {
    const system: System = {
      ...linuxSystem,
      read: (fd, into, at) => Math.max(0, linuxSystem.read(fd, into, at) - 1),
    };
    await assert.rejects(treeFromDirectory(source, system), FormatError);
  });

  it('makes fs-verity of a file in the store durable before the file has its name', async () => {
    const path = `${work.path}/store4`;
    const counted = faultSystem({ ...linuxSystem, enableVerity: () => undefined });
    await treeFromDirectory(source, counted, { store: new DigestStore(path, counted) });
    const calls = counted.steps.map(({ call }) => call);
    assert.deepEqual(calls.slice(calls.indexOf('enableVerity'), calls.indexOf('rename') + 1), [
      'enableVerity',
      'fsync',
      'rename',
    ]);
  });

  it('does without fs-verity where there is none, and reports any other failure to enable it', async () => {
    const failing = (error: Error): System => ({
      ...linuxSystem,
      enableVerity: () => {
        throw error;
      },
    });
    const without = failing(new UnsupportedError('no fs-verity'));
    const path = `${work.path}/store5`;
    await treeFromDirectory(source, without, { store: new DigestStore(path, without) });
    assert.equal(readdirSync(path).length, 1);
    const busy = failing(new IoError('enable fs-verity', 'file', 'ETXTBSY'));
    await assert.rejects(
      treeFromDirectory(source, busy, { store: new DigestStore(`${work.path}/store6`, busy) }),
      /ETXTBSY/,
    );
    assert.deepEqual(
      readdirSync(`${work.path}/store6`, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      ),
      [],
    );
  });

  it('leaves no temporary file in the store when writing fails', async () => {
    const path = `${work.path}/store3`;
    const system: System = {
      ...linuxSystem,
      fsync: () => {
        throw new IoError('fsync', path, 'ENOSPC');
      },
    };
    await assert.rejects(
      treeFromDirectory(source, system, { store: new DigestStore(path, system) }),
      /ENOSPC/,
    );
    assert.deepEqual(
      readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
      [],
    );
  });

  it('says what cannot be read', async () => {
    await assert.rejects(treeFromDirectory(`${source}/none`, linuxSystem), /none: cannot lstat: ENOENT/);
    await assert.rejects(treeFromDirectory(`${source}/inline`, linuxSystem), /root must be a directory/);
    assert(!existsSync(`${source}/none`));
  });
});
