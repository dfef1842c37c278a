/** Archives in: what becomes of their members in a repository, and what is refused by name. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { FormatError, OperationError, UnsupportedError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { BatchWriter } from '../../src/repository/batch-writer.ts';
import { decompressed } from '../../src/repository/decompress.ts';
import { type ImportOptions, importTar } from '../../src/repository/import-tar.ts';
import { initRepository } from '../../src/repository/init.ts';
import { writeNewTree } from '../../src/repository/new-tree.ts';
import { Repository } from '../../src/repository/repository.ts';
import { rootOf, walk } from '../../src/repository/tree.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommit } from '../../src/repository/write-commit.ts';
import { Sandbox } from '../support/sandbox.ts';
import { inPieces, type TarEntry, tarOf } from '../support/tar.ts';

const OPTIONS: ImportOptions = {
  where: 'a.tar',
  limits: { entries: 1000, bytes: 1 << 24 },
  skipSpecial: false,
  progress: silent(),
};

/** Imports into a fresh archive repository, which keeps everything and needs no root. */
async function imported(bytes: Uint8Array, options: Partial<ImportOptions> = {}) {
  using work = new Sandbox();
  initRepository(work.join('repo'), 'archive', linuxSystem);
  const repository = Repository.open(work.join('repo'), linuxSystem);
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  await using batches = new BatchWriter(writer);
  const result = await importTar(decompressed(inPieces(bytes), 'a.tar'), batches, {
    ...OPTIONS,
    ...options,
  });
  const commit = writeCommit(writer, writeNewTree(writer, result.tree.finish()), { timestamp: 0 });
  writer.commit();
  const files: Record<string, unknown> = {};
  for (const node of walk(repository, rootOf(repository, commit))) {
    if (node.kind === 'directory') {
      const { mode, uid } = repository.dirmeta(node.meta);
      files[`${node.path}/`.replace('//', '/')] = `${mode.toString(8)} ${uid}`;
      continue;
    }
    const info = repository.content(node.checksum);
    const content: Buffer[] = [];
    await repository.readContent(node.checksum, (chunk) => content.push(Buffer.from(chunk)));
    const { mode, uid, target, xattrs } = info;
    files[node.path] = [
      mode.toString(8),
      uid,
      target || Buffer.concat(content).toString('latin1'),
      ...xattrs.flat(),
    ].join(' ');
  }
  return { files, skipped: result.skipped };
}

const of = (entries: readonly TarEntry[], options?: Partial<ImportOptions>) =>
  imported(tarOf(entries), options);

async function refuses(
  entries: readonly TarEntry[],
  message: RegExp,
  type: new (...args: never[]) => Error = FormatError,
) {
  await assert.rejects(of(entries), (error: Error) => error instanceof type && message.test(error.message));
}

const ROOT: TarEntry = { name: './', type: '5', mode: 0o755 };

