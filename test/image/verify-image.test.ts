/** Findings of the check of one image file. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, beforeEach, describe, it } from 'node:test';
import { type Digest, digestOf } from '../../src/base/digest.ts';
import { IoError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import type { System, VerityMeasurement } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { parseDump } from '../../src/formats/erofs/dump.ts';
import { writeImage } from '../../src/formats/erofs/write.ts';
import { verityDigest } from '../../src/formats/verity.ts';
import { findMissingObjects, type VerifyImageOptions, verifyImage } from '../../src/image/verify-image.ts';
import { Sandbox } from '../support/sandbox.ts';

const work = new Sandbox();
after(() => work.dispose());

const CONTENT = Buffer.from('the content of an object');
const DIGEST = digestOf(verityDigest(CONTENT));
const OBJECTS = `${work.path}/objects`;
const IMAGE = `${work.path}/image.cfs`;

const FILE = `${CONTENT.length} 100644 1 0 0 0 0.0`;
const GOOD = `/ 0 40755 2 0 0 0 0.0 - - -\n/f ${FILE} aa/object - ${DIGEST}\n/g ${FILE} aa/object - ${DIGEST}\n`;

/** A system where fs-verity is as `measure` says; here it could not be had at all. */
const withVerity = (measure: (path: string) => VerityMeasurement): System => ({
  ...linuxSystem,
  measureVerity: (fd) => measure(linuxSystem.readlink(`/proc/self/fd/${fd}`)),
});
const DISABLED: VerityMeasurement = { state: 'disabled' };
const UNSUPPORTED: VerityMeasurement = { state: 'unsupported', errno: 'EOPNOTSUPP' };
const truthful = (path: string): VerityMeasurement => ({
  state: 'enabled',
  algorithm: 'sha256',
  digest: verityDigest(readFileSync(path)),
});

const writeDump = (text: string): Digest => {
  const { bytes } = writeImage(parseDump(Buffer.from(text), 'dump'));
  writeFileSync(IMAGE, bytes);
  return digestOf(verityDigest(bytes));
};

const check = async (
  system: System,
  options: Omit<VerifyImageOptions, 'progress'> = { objects: OBJECTS },
) => {
  const result = await verifyImage(IMAGE, system, { ...options, progress: silent() });
  return { ...result, list: result.findings.map(({ severity, code }) => `${severity} ${code}`) };
};

const protectedSystem = withVerity(truthful);

