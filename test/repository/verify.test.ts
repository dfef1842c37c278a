/** Checking a whole repository: what is damaged is found, here and in threads, and what is whole is called so. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { InterruptedError } from '../../src/base/errors.ts';
import { Progress, silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { initRepository } from '../../src/repository/init.ts';
import { type ObjectType, Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile, sourceSymlink } from '../../src/repository/source.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { verifyRepository } from '../../src/repository/verify.ts';
import { type Depth, ObjectChecker } from '../../src/repository/verify-content.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { allowThreads } from '../support/played-threads.ts';
import { Sandbox } from '../support/sandbox.ts';

const FEW = 4;
/** More than two lists for threads. */
const MANY = 600;

describe('a repository', () => {
  let work: Sandbox;
  let repository: Repository;
  let commit: Checksum;

  beforeEach(async () => {
    work = new Sandbox({ inMemory: true });
    await make(FEW);
  });

  /** Makes the repository, with so many files in one of its folders. */
  async function make(files: number): Promise<void> {
    rmSync(work.join('repo'), { recursive: true, force: true });
    initRepository(work.join('repo'), 'archive', linuxSystem);
    repository = Repository.open(work.join('repo'), linuxSystem);
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    const names = Array.from({ length: files }, (_, i) => [`f${i}`, sourceFile(`content ${i}`)]);
    const tree = sourceDirectory({
      etc: sourceDirectory({
        empty: sourceFile(''),
        motd: sourceFile('welcome\n'),
        link: sourceSymlink('motd'),
      }),
      many: sourceDirectory(Object.fromEntries(names)),
    });
    commit = await writeCommitOf(writer, tree, { timestamp: 1, ref: 'main' });
    writer.commit();
    repository = Repository.open(work.join('repo'), linuxSystem);
  }

  afterEach(() => work.dispose());

  async function verify(depth: Depth, threads = 0) {
    const report = await verifyRepository(Repository.open(repository.path, linuxSystem), {
      depth,
      progress: silent(),
      threads,
    });
    return { ...report, found: report.problems.map(({ severity, code, where }) => [severity, code, where]) };
  }

  const checksumOf = (path: string): Checksum => {
    const node = lookup(repository, rootOf(repository, commit), path as never);
    return node.kind === 'file' ? node.checksum : node.tree;
  };

  /** Changes the last byte of an object. */
  function damage(checksum: Checksum, type: ObjectType): void {
    const path = repository.objectPath(checksum, type);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(path, bytes);
  }

  it('has an empty file whose compressed form is cut off', async () => {
    const empty = checksumOf('/etc/empty');
    const path = repository.objectPath(empty, 'file');
    writeFileSync(path, readFileSync(path).subarray(0, -2));
    assert.deepEqual((await verify('deep')).found, [['error', 'object-damaged', `object ${empty}.file`]]);
  });

  for (const [threads, files] of [
    [0, FEW],
    [2, MANY],
  ] as const)
    it(`is whole, says each depth with ${threads} threads`, async () => {
      await make(files);
      for (const depth of ['metadata', 'deep', 'paranoid'] as const) {
        const { found, refs, commits, objects, objectsRead } = await verify(depth, threads);
        assert.deepEqual(found, []);
        // Three folders of the same attributes, a commit, and the symlink.
        assert.deepEqual([refs, commits, objects], [1, 1, files + 8]);
        assert.equal(objectsRead, depth === 'metadata' ? 0 : objects);
      }
    });

  for (const [threads, files] of [
    [0, FEW],
    [2, MANY],
  ] as const)
    it(`has damaged content, which only reading finds, with ${threads} threads`, async () => {
      await make(files);
      const checksum = checksumOf(`/many/f${files / 2}`);
      const path = repository.objectPath(checksum, 'file');
      const other = readFileSync(repository.objectPath(checksumOf('/many/f1'), 'file'));
      writeFileSync(path, other);
      assert.deepEqual((await verify('metadata')).found, []);
      const { found, problems } = await verify('deep', threads);
      assert.deepEqual(found, [['error', 'object-corrupt', `object ${checksum}.file`]]);
      assert.match(
        problems[0]?.message ?? '',
        new RegExp(`content and metadata hash to ${checksumOf('/many/f1')}`),
      );
    });

  it('is verified by as many threads as the system has for it, or by none', async () => {
    await make(MANY);
    const checksum = checksumOf('/many/f1');
    damage(checksum, 'file');
    for (const allowed of [0, 1]) {
      using _ = allowThreads(allowed);
      const { found, objectsRead } = await verify('deep', 3);
      assert.deepEqual(found, [['error', 'object-damaged', `object ${checksum}.file`]]);
      assert.equal(objectsRead, MANY + 8);
    }
  });

  it('has a damaged header or stream of content', async () => {
    const checksum = checksumOf('/etc/motd');
    const path = repository.objectPath(checksum, 'file');
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    const { found } = await verify('deep');
    assert.deepEqual(found, [['error', 'object-damaged', `object ${checksum}.file`]]);
  });

  for (const type of ['dirtree', 'dirmeta', 'commit'] as const)
    it(`has a damaged ${type}`, async () => {
      const { rootMeta } = repository.commit(commit);
      const checksum = { dirtree: checksumOf('/etc'), dirmeta: rootMeta, commit }[type];
      damage(checksum, type);
      for (const depth of ['metadata', 'deep'] as const) {
        const { found } = await verify(depth);
        assert.deepEqual(found, [['error', 'object-damaged', `object ${checksum}.${type}`]], depth);
      }
    });

  it('lacks content, and says which commit needs it', async () => {
    const checksum = checksumOf('/etc/motd');
    rmSync(repository.objectPath(checksum, 'file'));
    for (const depth of ['metadata', 'deep'] as const) {
      const { found, problems } = await verify(depth);
      assert.deepEqual(found, [['error', 'object-missing', `object ${checksum}.file`]]);
      assert.match(problems[0]?.message ?? '', new RegExp(commit));
    }
  });

  it('lacks a folder with all that is in it', async () => {
    rmSync(repository.objectPath(checksumOf('/many'), 'dirtree'));
    const { found } = await verify('deep');
    assert.equal(found.length, 1);
    assert.equal(found[0]?.[1], 'object-missing');
  });

  it('has a commit that was not fetched completely: nothing is called right, and nothing wrong', async () => {
    rmSync(repository.objectPath(checksumOf('/etc/motd'), 'file'));
    work.write(`repo/state/${commit}.commitpartial`, '');
    const { found, problems } = await verify('deep');
    assert.deepEqual(found, [['unchecked', 'commit-partial', `commit ${commit}`]]);
    assert.match(problems[0]?.message ?? '', /1 of the objects/);
  });

  it('has a ref that names nothing', async () => {
    work.write('repo/refs/heads/gone', `${'5'.repeat(64)}\n`);
    assert.deepEqual((await verify('metadata')).found, [['error', 'ref-dangling', 'ref gone']]);
  });

  it('has damaged objects that no commit needs', async () => {
    rmSync(work.join('repo/refs/heads/main'));
    const tree = checksumOf('/etc');
    rmSync(repository.objectPath(commit, 'commit'));
    damage(tree, 'dirtree');
    const { found } = await verify('deep');
    assert.deepEqual(
      found.map(([, , where]) => where),
      [`object ${tree}.dirtree`],
    );
  });

  it('has objects in its parent, which are checked too', async () => {
    initRepository(work.join('child'), 'archive', linuxSystem);
    const config = readFileSync(work.join('child/config'), 'utf8');
    work.write('child/config', `${config}parent=${repository.path}\n`);
    work.write('child/refs/heads/main', `${commit}\n`);
    const checksum = checksumOf('/many/f1');
    const options = { depth: 'deep', progress: silent(), threads: 0 } as const;
    const child = () => Repository.open(work.join('child'), linuxSystem);
    const whole = await verifyRepository(child(), options);
    assert.deepEqual([whole.problems, whole.objectsRead], [[], FEW + 8]);
    writeFileSync(
      repository.objectPath(checksum, 'file'),
      readFileSync(repository.objectPath(checksumOf('/many/f2'), 'file')),
    );
    const { problems } = await verifyRepository(child(), options);
    assert.deepEqual(
      problems.map(({ where }) => where),
      [`object ${checksum}.file`],
    );
  });

  it('can be left before all of it was read', async () => {
    await make(MANY);
    for (const threads of [0, 2]) {
      const controller = new AbortController();
      const progress = new Progress({
        signal: controller.signal,
        intervalMs: 0,
        onChange: (stage) => void (stage?.name === 'reading objects' && controller.abort()),
      });
      const work = verifyRepository(repository, { depth: 'deep', progress, threads });
      await assert.rejects(work, InterruptedError);
    }
  });

  for (const [seesAll, severity] of [
    [true, 'error'],
    [false, 'unchecked'],
  ] as const)
    it(`has content with another checksum: ${severity} where ${seesAll ? 'all' : 'not all'} xattrs are seen`, async () => {
      initRepository(work.join('bare'), 'bare', linuxSystem);
      const bare = Repository.open(work.join('bare'), { ...linuxSystem, seesTrustedXattrs: () => seesAll });
      using writer = await RepositoryWriter.open(bare, { fsync: false });
      const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
      const tree = sourceDirectory({ file: sourceFile('as it was', { uid, gid }) }, { uid, gid });
      const main = await writeCommitOf(writer, tree, { timestamp: 1, ref: 'main' });
      writer.commit();
      const check = () => verifyRepository(bare, { depth: 'deep', progress: silent(), threads: 0 });
      assert.deepEqual((await check()).problems, []);
      const node = lookup(bare, rootOf(bare, main), '/file' as never);
      assert(node.kind === 'file');
      writeFileSync(bare.objectPath(node.checksum, 'file'), 'as it is');
      const found = (await check()).problems.map((problem) => [problem.severity, problem.code]);
      assert.deepEqual(found, [[severity, 'object-corrupt']]);
      const { rootTree } = bare.commit(main);
      writeFileSync(bare.objectPath(rootTree, 'dirtree'), 'no tree');
      const { problems } = await new ObjectChecker(bare, 'deep').check([
        { checksum: rootTree, type: 'dirtree' },
      ]);
      assert.deepEqual(
        problems.map((problem) => [problem.severity, problem.code]),
        [['error', 'object-damaged']],
      );
    });

  it('is checked by the second engine where that was asked for', async () => {
    const checksum = checksumOf('/etc/motd');
    for (const depth of ['deep', 'paranoid'] as const) {
      const { problems, bytes } = await new ObjectChecker(repository, depth, () => true).check([
        { checksum, type: 'file' },
        { checksum: commit, type: 'commit' },
      ]);
      assert.deepEqual(problems, []);
      assert.ok(bytes > 8);
    }
  });
});
