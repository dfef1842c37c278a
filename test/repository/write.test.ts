/** The writer without ostree and without root: what it writes is read back, and what it refuses leaves nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import {
  FormatError,
  InterruptedError,
  IoError,
  OperationError,
  UnsupportedError,
  UsageError,
} from '../../src/base/errors.ts';
import { Progress } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository, type RepositoryMode } from '../../src/repository/repository.ts';
import {
  type SourceDirectory,
  sourceDirectory,
  sourceFile,
  sourceSymlink,
} from '../../src/repository/source.ts';
import { directorySource } from '../../src/repository/source-directory.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf, writeTree } from '../../src/repository/write-commit.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { walk } from '../support/walk.ts';

function makeRepository(work: Sandbox, mode: RepositoryMode = 'archive'): Repository {
  initRepository(work.join('repo'), mode, linuxSystem);
  return Repository.open(work.join('repo'), linuxSystem);
}

const begin = (repository: Repository): Promise<RepositoryWriter> =>
  RepositoryWriter.open(repository, { fsync: false });

async function commit(repository: Repository, tree: SourceDirectory, ref = 'os/main'): Promise<Checksum> {
  using writer = await begin(repository);
  const checksum = await writeCommitOf(writer, tree, { timestamp: 1, ref });
  writer.commit();
  return checksum;
}

/** All names in a repository but its folders. */
const filesOf = (repository: Repository): string[] =>
  walk(repository.path)
    .filter(({ stats }) => !stats.isDirectory())
    .map(({ name }) => name);

async function read(repository: Repository, checksum: Checksum): Promise<string> {
  const chunks: Buffer[] = [];
  await repository.readContent(checksum, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks).toString('latin1');
}

const TREE = sourceDirectory({
  usr: sourceDirectory({
    tool: sourceFile('#!/bin/sh\n', {
      permissions: 0o4755,
      uid: 1000,
      gid: 1001,
      xattrs: [['user.foo' as ByteString, 'bar' as ByteString]],
    }),
    link: sourceSymlink('tool'),
    empty: sourceFile(''),
  }),
});

