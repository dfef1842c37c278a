/** What the writer leaves behind is what ostree itself would have written. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile, sourceSymlink } from '../../src/repository/source.ts';
import { directorySource } from '../../src/repository/source-directory.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { type CommitOptions, writeCommitOf } from '../../src/repository/write-commit.ts';
import { makeDiskTree } from '../support/disk-tree.ts';
import { describeSystem, oracle } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { walk } from '../support/walk.ts';

const MODES = ['bare', 'bare-user', 'archive', 'bare-user-only'] as const;
const TIMESTAMP = 1_700_000_000;

/** Commits a folder with our writer and returns the commit. */
async function commitFolder(
  repositoryPath: string,
  folder: string,
  options: Partial<CommitOptions> = {},
): Promise<Checksum> {
  using writer = await RepositoryWriter.open(Repository.open(repositoryPath, linuxSystem), { fsync: false });
  const commit = await writeCommitOf(writer, directorySource(folder, linuxSystem), {
    timestamp: TIMESTAMP,
    subject: 'a tree',
    body: 'of many files',
    ref: 'test/main',
    ...options,
  });
  writer.commit();
  return commit;
}

const COMMIT = `ostree --repo="$1" commit --branch=test/main --subject='a tree' --body='of many files' \\
  --timestamp=@${TIMESTAMP} --no-bindings --tree=dir="$2"`;

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes);

/** Every object of a repository with what the file system says of it, but for inode numbers and deflate's choices. */
function objectsOf(repository: string, mode: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, path, stats } of walk(join(repository, 'objects'))) {
    if (stats.isDirectory()) continue;
    const { mode: bits, uid, gid, size, mtimeMs } = stats;
    const isContent = name.endsWith('.file');
    const xattrs = isContent
      ? linuxSystem.listxattr(path).map((xattr) => [xattr, linuxSystem.getxattr(path, xattr)])
      : [];
    const body = stats.isSymbolicLink()
      ? readlinkSync(path, 'latin1')
      : mode === 'archive' && name.endsWith('.filez')
        ? ''
        : sha256(readFileSync(path));
    // ostree gives an mtime of its own to regular content objects only.
    const mtime = isContent && stats.isFile() ? mtimeMs : undefined;
    const length = name.endsWith('.filez') ? undefined : size;
    found.set(name, JSON.stringify({ bits, uid, gid, length, mtime, xattrs, body }));
  }
  return found;
}

function assertSameObjects(ours: ReadonlyMap<string, string>, theirs: ReadonlyMap<string, string>): void {
  const names = [...new Set([...ours.keys(), ...theirs.keys()])];
  const different = names.filter((name) => ours.get(name) !== theirs.get(name));
  const report = different.slice(0, 5).map((name) => `${name}\n  ${ours.get(name)}\n  ${theirs.get(name)}`);
  assert.equal(report.join('\n'), '');
}

