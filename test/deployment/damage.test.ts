/** A sealed sysroot whose images somebody has put something else in the place of: who says so, and what stays. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { textToBytes } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { IoError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { sweep } from '../../src/deployment/gc.ts';
import { sealDeployments } from '../../src/deployment/seal.ts';
import { reportDeployments } from '../../src/deployment/status.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { verifyDeployments } from '../../src/deployment/verify.ts';
import { ErofsImage } from '../../src/formats/erofs/read.ts';
import {
  metadataChecksum,
  serializeCommit,
  serializeDirmeta,
  serializeDirtree,
} from '../../src/formats/objects.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { buildImage } from '../../src/image/plan.ts';
import { storeFolder } from '../../src/image/store.ts';
import { expectedObjects } from '../../src/image/verify-objects.ts';
import { Repository } from '../../src/repository/repository.ts';
import { lookup, rootOf } from '../../src/repository/tree.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

let work: Sandbox;
let sysroot: SmallSysroot;
let system: System;

beforeEach(async () => {
  work = new Sandbox();
  sysroot = await makeSmallSysroot(work.join('sysroot'));
  ({ system } = simulateInodes(linuxSystem, { verity: false }));
  await sealAll();
});

afterEach(() => work.dispose());

async function sealAll(): Promise<void> {
  await sealDeployments(
    sysroot.path,
    (found) => found.deployments,
    {
      digests: 'yes',
      verity: 'auto',
      dryRun: false,
      rebuild: false,
      lockTimeoutMs: 0,
      progress: silent(),
    },
    system,
  );
}

/** The image of the first deployment, the only one of its commit. */
const image = (): string => join(sysroot.deploymentPaths[0] as string, '.ostree.cfs');

const stored = (): string[] => readdirSync(storeFolder(sysroot.repositoryPath, 'images')).sort();

function firstReport(by: System = system) {
  const [first] = reportDeployments(readSysroot(sysroot.path, by), by);
  assert(first !== undefined);
  return first.image;
}

test('what is no regular file is not the image that was sealed, even where it leads to it', () => {
  const { recorded } = firstReport();
  rmSync(image());
  symlinkSync(join(storeFolder(sysroot.repositoryPath, 'images'), `${recorded}.cfs`), image());
  assert.deepEqual([firstReport().valid, firstReport().problem], [false, 'it is not a regular file']);
  rmSync(image());
  mkdirSync(image());
  assert.equal(firstReport().valid, false);
});

test('an image the disk does not give back is not the one that was sealed; one this user must not read is unknown', () => {
  const failing = (errno: string): System => ({
    ...system,
    readFile(path) {
      if (path === image()) throw new IoError('read', path, errno);
      return system.readFile(path);
    },
  });
  assert.equal(firstReport(failing('EIO')).valid, false);
  assert.equal(firstReport(failing('EACCES')).valid, undefined);
});

test('gc keeps what a deployment was sealed as when its own image is gone or damaged', async () => {
  const before = stored();
  const options = { dryRun: false, lockTimeoutMs: 0, progress: silent() };
  rmSync(image());
  assert.deepEqual((await sweep(sysroot.path, options, system)).records, []);
  mkdirSync(image());
  assert.deepEqual((await sweep(sysroot.path, options, system)).images.removed, []);
  assert.deepEqual(stored(), before);
  assert.equal(firstReport().valid, false, 'it is still known that it was sealed');
});

test('a symlink in place of the store is not followed: nothing outside the repository is removed', async () => {
  const store = storeFolder(sysroot.repositoryPath, 'images');
  const options = { dryRun: false, lockTimeoutMs: 0, progress: silent() };
  for (const name of [`${'a'.repeat(64)}.cfs`, '.sealtree-tmp-111111111111'])
    work.write(`elsewhere/${name}`, '');
  rmSync(store, { recursive: true });
  symlinkSync(work.join('elsewhere'), store);
  await assert.rejects(sweep(sysroot.path, options, system), /images: not a folder/);
  await assert.rejects(sealAll(), /images: not a folder/);
  assert.equal(readdirSync(work.join('elsewhere')).length, 2);
});

test('verify says so when the image of one deployment is no file, and goes on with the others', async () => {
  const { recorded } = firstReport();
  rmSync(image());
  symlinkSync(join(storeFolder(sysroot.repositoryPath, 'images'), `${recorded}.cfs`), image());
  const { findings, images } = await verifyAll('metadata');
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error').map(({ code, where }) => [code, where]),
    [['image-replaced', image()]],
  );
  assert.equal(images, 2);
});

test('an object that two images list with different digests is an error, though one of them is right', async () => {
  forgeDigest(sysroot.deploymentPaths[1] as string);
  assert.deepEqual(await errorsOf('deep'), ['object-conflict']);
});

test('an image that lists no digests does not keep those of another from being compared', async () => {
  const repository = Repository.open(sysroot.repositoryPath, system);
  const bare = await buildImage(repository, sysroot.commits[1], { verity: 'no', progress: silent() });
  rmSync(image());
  writeFileSync(image(), bare.bytes);
  rmSync(join(storeFolder(sysroot.repositoryPath, 'commits'), sysroot.commits[1]));
  forgeDigest(sysroot.deploymentPaths[1] as string);
  assert.deepEqual(await errorsOf('deep'), ['object-conflict', 'object-corrupt']);
});

