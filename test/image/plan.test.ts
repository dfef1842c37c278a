/** What an image is planned from: what is known of objects already, and what is learnt of the others. */
import assert from 'node:assert/strict';
import { mkdirSync, unlinkSync } from 'node:fs';
import { test } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { NotFoundError, UnsupportedError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type BuiltImage, buildImage } from '../../src/image/plan.ts';
import { objectsRead } from '../../src/image/reread-objects.ts';
import { type ContentTable, Known } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import { readObjectInfo, writeObjectInfo } from '../../src/repository/object-info.ts';
import { Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { MemoryRepository } from '../support/memory-repository.ts';
import { Sandbox } from '../support/sandbox.ts';

test('an object is believed only as far as nothing was learnt of it in this run', async () => {
  using work = new Sandbox();
  initRepository(work.join('repo'), 'bare-user-only', linuxSystem);
  const repository = Repository.open(work.join('repo'), linuxSystem);
  const write = async (names: readonly string[]): Promise<Checksum> => {
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    const tree = sourceDirectory(
      Object.fromEntries(names.map((name) => [name, sourceFile(`content of ${name}`)])),
    );
    const commit = await writeCommitOf(writer, tree, { timestamp: 1 });
    writer.commit();
    return commit;
  };
  const progress = silent();
  const first = await write(['known', 'no digest', 'forgotten']);
  const second = await write(['known', 'no digest', 'forgotten', 'new']);
  const { objects } = await buildImage(repository, first, { progress });
  assert.equal(objects.learnt, 3);
  mkdirSync(`${repository.path}/extensions/sealtree`, { recursive: true });
  writeObjectInfo(repository, objects.table, [objects.rows]);

  const checksumOf = (name: string): Checksum => {
    const node = lookup(repository, rootOf(repository, second), `/${name}` as never);
    assert(node.kind === 'file');
    return node.checksum;
  };
  const known = readObjectInfo(repository) as ContentTable;
  known.columns.known[known.row(checksumOf('no digest'))]! &= ~Known.digest;
  known.forget(known.row(checksumOf('forgotten')));
  const image = await buildImage(repository, second, { known, progress });
  assert.equal(image.objects.learnt, 3);
  const readAgain = ({ objects: { table, rows } }: BuiltImage): Checksum[] =>
    Array.from(objectsRead(table, rows).rows, (row) => table.checksum(row)).sort();
  assert.deepEqual(readAgain(image), ['no digest', 'forgotten', 'new'].map(checksumOf).sort());
  // The next image of the same run goes by what this one learnt, and compares it with the objects all the same.
  const again = await buildImage(repository, second, { known: image.objects.table, progress });
  assert.equal(again.objects.learnt, 0);
  assert.ok(readAgain(again).includes(checksumOf('new')));

  // What is known of an object does not stand for the object.
  const gone = checksumOf('known');
  unlinkSync(repository.objectPath(gone, 'file'));
  const believed = readObjectInfo(repository) as ContentTable;
  await assert.rejects(
    buildImage(repository, second, { known: believed, progress }),
    (error: Error) => error instanceof NotFoundError && error.message.includes(gone),
  );
});

test('names of objects are not listed where nothing was known', async () => {
  using work = new Sandbox();
  initRepository(work.join('repo'), 'bare-user-only', linuxSystem);
  let listed = 0;
  const readdir = ((path) => {
    listed++;
    return linuxSystem.readdir(path);
  }) as typeof linuxSystem.readdir;
  const repository = Repository.open(work.join('repo'), { ...linuxSystem, readdir });
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  const tree = sourceDirectory({ file: sourceFile('content') });
  const commit = await writeCommitOf(writer, tree, { timestamp: 1 });
  writer.commit();
  listed = 0;
  const { objects } = await buildImage(repository, commit, { progress: silent() });
  assert.equal(listed, 0);
  await buildImage(repository, commit, { known: objects.table, progress: silent() });
  assert(listed > 0);
});

test('a commit that nobody could walk is refused before anything is planned', async () => {
  const memory = new MemoryRepository();
  let tree = memory.folder({ file: 'file' });
  for (let level = 0; level < 60; level++) tree = memory.folder({ a: tree, b: tree });
  const commit = memory.commit(tree);
  await assert.rejects(
    buildImage(memory.open(), commit, { progress: silent() }),
    (error: Error) =>
      error instanceof UnsupportedError && /more than an image is made of/.test(error.message),
  );
});
