/** Images for refs: published like those of deployments, kept as long as there is the ref. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { nativeEngine } from '../../src/base/digest.ts';
import { NotFoundError, UnsupportedError, UsageError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { sweepRepository } from '../../src/deployment/gc.ts';
import { sealRef } from '../../src/deployment/seal-ref.ts';
import { unsealRef } from '../../src/deployment/unseal-ref.ts';
import { buildImage } from '../../src/image/plan.ts';
import { recordedImage } from '../../src/image/records.ts';
import { ValidationError } from '../../src/image/seal-image.ts';
import { sealedRefs } from '../../src/image/sealed-refs.ts';
import { writeDigest } from '../../src/repository/content-table.ts';
import { initRepository } from '../../src/repository/init.ts';
import { readObjectInfo, writeObjectInfo } from '../../src/repository/object-info.ts';
import { Repository, type RepositoryMode } from '../../src/repository/repository.ts';
import { commitOfRef } from '../../src/repository/revisions.ts';
import { sourceDirectory, sourceFile } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import { Sandbox } from '../support/sandbox.ts';

const OPTIONS = {
  digests: 'yes',
  verity: 'auto',
  dryRun: false,
  rebuild: false,
  lockTimeoutMs: 1000,
  progress: silent(),
} as const;

class Bench {
  readonly work = new Sandbox();
  readonly repository: Repository;

  constructor(mode: RepositoryMode = 'bare-user-only') {
    initRepository(this.work.join('repo'), mode, linuxSystem);
    this.repository = Repository.open(this.work.join('repo'), linuxSystem);
  }

  async commit(ref: string, content: string) {
    using writer = await RepositoryWriter.open(this.repository, { fsync: false });
    const tree = sourceDirectory({ file: sourceFile(content) });
    const commit = await writeCommitOf(writer, tree, { timestamp: 0, ref });
    writer.commit();
    return commit;
  }

  images(): string[] {
    return readdirSync(this.work.join('repo/extensions/sealtree/images')).sort();
  }

  sweep(dryRun = false) {
    return sweepRepository(
      this.repository.path,
      { dryRun, lockTimeoutMs: 1000, progress: silent() },
      linuxSystem,
    );
  }

  [Symbol.dispose](): void {
    this.work.dispose();
  }
}

describe('an image for a ref', () => {
  it('is of what the ref names, also where a commit begins with the same letters', async () => {
    using bench = new Bench();
    const other = await bench.commit('app/a', 'one');
    const name = other.slice(0, 4);
    const named = await bench.commit(name, 'two');
    assert.equal(bench.repository.resolve(name), other, 'a revision is a checksum first, as for ostree');
    assert.equal(commitOfRef(bench.repository, name), named);
    assert.equal((await sealRef(bench.repository, name, OPTIONS)).commit, named);
  });

  it('is not kept any more once the ref is unsealed, and goes with the next sweep', async () => {
    using bench = new Bench();
    await bench.commit('app/a_1', 'one');
    const { digest } = await sealRef(bench.repository, 'app/a_1', OPTIONS);
    assert.equal((await unsealRef(bench.repository, 'app/a_1', { ...OPTIONS, dryRun: true })).digest, digest);
    assert.equal((await bench.sweep(true)).images.kept.length, 1);
    assert.equal((await unsealRef(bench.repository, 'app/a_1', OPTIONS)).digest, digest);
    assert.deepEqual(sealedRefs(bench.repository.path, linuxSystem), []);
    assert.deepEqual(bench.images(), [`${digest}.cfs`]);
    await bench.sweep();
    assert.deepEqual(bench.images(), []);
    await assert.rejects(unsealRef(bench.repository, 'app/a_1', OPTIONS), NotFoundError);
  });

  it('is that of its commit, is published once, and replaced when the ref moves', async () => {
    using bench = new Bench();
    const first = await bench.commit('app/a_1', 'one');
    const plan = await sealRef(bench.repository, 'app/a_1', { ...OPTIONS, dryRun: true });
    assert.equal(plan.action, 'sealed');
    assert.equal(existsSync(bench.work.join('repo/extensions/sealtree')), false);

    const { digest, imagePath, action } = await sealRef(bench.repository, 'app/a_1', OPTIONS);
    assert.equal(action, 'sealed');
    const built = await buildImage(bench.repository, first, { progress: silent() });
    assert.equal(digest, built.digest);
    assert(readFileSync(imagePath).equals(built.bytes));
    assert.equal(recordedImage(bench.repository.path, first, linuxSystem), digest);
    assert.equal((await sealRef(bench.repository, 'app/a_1', OPTIONS)).action, 'unchanged');

    const second = await bench.commit('app/a_1', 'two');
    const next = await sealRef(bench.repository, 'app/a_1', OPTIONS);
    assert.equal(next.action, 'sealed');
    const [noted, ...others] = sealedRefs(bench.repository.path, linuxSystem);
    assert.deepEqual([noted?.ref, noted?.commit, noted?.digest], ['app/a_1', second, next.digest]);
    assert.deepEqual(others, []);
    assert.equal(bench.images().length, 2);
    const swept = await bench.sweep();
    assert.deepEqual(
      swept.images.removed.map((image) => image.digest),
      [digest],
    );
    assert.deepEqual(bench.images(), [`${next.digest}.cfs`]);
    assert.equal(recordedImage(bench.repository.path, first, linuxSystem), undefined);
    assert.equal(recordedImage(bench.repository.path, second, linuxSystem), next.digest);
  });

  it('goes when the ref is gone, and not before', async () => {
    using bench = new Bench();
    await bench.commit('a', 'one');
    await bench.commit('b', 'one');
    for (const ref of ['a', 'b']) await sealRef(bench.repository, ref, OPTIONS);
    assert.equal(bench.images().length, 1);
    rmSync(bench.work.join('repo/refs/heads/a'));
    assert.equal((await bench.sweep()).refs.length, 1);
    assert.equal(bench.images().length, 1);
    rmSync(bench.work.join('repo/refs/heads/b'));
    assert.equal((await bench.sweep(true)).images.removed.length, 1);
    assert.equal(bench.images().length, 1);
    await bench.sweep();
    assert.deepEqual(bench.images(), []);
    assert.deepEqual(readdirSync(bench.work.join('repo/extensions/sealtree/commits')), []);
  });

  it('is sealed again with all objects read anew, where what is known of one is wrong', async () => {
    using bench = new Bench();
    const { repository } = bench;
    await bench.commit('a', 'one');
    const { digest } = await sealRef(repository, 'a', OPTIONS);
    const known = readObjectInfo(repository);
    assert(known?.count === 1);
    writeDigest(known.columns, 0, nativeEngine.sha256(Buffer.from('wrong')), 0);
    writeObjectInfo(repository, known, [Uint32Array.of(0)]);
    await assert.rejects(sealRef(repository, 'a', OPTIONS), ValidationError);
    const rebuilt = await sealRef(repository, 'a', { ...OPTIONS, rebuild: true });
    assert.deepEqual([rebuilt.action, rebuilt.digest], ['unchanged', digest]);
    assert.equal((await sealRef(repository, 'a', OPTIONS)).digest, digest);
  });

  it('is made of refs only, and where objects can be mounted', async () => {
    using bench = new Bench();
    const commit = await bench.commit('a', 'one');
    await assert.rejects(sealRef(bench.repository, commit, OPTIONS), UsageError);
    using archive = new Bench('archive');
    await archive.commit('a', 'one');
    await assert.rejects(sealRef(archive.repository, 'a', OPTIONS), UnsupportedError);
  });
});