describe('a tar archive', () => {
  it('becomes a tree with owners, modes, xattrs and hard links', async () => {
    const { files } = await of([
      ROOT,
      { name: './l0', type: '1', link: './d/f' },
      { name: './d/', type: '5', mode: 0o1777, uid: 5 },
      { name: './d/f', data: 'text', mode: 0, uid: 7, pax: { 'SCHILY.xattr.user.x': '\xff' } },
      { name: './l1', type: '1', link: './l2' },
      { name: './l2', type: '1', link: 'd/f' },
      { name: './s', type: '2', link: '../x', mode: 0 },
    ]);
    assert.deepEqual(files, {
      '/': '40755 0',
      '/d/': '41777 5',
      '/d/f': '100000 7 text user.x \xff',
      '/l0': '100000 7 text user.x \xff',
      '/l1': '100000 7 text user.x \xff',
      '/l2': '100000 7 text user.x \xff',
      '/s': '120777 0 ../x',
    });
  });

  it('may name no folders, or begin names with a slash', async () => {
    assert.deepEqual((await of([{ name: '/usr/bin/f', data: 'x' }])).files, {
      '/': '40755 0',
      '/usr/': '40755 0',
      '/usr/bin/': '40755 0',
      '/usr/bin/f': '100644 0 x',
    });
  });

  it('has the last of members of one name, as unpacking it would', async () => {
    const twice = [
      { name: 'f', data: '1' },
      { name: 'l', type: '1', link: 'f' },
      { name: 'f', data: '2' },
    ];
    assert.deepEqual((await of([ROOT, ...twice])).files, {
      '/': '40755 0',
      '/f': '100644 0 2',
      '/l': '100644 0 1',
    });
  });

  it('gives sparse files their holes back, in all forms', async () => {
    const map = '2\n3\n2\n6\n1\n'.padEnd(512, '\0');
    const { files } = await of([
      ROOT,
      {
        name: 'n',
        data: 'abc',
        pax: { 'GNU.sparse.size': '8', 'GNU.sparse.map': '3,2,6,1', 'GNU.sparse.name': 'a' },
      },
      {
        name: 'n',
        data: `${map}abc`,
        pax: {
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.realsize': '8',
          'GNU.sparse.name': 'b',
        },
      },
      {
        name: 'c',
        type: 'S',
        data: 'abc',
        patch: {
          257: 'ustar  \0',
          386: ['3', '2', '6', '1'].map((n) => n.padStart(11, '0')).join('\0'),
          483: '00000000010\0',
        },
      },
    ]);
    const content = '100644 0 \0\0\0ab\0c\0';
    assert.deepEqual([files['/a'], files['/b'], files['/c']], [content, content, content]);
  });

  it('is read in memory that does not grow with it, by threads that write as it comes', async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'bare-user-only', linuxSystem);
    using writer = await RepositoryWriter.open(Repository.open(work.join('repo'), linuxSystem), {
      fsync: false,
    });
    await using batches = new BatchWriter(writer, { threads: 2 });
    const small = tarOf([{ name: 'small', data: Buffer.alloc(1 << 20, 'small') }], { end: false });
    const large = tarOf([{ name: 'large', data: Buffer.alloc(24 << 20, 'large') }], { end: false });
    let most = 0;
    async function* archive(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 8; i++)
        for (const member of [...Array.from({ length: 12 }, () => small), large])
          for (let at = 0; at < member.length; at += 1 << 18) {
            yield member.subarray(at, at + (1 << 18));
            most = Math.max(most, process.memoryUsage().arrayBuffers);
          }
      yield Buffer.alloc(1024);
    }
    const before = process.memoryUsage().arrayBuffers;
    const limits = { entries: 1000, bytes: 1 << 30 };
    const { bytes } = await importTar(archive(), batches, { ...OPTIONS, limits });
    assert.equal(bytes, 8 * 36 * (1 << 20));
    // Three pieces of 2 MiB for each thread, what is being filled, and what the collector has not seen yet.
    assert(most - before < 40 << 20, `${(most - before) >> 20} MiB of 288`);
  });

  it('has its large holes written as they come, not kept for threads', async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'archive', linuxSystem);
    const repository = Repository.open(work.join('repo'), linuxSystem);
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    await using batches = new BatchWriter(writer, { threads: 2 });
    batches.begin = () => assert.fail('a hole went to a thread');
    const size = 3 << 20;
    const pax = { 'GNU.sparse.size': String(size), 'GNU.sparse.map': `${size - 1},1` };
    const { tree } = await importTar(
      inPieces(tarOf([ROOT, { name: 'f', data: 'x', pax }])),
      batches,
      OPTIONS,
    );
    const commit = writeCommit(writer, writeNewTree(writer, tree.finish()), { timestamp: 0 });
    writer.commit();
    const content: Buffer[] = [];
    for (const node of walk(repository, rootOf(repository, commit)))
      if (node.kind !== 'directory')
        await repository.readContent(node.checksum, (chunk) => content.push(Buffer.from(chunk)));
    assert(Buffer.concat(content).equals(Buffer.concat([Buffer.alloc(size - 1), Buffer.from('x')])));
  });

  it('may be compressed, in any number of members or frames', async () => {
    const bytes = tarOf([ROOT, { name: 'f', data: 'x'.repeat(5000) }]);
    const [a, b] = [bytes.subarray(0, 700), bytes.subarray(700)];
    const { files } = await imported(bytes);
    const skippable = Buffer.from('5f2a4d1803000000616263', 'hex');
    for (const compressed of [
      zlib.gzipSync(bytes),
      Buffer.concat([zlib.gzipSync(a), zlib.gzipSync(b)]),
      zlib.zstdCompressSync(bytes),
      Buffer.concat([skippable, zlib.zstdCompressSync(a), zlib.zstdCompressSync(b), skippable]),
    ])
      assert.deepEqual((await imported(compressed)).files, files);
  });

  it('leaves device nodes and FIFOs out where it is told to', async () => {
    const entries = [ROOT, { name: 'dev/null', type: '3' }, { name: 'fifo', type: '6' }];
    assert.deepEqual((await of(entries, { skipSpecial: true })).skipped, ['dev/null', 'fifo']);
    await refuses(entries, /a\.tar: dev\/null: a commit cannot hold a character device/, UnsupportedError);
  });
});

