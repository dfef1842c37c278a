/** Container images in: layers over layers, what is verified, and which image is meant. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { FormatError, NotFoundError, UnsupportedError, UsageError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { type ImageRequest, importImage } from '../../src/container/import.ts';
import { Layout } from '../../src/container/layout.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Repository } from '../../src/repository/repository.ts';
import { rootOf, walk } from '../../src/repository/tree.ts';
import { dockerArchive, LayoutMaker, type MadeImage, PLAIN_IMPORT } from '../support/oci-layout.ts';
import { Sandbox } from '../support/sandbox.ts';
import { type TarEntry, tarOf } from '../support/tar.ts';

class Bench {
  readonly work = new Sandbox();
  readonly layout = new LayoutMaker(this.work.join('layout'));
  readonly repository: Repository;

  constructor() {
    initRepository(this.work.join('repo'), 'archive', linuxSystem);
    this.repository = Repository.open(this.work.join('repo'), linuxSystem);
  }

  async import(request: Partial<ImageRequest> = {}, path = this.layout.path) {
    const layout = await Layout.open(path, linuxSystem, silent());
    return await importImage(layout, this.repository, { ...PLAIN_IMPORT, ...request });
  }

  /** Paths of a commit, files with their content, folders with a slash. */
  async files(commit: Awaited<ReturnType<Bench['import']>>['commit']): Promise<string[]> {
    const list: string[] = [];
    for (const node of walk(this.repository, rootOf(this.repository, commit))) {
      if (node.kind === 'directory') {
        list.push(
          `${node.path}/ ${(this.repository.dirmeta(node.meta).mode & 0o7777).toString(8)}`.replace(
            '//',
            '/',
          ),
        );
        continue;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of this.repository.streamContent(node.checksum)) chunks.push(chunk);
      list.push(
        `${node.path} ${this.repository.content(node.checksum).target || Buffer.concat(chunks).toString()}`,
      );
    }
    return list;
  }

  /** What an image of these layers becomes, without the root. */
  async of(...layers: (readonly TarEntry[])[]): Promise<string[]> {
    this.layout.addImage({ layers: layers.map((entries) => tarOf(entries)) });
    return (await this.files((await this.import()).commit)).slice(1);
  }

  [Symbol.dispose](): void {
    this.work.dispose();
  }
}

const dir = (name: string, mode = 0o755): TarEntry => ({ name: `${name}/`, type: '5', mode });
const file = (name: string, data = name): TarEntry => ({ name, data });

