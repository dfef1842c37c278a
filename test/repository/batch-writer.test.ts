/** Many contents at a time: the same objects as one by one, with threads and without, and nothing of what failed. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { FormatError, InterruptedError, IoError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { contentChecksum, type FileHeader } from '../../src/formats/objects.ts';
import { BatchWriter, MAX_BATCHED } from '../../src/repository/batch-writer.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { faultSystem } from '../support/fault-system.ts';
import { allowThreads, watchWorkers } from '../support/played-threads.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';

interface File {
  readonly header: FileHeader;
  readonly content: Buffer;
}

/** Enough for several batches by number and by size, with the same content in several of them. */
function files(): File[] {
  const random = new Random(7);
  const sizes = [
    0,
    MAX_BATCHED,
    MAX_BATCHED + 1,
    5_000_000,
    ...Array.from({ length: 500 }, (_, i) => (i * 37) % 3000),
  ];
  return [...sizes, ...sizes.slice(0, 60)].map((size, i) => ({
    header: {
      uid: i % 3,
      gid: 7,
      mode: S_IFREG | 0o640,
      target: '' as FileHeader['target'],
      xattrs: i % 50 === 0 ? [['user.n' as never, `${i}\xff` as never]] : [],
    },
    content: Buffer.from(random.bytes(i < sizes.length ? size : 5)),
  }));
}

function newRepository(work: Sandbox, name: string, system: System = linuxSystem): Repository {
  initRepository(work.join(name), 'archive', linuxSystem);
  return Repository.open(work.join(name), system);
}

function put(batches: BatchWriter, { header, content }: File, done: (checksum: Checksum) => void): void {
  if (content.length <= MAX_BATCHED) {
    batches.add(header, content.length, done).set(content);
    return;
  }
  const large = batches.begin(header, content.length, done);
  for (let at = 0; at < content.length; at += 700_001) large.write(content.subarray(at, at + 700_001));
  large.end();
}

/** As {@link write}, of files in the folder `source`, which are made of the list. */
async function copy(
  repository: Repository,
  list: readonly File[],
  source: string,
  threads: number,
): Promise<Checksum[]> {
  mkdirSync(source, { recursive: true });
  const checksums: Checksum[] = [];
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  await using batches = new BatchWriter(writer, { threads });
  for (const [i, { header, content }] of list.entries()) {
    const path = `${source}/${i}` as ByteString;
    writeFileSync(path, content);
    batches.copy(header, path, content.length, (checksum) => {
      checksums[i] = checksum;
    });
    await batches.room();
  }
  await batches.finish();
  writer.commit();
  return checksums;
}

async function write(repository: Repository, list: readonly File[], threads?: number): Promise<Checksum[]> {
  using writer = await RepositoryWriter.open(repository, { fsync: false });
  await using batches = new BatchWriter(writer, threads === undefined ? {} : { threads });
  const checksums: Checksum[] = [];
  for (const [i, { header, content }] of list.entries()) {
    put(batches, { header, content }, (checksum) => {
      checksums[i] = checksum;
    });
    await batches.room();
  }
  await batches.finish();
  writer.commit();
  return checksums;
}

/** Names and permissions of all objects. */
function objectsOf(repository: Repository): Map<string, number> {
  const paths = readdirSync(`${repository.path}/objects`, { recursive: true, withFileTypes: true });
  return new Map(
    paths
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => {
        const path = `${parentPath}/${name}`;
        return [path.slice(repository.path.length), statSync(path).mode] as const;
      })
      .sort(),
  );
}

const leftovers = (repository: Repository): string[] =>
  readdirSync(`${repository.path}/tmp`).filter((name) => name !== 'cache');

