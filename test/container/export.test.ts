/** Container images out: what they hold is what is imported of them again. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { OperationError, UnsupportedError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { exportImage, type ImageExport } from '../../src/container/export.ts';
import { importImage } from '../../src/container/import.ts';
import { Layout } from '../../src/container/layout.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { type SourceNode, sourceDirectory, sourceFile, sourceSymlink } from '../../src/repository/source.ts';
import { RepositoryWriter } from '../../src/repository/write.ts';
import { writeCommitOf } from '../../src/repository/write-commit.ts';
import fc from '../support/fast-check.ts';
import { LayoutMaker, PLAIN_IMPORT } from '../support/oci-layout.ts';
import { Sandbox } from '../support/sandbox.ts';
import { tarOf } from '../support/tar.ts';

class Bench {
  readonly work = new Sandbox();
  readonly repository: Repository;
  #layouts = 0;

  constructor() {
    initRepository(this.work.join('repo'), 'archive', linuxSystem);
    this.repository = Repository.open(this.work.join('repo'), linuxSystem);
  }

  async commit(children: Record<string, SourceNode>): Promise<Checksum> {
    using writer = await RepositoryWriter.open(this.repository, { fsync: false });
    const commit = await writeCommitOf(writer, sourceDirectory(children), { timestamp: 1_000_000 });
    writer.commit();
    return commit;
  }

  async export(commits: readonly Checksum[], options: Partial<ImageExport> = {}) {
    const path = options.path ?? this.work.join(`layout${this.#layouts++}`);
    const common = {
      tag: 'latest',
      platform: PLAIN_IMPORT.platform,
      command: undefined,
      compression: 'gzip',
      progress: silent(),
    } as const;
    return { path, ...(await exportImage(this.repository, { ...common, ...options, path, commits })) };
  }

  async import(path: string, tag?: string) {
    const layout = await Layout.open(path, linuxSystem, silent());
    return await importImage(layout, this.repository, { ...PLAIN_IMPORT, tag });
  }

  root(commit: Checksum): string {
    const { rootTree, rootMeta } = this.repository.commit(commit);
    return `${rootTree} ${rootMeta}`;
  }

  [Symbol.dispose](): void {
    this.work.dispose();
  }
}

describe('an exported image', () => {
  it('of any commits in layers comes back as the last of them', async () => {
    using bench = new Bench();
    const { node } = fc.letrec<{ node: SourceNode }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom('', 'a', 'b').map((content) => sourceFile(content)),
        fc.constant(sourceSymlink('a')),
        fc
          .tuple(fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node')), fc.constantFrom(0o755, 0o700))
          .map(([entries, permissions]) => sourceDirectory(entries, { permissions })),
      ),
    }));
    const tree = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), node);
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 3 }), async (trees) => {
        const commits: Checksum[] = [];
        for (const children of trees) commits.push(await bench.commit(children));
        const { path } = await bench.export(commits, { compression: 'none' });
        assert.equal(bench.root((await bench.import(path)).commit), bench.root(commits.at(-1) as Checksum));
      }),
      { numRuns: 12 },
    );
  });

  it('is the same each time, compressed as it is asked to', async () => {
    using bench = new Bench();
    const commit = await bench.commit({ f: sourceFile('x'.repeat(5000)) });
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const first = await bench.export([commit], { compression });
      assert.equal(first.manifestDigest, (await bench.export([commit], { compression })).manifestDigest);
      assert.equal(bench.root((await bench.import(first.path)).commit), bench.root(commit));
      assert.deepEqual(readdirSync(`${first.path}/blobs`), ['sha256']);
    }
  });

  it('joins others in a layout, in the place of that of its tag', async () => {
    using bench = new Bench();
    const commits = [];
    for (const content of ['one', 'two', 'three'])
      commits.push(await bench.commit({ f: sourceFile(content) }));
    const [one, two, three] = commits as [Checksum, Checksum, Checksum];
    const { path } = await bench.export([one], { tag: 'a' });
    await bench.export([two], { tag: 'b', path });
    await bench.export([three], { tag: 'a', path });
    assert.equal(bench.root((await bench.import(path, 'a')).commit), bench.root(three));
    assert.equal(bench.root((await bench.import(path, 'b')).commit), bench.root(two));
    assert.equal(JSON.parse(readFileSync(`${path}/index.json`, 'utf8')).manifests.length, 2);
  });

  it('keeps the configuration of the image it was, but for what it is told to run', async () => {
    using bench = new Bench();
    const made = new LayoutMaker(bench.work.join('made'));
    made.addImage({ layers: [tarOf([{ name: 'f' }])], architecture: 'amd64', labels: { a: 'b' } });
    const { commit } = await bench.import(made.path);
    const { config } = await bench.import((await bench.export([commit])).path);
    assert.equal(config.labels.get('a'), 'b');
    const { path, manifestDigest } = await bench.export([commit], { command: ['/bin/sh', '-l'] });
    const blob = (digest: string) =>
      JSON.parse(readFileSync(`${path}/blobs/${digest.replace(':', '/')}`, 'utf8'));
    assert.deepEqual(blob(blob(manifestDigest).config.digest).config, {
      Labels: { a: 'b' },
      Cmd: ['/bin/sh', '-l'],
    });
  });

  it('is refused where a name would be a whiteout, or the place is taken', async () => {
    using bench = new Bench();
    const bad = await bench.commit({ '.wh.a': sourceFile('') });
    await assert.rejects(bench.export([bad]), UnsupportedError);
    const good = await bench.commit({ a: sourceFile('') });
    bench.work.write('taken/file', '');
    await assert.rejects(bench.export([good], { path: bench.work.join('taken') }), OperationError);
  });
});