describe('the check of an image', () => {
  beforeEach(() => {
    rmSync(OBJECTS, { recursive: true, force: true });
    mkdirSync(`${OBJECTS}/aa`, { recursive: true });
    writeFileSync(`${OBJECTS}/aa/object`, CONTENT);
    writeDump(GOOD);
  });

  it('finds nothing where all is right and protected, and reads no content the kernel has measured', async () => {
    const { list, objects, objectsRead, digest } = await check(protectedSystem, {
      objects: OBJECTS,
      digest: writeDump(GOOD),
    });
    assert.deepEqual([list, objects, objectsRead], [[], 1, 0]);
    assert.equal(digest, writeDump(GOOD));
  });

  it('says what it did not look at', async () =>
    assert.deepEqual((await check(protectedSystem, {})).list, ['unchecked objects']));

  it('tells fs-verity that is off from fs-verity that cannot be had', async () => {
    const off = await check(withVerity(() => DISABLED));
    assert.deepEqual(off.list, ['warning image-verity', 'warning objects-verity']);
    assert.equal(off.objectsRead, 1);
    const none = await check(withVerity(() => UNSUPPORTED));
    assert.deepEqual(none.list, ['unchecked image-verity', 'unchecked objects-verity']);
    const required = await check(
      withVerity(() => UNSUPPORTED),
      { objects: OBJECTS, requireVerity: true },
    );
    assert.deepEqual(required.list, ['error image-verity', 'error objects-verity']);
  });

  it('finds another digest than the expected one', async () => {
    const { findings } = await check(protectedSystem, { objects: OBJECTS, digest: 'e'.repeat(64) as Digest });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['image-digest'],
    );
  });

  it('finds a kernel that measures something else', async () => {
    const lying = withVerity(
      (path) => ({ ...truthful(path), digest: Buffer.alloc(32) }) as VerityMeasurement,
    );
    assert.deepEqual((await check(lying)).list, ['error image-verity', 'error object-verity']);
  });

  const damages: readonly (readonly [what: string, damage: () => void, code: string])[] = [
    ['a missing object', () => rmSync(`${OBJECTS}/aa/object`), 'object-missing'],
    ['a missing folder', () => rmSync(`${OBJECTS}/aa`, { recursive: true }), 'object-missing'],
    ['a shorter object', () => writeFileSync(`${OBJECTS}/aa/object`, 'short'), 'object-size'],
    [
      'a changed object',
      () => writeFileSync(`${OBJECTS}/aa/object`, CONTENT.toString().toUpperCase()),
      'object-digest',
    ],
    [
      'a folder in its place',
      () => {
        rmSync(`${OBJECTS}/aa/object`);
        mkdirSync(`${OBJECTS}/aa/object`);
      },
      'object-replaced',
    ],
  ];
  for (const [what, damage, code] of damages) {
    it(`finds ${what}, with the files it affects`, async () => {
      damage();
      const { findings } = await check(withVerity(() => UNSUPPORTED));
      const found = findings.filter(({ severity }) => severity === 'error');
      assert.deepEqual(
        found.map((finding) => [finding.code, finding.where, finding.paths, finding.pathCount]),
        [[code, 'aa/object', ['/f', '/g'], 2]],
      );
    });
  }

  it('tells an object it may not read from one the kernel refuses', async () => {
    const failing = (errno: string): System => ({
      ...protectedSystem,
      openRead(path, options) {
        if (path.toString().endsWith('object')) throw new IoError('open', 'object', errno);
        return linuxSystem.openRead(path, options);
      },
    });
    assert.deepEqual((await check(failing('EACCES'))).list, ['unchecked object-unreadable']);
    assert.deepEqual((await check(failing('EIO'))).list, ['error object-unreadable']);
  });

  it('finds paths that lead out of the folder, without following them', async () => {
    writeDump(GOOD.replaceAll('aa/object', '../../etc/passwd'));
    assert.deepEqual((await check(protectedSystem)).list, ['error object-outside']);
  });

  it('finds files without object or digest, and files that disagree', async () => {
    writeDump(
      `/ 0 40755 2 0 0 0 0.0 - - -\n/f ${FILE} aa/object - -\n/g ${FILE} aa/object - ${DIGEST}\n/h 5 100644 1 0 0 0 0.0 - - -\n`,
    );
    assert.deepEqual((await check(protectedSystem)).list, [
      'error payload-missing',
      'unchecked object-without-digest',
      'error object-conflict',
    ]);
  });

  it('finds a damaged image and looks no further', async () => {
    const bytes = readFileSync(IMAGE);
    bytes.writeUInt16LE(0xffff, 1152 + 2);
    writeFileSync(IMAGE, bytes);
    const { list, inodes } = await check(protectedSystem);
    assert.deepEqual([list, inodes], [['error image-structure'], undefined]);
  });

  it('does not call an image of a later format damaged', async () => {
    const bytes = readFileSync(IMAGE);
    bytes.writeUInt32LE(2, 12);
    writeFileSync(IMAGE, bytes);
    assert.deepEqual((await check(protectedSystem)).list, ['unchecked image-version']);
  });

  it('throws where there is nothing to read', async () => {
    rmSync(IMAGE);
    await assert.rejects(check(protectedSystem), /ENOENT/);
  });

  it('lists missing objects', () => {
    const object = { payload: 'aa/object' as never, sizeBytes: 1, digest: undefined, paths: [] };
    const other = { ...object, payload: 'bb/other' as never };
    assert.deepEqual(findMissingObjects([object, other], OBJECTS, linuxSystem), [other]);
    assert.throws(() => findMissingObjects([object], IMAGE, linuxSystem), /no folder/);
  });
});
