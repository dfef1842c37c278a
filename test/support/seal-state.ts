/** What must hold of a sysroot that was being sealed, at any moment and at the end. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../src/base/digest.ts';
import type { Progress } from '../../src/base/progress.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { readImageState } from '../../src/deployment/image-state.ts';
import { type SealOptions, type SealResult, sealDeployments } from '../../src/deployment/seal.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { LIFTED_PREFIX } from '../../src/image/publish.ts';
import { recordedImage } from '../../src/image/records.ts';
import { imagePath, storeFolder } from '../../src/image/store.ts';
import type { SmallSysroot } from './small-sysroot.ts';

/** Seals all deployments. */
export function sealAll(
  sysroot: Pick<SmallSysroot, 'path'>,
  verity: SealOptions['verity'],
  system: System,
  progress: Progress = silent(),
): Promise<SealResult[]> {
  const options: SealOptions = {
    digests: 'yes',
    verity,
    dryRun: false,
    rebuild: false,
    lockTimeoutMs: 10_000,
    progress,
  };
  return sealDeployments(sysroot.path, ({ deployments }) => deployments, options, system);
}

/** The image a deployment should have in the end, by its folder; taken from a sysroot that was sealed undisturbed. */
export type Expected = ReadonlyMap<string, Buffer>;

/** The part of a deployment's path that two sysroots have in common. */
const nameOf = (sysroot: SmallSysroot, path: string): string => path.slice(sysroot.path.length);

export function imagesOf(sysroot: SmallSysroot): Expected {
  return new Map(
    sysroot.deploymentPaths.map((path) => [nameOf(sysroot, path), readFileSync(join(path, '.ostree.cfs'))]),
  );
}

/**
 * Asserts that each deployment has its old image (if any) or its new one, that every name in the store belongs to
 * an image of that digest, and that no immutable flag is missing without a note.
 */
export function assertOldOrNew(
  sysroot: SmallSysroot,
  old: Expected,
  wanted: Expected,
  isImmutable: (path: string) => boolean,
  system: System,
): void {
  const images = storeFolder(sysroot.repositoryPath, 'images');
  const names = existsSync(images) ? readdirSync(images) : [];
  for (const name of names.filter((name) => name.endsWith('.cfs')))
    assert.equal(digestOf(verityDigest(readFileSync(join(images, name)))), name.slice(0, 64));
  const notes = names.filter((name) => name.startsWith(LIFTED_PREFIX));
  for (const path of sysroot.deploymentPaths) {
    const link = join(path, '.ostree.cfs');
    const bytes = existsSync(link) ? readFileSync(link) : undefined;
    const name = nameOf(sysroot, path);
    const isOld = old.get(name) === undefined ? bytes === undefined : bytes?.equals(old.get(name) as Buffer);
    assert.ok(isOld || bytes?.equals(wanted.get(name) as Buffer), `${link} is neither old nor new`);
    assert.ok(isImmutable(path) || notes.length > 0, `${path} lost its immutable flag unnoticed`);
  }
  for (const commit of sysroot.commits) {
    const digest = recordedImage(sysroot.repositoryPath, commit, system);
    assert.ok(
      digest === undefined || existsSync(imagePath(sysroot.repositoryPath, digest)),
      'no record without its image',
    );
  }
}

/** Asserts that all is sealed, and nothing else is left. */
export function assertSealed(
  sysroot: SmallSysroot,
  wanted: Expected,
  isImmutable: (path: string) => boolean,
  system: System,
): void {
  const { deployments, problems, repositoryPath } = readSysroot(sysroot.path, system);
  assert.deepEqual(problems, []);
  for (const deployment of deployments) {
    const state = readImageState(deployment, repositoryPath, system);
    assert.equal(state.kind, 'sealed');
    assert.ok(readFileSync(state.path).equals(wanted.get(nameOf(sysroot, deployment.path)) as Buffer));
    assert.equal(lstatSync(state.path).mode & 0o7777, 0o644);
    assert.ok(isImmutable(deployment.path), `${deployment.path} is not immutable any more`);
    assert.deepEqual(readdirSync(deployment.path), ['.ostree.cfs']);
  }
  const images = readdirSync(storeFolder(repositoryPath, 'images')).sort();
  const digests = new Set([...wanted.values()].map((bytes) => digestOf(verityDigest(bytes))));
  assert.deepEqual(images, [...digests].map((digest) => `${digest}.cfs`).sort());
  assert.deepEqual(readdirSync(storeFolder(repositoryPath, 'commits')).sort(), [...sysroot.commits].sort());
  assert.ok(!existsSync(join(sysroot.path, 'ostree/lock')), 'the lock file is gone');
}