describe('layers of an image', () => {
  it('lie over one another, and hide by whiteouts what is below them only', async () => {
    using bench = new Bench();
    const files = await bench.of(
      [dir('a', 0o700), file('a/1'), file('a/2'), dir('b'), file('b/x'), dir('c'), file('c/x'), file('d')],
      [
        file('a/1', 'new'),
        file('a/.wh.2', ''),
        file('.wh.b', ''),
        file('c/.wh..wh..opq', ''),
        file('c/y'),
        file('.wh.d', ''),
        file('d', 'again'),
      ],
    );
    assert.deepEqual(files, ['/d again', '/a/ 700', '/a/1 new', '/c/ 755', '/c/y c/y']);
  });

  it('replace files by folders, folders by files, and attributes of folders', async () => {
    using bench = new Bench();
    const files = await bench.of(
      [dir('a'), file('a/1'), file('b'), dir('c'), file('c/1')],
      [file('a', 'file'), dir('b', 0o711), file('b/1'), dir('c', 0o700)],
    );
    assert.deepEqual(files, ['/a file', '/b/ 711', '/b/1 b/1', '/c/ 700', '/c/1 c/1']);
  });

  it('may hide what was below a folder that is a file now', async () => {
    using bench = new Bench();
    const layers = [
      [dir('a'), file('a/1')],
      [file('a/.wh.1', ''), file('a', 'file')],
    ];
    assert.deepEqual(await bench.of(...layers), ['/a file']);
    using other = new Bench();
    assert.deepEqual(await other.of(layers[0]!, [...layers[1]!].reverse()), ['/a file']);
  });

  it('may link to files below them, and have what aufs left in them', async () => {
    using bench = new Bench();
    const files = await bench.of(
      [file('a', 'below')],
      [{ name: 'l', type: '1', link: 'a' }, dir('.wh..wh.plnk'), file('.wh..wh.aufs')],
    );
    assert.deepEqual(files.slice(0, 2), ['/a below', '/l below']);
  });

  it('are refused where files lie below a symlink of another layer', async () => {
    using bench = new Bench();
    const layers = [[dir('usr/lib'), { name: 'lib', type: '2', link: 'usr/lib' }], [file('lib/f')]];
    await assert.rejects(bench.of(...layers), /lib: files below it, and in the layers below it is a symlink/);
  });

  it('are refused with a whiteout of no name', async () => {
    using bench = new Bench();
    await assert.rejects(bench.of([file('.wh...')]), FormatError);
  });

  it('may be zstd, as any number of frames', async () => {
    using bench = new Bench();
    const layer = tarOf([file('f', 'x'.repeat(3000))]);
    const compress = (bytes: Uint8Array) =>
      Buffer.concat([zstdCompressSync(bytes.subarray(0, 1000)), zstdCompressSync(bytes.subarray(1000))]);
    bench.layout.addImage({ layers: [layer], compress });
    assert.deepEqual(await bench.files((await bench.import()).commit), ['/ 755', `/f ${'x'.repeat(3000)}`]);
  });

  it('that came before are not read again, as long as their objects are there', async () => {
    using bench = new Bench();
    const base = tarOf([file('base')]);
    const first = bench.layout.addImage({ tag: '1', layers: [base, tarOf([file('one')])] });
    bench.layout.addImage({ tag: '2', layers: [base, tarOf([file('two')])] });
    const one = await bench.import({ tag: '1', ref: 'one' });
    assert.deepEqual(
      one.layers.map(({ isKnown }) => isKnown),
      [false, false],
    );
    // The second image must do without the blob of the first layer.
    const { layers } = JSON.parse(readFileSync(bench.layout.blobPath(first.digest), 'utf8')) as {
      layers: { digest: string }[];
    };
    const lost = bench.layout.blobPath(layers[0]!.digest);
    const blob = readFileSync(lost);
    rmSync(lost);
    const two = await bench.import({ tag: '2', ref: 'two' });
    assert.deepEqual(
      two.layers.map(({ isKnown }) => isKnown),
      [true, false],
    );
    assert.deepEqual(await bench.files(two.commit), ['/ 755', '/base base', '/two two']);

    // As ostree prune would leave it.
    const object = [...walk(bench.repository, rootOf(bench.repository, one.commit))].find(
      ({ path }) => path === '/base',
    );
    assert(object?.kind === 'file');
    rmSync(bench.repository.objectPath(object.checksum, 'file'));
    writeFileSync(lost, blob);
    const again = await bench.import({ tag: '2' });
    assert.deepEqual(
      again.layers.map(({ isKnown }) => isKnown),
      [false, true],
    );
    assert.equal(again.commit === two.commit, false, 'another ref binding');
    assert.deepEqual(await bench.files(again.commit), await bench.files(two.commit));
  });

  it('become commits of their own where that is asked for', async () => {
    using bench = new Bench();
    bench.layout.addImage({ layers: [tarOf([file('a')]), tarOf([file('.wh.a', '')])] });
    const { layers } = await bench.import({ layerCommits: true });
    const refs = bench.repository.listRefs().map(({ refspec }) => refspec);
    assert.deepEqual(refs.sort(), layers.map(({ diffId }) => `sealtree/layer/${diffId}`).sort());
    assert.deepEqual(await bench.files(layers[1]!.commit!), ['/ 755', '/.wh.a ']);
  });
});

describe('a commit of an image', () => {
  it('keeps manifest, digest, configuration and version', async () => {
    using bench = new Bench();
    const labels = { 'org.opencontainers.image.version': '7.1' };
    const { digest } = bench.layout.addImage({ layers: [tarOf([file('a')])], labels });
    const { commit, config } = await bench.import({ ref: 'app' });
    assert.equal(config.labels.get('org.opencontainers.image.version'), '7.1');
    const { metadata, timestamp, subject } = bench.repository.commit(commit);
    assert.equal(bench.repository.resolve('app'), commit);
    assert.equal(timestamp, Date.parse('2026-01-01T00:00:00Z') / 1000);
    assert.match(subject, /^container image /);
    assert.equal(metadata.get('version')?.value, '7.1');
    assert.equal(metadata.get('ostree.manifest-digest')?.value, digest);
    assert.equal(
      metadata.get('ostree.manifest')?.value,
      readFileSync(bench.layout.blobPath(digest), 'latin1'),
    );
    assert.match(String(metadata.get('ostree.container.image-config')?.value), /"rootfs"/);
  });
});