describe('the writer of batches', () => {
  it('writes the same objects with threads as without, and leaves alone those that are there', async () => {
    using work = new Sandbox();
    const list = files();
    const want = list.map(({ header, content }) => contentChecksum(header, content));
    const [alone, threaded] = [newRepository(work, 'alone'), newRepository(work, 'threaded')];
    assert.deepEqual(await write(alone, list, 0), want);
    assert.deepEqual(await write(threaded, list, 2), want);
    assert.deepEqual([...leftovers(alone), ...leftovers(threaded)], []);
    const objects = objectsOf(threaded);
    assert.equal(objects.size, new Set(want).size);
    assert.deepEqual(objectsOf(alone), objects);
    for (const checksum of new Set(want)) assert((await threaded.verifyContent(checksum)).ok, checksum);
    const inodes = (): number[] => [...objects.keys()].map((path) => statSync(threaded.path + path).ino);
    const before = inodes();
    assert.deepEqual(await write(threaded, list, 2), want);
    assert.deepEqual(inodes(), before);
  });

  it('makes do with as many threads as the system has for it, or with none', async () => {
    using work = new Sandbox();
    const list = files();
    const want = list.map(({ header, content }) => contentChecksum(header, content));
    for (const allowed of [0, 1]) {
      using _ = allowThreads(allowed);
      const repository = newRepository(work, `repo${allowed}`);
      assert.deepEqual(await write(repository, list, 3), want);
      for (const checksum of new Set(want)) assert((await repository.verifyContent(checksum)).ok, checksum);
      assert.deepEqual(leftovers(repository), []);
    }
  });

  it('writes the same objects of files on the disk', async () => {
    using work = new Sandbox();
    const list = files();
    const want = list.map(({ header, content }) => contentChecksum(header, content));
    const given = newRepository(work, 'given');
    await write(given, list, 0);
    for (const threads of [0, 2]) {
      const repository = newRepository(work, `copied${threads}`);
      assert.deepEqual(await copy(repository, list, work.join('source'), threads), want);
      assert.deepEqual(objectsOf(repository), objectsOf(given));
      assert.deepEqual(leftovers(repository), []);
    }
  });

  for (const [what, size, aBatch] of [
    ['small', 3000, 260],
    ['large', MAX_BATCHED + 10_000, 9],
  ] as const)
    it(`refuses a ${what} file on the disk that became shorter, and leaves nothing`, async () => {
      using work = new Sandbox();
      const [{ header }] = files() as [File];
      const path = work.join('file');
      writeFileSync(path, Buffer.alloc(size - 1));
      for (const threads of [0, 1]) {
        const repository = newRepository(work, `repo${threads}`);
        const attempt = async (): Promise<void> => {
          using writer = await RepositoryWriter.open(repository, { fsync: false });
          await using batches = new BatchWriter(writer, { threads });
          for (let i = 0; i < aBatch; i++) batches.copy(header, path as ByteString, size, () => undefined);
          await batches.finish();
        };
        await assert.rejects(attempt, (error: Error) => {
          assert(error instanceof FormatError);
          assert.match(error.message, /file: changed while it was read.*(?:2999|1058575) bytes/);
          return true;
        });
        assert.deepEqual(leftovers(repository), []);
        assert.equal(objectsOf(repository).size, 0);
      }
    });

  it('and another one write the same content into one transaction', async () => {
    using work = new Sandbox();
    const repository = newRepository(work, 'repo');
    const [file] = files() as [File];
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    for (const threads of [0, 0, 2]) {
      await using batches = new BatchWriter(writer, { threads });
      for (let i = 0; i < 600; i++) put(batches, file, () => undefined);
      await batches.finish();
    }
    writer.commit();
    assert.equal(objectsOf(repository).size, 1);
    assert.deepEqual(leftovers(repository), []);
  });

  it('goes through the port, without threads, where that is not the kernel itself', async () => {
    using work = new Sandbox();
    const system = faultSystem(linuxSystem);
    const list = files().slice(0, 400);
    await write(newRepository(work, 'repo', system), list, 4);
    const created = system.steps.filter(
      ({ call, subject }) => call === 'create' && /(filez|new-\d+)$/.test(subject),
    );
    assert.equal(
      created.length,
      new Set(list.map((file) => contentChecksum(file.header, file.content))).size,
    );
  });

  for (const threads of [0, 2])
    it(`takes nothing more after a failure, and leaves nothing of it, with ${threads} threads`, async () => {
      using work = new Sandbox();
      const repository = newRepository(work, 'repo');
      const list = files().slice(4);
      {
        using writer = await RepositoryWriter.open(repository, { fsync: false });
        await using batches = new BatchWriter(writer, { threads });
        const addAll = async (): Promise<void> => {
          for (const file of list) {
            put(batches, file, () => undefined);
            await batches.room();
          }
          await batches.finish();
        };
        await addAll();
        const staging = work.join('repo/tmp', leftovers(repository)[0] as string);
        // What a thread is to write to is not there for a while.
        const folders = readdirSync(staging).map((name) => `${staging}/${name}`);
        for (const folder of folders) renameSync(folder, `${folder}-away`);
        for (const file of list) file.content.fill(1);
        const isMissing = (error: unknown): boolean => error instanceof IoError && error.errno === 'ENOENT';
        await assert.rejects(addAll, isMissing);
        for (const folder of folders) renameSync(`${folder}-away`, folder);
        await assert.rejects(batches.finish(), isMissing);
        assert.throws(() => batches.add(list[0]?.header as FileHeader, 0, () => undefined), isMissing);
      }
      assert.deepEqual(leftovers(repository), []);
      assert.equal(objectsOf(repository).size, 0);
    });

  for (const threads of [0, 2])
    it(`refuses a large content that is not as long as announced, with ${threads} threads`, async () => {
      using work = new Sandbox();
      const repository = newRepository(work, 'repo');
      const { header } = files()[0] as File;
      for (const length of [MAX_BATCHED, MAX_BATCHED + 2]) {
        using writer = await RepositoryWriter.open(repository, { fsync: false });
        await using batches = new BatchWriter(writer, { threads });
        await assert.rejects(async () => {
          const large = batches.begin(header, MAX_BATCHED + 1, () => undefined);
          large.write(Buffer.alloc(length));
          large.end();
          await batches.finish();
        }, FormatError);
      }
      assert.deepEqual(leftovers(repository), []);
    });

  it('leaves nothing when it is closed in the middle', async () => {
    using work = new Sandbox();
    const repository = newRepository(work, 'repo');
    {
      using writer = await RepositoryWriter.open(repository, { fsync: false });
      await using batches = new BatchWriter(writer, { threads: 2 });
      for (const file of files().slice(2)) put(batches, file, () => undefined);
    }
    assert.deepEqual(leftovers(repository), []);
    assert.equal(objectsOf(repository).size, 0);
  });

  it('waits for no thread when the work is broken off', async () => {
    using work = new Sandbox();
    const repository = newRepository(work, 'repository');
    using writer = await RepositoryWriter.open(repository, { fsync: false });
    // As if they had a large file each.
    using _ = watchWorkers((worker) => {
      worker.postMessage = () => undefined;
    });
    const stop = new AbortController();
    await using batches = new BatchWriter(writer, { threads: 1, signal: stop.signal });
    for (const file of files()) if (file.content.length < MAX_BATCHED) put(batches, file, () => undefined);
    const finished = batches.finish();
    setImmediate(() => stop.abort());
    await assert.rejects(finished, InterruptedError);
    await assert.rejects(batches.finish(), InterruptedError);
  });
});
