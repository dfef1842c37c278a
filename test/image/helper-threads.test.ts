/** Helpers say what their caller would have found out. */
import assert from 'node:assert/strict';
import { unlinkSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { NotFoundError, OperationError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { HelperThreads } from '../../src/image/helper-threads.ts';
import { ContentTable } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import { checksumsPresent } from '../../src/repository/presence.ts';
import { type ObjectName, Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { allowThreads } from '../support/played-threads.ts';
import { Sandbox } from '../support/sandbox.ts';

describe('a helper', () => {
  const work = new Sandbox();
  after(() => work.dispose());

  it('knows which objects are there', async () => {
    const repository = await makeRepository(work.join('repo'));
    const table = new ContentTable();
    const checksums = [...repository.listObjects()].filter(isOfTree).map(({ checksum }) => checksum);
    for (const checksum of checksums) table.add(checksum);
    unlinkSync(repository.objectPath(checksums[3] as Checksum, 'file'));
    await using helpers = new HelperThreads(linuxSystem, 1);
    const request = {
      kind: 'present',
      repositoryPath: repository.path,
      checksums: table.columns.checksums,
      count: table.count,
    } as const;
    const got = (await helpers.idlest()?.ask(request)) as Uint8Array;
    assert.deepEqual(
      Array.from(got),
      checksums.map((_, row) => (row === 3 ? 0 : 1)),
    );
    assert.deepEqual(got, checksumsPresent(repository, request.checksums, request.count));
    const elsewhere = { ...request, repositoryPath: work.join('nowhere') };
    await assert.rejects(async () => await helpers.idlest()?.ask(elsewhere), NotFoundError);
  });

  it('goes when there are more than are wanted, and the others go on', async () => {
    const repository = await makeRepository(work.join('more'));
    await using helpers = new HelperThreads(linuxSystem, 1);
    const [first, second] = helpers.start(2);
    await helpers.dismissExtra();
    const request = {
      kind: 'present',
      repositoryPath: repository.path,
      checksums: Buffer.alloc(0),
      count: 0,
    } as const;
    assert(first !== undefined && second !== undefined);
    assert.deepEqual(await first.ask(request), new Uint8Array(0));
    await assert.rejects(second.ask(request), OperationError);
    assert.deepEqual(helpers.start(), [first]);
  });

  it('is none where the system has no thread for it', () => {
    using _ = allowThreads(0);
    assert.equal(new HelperThreads(linuxSystem, 1).idlest(), undefined);
  });
});

const isOfTree = ({ type }: ObjectName): boolean => type === 'file' || type === 'dirtree';

async function makeRepository(path: string): Promise<Repository> {
  initRepository(path, 'bare-user', linuxSystem);
  const writer = await RepositoryWriter.open(Repository.open(path, linuxSystem), { fsync: false });
  const files = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [`file-${i}`, sourceFile(`content ${i}`)]),
  );
  await writeCommitOf(writer, sourceDirectory(files), { timestamp: 1, ref: 'main' });
  writer.commit();
  return Repository.open(path, linuxSystem);
}
