/** Packed dirtrees are those of the repository, whatever became of the file they are packed in. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, beforeEach, describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { serializeDirtree } from '../../src/formats/objects.ts';
import { buildImage } from '../../src/image/plan.ts';
import { DirtreePack } from '../../src/repository/dirtree-pack.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { dirtreesOf } from '../../src/repository/tree.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

describe('packed dirtrees', () => {
  const work = new Sandbox();
  let path: string;
  let file: string;
  after(() => work.dispose());
  beforeEach(() => {
    path = work.join('repo');
    rmSync(path, { recursive: true, force: true });
    initRepository(path, 'bare-user-only', linuxSystem);
    mkdirSync(`${path}/extensions/sealtree`, { recursive: true });
    file = `${path}/extensions/sealtree/dirtrees`;
  });

  const open = (): Repository => Repository.open(path, linuxSystem);
  /** A commit of a folder for each name, each with a file. */
  async function commitOf(names: readonly string[]): Promise<Checksum> {
    using writer = await RepositoryWriter.open(open(), { fsync: false });
    const folder = (name: string) => sourceDirectory({ [`in ${name}`]: sourceFile(name) });
    const root = sourceDirectory(Object.fromEntries(names.map((name) => [name, folder(name)])));
    const commit = await writeCommitOf(writer, root, { timestamp: 1 });
    writer.commit();
    return commit;
  }
  /** Bytes of all dirtrees of a commit, read with the pack that there is; it is saved where asked for. */
  function walked(commit: Checksum, options?: { readonly save: boolean }): string[] {
    const repository = open();
    const pack = DirtreePack.read(repository);
    repository.packDirtreesInto(pack);
    const { rootTree } = repository.commit(commit);
    const all = Array.from(dirtreesOf(repository, rootTree), (tree) =>
      serializeDirtree(tree).toString('latin1'),
    );
    if (options?.save) pack.save(repository);
    return all;
  }
  const removeObjects = (): void => {
    for (const { checksum, type } of open().listObjects())
      if (type === 'dirtree') unlinkSync(open().objectPath(checksum, type));
  };
  const packed = (): number => DirtreePack.read(open()).count;

  it('are those of the repository, for their owner alone', async () => {
    const commit = await commitOf(['a', 'b', 'c']);
    const all = walked(commit);
    assert.equal(existsSync(file), false);
    assert.deepEqual(walked(commit, { save: true }), all);
    assert.equal(statSync(file).mode & 0o7777, 0o600);
    assert.equal(packed(), 4);
    removeObjects();
    assert.deepEqual(walked(commit), all);
    chmodSync(file, 0o640);
    assert.throws(() => walked(commit), { code: 'not-found' });
  });

  it('are not written again when nothing is new, and keep what is not asked for while it is not most', async () => {
    const one = await commitOf(['a', 'b', 'c']);
    walked(one, { save: true });
    const { ino } = statSync(file);
    walked(one, { save: true });
    assert.equal(statSync(file).ino, ino);
    const two = await commitOf(['a', 'b', 'd']);
    walked(two, { save: true });
    assert.equal(packed(), 6);
    walked(await commitOf(['e']), { save: true });
    assert.equal(packed(), 2);
  });

  it('say nothing wrong with one bit changed, anywhere, and are mended', async () => {
    const commit = await commitOf(['a', 'b']);
    const all = walked(commit, { save: true });
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
      writeFileSync(file, bytes);
      assert.deepEqual(walked(commit, { save: true }), all, `byte ${at}`);
    }
    const pack = DirtreePack.read(open());
    for (const { checksum, type } of open().listObjects())
      if (type === 'dirtree') assert(pack.get(checksum) !== undefined, checksum);
  });

  it('say nothing wrong cut short, and of another version nothing', async () => {
    const commit = await commitOf(['a', 'b']);
    const all = walked(commit, { save: true });
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(file, whole.subarray(0, length));
      assert.equal(packed(), 0, `${length} bytes`);
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.from('x')]));
    assert.equal(packed(), 0);
    writeFileSync(file, Buffer.from(whole.toString('latin1').replace('dirtrees 1', 'dirtrees 2'), 'latin1'));
    assert.equal(packed(), 0);
    assert.deepEqual(walked(commit, { save: true }), all);
    assert(readFileSync(file).equals(whole));
  });

  it('are looked for among the objects when an image is built', async () => {
    const commit = await commitOf(['a', 'b']);
    walked(commit, { save: true });
    removeObjects();
    const repository = open();
    repository.takeDirtreesFrom(DirtreePack.read(repository));
    await assert.rejects(buildImage(repository, commit, { progress: silent() }), { code: 'not-found' });
  });

  it('are pruned of those that are gone', async () => {
    const commit = await commitOf(['a', 'b', 'c']);
    walked(commit, { save: true });
    DirtreePack.prune(open());
    assert.equal(packed(), 4);
    const [gone] = [...open().listObjects()].filter(({ type }) => type === 'dirtree');
    assert(gone !== undefined);
    unlinkSync(open().objectPath(gone.checksum, 'dirtree'));
    DirtreePack.prune(open());
    assert.equal(packed(), 3);
    assert.equal(DirtreePack.read(open()).get(gone.checksum), undefined);
  });

  it('that cannot be kept are no failure', async () => {
    const commit = await commitOf(['a']);
    for (let at = 0; at < 3; at++) {
      const faulty = Repository.open(path, faultSystem(linuxSystem, { kind: 'fail', at, errno: 'ENOSPC' }));
      const pack = DirtreePack.read(faulty);
      faulty.packDirtreesInto(pack);
      for (const _ of dirtreesOf(faulty, faulty.commit(commit).rootTree));
      pack.save(faulty);
      assert.equal(packed(), 0, `step ${at}`);
    }
  });
});