describeSystem('the repository writer', ['sid', 'bookworm'], () => {
  const sid = oracle('sid');

  for (const mode of MODES) {
    it(`makes a ${mode} repository with the files and folders ostree init makes`, () => {
      using work = new Sandbox();
      initRepository(work.join('ours'), mode, linuxSystem);
      sid.run(['ostree', 'init', `--repo=${work.join('theirs')}`, `--mode=${mode}`]);
      const list = (path: string) => walk(path).map(({ name, stats }) => `${name} ${stats.mode.toString(8)}`);
      assert.deepEqual(list(work.join('ours')), list(work.join('theirs')));
      assert.equal(
        readFileSync(work.join('ours/config'), 'utf8'),
        readFileSync(work.join('theirs/config'), 'utf8'),
      );
    });

    for (const seed of [1, 2, 3]) {
      it(`commits random tree ${seed} into a ${mode} repository as ostree commit does, object by object`, async () => {
        using work = new Sandbox();
        makeDiskTree(new Random(seed * 1009 + mode.length), work.join('tree'), { entries: 120 });
        initRepository(work.join('ours'), mode, linuxSystem);
        const commit = await commitFolder(work.join('ours'), work.join('tree'));
        const { stdout } = sid.runScript(
          `ostree init --repo="$1" --mode=${mode} >/dev/null; ${COMMIT}; ostree fsck --quiet --repo="$3" >&2`,
          [work.join('theirs'), work.join('tree'), work.join('ours')],
        );
        assert.equal(commit, stdout.trim());
        assertSameObjects(objectsOf(work.join('ours'), mode), objectsOf(work.join('theirs'), mode));
      });
    }
  }

  it('writes what the ostree of 2022 accepts and checks out as it was', async () => {
    using work = new Sandbox();
    makeDiskTree(new Random(7), work.join('tree'), { entries: 80 });
    for (const mode of ['bare', 'archive']) {
      initRepository(work.join(mode), mode as 'bare', linuxSystem);
      const commit = await commitFolder(work.join(mode), work.join('tree'));
      const { stdout } = oracle('bookworm').runScript(
        `ostree fsck --quiet --repo="$1"; ostree checkout --repo="$1" test/main "$1.out"
         ostree init --repo="$1.again" --mode=bare >/dev/null
         ${COMMIT.replace('"$1"', '"$1.again"').replace('"$2"', '"$1.out"')}`,
        [work.join(mode)],
      );
      assert.equal(stdout.trim().split('\n').at(-1), commit);
    }
  });

  it('streams a file larger than its buffers, in every mode, and reads it back', async () => {
    using work = new Sandbox();
    const size = 9 * 1024 * 1024 + 4097;
    const folder = work.mkdir('tree');
    const fd = openSync(join(folder, 'large'), 'w', 0o644);
    ftruncateSync(fd, size);
    for (let at = 0; at < size; at += 777_777) writeSync(fd, `block at ${at}`, at);
    closeSync(fd);
    const checksums = new Set<string>();
    for (const mode of ['bare', 'bare-user', 'archive'] as const) {
      initRepository(work.join(mode), mode, linuxSystem);
      checksums.add(await commitFolder(work.join(mode), folder));
      sid.runScript(
        'ostree fsck --quiet --repo="$1"; ostree cat --repo="$1" test/main /large | cmp - "$2"/large',
        [work.join(mode), folder],
      );
    }
    assert.equal(checksums.size, 1);
  });

  it('commits a tree from memory with history and metadata, and commits as ostree does', async () => {
    using work = new Sandbox();
    const repo = work.join('repo');
    initRepository(repo, 'bare-user', linuxSystem);
    const tree = (version: string) =>
      sourceDirectory({
        usr: sourceDirectory({
          bin: sourceDirectory({
            tool: sourceFile(`#!/bin/sh\necho ${version}\n`, {
              permissions: 0o4755,
              uid: 7,
              gid: 8,
              xattrs: [['user.note' as ByteString, '\0\xff' as ByteString]],
            }),
            link: sourceSymlink('tool'),
          }),
        }),
        empty: sourceFile(''),
        'naïve name': sourceFile('x', { permissions: 0o600 }),
      });
    const commits: Checksum[] = [];
    for (const version of ['1', '2', '3']) {
      using writer = await RepositoryWriter.open(Repository.open(repo, linuxSystem));
      const parent = commits.at(-1);
      commits.push(
        await writeCommitOf(writer, tree(version), {
          ...(parent === undefined ? {} : { parent }),
          timestamp: TIMESTAMP + Number(version),
          subject: `version ${version}`,
          metadata: new Map([['version', { type: 's', value: version as ByteString }]]),
          ref: 'os/main',
        }),
      );
      writer.commit();
    }
    assert.equal(new Set(commits).size, 3);
    const { stdout } = sid.runScript(
      `ostree fsck --quiet --repo="$1" >&2
       ostree log --repo="$1" os/main | grep ^commit
       ostree commit --repo="$1" --branch=again --subject='version 1' --timestamp=@${TIMESTAMP + 1} --no-bindings \\
         --add-metadata-string=version=1 --tree=ref=os/main^^`,
      [repo],
    );
    const lines = stdout.trim().split('\n');
    assert.deepEqual(
      lines.slice(0, 3),
      commits.toReversed().map((commit) => `commit ${commit}`),
    );
    assert.equal(lines.at(-1), commits[0]);
  });

  it('takes an xattr without a value for none, as ostree does', async () => {
    using work = new Sandbox();
    const repo = work.join('repo');
    work.write('tree/file', 'content');
    initRepository(repo, 'bare', linuxSystem);
    const without = await commitFolder(repo, work.mkdir('tree'));
    linuxSystem.setxattr(work.join('tree/file'), 'user.empty' as ByteString, '' as ByteString);
    assert.equal(await commitFolder(repo, work.join('tree')), without);
    const repository = Repository.open(repo, linuxSystem);
    for (const { checksum, type } of repository.listObjects()) {
      if (type !== 'file') continue;
      linuxSystem.setxattr(
        repository.objectPath(checksum, type),
        'user.empty' as ByteString,
        '' as ByteString,
      );
      assert.equal((await repository.verifyContent(checksum)).ok, true);
    }
    sid.run(['ostree', 'fsck', '--quiet', `--repo=${repo}`]);
  });

  it('keeps an object that is there, and leaves nothing behind when a transaction is given up', async () => {
    using work = new Sandbox();
    const repo = work.join('repo');
    makeDiskTree(new Random(5), work.join('tree'), { entries: 40 });
    initRepository(repo, 'bare', linuxSystem);
    await commitFolder(repo, work.join('tree'));
    const inodes = () => walk(join(repo, 'objects')).map(({ name, stats }) => `${name} ${stats.ino}`);
    const before = inodes();
    await commitFolder(repo, work.join('tree'));
    assert.deepEqual(inodes(), before);

    const writer = await RepositoryWriter.open(Repository.open(repo, linuxSystem));
    writer.writeFile({ uid: 1, gid: 1, mode: 0o100644, xattrs: [] }, sourceFile('given up').content);
    writer.setRef('given/up', '0'.repeat(64) as Checksum);
    writer.close();
    assert.deepEqual(inodes(), before);
    assert.deepEqual(readdirSync(join(repo, 'tmp')), ['cache']);
    assert.equal(readdirSync(join(repo, 'refs/heads')).includes('given'), false);
  });

  it('lets ostree pull from its archive repository and from its bare ones', async () => {
    using work = new Sandbox();
    makeDiskTree(new Random(11), work.join('tree'), { entries: 60 });
    for (const mode of ['bare', 'bare-user', 'archive'] as const) {
      initRepository(work.join(mode), mode, linuxSystem);
      const commit = await commitFolder(work.join(mode), work.join('tree'));
      const { stdout } = sid.runScript(
        `ostree init --repo="$1.pulled" --mode=bare-user >/dev/null
         ostree pull-local --repo="$1.pulled" "$1" test/main >/dev/null
         ostree fsck --quiet --repo="$1.pulled" >&2; ostree rev-parse --repo="$1.pulled" test/main`,
        [work.join(mode)],
      );
      assert.equal(stdout.trim(), commit);
    }
  });
});
