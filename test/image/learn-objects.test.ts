/** What is learnt of objects is the same with threads and without, and what the hash of their content says. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { type Checksum, digestOf } from '../../src/base/digest.ts';
import { nobleEngine } from '../../src/base/digest-noble.ts';
import { FormatError, NotFoundError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { VerityHasher } from '../../src/formats/verity.ts';
import type { VerityMode } from '../../src/image/digests.ts';
import { type Helper, type HelperRequest, HelperThreads } from '../../src/image/helper-threads.ts';
import { learnObjects, waitsForTheDisk } from '../../src/image/learn-objects.ts';
import { type Learnt, learnRows } from '../../src/image/learn-rows.ts';
import { ContentTable } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import type { ObjectName } from '../../src/repository/objects.ts';
import { Repository, type RepositoryMode } from '../../src/repository/repository.ts';
import { type SourceNode, sourceDirectory, sourceFile, sourceSymlink } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { allowThreads } from '../support/played-threads.ts';

const MODES: readonly RepositoryMode[] = ['bare-user-only', 'bare-user', 'archive'];

/** Around what is batched, what is streamed, and what an archive inflates on another thread yet. */
const SIZES = [0, 1, 4096, 4097, 524_288, 524_289, 5_000_000];

/** Of what cannot be deflated: around what an archive's file has whole in the first look at it, and far more. */
const NOISE = [...Array.from({ length: 64 }, (_, i) => 4000 + i), 50_000, 600_000];

