/** What is read and hashed again of objects has a say in whether an image is published, whoever has done it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { HelperThreads } from '../../src/image/helper-threads.ts';
import { type BuiltImage, buildImage, type CommitObjects } from '../../src/image/plan.ts';
import { planPublication } from '../../src/image/publish.ts';
import { publishImage, ValidationError } from '../../src/image/seal-image.ts';
import { imagePath } from '../../src/image/store.ts';
import { CHECKSUM_BYTES } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { allowThreads } from '../support/played-threads.ts';
import { Sandbox } from '../support/sandbox.ts';

/** Few enough to be read by one thread, and enough for a helper. */
const COUNTS = [20, 2100];

const progress = silent();

async function publishOf(repository: Repository, image: BuiltImage, helpers: HelperThreads): Promise<void> {
  const { digest, bytes } = image;
  const publication = { repositoryPath: repository.path, digest, bytes, deploymentPaths: [] };
  const plan = planPublication({ ...publication, verity: 'off' }, linuxSystem);
  await publishImage(repository, image, plan, { digests: 'yes', helpers, progress });
}

describe('an image of objects that the table has wrong', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  const commits = new Map<number, Checksum>();
  let repository: Repository;

  before(async () => {
    initRepository(work.join('repo'), 'bare-user-only', linuxSystem);
    repository = Repository.open(work.join('repo'), linuxSystem);
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    for (const count of COUNTS) {
      const files = Array.from({ length: count }, (_, i) => [`${i}`, sourceFile(`content ${i}`)] as const);
      const tree = sourceDirectory(Object.fromEntries(files));
      commits.set(count, await writeCommitOf(writer, tree, { timestamp: 1 }));
    }
    writer.commit();
  });

  /** Of objects that were read in this run one has another mode, or all have other digests. */
  const mistakes = {
    'object-reread': ({ table, rows }: CommitObjects): void => {
      table.columns.mode[rows[rows.length >> 1] as number]! ^= 0o111;
    },
    'object-digest': ({ table, rows }: CommitObjects): void => {
      for (const row of rows) table.columns.digests[row * CHECKSUM_BYTES]! ^= 1;
    },
  };

  const build = async (
    count: number,
    mistake: (objects: CommitObjects) => void,
    helpers: HelperThreads,
  ): Promise<BuiltImage> => {
    const commit = commits.get(count) as Checksum;
    const { objects } = await buildImage(repository, commit, { helpers, progress });
    mistake(objects);
    return await buildImage(repository, commit, { known: objects.table, helpers, progress });
  };

  for (const [code, mistake] of Object.entries(mistakes))
    for (const count of COUNTS)
      for (const threads of [1, 0])
        it(`is not published: ${code}, ${count} objects, ${threads} threads to be had`, async () => {
          using _ = allowThreads(threads);
          await using helpers = new HelperThreads(linuxSystem, 1);
          const image = await build(count, mistake, helpers);
          const isHelped = count > 2000 && threads > 0;
          assert.deepEqual(
            [image.rereading !== undefined, image.sampling !== undefined],
            [isHelped, isHelped],
          );
          await assert.rejects(publishOf(repository, image, helpers), (error) => {
            assert(error instanceof ValidationError);
            assert.deepEqual(new Set(error.findings.map((finding) => finding.code)), new Set([code]));
            return true;
          });
          assert(!existsSync(imagePath(repository.path, image.digest)));
        });

  it('is published when they are right', async () => {
    await using helpers = new HelperThreads(linuxSystem, 1);
    const image = await buildImage(repository, commits.get(2100) as Checksum, { helpers, progress });
    assert(image.rereading !== undefined && image.sampling !== undefined);
    await publishOf(repository, image, helpers);
    assert(existsSync(imagePath(repository.path, image.digest)));
  });
});
