/**
 * Publication stopped at every step in turn. Afterwards the old or the new state holds, never a mixture; what is
 * left over is recognised, and the next run ends clean with the immutable flag as it was found.
 */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { digestOf } from '../../src/base/digest.ts';
import { IoError } from '../../src/base/errors.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import {
  LIFTED_PREFIX,
  type Publication,
  planPublication,
  planRecovery,
  publish,
  recover,
} from '../../src/image/publish.ts';
import { imagePath, storeFolder } from '../../src/image/store.ts';
import { type Fault, faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';

const OLD = Buffer.from('the image from before');
const NEW = Buffer.from('the image that is to be published');
const NEW_DIGEST = digestOf(verityDigest(NEW));

interface Case {
  readonly name: string;
  /** What the deployment has before. */
  readonly before: 'nothing' | 'old image' | 'same image by ostree';
  readonly immutable: boolean;
  /** Steps of a run that succeeds. A change of publication may change it; fewer by accident means steps were lost. */
  readonly steps: number;
}

const CASES: readonly Case[] = [
  { name: 'a first image, immutable folder', before: 'nothing', immutable: true, steps: 28 },
  { name: 'a first image, staged deployment (mutable)', before: 'nothing', immutable: false, steps: 23 },
  { name: 'an image replaced', before: 'old image', immutable: true, steps: 28 },
  { name: 'an image adopted', before: 'same image by ostree', immutable: true, steps: 18 },
];

function setUp(work: Sandbox, { before, immutable }: Case) {
  const repositoryPath = work.mkdir('ostree/repo');
  const deployment = work.mkdir('ostree/deploy/os/deploy', `${'a'.repeat(64)}.0`);
  const inodes = simulateInodes(linuxSystem, { verity: true });
  const link = `${deployment}/.ostree.cfs`;
  if (before !== 'nothing') writeFileSync(link, before === 'old image' ? OLD : NEW, { mode: 0o644 });
  if (immutable) inodes.immutable.add(deployment);
  const publication: Publication = {
    repositoryPath,
    digest: NEW_DIGEST,
    bytes: NEW,
    deploymentPaths: [deployment],
    verity: 'require',
  };
  const run = async (system: System): Promise<void> => {
    recover(planRecovery(repositoryPath, [deployment], system), system);
    await publish(planPublication(publication, system), () => undefined, system);
  };
  return { ...inodes, repositoryPath, deployment, link, run };
}

type State = ReturnType<typeof setUp>;

/** The invariants that hold at any moment. */
function assertOldOrNew(state: State, { before, immutable }: Case): void {
  const stored = imagePath(state.repositoryPath, NEW_DIGEST);
  if (existsSync(stored)) {
    assert.deepEqual(readFileSync(stored), NEW, 'what has the name of the image is the image');
    assert.ok(state.verity.has(lstatSync(stored).ino), 'and is protected');
  }
  const old = before === 'nothing' ? undefined : before === 'old image' ? OLD : NEW;
  const linked = existsSync(state.link) ? readFileSync(state.link) : undefined;
  assert.ok(
    linked?.equals(NEW) || (old === undefined ? linked === undefined : linked?.equals(old)),
    `the deployment has its old or its new image: ${linked}`,
  );
  if (linked?.equals(NEW) && !old?.equals(NEW)) assert.ok(existsSync(stored), 'linked means stored');
  const images = storeFolder(state.repositoryPath, 'images');
  const noted = existsSync(images) && readdirSync(images).some((name) => name.startsWith(LIFTED_PREFIX));
  const isImmutable = state.immutable.has(state.deployment);
  assert.ok(isImmutable === immutable || noted, 'the flag is as found, or a note says that it is not');
  if (!immutable) assert.ok(!isImmutable && !noted);
}

async function assertNextRunEndsClean(state: State, { immutable }: Case): Promise<void> {
  await state.run(state.system);
  assert.deepEqual(readFileSync(state.link), NEW);
  assert.equal(lstatSync(state.link).ino, lstatSync(imagePath(state.repositoryPath, NEW_DIGEST)).ino);
  assert.equal(state.immutable.has(state.deployment), immutable);
  assert.deepEqual(readdirSync(storeFolder(state.repositoryPath, 'images')), [`${NEW_DIGEST}.cfs`]);
  assert.deepEqual(readdirSync(state.deployment), ['.ostree.cfs']);
}

async function stepsOf(which: Case): Promise<number> {
  using work = new Sandbox();
  const state = setUp(work, which);
  const counted = faultSystem(state.system);
  await state.run(counted);
  return counted.steps.length;
}

async function withFault(
  which: Case,
  fault: Fault,
  check: (state: State, error: unknown) => Promise<void>,
): Promise<void> {
  using work = new Sandbox();
  const state = setUp(work, which);
  let failure: unknown;
  try {
    await state.run(faultSystem(state.system, fault));
  } catch (error) {
    failure = error;
  }
  assertOldOrNew(state, which);
  await check(state, failure);
  await assertNextRunEndsClean(state, which);
}

for (const which of CASES) {
  test(`${which.name}: power cut before every step`, async (t) => {
    const steps = await stepsOf(which);
    t.diagnostic(`${steps} steps`);
    assert.equal(steps, which.steps, 'the number of steps changed: look whether it should have');
    for (let at = 0; at < steps; at++) {
      await withFault(which, { kind: 'power-cut', at }, async (_, error) => {
        assert.ok(error instanceof PowerCut, `step ${at}: ${error}`);
      });
    }
  });

  for (const errno of ['ENOSPC', 'EIO', 'EPERM']) {
    test(`${which.name}: every step fails with ${errno}`, async () => {
      const steps = await stepsOf(which);
      for (let at = 0; at < steps; at++) {
        await withFault(which, { kind: 'fail', at, errno }, async (state, error) => {
          assert.ok(error instanceof IoError && error.errno === errno, `step ${at}: ${error}`);
          const images = storeFolder(state.repositoryPath, 'images');
          const left = existsSync(images) ? readdirSync(images).filter((name) => name.startsWith('.')) : [];
          const flagIsBack = state.immutable.has(state.deployment) === which.immutable;
          assert.ok(flagIsBack || left.length > 0, `step ${at}: the flag is lost`);
        });
      }
    });
  }
}

test('a run killed while it recovers is recovered by the next', async () => {
  const which: Case = { name: '', before: 'nothing', immutable: true, steps: 0 };
  const steps = await stepsOf(which);
  for (let at = 0; at < steps; at++) {
    for (let second = 0; second < 5; second++) {
      await withFault(which, { kind: 'power-cut', at }, async (state) => {
        await assert
          .rejects(state.run(faultSystem(state.system, { kind: 'power-cut', at: second })), PowerCut)
          .catch((error: unknown) => {
            // A short second run may be through before its cut.
            if (!(error instanceof assert.AssertionError)) throw error;
          });
        assertOldOrNew(state, which);
      });
    }
  }
});