describe('a tar archive is refused', () => {
  it('when a path leads out, through a symlink, or is no text', async () => {
    await refuses([{ name: 'a/../b' }], /a\/\.\.\/b: leads out/);
    await refuses([{ name: 's', type: '2', link: 'd' }, { name: 's/f' }], /s\/f: s in its path is a symlink/);
    await refuses([{ name: 'f\xff' }], /f\\xff: name is not UTF-8/);
    await refuses(
      [
        { name: 's', type: '2', link: 'd' },
        { name: 'l', type: '1', link: 's/f' },
      ],
      /is looked for below a symlink/,
    );
    await refuses([{ name: 's', type: '2', link: 'a\xff' }], /UTF-8/);
    await refuses([{ name: './', data: 'x' }], /./);
  });

  it('when a file was a folder, or a folder a file', async () => {
    await refuses([{ name: 'd/f' }, { name: 'd' }], /d: a file, after it was a folder/);
    await refuses([{ name: 'd' }, { name: 'd/', type: '5' }], /d\/: d in its path is a file/);
  });

  it('when a hard link leads nowhere, in a circle, or to a folder', async () => {
    await refuses([{ name: 'l', type: '1', link: 'f' }], /l: hard link to f, which is not there/);
    const circle = [
      { name: 'a', type: '1', link: 'b' },
      { name: 'b', type: '1', link: 'a' },
    ];
    await refuses(circle, /a: hard link to b, which is not there/);
    await refuses(
      [
        { name: 'd/', type: '5' },
        { name: 'l', type: '1', link: 'd' },
      ],
      /l: hard link to the folder d/,
    );
  });

  it('when it comes to more than the limits, whatever it says of itself', async () => {
    const limits = { entries: 10, bytes: 1000 };
    const many = Array.from({ length: 11 }, (_, i) => ({ name: `f${i}` }));
    await assert.rejects(of(many, { limits }), /f10: more than 10 entries/);
    await assert.rejects(of([{ name: 'f', data: 'x'.repeat(1001) }], { limits }), /more than 1000 bytes/);
    const hole = { 'GNU.sparse.size': String(2 ** 50), 'GNU.sparse.map': '0,1' };
    await assert.rejects(of([{ name: 'f', data: 'x', pax: hole }], { limits }), OperationError);
  });

  it('when it is damaged or cut off, compressed or not', async () => {
    const bytes = tarOf([
      ROOT,
      { name: 'f', data: Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * i) & 255)) },
    ]);
    for (const compressed of [zlib.gzipSync(bytes), zlib.zstdCompressSync(bytes), bytes]) {
      await assert.rejects(imported(compressed.subarray(0, compressed.length / 2)), FormatError);
      await assert.rejects(imported(Buffer.concat([compressed, Buffer.from('garbage')])), FormatError);
    }
    await assert.rejects(imported(Buffer.from('BZh91AY&SY')), UnsupportedError);
    await assert.rejects(imported(Buffer.alloc(0)), FormatError);
  });

  it('and leaves nothing in the repository', async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'archive', linuxSystem);
    {
      using writer = await RepositoryWriter.open(Repository.open(work.join('repo'), linuxSystem));
      await using batches = new BatchWriter(writer);
      const bytes = tarOf([{ name: 'f', data: Buffer.alloc(2 << 20) }], { end: false });
      await assert.rejects(importTar(inPieces(bytes), batches, OPTIONS), FormatError);
      const broken = tarOf([{ name: 'f', data: Buffer.alloc(2 << 20) }]).subarray(0, 1 << 20);
      await assert.rejects(importTar(inPieces(broken), batches, OPTIONS), FormatError);
    }
    assert.deepEqual(readdirSync(work.join('repo/tmp')), ['cache']);
    assert.deepEqual(readdirSync(work.join('repo/objects')), []);
  });
});
