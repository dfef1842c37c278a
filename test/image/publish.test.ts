import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/base/digest.ts';
import { OperationError, UnsupportedError } from '../../src/base/errors.ts';
import type { Path, System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import {
  describePublication,
  LIFTED_PREFIX,
  type Publication,
  planPublication,
  planRecovery,
  publish,
  recover,
} from '../../src/image/publish.ts';
import { imagePath, storeFolder, TEMPORARY_PREFIX } from '../../src/image/store.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';

const BYTES = Buffer.from('an image, for all that publication cares');
const DIGEST = digestOf(verityDigest(BYTES));
const fine = (): void => undefined;

function setUp(work: Sandbox, immutable = true) {
  const repository = work.mkdir('ostree/repo');
  const deployment = work.mkdir('ostree/deploy/os/deploy', `${'a'.repeat(64)}.0`);
  const inodes = simulateInodes(linuxSystem, { verity: true });
  if (immutable) inodes.immutable.add(deployment);
  const publication: Publication = {
    repositoryPath: repository,
    digest: DIGEST,
    bytes: BYTES,
    deploymentPaths: [deployment],
    verity: 'auto',
  };
  return { repository, deployment, ...inodes, publication, image: imagePath(repository, DIGEST) };
}

test('an image is stored with mode 0644 and fs-verity and linked into its deployment', async () => {
  using work = new Sandbox();
  const { system, publication, image, deployment, immutable, verity } = setUp(work);
  const umask = process.umask(0o077);
  const seen: string[] = [];
  const plan = planPublication(publication, system);
  try {
    const result = await publish(plan, (bytes, path) => void seen.push(`${bytes} ${path}`), system);
    assert.deepEqual(result.verity, { state: 'enabled' });
  } finally {
    process.umask(umask);
  }
  assert.deepEqual(describePublication(plan), [
    `write ${image} (${BYTES.length} bytes)`,
    `link it to ${deployment}/.ostree.cfs`,
  ]);
  assert.deepEqual(readFileSync(image), BYTES);
  const stats = lstatSync(image);
  assert.equal(stats.mode & 0o7777, 0o644);
  assert.equal(lstatSync(`${deployment}/.ostree.cfs`).ino, stats.ino);
  assert.ok(verity.has(stats.ino));
  assert.deepEqual([...immutable], [deployment], 'the flag is back');
  assert.equal(lstatSync(storeFolder(publication.repositoryPath, 'images')).mode & 0o7777, 0o755);
  assert.equal(seen.length, 1);
  assert.match(
    seen[0] as string,
    new RegExp(`^${BYTES} .*${TEMPORARY_PREFIX}`),
    'validated before it had its name',
  );
  assert.deepEqual(readdirSync(storeFolder(publication.repositoryPath, 'images')), [`${DIGEST}.cfs`]);
  assert.deepEqual(readdirSync(deployment), ['.ostree.cfs']);
});

test('publishing again writes nothing', async () => {
  using work = new Sandbox();
  const { system, publication } = setUp(work);
  await publish(planPublication(publication, system), fine, system);
  const counted = faultSystem(system);
  const plan = planPublication(publication, counted);
  assert.ok(plan.isPublished);
  assert.deepEqual(describePublication(plan), []);
  await publish(plan, fine, counted);
  assert.deepEqual(counted.steps, []);
});

test('a folder without the immutable flag gets none', async () => {
  using work = new Sandbox();
  const { system, publication, immutable } = setUp(work, false);
  await publish(planPublication(publication, system), fine, system);
  assert.equal(immutable.size, 0);
});

for (const [name, spoil] of [
  ['other bytes', (path: string) => writeFileSync(path, Buffer.alloc(BYTES.length))],
  ['a cut image', (path: string) => writeFileSync(path, BYTES.subarray(1))],
  ['another mode', (path: string) => chmodSync(path, 0o600)],
] as const) {
  test(`a stored image with ${name} is replaced, never modified`, async () => {
    using work = new Sandbox();
    const { system, publication, image, deployment, verity } = setUp(work);
    await publish(planPublication(publication, system), fine, system);
    verity.clear();
    spoil(image);
    const before = lstatSync(image).ino;
    linkSync(image, work.join('witness'));
    const spoilt = readFileSync(work.join('witness'));

    const result = await publish(planPublication(publication, system), fine, system);
    assert.equal(result.store, 'replace');
    assert.notEqual(lstatSync(image).ino, before);
    assert.deepEqual(readFileSync(image), BYTES);
    assert.equal(lstatSync(`${deployment}/.ostree.cfs`).ino, lstatSync(image).ino);
    assert.deepEqual(readFileSync(work.join('witness')), spoilt);
  });
}

for (const [name, written] of [
  ['less', BYTES.subarray(0, -1)],
  ['more', Buffer.concat([BYTES, Buffer.alloc(1)])],
] as const) {
  test(`an image of which the disk gives back ${name} than was written is not published`, async () => {
    using work = new Sandbox();
    const { system, publication, image, deployment } = setUp(work);
    const disk: System = { ...system, write: (fd) => system.write(fd, written) };
    const published = publish(planPublication(publication, disk), fine, disk);
    await assert.rejects(published, /gave back other bytes than were written/);
    assert.deepEqual(readdirSync(dirname(image)), []);
    assert.deepEqual(readdirSync(deployment), []);
  });
}

test('a symlink in the place of the stored image is replaced, and what it points to left alone', async () => {
  using work = new Sandbox();
  const { system, publication, image } = setUp(work);
  await publish(planPublication({ ...publication, deploymentPaths: [] }, system), fine, system);
  const target = work.write('elsewhere', BYTES);
  linuxSystem.unlink(image);
  symlinkSync(target, image);
  await publish(planPublication(publication, system), fine, system);
  assert.ok(lstatSync(image).isFile());
  assert.notEqual(lstatSync(image).ino, lstatSync(target).ino);
});

test('an image that ostree wrote into the deployment is adopted, not written a second time', async () => {
  using work = new Sandbox();
  const { system, publication, image, deployment } = setUp(work);
  writeFileSync(`${deployment}/.ostree.cfs`, BYTES, { mode: 0o644 });
  const { ino } = lstatSync(`${deployment}/.ostree.cfs`);
  const result = await publish(planPublication(publication, system), fine, system);
  assert.equal(result.store, 'adopt');
  assert.equal(lstatSync(image).ino, ino);
  assert.equal(lstatSync(`${deployment}/.ostree.cfs`).ino, ino);
});

test('an image of another owner than the repository is not adopted: that one could change it', async () => {
  using work = new Sandbox();
  const { system, publication, image, deployment } = setUp(work);
  const link = `${deployment}/.ostree.cfs`;
  writeFileSync(link, BYTES, { mode: 0o644 });
  const { ino } = lstatSync(link);
  const other = {
    ...system,
    lstat: (path: Path) => Object.assign(system.lstat(path), path === link ? { uid: 12345 } : {}),
  };
  const result = await publish(planPublication(publication, other), fine, other);
  assert.equal(result.store, 'write');
  assert.notEqual(lstatSync(image).ino, ino);
  assert.equal(lstatSync(link).ino, lstatSync(image).ino);
});

test('a folder in the place of an image is said to be one, and stays', async () => {
  for (const place of ['image', 'deployment'] as const) {
    using work = new Sandbox();
    const { system, publication, image, deployment } = setUp(work, false);
    const path = place === 'image' ? image : `${deployment}/.ostree.cfs`;
    mkdirSync(path, { recursive: true });
    assert.throws(
      () => planPublication(publication, system),
      (error) => error instanceof OperationError && error.message.startsWith(`${path} is a folder`),
    );
  }
});

test('another image in the deployment is replaced', async () => {
  using work = new Sandbox();
  const { system, publication, deployment } = setUp(work);
  writeFileSync(`${deployment}/.ostree.cfs`, 'old');
  await publish(planPublication(publication, system), fine, system);
  assert.deepEqual(readFileSync(`${deployment}/.ostree.cfs`), BYTES);
});

test('what does not pass validation is not published and leaves nothing behind', async () => {
  using work = new Sandbox();
  const { system, publication, repository, deployment } = setUp(work);
  const refuse = (): never => {
    throw new OperationError('validation', 'it is not the image of the commit');
  };
  await assert.rejects(
    publish(planPublication(publication, system), refuse, system),
    /not the image of the commit/,
  );
  assert.deepEqual(readdirSync(storeFolder(repository, 'images')), []);
  assert.deepEqual(readdirSync(deployment), []);
});

test('nothing is published when the kernel measures another digest', async () => {
  using work = new Sandbox();
  const { system, publication, repository } = setUp(work);
  const lying = {
    ...system,
    measureVerity: () => ({ state: 'enabled', algorithm: 'sha256', digest: Buffer.alloc(32) }) as const,
  };
  await assert.rejects(publish(planPublication(publication, lying), fine, lying), /fs-verity measures 0000/);
  assert.deepEqual(readdirSync(storeFolder(repository, 'images')), []);
});

test('a file system without fs-verity is said so, or refused where it is required', async () => {
  using work = new Sandbox();
  const { publication, repository } = setUp(work);
  const { system } = simulateInodes(linuxSystem, { verity: false });
  const strict: Publication = { ...publication, verity: 'require' };
  await assert.rejects(publish(planPublication(strict, system), fine, system), UnsupportedError);
  assert.deepEqual(readdirSync(storeFolder(repository, 'images')), []);
  const { verity } = await publish(planPublication(publication, system), fine, system);
  assert.equal(verity.state, 'unsupported');
});

test('fs-verity is enabled later, when the file system has learnt it', async () => {
  using work = new Sandbox();
  const { publication, system, verity, image } = setUp(work);
  await publish(planPublication({ ...publication, verity: 'off' }, system), fine, system);
  assert.equal(verity.size, 0);
  await publish(planPublication(publication, system), fine, system);
  assert.ok(verity.has(lstatSync(image).ino));
});

test('recovery removes our temporary files only, and puts a lifted flag back', () => {
  using work = new Sandbox();
  const { system, repository, deployment, immutable } = setUp(work, false);
  const { lifted, temporary } = planRecovery(repository, [deployment], system);
  assert.deepEqual([lifted, temporary], [[], []]);
  const images = storeFolder(repository, 'images');
  work.write(`ostree/repo/extensions/sealtree/images/${TEMPORARY_PREFIX}111111111111`, 'half');
  work.write('ostree/repo/extensions/sealtree/images/somebody-elses', 'file');
  writeFileSync(`${deployment}/${TEMPORARY_PREFIX}222222222222`, 'half');
  symlinkSync(`../../../../deploy/os/deploy/${'a'.repeat(64)}.0`, `${images}/${LIFTED_PREFIX}333333333333`);
  recover(planRecovery(repository, [deployment], system), system);
  assert.deepEqual(readdirSync(images), ['somebody-elses']);
  assert.deepEqual(readdirSync(deployment), []);
  assert.deepEqual([...immutable], [deployment]);
});

test('a note that names no deployment makes nothing immutable', () => {
  using work = new Sandbox();
  const { system, repository, immutable } = setUp(work, false);
  const images = work.mkdir('ostree/repo/extensions/sealtree/images');
  symlinkSync('/tmp', `${images}/${LIFTED_PREFIX}111111111111`);
  symlinkSync(`../../../../deploy/os/deploy/${'b'.repeat(64)}.0`, `${images}/${LIFTED_PREFIX}222222222222`);
  recover(planRecovery(repository, [], system), system);
  assert.equal(immutable.size, 0);
  assert.deepEqual(readdirSync(images), []);
});