/** The same each time. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = size;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const label = (value: string) => [['user.label', value] as [ByteString, ByteString]];

async function makeRepository(path: string, mode: RepositoryMode): Promise<Repository> {
  initRepository(path, mode, linuxSystem);
  const repository = Repository.open(path, linuxSystem);
  const writer = await RepositoryWriter.open(repository, { fsync: false });
  const files: Record<string, SourceNode> = {
    link: sourceSymlink('target'),
    other: sourceSymlink('elsewhere'),
  };
  for (const size of SIZES) files[`of-${size}`] = sourceFile(Buffer.alloc(size, `${size} `));
  for (const size of NOISE) files[`noise-${size}`] = sourceFile(noise(size));
  for (let i = 0; i < 300; i++)
    files[`small-${i}`] = sourceFile(
      `content ${i}`,
      mode === 'bare-user-only' ? {} : { xattrs: label(`${i % 3}`) },
    );
  await writeCommitOf(writer, sourceDirectory(files), { timestamp: 1, ref: 'main' });
  writer.commit();
  return repository;
}

const contentOf = (repository: Repository): Checksum[] =>
  [...repository.listObjects()].flatMap(({ type, checksum }: ObjectName) =>
    type === 'file' ? checksum : [],
  );

async function learn(
  repository: Repository,
  threads: number,
  mode: VerityMode = 'yes',
): Promise<readonly unknown[]> {
  await using helpers = new HelperThreads(linuxSystem, threads);
  return await learnWith(helpers, repository, mode);
}

async function learnWith(
  helpers: HelperThreads,
  repository: Repository,
  mode: VerityMode = 'yes',
): Promise<readonly unknown[]> {
  const table = new ContentTable();
  const rows = Uint32Array.from(contentOf(repository), (checksum) => table.add(checksum));
  await learnObjects(repository, table, rows, { mode, helpers, progress: silent() });
  return Array.from(rows, (row) => {
    const digest = table.digest(row);
    return [table.checksum(row), table.info(row), digest && digestOf(digest)];
  });
}

describe('objects', () => {
  let folder: string;
  const repositories = new Map<RepositoryMode, Repository>();

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sealtree-objects-'));
    for (const mode of MODES) repositories.set(mode, await makeRepository(join(folder, mode), mode));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const mode of MODES) {
    it(`of a ${mode} repository are what the repository and the second hash engine say`, async () => {
      const repository = repositories.get(mode)!;
      const want = [];
      for (const checksum of contentOf(repository)) {
        const info = repository.content(checksum);
        const hasher = new VerityHasher(nobleEngine);
        await repository.readContent(checksum, (chunk) => hasher.update(chunk));
        want.push([checksum, info, info.size === 0 ? undefined : digestOf(hasher.digest())]);
      }
      assert.equal(want.length, SIZES.length + NOISE.length + 302);
      for (const threads of [0, 1, 3]) assert.deepEqual(await learn(repository, threads), want);
      for (const allowed of [0, 2]) {
        using _ = allowThreads(allowed);
        assert.deepEqual(await learn(repository, 3), want, `${allowed} of 3 threads could be started`);
      }
    });

    it(`of a ${mode} repository are the same when each learner has its share in them`, async () => {
      const repository = repositories.get(mode)!;
      const shares: number[] = [];
      // A thread may come too late for so few: these take their turns with this thread.
      const ask = async (request: HelperRequest): Promise<Learnt> => {
        assert(request.kind === 'learn');
        const share = await learnRows(repository, request.work, request.learner, async () => {
          shares[request.learner] = (shares[request.learner] ?? 0) + 1;
        });
        return structuredClone(share);
      };
      const played: Pick<HelperThreads, 'wanted' | 'start'> = {
        wanted: 2,
        start: () => [{ ask }, { ask }] as unknown as readonly Helper[],
      };
      const got = await learnWith(played as HelperThreads, repository);
      assert(Math.min(shares[1] ?? 0, shares[2] ?? 0) >= 64, `shares: ${shares}`);
      assert.deepEqual(got, await learn(repository, 0));
    });

    it(`of a ${mode} repository have no digest where none is wanted`, async () => {
      const repository = repositories.get(mode)!;
      const want = contentOf(repository).map((checksum) => [
        checksum,
        repository.content(checksum),
        undefined,
      ]);
      for (const threads of [0, 2]) assert.deepEqual(await learn(repository, threads, 'no'), want);
    });
  }

  it('that are missing or cut short end the work, with threads as without', async () => {
    const repository = await makeRepository(join(folder, 'broken'), 'archive');
    const [first, ...others] = contentOf(repository) as [Checksum, ...Checksum[]];
    unlinkSync(repository.objectPath(first, 'file'));
    const table = new ContentTable();
    for (const threads of [0, 2])
      await assert.rejects(
        learnObjects(repository, table, Uint32Array.of(table.add(first)), {
          mode: 'yes',
          helpers: new HelperThreads(linuxSystem, threads),
          progress: silent(),
        }),
        NotFoundError,
      );
    const large = others.find((checksum) => repository.content(checksum).size > 100_000)!;
    truncateSync(repository.objectPath(large, 'file'), 200);
    for (const threads of [0, 2]) await assert.rejects(learn(repository, threads), FormatError);
  });

  it('are known as what they are or not at all when others could not be read', async () => {
    const repository = await makeRepository(join(folder, 'half'), 'bare-user');
    const checksums = contentOf(repository);
    const want = checksums.map((checksum) => repository.content(checksum));
    unlinkSync(repository.objectPath(checksums.at(-1)!, 'file'));
    for (const threads of [0, 3]) {
      const table = new ContentTable();
      const rows = Uint32Array.from(checksums, (checksum) => table.add(checksum));
      await assert.rejects(
        learnObjects(repository, table, rows, {
          mode: 'no',
          helpers: new HelperThreads(linuxSystem, threads),
          progress: silent(),
        }),
        NotFoundError,
      );
      for (const row of rows) assert.deepEqual(table.info(row) ?? want[row], want[row]);
    }
  });
});

describe('waiting for the disk', () => {
  const MIB = 1024;
  /** What is said when so many MiB were read, of them so many from the disk. */
  const saidOf = (...reads: readonly [all: number, fromDisk: number][]): boolean[] => {
    let fromDisk = 0;
    const waits = waitsForTheDisk(() => 7000 + fromDisk * 2048);
    return reads.map(([all, disk]) => {
      fromDisk = disk;
      return waits(all * MIB);
    });
  };

  it('is when most of what was read came from there', () => {
    assert.deepEqual(saidOf([20, 11], [40, 21], [60, 60]), [true, true, true]);
    assert.deepEqual(saidOf([20, 0], [40, 20], [60, 29]), [false, false, false]);
    assert.deepEqual(saidOf([20, 9], [40, 29]), [false, true]);
  });

  it('is seen only when enough was read', () => {
    assert.deepEqual(saidOf([0, 0], [15, 15], [17, 17], [18, 18], [34, 34]), [
      false,
      false,
      true,
      false,
      true,
    ]);
  });
});