describe('the repository writer', () => {
  it('gives the checksums that are known', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    using writer = await begin(repository);
    // A folder 0:0 0755 without xattrs: in nearly every repository there is.
    assert.equal(
      writer.writeDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] }),
      '446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488',
    );
  });

  for (const mode of ['archive', 'bare-user', 'bare-user-only'] as const) {
    it(`reads back from ${mode} what it wrote`, async () => {
      using work = new Sandbox();
      const repository = makeRepository(work, mode);
      const { rootTree } = repository.commit(await commit(repository, TREE));
      const usr = repository.dirtree(repository.dirtree(rootTree).dirs[0]!.tree);
      assert.deepEqual(
        usr.files.map(({ name }) => name),
        ['empty', 'link', 'tool'],
      );
      const [empty, link, tool] = usr.files.map(({ checksum }) => checksum) as [Checksum, Checksum, Checksum];
      const keepsAll = mode !== 'bare-user-only';
      assert.deepEqual(repository.content(tool), {
        uid: keepsAll ? 1000 : 0,
        gid: keepsAll ? 1001 : 0,
        mode: keepsAll ? 0o104755 : 0o100755,
        target: '',
        xattrs: keepsAll ? [['user.foo', 'bar']] : [],
        size: 10,
      });
      assert.equal(repository.content(link).target, 'tool');
      assert.equal(await read(repository, tool), '#!/bin/sh\n');
      assert.equal(await read(repository, empty), '');
      assert.equal(repository.resolve('os/main'), await commit(repository, TREE));
      for (const { checksum, type } of repository.listObjects())
        if (type === 'file') assert.equal((await repository.verifyContent(checksum)).ok, true);
    });
  }

  it('writes the same object once, and none that is there', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work, 'bare-user');
    const twice = sourceDirectory({ a: sourceFile('same'), b: sourceFile('same') });
    await commit(repository, twice);
    const before = walk(repository.path).map(({ name, stats }) => `${name} ${stats.ino}`);
    await commit(repository, twice);
    const objects = (lines: string[]) => lines.filter((line) => line.startsWith('objects/'));
    assert.deepEqual(
      objects(walk(repository.path).map(({ name, stats }) => `${name} ${stats.ino}`)),
      objects(before),
    );
    assert.equal(filesOf(repository).filter((name) => name.endsWith('.file')).length, 1);
  });

  it('shows nothing before it is committed, and nothing of what was given up', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const before = filesOf(repository);
    const writer = await begin(repository);
    await writeCommitOf(writer, TREE, { timestamp: 1, ref: 'os/main' });
    assert.deepEqual(
      filesOf(repository).filter((name) => name.startsWith('objects/') || name.startsWith('refs/')),
      [],
    );
    writer.close();
    assert.deepEqual(filesOf(repository), [...before, '.lock'].sort());
    writer.close();
  });

  it('stops where it is told to', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const controller = new AbortController();
    controller.abort();
    using writer = await begin(repository);
    await assert.rejects(
      writeTree(writer, TREE, new Progress({ signal: controller.signal })),
      InterruptedError,
    );
  });

  it('makes objects that everybody may read, whatever the umask', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const before = process.umask(0o077);
    try {
      await commit(repository, TREE);
    } finally {
      process.umask(before);
    }
    for (const name of filesOf(repository).filter((name) => /^(objects|refs)\//.test(name)))
      assert.equal(lstatSync(work.join('repo', name)).mode & 0o777, 0o644, name);
  });

  it('writes a large file in pieces, deflated as one stream', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const piece = Buffer.alloc(700_001, 'abc');
    const content = {
      size: piece.length * 4,
      *chunks() {
        for (let i = 0; i < 4; i++) yield piece;
      },
    };
    using writer = await begin(repository);
    const checksum = writer.writeFile({ uid: 0, gid: 0, mode: 0o100644, xattrs: [] }, content);
    writer.commit();
    const hash = await read(repository, checksum);
    assert.equal(hash.length, content.size);
    assert.equal((await repository.verifyContent(checksum)).ok, true);
  });

  const REFS = [
    '',
    '/',
    'a//b',
    '../a',
    'a/../b',
    'a/',
    '-a',
    'a b',
    ':a',
    'x:',
    'x:y:z',
    '.a',
    'é',
    '0'.repeat(64),
  ];
  it('refuses names that cannot be refs', async () => {
    using work = new Sandbox();
    using writer = await begin(makeRepository(work));
    for (const name of REFS)
      assert.throws(() => writer.setRef(name, '0'.repeat(64) as Checksum), UsageError, name);
  });

  it('writes refs of remotes, and replaces refs', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const first = await commit(repository, TREE, 'origin:os/x86_64/main');
    assert.equal(readFileSync(work.join('repo/refs/remotes/origin/os/x86_64/main'), 'utf8'), `${first}\n`);
    const second = await commit(repository, sourceDirectory({}), 'origin:os/x86_64/main');
    assert.equal(repository.resolve('origin:os/x86_64/main'), second);
    assert.deepEqual(readdirSync(work.join('repo/tmp')), ['cache']);
  });

  it('flushes objects before they get their names, names before refs, and folders of refs last', async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'archive', linuxSystem);
    const system = faultSystem(linuxSystem);
    using writer = await RepositoryWriter.open(Repository.open(work.join('repo'), system));
    await writeCommitOf(writer, TREE, { timestamp: 1, ref: 'os/main' });
    const before = system.steps.length;
    writer.commit();
    const steps = system.steps.slice(before).map(({ call, subject }) => {
      const [, folder = ''] = subject.match(/repo\/(tmp|objects|refs.*)/) ?? [];
      return `${call} ${folder}`.trim();
    });
    const order = [
      'syncfs tmp',
      'renameIfAbsent tmp',
      'fsyncDirectory objects',
      'mkdir refs/heads/os',
      'fsyncDirectory refs/heads',
      'fsync',
      'rename tmp',
      'fsyncDirectory refs/heads/os',
    ];
    assert.deepEqual(
      order.map((step) => steps.indexOf(step)),
      order.map((step) => steps.indexOf(step)).toSorted((a, b) => a - b),
    );
    assert.ok(
      order.every((step) => steps.includes(step)),
      steps.join('\n'),
    );
    assert.ok(steps.lastIndexOf('renameIfAbsent tmp') < steps.indexOf('fsyncDirectory objects'));
  });

  it('lets go of the lock even when it cannot clean up', async () => {
    using work = new Sandbox();
    initRepository(work.join('repo'), 'archive', linuxSystem);
    let released = false;
    const system: System = {
      ...linuxSystem,
      lock: async (path) => ({
        path,
        release() {
          released = true;
        },
      }),
      rmdir(path) {
        throw new IoError('remove the folder', path.toString(), 'EIO');
      },
    };
    const writer = await RepositoryWriter.open(Repository.open(work.join('repo'), system), { fsync: false });
    await writeTree(writer, TREE);
    assert.throws(() => writer.close(), IoError);
    assert.ok(released);
  });

  it('refuses what ostree could not hold, and leaves no object behind', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    const odd: readonly (readonly [SourceDirectory, RegExp])[] = [
      [sourceDirectory(new Map([['\xff' as ByteString, sourceFile('x')]])), /UTF-8/],
      [sourceDirectory({ 'a/b': sourceFile('x') }), /not a file name/],
      [sourceDirectory({ '': sourceFile('x') }), /not a file name/],
      [sourceDirectory({ '..': sourceDirectory({}) }), /not a file name/],
      [sourceDirectory({ link: sourceSymlink('') }), /without a target/],
      [sourceDirectory({ a: sourceFile({ size: 3, chunks: () => [Buffer.from('ab')] }) }), /not as long/],
      [sourceDirectory({ a: sourceFile({ size: 1, chunks: () => [Buffer.from('ab')] }) }), /not as long/],
    ];
    for (const [tree, message] of odd) {
      using writer = await begin(repository);
      await assert.rejects(
        writeTree(writer, tree),
        (error) => error instanceof FormatError && message.test(error.message),
      );
    }
    assert.deepEqual(filesOf(repository), ['.lock', 'config']);
  });

  it('notices content that changes while it is read', async () => {
    using work = new Sandbox();
    using writer = await begin(makeRepository(work));
    let reads = 0;
    const content = { size: 1, chunks: () => [Buffer.from(String(reads++))] };
    assert.throws(
      () => writer.writeFile({ uid: 0, gid: 0, mode: 0o100644, xattrs: [] }, content),
      /second time/,
    );
  });

  it('refuses xattrs that a bare repository would lose, and modes it only reads', async () => {
    using work = new Sandbox();
    initRepository(work.join('bare'), 'bare', linuxSystem);
    using writer = await begin(Repository.open(work.join('bare'), linuxSystem));
    const file = {
      uid: 0,
      gid: 0,
      mode: 0o100644,
      xattrs: [['user.empty' as ByteString, '' as ByteString]],
    } as const;
    assert.throws(() => writer.writeFile(file, sourceFile('x').content), UnsupportedError);
    initRepository(work.join('split'), 'bare-split-xattrs', linuxSystem);
    await assert.rejects(begin(Repository.open(work.join('split'), linuxSystem)), UnsupportedError);
  });

  it('makes no repository where something is', () => {
    using work = new Sandbox();
    work.write('repo/file', '');
    assert.throws(() => initRepository(work.join('repo'), 'archive', linuxSystem), OperationError);
    initRepository(work.mkdir('empty'), 'archive', linuxSystem);
  });
});

