/** Who holds what: the counting by itself, and over a repository that was made for it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { Progress } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { DigestTable } from '../../src/deployment/sharing/digest-table.ts';
import { divide, isAlone, sumOf } from '../../src/deployment/sharing/divide.ts';
import type { Holder } from '../../src/deployment/sharing/holders.ts';
import { partnersOf } from '../../src/deployment/sharing/partners.ts';
import { readSharing } from '../../src/deployment/sharing/read.ts';
import type { Share } from '../../src/deployment/sharing/report.ts';
import { type DiskFile, Shares } from '../../src/deployment/sharing/shares.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { type SourceDirectory, sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import fc from '../support/fast-check.ts';
import { Sandbox } from '../support/sandbox.ts';

const file = (ino: number): DiskFile => ({ dev: ino % 2, ino, bytes: 512 * (ino + 1) });

const collect = (held: readonly (readonly number[])[]): Shares => {
  const shares = new Shares();
  for (const [holder, inodes] of held.entries()) {
    shares.begin(holder);
    for (const ino of inodes) shares.add(file(ino));
  }
  return shares;
};

describe('shares', () => {
  it('tells what each has alone from what it shares', () => {
    const sets = collect([
      [0, 1, 1],
      [1, 2, 2, 3],
    ]).sets();
    assert.deepEqual(
      sets.map(({ id, ...set }) => set),
      [
        { holders: [0], bytes: 512, count: 1 },
        { holders: [0, 1], bytes: 1024, count: 1 },
        { holders: [1], bytes: 1536 + 2048, count: 2 },
      ],
    );
  });

  it('counts each file once for those that hold it, whoever they are', () => {
    const holding = fc.array(fc.array(fc.nat(30), { maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(holding, fc.array(fc.nat(1), { minLength: 6, maxLength: 6 }), (held, groups) => {
        const sets = collect(held).sets();
        const holdings = held.map((_, i) => ({ group: groups[i], keeps: groups[5 - i] === 1 }));
        const sum = (inodes: Iterable<number>) => {
          const files = [...new Set(inodes)].map(file);
          return { bytes: files.reduce((bytes, one) => bytes + one.bytes, 0), count: files.length };
        };
        assert.deepEqual(
          sumOf(sets, () => true),
          sum(held.flat()),
        );
        const partners = partnersOf(sets, holdings, 6);
        for (const [i, division] of divide(sets, holdings).entries()) {
          const mine = held[i] ?? [];
          const others = (isMeant: (j: number) => boolean) =>
            new Set(held.flatMap((list, j) => (j !== i && isMeant(j) ? list : [])));
          const alike = others((j) => groups[j] === groups[i]);
          const keepers = others((j) => holdings[j]?.keeps === true);
          assert.deepEqual(division, {
            total: sum(mine),
            unique: sum(mine.filter((ino) => !alike.has(ino))),
            shared: sum(mine.filter((ino) => alike.has(ino))),
            freed: sum(mine.filter((ino) => !keepers.has(ino))),
          });
          for (const { holder, ...size } of partners.get(i) ?? [])
            assert.deepEqual(size, sum(mine.filter((ino) => held[holder]?.includes(ino))));
        }
      }),
    );
  });

  it('keeps count of more inodes than it has room for at first, on file systems with large numbers', () => {
    const shares = new Shares();
    for (const holder of [0, 1]) {
      shares.begin(holder);
      for (let i = 0; i < 5000; i++)
        shares.add({ dev: 1, ino: 2 ** 40 + i * 2 ** 33 + holder * 2 ** 33, bytes: 1 });
    }
    assert.deepEqual(
      shares.sets().map(({ holders, count }) => [holders, count]),
      [
        [[0], 1],
        [[0, 1], 4999],
        [[1], 1],
      ],
    );
    const [first] = shares.sets();
    assert(first !== undefined && isAlone(first, 0, [{ group: 0, keeps: true }]));
  });
});

it('numbers digests as they come, and finds them again', () => {
  const table = new DigestTable();
  const hexOf = (i: number): string => createHash('sha256').update(String(i)).digest('hex');
  for (let i = 0; i < 5000; i++) assert.equal(table.add(hexOf(i)), i);
  assert.equal(table.add(hexOf(77)), 77);
  assert.equal(table.count, 5000);
  assert.equal(table.hex(4999), hexOf(4999));
  assert.equal(table.find(hexOf(5000)), -1);
});

describe('sharing of a repository', () => {
  const work = new Sandbox();
  after(() => work.dispose());
  /** Each of them takes some blocks of a disk. */
  const text = (word: string): Buffer => Buffer.alloc(20_000, word);
  const folder = (files: Readonly<Record<string, Buffer>>): SourceDirectory =>
    sourceDirectory(
      Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sourceFile(bytes)])),
    );

  async function make(mode: 'bare-user' | 'archive'): Promise<Repository> {
    const path = work.join(mode);
    initRepository(path, mode, linuxSystem);
    const repository = Repository.open(path, linuxSystem);
    const writer = await RepositoryWriter.open(repository, { fsync: false });
    const common = { both: text('both') };
    const first = sourceDirectory({ usr: folder({ ...common, a: text('a') }) });
    await writeCommitOf(writer, first, { timestamp: 1, ref: 'one' });
    const again = sourceDirectory({
      usr: folder({ ...common, b: text('b') }),
      // The bytes of usr/a, of another owner.
      opt: sourceDirectory({ c: sourceFile(text('a'), { uid: 7, gid: 7 }) }),
    });
    await writeCommitOf(writer, again, { timestamp: 2, ref: 'two' });
    writer.commit();
    return repository;
  }

  const named = (shares: readonly Share[], name: string): Share =>
    shares.find(({ holder }) => holder.name === name) as Share;

  for (const mode of ['bare-user', 'archive'] as const)
    it(`counts by object and by content (${mode})`, async () => {
      const repository = await make(mode);
      const { shares, contents, totalObjects, problems } = await readSharing(repository, undefined, {
        byContent: true,
        progress: new Progress(),
      });
      assert.deepEqual(problems, []);
      const [one, two] = [named(shares, 'one'), named(shares, 'two')];
      const counts = ({ objects, contents }: Share) =>
        [objects, contents].map((part) => [part?.total.count, part?.unique.count, part?.shared.count]);
      assert.deepEqual(counts(one), [
        [2, 1, 1],
        [2, 0, 2],
      ]);
      assert.deepEqual(counts(two), [
        [3, 2, 1],
        [3, 1, 2],
      ]);
      assert.equal(totalObjects.count, 4);
      assert.equal(contents?.total.count, 3);
      assert.equal(contents?.again.count, 1);
      assert.deepEqual(
        contents?.same.map(({ objects }) => objects.length),
        [2],
      );
      assert.deepEqual(one.partners, [
        { name: 'two', count: one.files.shared.count, bytes: one.files.shared.bytes },
      ]);
      assert.deepEqual(
        two.folders.map(({ path, total, shared }) => [path, total.count, shared.count]),
        [
          ['/usr', 2, 1],
          ['/opt', 1, 0],
        ],
      );
    });

  it('compares what was chosen, and knows that others keep what that has', async () => {
    const repository = Repository.open(work.join('bare-user'), linuxSystem);
    const chosen = [
      { kind: 'commit', name: 'two', checksum: repository.resolve('two') },
      { kind: 'commit', name: 'one', checksum: repository.resolve('one') },
    ] as const satisfies readonly Holder[];
    const { shares } = await readSharing(repository, undefined, {
      chosen,
      byContent: false,
      progress: new Progress(),
    });
    assert.deepEqual(
      shares.map(({ holder, objects, contents, keptBy }) => [
        holder.name,
        objects.unique.count,
        objects.freed.count,
        contents,
        keptBy,
      ]),
      [
        ['two', 2, 0, undefined, ['two']],
        ['one', 1, 0, undefined, ['one']],
      ],
    );
  });

  it('counts on where a tree is not whole, and says so', async () => {
    const repository = Repository.open(work.join('bare-user'), linuxSystem);
    const tree = repository.commit(repository.resolve('two')).rootTree;
    linuxSystem.unlink(repository.objectPath(tree as Checksum, 'dirtree'));
    const { shares, problems } = await readSharing(Repository.open(repository.path, linuxSystem), undefined, {
      byContent: false,
      progress: new Progress(),
    });
    assert.deepEqual(
      problems.map(({ where, severity }) => [where, severity]),
      [['two', 'unchecked']],
    );
    assert.equal(named(shares, 'one').objects.total.count, 2);
  });
});
