import assert from 'node:assert/strict';
import { lstatSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { UnsupportedError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { type ObjectFiles, protectObjects } from '../../src/image/protect-objects.ts';
import { faultSystem, PowerCut } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';

/** Named by their content; each with its digest, the last one without. */
const OBJECTS: ReadonlyMap<Checksum, Uint8Array | undefined> = new Map(
  ['a', 'b', 'c'].map((name) => [
    name as Checksum,
    name === 'c' ? undefined : verityDigest(Buffer.from(name)),
  ]),
);

function setUp(work: Sandbox, system: System): ObjectFiles {
  for (const name of OBJECTS.keys()) writeFileSync(work.join(name), name);
  return { path: work.path, system, objectPath: (checksum) => work.join(checksum) };
}

test('every object gets fs-verity once, and one flush makes it durable', async () => {
  using work = new Sandbox();
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const counted = faultSystem(system);
  const files = setUp(work, counted);
  verity.add(lstatSync(work.join('b')).ino);
  const result = await protectObjects(files, OBJECTS, 'auto', silent());
  assert.deepEqual(result, { state: 'enabled', enabledNow: 2, enabledBefore: 1 });
  assert.equal(verity.size, 3);
  assert.deepEqual(
    counted.steps.map(({ call }) => call),
    ['enableVerity', 'enableVerity', 'syncfs'],
  );
});

test('a run that was stopped is continued', async () => {
  using work = new Sandbox();
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const stopping = setUp(work, faultSystem(system, { kind: 'power-cut', at: 1 }));
  await assert.rejects(protectObjects(stopping, OBJECTS, 'auto', silent()), PowerCut);
  assert.equal(verity.size, 1);
  const result = await protectObjects({ ...stopping, system }, OBJECTS, 'auto', silent());
  assert.deepEqual(result, { state: 'enabled', enabledNow: 2, enabledBefore: 1 });
});

test('where there is no fs-verity that is said, or is a failure when required', async () => {
  using work = new Sandbox();
  const files = setUp(work, simulateInodes(linuxSystem, { verity: false }).system);
  assert.equal((await protectObjects(files, OBJECTS, 'auto', silent())).state, 'unsupported');
  assert.deepEqual(await protectObjects(files, OBJECTS, 'off', silent()), { state: 'off' });
  await assert.rejects(protectObjects(files, OBJECTS, 'require', silent()), UnsupportedError);
});

test('a kernel that measures another digest than the image lists ends the seal', async () => {
  using work = new Sandbox();
  const files = setUp(work, simulateInodes(linuxSystem, { verity: true }).system);
  const wrong = new Map([...OBJECTS, ['b' as Checksum, verityDigest(Buffer.from('other'))]]);
  await assert.rejects(
    protectObjects(files, wrong, 'auto', silent()),
    /b: fs-verity measures [0-9a-f]{64}, the image says/,
  );
});
