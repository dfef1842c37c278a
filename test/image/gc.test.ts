import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { IoError, OperationError } from '../../src/base/errors.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { executeGc, type GcInput, planGc } from '../../src/image/gc.ts';
import { imagePath, storeFolder, TEMPORARY_PREFIX } from '../../src/image/store.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

/** A repository with images `0`…`count-1` and as many deployments without any. */
function setUp(work: Sandbox, count: number) {
  const repositoryPath = work.mkdir('ostree/repo');
  mkdirSync(storeFolder(repositoryPath, 'images'), { recursive: true });
  const images = Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.from(`image ${i}`);
    const digest = digestOf(verityDigest(bytes));
    const path = imagePath(repositoryPath, digest);
    writeFileSync(path, bytes);
    return { digest, path };
  });
  const deploymentPaths = images.map((_, i) => work.mkdir(`ostree/deploy/os/deploy/${'a'.repeat(64)}.${i}`));
  const input: GcInput = { repositoryPath, deploymentPaths, keep: new Set() };
  return { input, images, links: deploymentPaths.map((path) => `${path}/.ostree.cfs`) };
}

const pathsOf = (images: readonly { readonly path: string }[]): string[] =>
  images.map(({ path }) => path).sort();

test('what a deployment links, has a copy of, or a ref needs is kept; the rest goes', () => {
  using work = new Sandbox();
  const { input, images, links } = setUp(work, 4);
  linkSync(images[0]!.path, links[0]!);
  copyFileSync(images[1]!.path, links[1]!);
  const plan = planGc({ ...input, keep: new Set([images[2]!.digest]) }, linuxSystem);
  assert.deepEqual(pathsOf(plan.kept), pathsOf(images.slice(0, 3)));
  assert.deepEqual(pathsOf(plan.removed), [images[3]!.path]);
  assert.equal(plan.freedBytes, 'image 3'.length);
  executeGc(plan, linuxSystem);
  assert.deepEqual(
    images.map(({ path }) => existsSync(path)),
    [true, true, true, false],
  );
});

test('a linked image stays even when its bytes are damaged', () => {
  using work = new Sandbox();
  const { input, images, links } = setUp(work, 1);
  linkSync(images[0]!.path, links[0]!);
  writeFileSync(images[0]!.path, 'damaged');
  assert.deepEqual(planGc(input, linuxSystem).removed, []);
});

test('another hard link alone does not keep an image, and then nothing is freed', () => {
  using work = new Sandbox();
  const { input, images } = setUp(work, 1);
  linkSync(images[0]!.path, work.join('elsewhere'));
  const plan = planGc(input, linuxSystem);
  assert.equal(plan.removed.length, 1);
  assert.equal(plan.freedBytes, 0);
});

test('files that are not ours stay, temporary files of killed runs go', () => {
  using work = new Sandbox();
  const { input } = setUp(work, 0);
  const folder = storeFolder(input.repositoryPath, 'images');
  writeFileSync(`${folder}/README`, '');
  mkdirSync(`${folder}/${'0'.repeat(64)}.cfs`);
  symlinkSync('README', `${folder}/${'1'.repeat(64)}.cfs`);
  writeFileSync(`${folder}/${'2'.repeat(63)}.cfs`, '');
  // Like one of ours, but no name that we would make; and bytes that are no ASCII.
  writeFileSync(`${folder}/${TEMPORARY_PREFIX}é`, '');
  writeFileSync(`${folder}/${TEMPORARY_PREFIX}111111111111`, '');
  const plan = planGc(input, linuxSystem);
  assert.deepEqual(plan.foreign.length, 5);
  executeGc(plan, linuxSystem);
  assert.deepEqual(readdirSync(folder, 'latin1').sort(), [...plan.foreign]);
});

test('nothing is removed when a deployment has an image that cannot be read', () => {
  using work = new Sandbox();
  const { input, images, links } = setUp(work, 2);
  linkSync(images[0]!.path, links[0]!);
  const failing = {
    ...linuxSystem,
    readFile: (path: string | Buffer) => {
      throw new IoError('read', path.toString(), 'EIO');
    },
  };
  assert.throws(() => planGc(input, failing), OperationError);
});

test('a repository that was never sealed has nothing to collect', () => {
  using work = new Sandbox();
  const { input } = setUp(work, 0);
  rmSync(`${input.repositoryPath}/extensions`, { recursive: true });
  const plan = planGc(input, linuxSystem);
  const counted = faultSystem(linuxSystem);
  executeGc(plan, counted);
  assert.deepEqual(counted.steps, []);
});

test('collection stopped at any step is finished by the next', () => {
  for (let at = 0; at < 4; at++) {
    using work = new Sandbox();
    const { input, images, links } = setUp(work, 3);
    linkSync(images[0]!.path, links[0]!);
    writeFileSync(`${storeFolder(input.repositoryPath, 'images')}/${TEMPORARY_PREFIX}111111111111`, '');
    const system = faultSystem(linuxSystem, { kind: 'power-cut', at });
    assert.throws(() => executeGc(planGc(input, system), system), PowerCut);
    assert.ok(existsSync(images[0]!.path));
    executeGc(planGc(input, linuxSystem), linuxSystem);
    assert.deepEqual(readdirSync(storeFolder(input.repositoryPath, 'images')), [
      `${images[0]!.digest as Digest}.cfs`,
    ]);
  }
});