describe('an image is refused', () => {
  const image: MadeImage = { layers: [tarOf([file('f', 'x'.repeat(2000))])] };

  it('when a blob is not what its digest says', async () => {
    for (const what of ['manifest', 'config', 'layer'] as const) {
      using bench = new Bench();
      const descriptor = bench.layout.addImage({ ...image, compress: (bytes) => bytes });
      const manifest = JSON.parse(readFileSync(bench.layout.blobPath(descriptor.digest), 'utf8'));
      const digest = {
        manifest: descriptor.digest,
        config: manifest.config.digest,
        layer: manifest.layers[0].digest,
      }[what];
      const path = bench.layout.blobPath(digest);
      const bytes = readFileSync(path);
      // Of the layer a byte of the file, of the documents one of a number.
      bytes[
        what === 'layer'
          ? 600
          : bytes.lastIndexOf(what === 'config' ? '0Z' : '"size":') + (what === 'config' ? 0 : 7)
      ]! ^= 1;
      writeFileSync(path, bytes);
      await assert.rejects(bench.import({ ref: 'app' }), /has another digest: got [0-9a-f]{64}, want/, what);
      assert.deepEqual(bench.repository.listRefs(), []);
    }
  });

  it('when a layer unpacks to something else than the configuration says', async () => {
    using bench = new Bench();
    bench.layout.addImage({ ...image, diffIds: [`sha256:${'0'.repeat(64)}`] });
    await assert.rejects(bench.import(), /unpacked layer has another digest/);
  });

  it('when a blob is longer or shorter than its descriptor says, or missing', async () => {
    using bench = new Bench();
    const descriptor = bench.layout.manifest(image);
    bench.layout.add({ ...descriptor, size: descriptor.size + 1 });
    await assert.rejects(bench.import(), FormatError);
    rmSync(bench.layout.blobPath(descriptor.digest));
    await assert.rejects(bench.import(), NotFoundError);
  });

  it('when the layers are not as many as the configuration says', async () => {
    using bench = new Bench();
    bench.layout.addImage({ ...image, diffIds: [] });
    await assert.rejects(bench.import(), /differ in the number of layers: got 1, want 0/);
  });

  it('when it is no image, or has layers of another kind', async () => {
    using bench = new Bench();
    const config = bench.layout.json({}, 'application/vnd.cncf.helm.config.v1+json');
    bench.layout.add(bench.layout.json({ config, layers: [] }, 'application/vnd.oci.image.manifest.v1+json'));
    await assert.rejects(bench.import(), UnsupportedError);
  });
});

describe('of several images', () => {
  const layers = [tarOf([file('f')])];

  it('that of the tag is meant, by its whole name or the last part', async () => {
    using bench = new Bench();
    bench.layout.addImage({ tag: 'registry.example/app:1', layers, labels: { n: '1' } });
    bench.layout.addImage({ tag: '2', layers, labels: { n: '2' } });
    for (const [tag, n] of [
      ['1', '1'],
      ['registry.example/app:1', '1'],
      ['2', '2'],
    ] as const)
      assert.equal((await bench.import({ tag })).config.labels.get('n'), n);
    await assert.rejects(bench.import({ tag: '3' }), (error: NotFoundError) =>
      /registry\.example\/app:1, 2/.test(error.hint ?? ''),
    );
    await assert.rejects(bench.import(), UsageError);
  });

  it('that for the platform is meant', async () => {
    using bench = new Bench();
    const of = (architecture: string, variant?: string) =>
      bench.layout.manifest({
        layers,
        architecture,
        labels: { n: `${architecture}${variant ?? ''}` },
        ...(variant && { variant }),
      });
    const attestation = { ...of('amd64'), platform: { os: 'unknown', architecture: 'unknown' } };
    const inner = bench.layout.index([
      of('amd64'),
      of('arm64', 'v8'),
      of('arm', 'v6'),
      of('arm', 'v7'),
      attestation,
    ]);
    bench.layout.add(bench.layout.index([inner]), 'multi');
    const n = async (architecture: string, variant?: string) =>
      (await bench.import({ platform: { os: 'linux', architecture, variant } })).config.labels.get('n');
    assert.equal(await n('amd64'), 'amd64');
    assert.equal(await n('arm64'), 'arm64v8');
    assert.equal(await n('arm', 'v7'), 'armv7');
    await assert.rejects(n('riscv64'), (error: NotFoundError) => /linux\/arm64\/v8/.test(error.hint ?? ''));
    await assert.rejects(n('arm'), NotFoundError);
  });

  it('the only one is refused for another platform where one is asked for, and else taken', async () => {
    using bench = new Bench();
    bench.layout.add(bench.layout.manifest({ layers, architecture: 'arm64' }), 'one');
    const platform = { os: 'linux', architecture: 'amd64', variant: undefined };
    const { config } = await bench.import({ platform });
    assert.equal(config.platform.architecture, 'arm64');
    await assert.rejects(bench.import({ platform, requirePlatform: true }), /is for linux\/arm64, not for/);
    const own = { os: 'linux', architecture: 'arm64', variant: undefined };
    await bench.import({ platform: own, requirePlatform: true });
  });

  it('one is found in a docker-archive, and in a layout that is an archive', async () => {
    using bench = new Bench();
    const archive = bench.work.write(
      'docker.tar',
      dockerArchive([tarOf([file('a')]), tarOf([file('.wh.a', ''), file('b')])], 'app:1'),
    );
    assert.deepEqual(await bench.files((await bench.import({ tag: '1' }, archive)).commit), [
      '/ 755',
      '/b b',
    ]);
    await assert.rejects(bench.import({ tag: '2' }, archive), NotFoundError);
    const broken = readFileSync(archive);
    broken[broken.indexOf('a', 512 + 512)]! ^= 1;
    using other = new Bench();
    await assert.rejects(
      other.import({}, other.work.write('broken.tar', broken)),
      /unpacked layer has another digest/,
    );
  });
});