test('an image that deployments share is read once, and its findings name them all', async () => {
  // Of the second deployment and of the third, which have one commit.
  const path = join(sysroot.deploymentPaths[1] as string, '.ostree.cfs');
  writeFileSync(path, Buffer.alloc(readFileSync(path).length));
  let reads = 0;
  const counting: System = {
    ...system,
    readFile(file) {
      if (file.toString().endsWith('/.ostree.cfs')) reads++;
      return system.readFile(file);
    },
  };
  const { findings, images } = await verifyAll('metadata', counting);
  assert.deepEqual([reads, images], [2, 3]);
  const ids = readSysroot(sysroot.path, system)
    .deployments.slice(1)
    .map(({ id }) => id);
  const errors = findings.filter(({ severity }) => severity === 'error');
  assert.deepEqual(
    errors.map(({ code, deployments, remedy }) => [code, deployments, remedy]),
    ['image-digest', 'image-damaged'].map((code) => [
      code,
      ids,
      [`sealtree seal --sysroot ${sysroot.path} ${ids.join(' ')}`],
    ]),
  );
});

test('a deployment that goes while we look is not checked; the one it shared its image with is', async () => {
  const repository = Repository.open(sysroot.repositoryPath, system);
  const { deployments } = readSysroot(sysroot.path, system);
  const [first, second] = sysroot.deploymentPaths as readonly [string, string];
  rmSync(first, { recursive: true });
  const removing: System = {
    ...system,
    readFile(file) {
      if (file === join(second, '.ostree.cfs')) rmSync(second, { recursive: true });
      return system.readFile(file);
    },
  };
  const options = {
    sysrootPath: sysroot.path,
    depth: 'metadata',
    requireVerity: false,
    progress: silent(),
  } as const;
  for (const by of [removing, system]) {
    const { findings, images } = await verifyDeployments(
      Repository.open(repository.path, by),
      deployments,
      options,
    );
    assert.equal(images, 1);
    assert.deepEqual(
      findings
        .filter(({ code }) => !code.endsWith('verity'))
        .map(({ severity, code, where }) => [severity, code, where]),
      [first, second].map((path) => ['unchecked', 'deployment-gone', path]),
    );
  }
});

test('a commit of a few folders that name each other without end keeps no check from ending', async () => {
  let tree = putObject('dirtree', serializeDirtree({ files: [], dirs: [] }));
  const meta = putObject('dirmeta', serializeDirmeta({ uid: 0, gid: 0, mode: 0o40755, xattrs: [] }));
  for (let depth = 0; depth < 60; depth++) {
    const dirs = ['a', 'b'].map((name) => ({ name: textToBytes(name), tree, meta }));
    tree = putObject('dirtree', serializeDirtree({ files: [], dirs }));
  }
  const repository = Repository.open(sysroot.repositoryPath, system);
  const checksum = putObject(
    'commit',
    serializeCommit({ ...repository.commit(sysroot.commits[1]), rootTree: tree, rootMeta: meta }),
  );
  const [deployment] = readSysroot(sysroot.path, system).deployments;
  assert(deployment !== undefined);
  const [object] = expectedObjects(new ErofsImage(readFileSync(image()), image())).keys();
  rmSync(repository.objectPath(object as Checksum, 'file'));
  const options = {
    sysrootPath: sysroot.path,
    depth: 'metadata',
    requireVerity: false,
    progress: silent(),
  } as const;
  const { findings } = await verifyDeployments(repository, [{ ...deployment, checksum }], options);
  assert.deepEqual(findings.find(({ code }) => code === 'object-missing')?.paths, []);
});

function putObject(type: string, bytes: Buffer): Checksum {
  const checksum = metadataChecksum(bytes);
  const folder = join(sysroot.repositoryPath, 'objects', checksum.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${checksum.slice(2)}.${type}`), bytes);
  return checksum;
}

/**
 * Changes the digest of an object that both commits have in the image of one deployment of the first. The record
 * goes too: nothing else says that the image is not the one that was made.
 */
function forgeDigest(deploymentPath: string): void {
  const repository = Repository.open(sysroot.repositoryPath, system);
  const root = rootOf(repository, sysroot.commits[1]);
  const entry = lookup(repository, root, textToBytes('/usr/bin/same'));
  assert(entry.kind === 'file');
  const path = join(deploymentPath, '.ostree.cfs');
  const bytes = readFileSync(path);
  const at = bytes.indexOf(verityDigest(readFileSync(repository.objectPath(entry.checksum, 'file'))));
  assert(at !== -1);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  // A new file: the old one is shared with the store and with other deployments.
  rmSync(path);
  writeFileSync(path, bytes);
  rmSync(join(storeFolder(sysroot.repositoryPath, 'commits'), sysroot.commits[0]));
}

async function errorsOf(depth: 'metadata' | 'deep'): Promise<string[]> {
  const { findings } = await verifyAll(depth);
  const errors = findings.filter(({ severity }) => severity === 'error');
  return [...new Set(errors.map(({ code }) => code))];
}

async function verifyAll(depth: 'metadata' | 'deep', by: System = system) {
  const repository = Repository.open(sysroot.repositoryPath, by);
  const { deployments } = readSysroot(sysroot.path, by);
  return await verifyDeployments(repository, deployments, {
    sysrootPath: sysroot.path,
    depth,
    requireVerity: false,
    progress: silent(),
  });
}