describe('a folder as a tree', () => {
  it('is committed with modes and link targets, and a fifo is refused', async () => {
    using work = new Sandbox();
    const repository = makeRepository(work);
    work.write('tree/a/file', 'content');
    chmodSync(work.join('tree/a/file'), 0o640);
    symlinkSync('file', work.join('tree/a/link'));
    const { rootTree } = repository.commit(
      await commit(repository, directorySource(work.join('tree'), linuxSystem)),
    );
    const { files } = repository.dirtree(repository.dirtree(rootTree).dirs[0]!.tree);
    assert.deepEqual(
      files.map(({ name, checksum }) => [
        name,
        repository.content(checksum).mode,
        repository.content(checksum).target,
      ]),
      [
        ['file', 0o100640, ''],
        ['link', 0o120777, 'file'],
      ],
    );
    assert.throws(() => directorySource(work.join('tree/a/file'), linuxSystem), UsageError);
    execFileSync('mkfifo', [work.join('tree/fifo')]);
    await assert.rejects(
      commit(repository, directorySource(work.join('tree'), linuxSystem)),
      /cannot hold a fifo/,
    );
  });

  it('refuses a file that shrinks while it is read', async () => {
    using work = new Sandbox();
    mkdirSync(work.join('tree'));
    writeFileSync(work.join('tree/file'), 'long enough');
    const tree = directorySource(work.join('tree'), linuxSystem);
    const entries = [...tree.entries()];
    writeFileSync(work.join('tree/file'), 'short');
    using writer = await begin(makeRepository(work));
    const shrunk: SourceDirectory = { ...tree, entries: () => entries };
    await assert.rejects(writeTree(writer, shrunk), /changed while it was read/);
  });
});
