/** The seal and its check over a whole sysroot, with inode flags and fs-verity played in memory. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Checksum } from '../../src/base/digest.ts';
import { IoError } from '../../src/base/errors.ts';
import { silent } from '../../src/base/progress.ts';
import type { Path, System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { sweep } from '../../src/deployment/gc.ts';
import { readImageState } from '../../src/deployment/image-state.ts';
import {
  type SealOptions,
  type SealResult,
  sealDeployments,
  selectDeployments,
} from '../../src/deployment/seal.ts';
import { reportDeployments } from '../../src/deployment/status.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { type VerifyOptions, verifyDeployments } from '../../src/deployment/verify.ts';
import { ValidationError } from '../../src/image/seal-image.ts';
import { writeDigest } from '../../src/repository/content-table.ts';
import { DirtreePack } from '../../src/repository/dirtree-pack.ts';
import { readObjectInfo, writeObjectInfo } from '../../src/repository/object-info.ts';
import { Repository } from '../../src/repository/repository.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

let folder: string;
let sysroot: SmallSysroot;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtree-seal-'));
  sysroot = await makeSmallSysroot(join(folder, 'sysroot'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OPTIONS: SealOptions = {
  digests: 'yes',
  verity: 'auto',
  dryRun: false,
  rebuild: false,
  lockTimeoutMs: 0,
  progress: silent(),
};

async function seal(
  system: System,
  options: Partial<SealOptions> = {},
  specs: string[] = [],
): Promise<SealResult[]> {
  return await sealDeployments(
    sysroot.path,
    (found) => selectDeployments(found, specs),
    { ...OPTIONS, ...options },
    system,
  );
}

async function verify(system: System, options: Partial<VerifyOptions> = {}) {
  const found = readSysroot(sysroot.path, system);
  const repository = Repository.open(found.repositoryPath, system);
  const all = {
    sysrootPath: sysroot.path,
    depth: 'metadata',
    requireVerity: false,
    progress: silent(),
    ...options,
  } as const;
  return await verifyDeployments(repository, found.deployments, all);
}

const imageOf = (index: number): string => join(sysroot.deploymentPaths[index] as string, '.ostree.cfs');
const store = (): string => join(sysroot.repositoryPath, 'extensions/sealtree/images');

/** The path of the object of a file, of all commits the one with this content. */
function objectWith(content: string): { path: string; checksum: Checksum } {
  const objects = join(sysroot.repositoryPath, 'objects');
  for (const prefix of readdirSync(objects)) {
    for (const name of readdirSync(join(objects, prefix))) {
      if (!name.endsWith('.file')) continue;
      const path = join(objects, prefix, name);
      if (lstatSync(path).isFile() && readFileSync(path, 'latin1').startsWith(content))
        return { path, checksum: `${prefix}${name.slice(0, -'.file'.length)}` as Checksum };
    }
  }
  throw new Error(`no object with ${content}`);
}

/** Puts other bytes in an object's place, whatever protects the file itself. */
function replace(path: string, bytes: string | Buffer): void {
  const { mode } = lstatSync(path);
  unlinkSync(path);
  writeFileSync(path, bytes);
  chmodSync(path, mode);
}

test('every deployment is sealed, deployments of one commit with one file', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: true });
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ action, imageVerity }) => [action, imageVerity?.state]),
    Array(3).fill(['sealed', 'enabled']),
  );
  assert.equal(readdirSync(store()).length, 2);
  assert.equal(lstatSync(imageOf(1)).ino, lstatSync(imageOf(2)).ino);
  assert.notEqual(lstatSync(imageOf(0)).ino, lstatSync(imageOf(1)).ino);
  const report = await verify(system, { depth: 'paranoid' });
  assert.deepEqual(report.findings, []);
  assert.deepEqual(
    [report.images, report.objectsRead === report.objects, report.objects > 3],
    [3, true, true],
  );
});

test('a second seal changes nothing', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: true });
  await seal(system);
  const before = sysroot.deploymentPaths.map((_, i) => lstatSync(imageOf(i)).ctimeMs);
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ action }) => action),
    ['unchanged', 'unchanged', 'unchanged'],
  );
  assert.deepEqual(
    sysroot.deploymentPaths.map((_, i) => lstatSync(imageOf(i)).ctimeMs),
    before,
  );
});

test('other object digests than those it was sealed with are another image', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  const [usual] = await seal(system);
  const [without] = await seal(system, { digests: 'no' });
  assert.equal(without?.action, 'sealed');
  assert.notEqual(without.digest, usual?.digest);
  const { findings } = await verify(system);
  assert.ok(findings.some(({ code }) => code === 'image-without-digests'));
  const again = await seal(system, { digests: 'no' });
  assert.ok(again.every(({ action }) => action === 'unchanged'));
});

test('a dry run says the digest and writes nothing', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: true });
  const planned = await seal(system, { dryRun: true });
  assert.deepEqual(
    sysroot.deploymentPaths.map((path) => readdirSync(path)),
    [[], [], []],
  );
  assert.deepEqual(readdirSync(join(sysroot.repositoryPath, 'extensions')), []);
  const done = await seal(system);
  assert.deepEqual(
    planned.map(({ digest, action }) => [digest, action]),
    done.map(({ digest, action }) => [digest, action]),
  );
});

test('fs-verity that came later is turned on by the next seal, on image and objects', async () => {
  await seal(simulateInodes(linuxSystem, { verity: false }).system);
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const findings = (await verify(system)).findings.map(({ severity, code }) => `${severity} ${code}`);
  assert.deepEqual([...new Set(findings)].sort(), ['warning image-verity', 'warning objects-without-verity']);
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ imageVerity }) => imageVerity?.state),
    ['enabled', 'enabled', 'enabled'],
  );
  assert.ok(verity.has(lstatSync(imageOf(0)).ino));
  assert.deepEqual((await verify(system)).findings, []);
});

test('what cannot have fs-verity is unchecked, and an error where it is required', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const severities = async (requireVerity: boolean) =>
    (await verify(system, { requireVerity })).findings.map(({ severity, code }) => `${severity} ${code}`);
  assert.deepEqual(await severities(false), ['unchecked objects-without-verity', 'unchecked image-verity']);
  assert.deepEqual(await severities(true), ['error objects-without-verity', 'error image-verity']);
  const refused = await seal(system, { verity: 'require', rebuild: true });
  assert.deepEqual(
    refused.map(({ error }) => error?.code),
    ['unsupported', 'unsupported', 'unsupported'],
  );
});

test("an image of ostree's own is adopted when it is right, and replaced when it is not", async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const ours = join(folder, 'image');
  copyFileSync(imageOf(0), ours);
  rmSync(join(sysroot.repositoryPath, 'extensions/sealtree'), { recursive: true });
  for (let i = 0; i < 3; i++) unlinkSync(imageOf(i));
  copyFileSync(ours, imageOf(0));
  const inode = lstatSync(imageOf(0)).ino;
  writeFileSync(imageOf(1), 'an image without digests');
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ action }) => action),
    ['adopted', 'sealed', 'sealed'],
  );
  assert.equal(lstatSync(imageOf(0)).ino, inode);
  assert.deepEqual(
    (await verify(system)).findings.filter(({ severity }) => severity !== 'unchecked'),
    [],
  );
});

test('after a lost record, and after a link that failed, it is said what was done', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  rmSync(join(sysroot.repositoryPath, 'extensions/sealtree/commits'), { recursive: true });
  unlinkSync(imageOf(2));
  for (const dryRun of [true, false])
    assert.deepEqual(
      (await seal(system, { dryRun })).map(({ action }) => action),
      ['adopted', 'adopted', 'linked'],
    );
  // Of two deployments of one commit one has its image, and the store has none.
  rmSync(join(sysroot.repositoryPath, 'extensions/sealtree'), { recursive: true });
  unlinkSync(imageOf(2));
  assert.deepEqual(
    (await seal(system)).map(({ action }) => action),
    ['adopted', 'adopted', 'linked'],
  );
});

test('an image that is not the one of its commit is not published', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  const images = new Set<number>();
  // A disk that turns a bit of an inode's mode, and says nothing.
  const lying: System = {
    ...system,
    openRead(path, options) {
      const fd = system.openRead(path, options);
      if (path.toString().includes('.sealtree-tmp-')) images.add(fd);
      return fd;
    },
    read(fd, into, position) {
      const count = system.read(fd, into, position);
      if (images.delete(fd)) into[1152 + 4] = (into[1152 + 4] as number) ^ 1;
      return count;
    },
  };
  const results = await seal(lying);
  for (const { error } of results) assert.match(String(error), /gave back other bytes than were written/);
  assert.ok(results.every(({ action }) => action === 'failed'));
  assert.deepEqual(readdirSync(store()), []);
  assert.ok(sysroot.deploymentPaths.every((path) => !readdirSync(path).includes('.ostree.cfs')));
});

test('object digests that are not those of the content are not published, whoever measured them', async () => {
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const lies = new Set<number>();
  for (const content of ['1111', '2222', 'in all', 'NAME=Test\nVERSION_ID=1', 'NAME=Test\nVERSION_ID=2'])
    lies.add(lstatSync(objectWith(content).path).ino);
  for (const ino of lies) verity.add(ino);
  const lying: System = {
    ...system,
    measureVerity: (fd) =>
      lies.has(system.fstat(fd).ino)
        ? { state: 'enabled', algorithm: 'sha256', digest: Buffer.alloc(32, 1) }
        : system.measureVerity(fd),
  };
  for (const { error } of await seal(lying)) {
    assert(error instanceof ValidationError);
    assert.deepEqual(
      error.findings.map(({ code }) => code),
      ['object-digest'],
    );
  }
  assert.deepEqual(readdirSync(store()), []);
});

test('a commit that records another digest is not published', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  const { RepositoryWriter } = await import('../../src/repository/write.ts');
  const { writeCommitOf } = await import('../../src/repository/write-commit.ts');
  const { sourceDirectory, sourceFile } = await import('../../src/repository/source.ts');
  const writer = await RepositoryWriter.open(Repository.open(sysroot.repositoryPath, system), {
    fsync: false,
  });
  const metadata = new Map([['ostree.composefs.digest.v0', { type: 'ay', value: Buffer.alloc(32, 1) }]]);
  const commit = await writeCommitOf(writer, sourceDirectory({ f: sourceFile('x') }), {
    timestamp: 3,
    metadata,
  });
  writer.commit();
  // In place of the first deployment's commit.
  const found = readSysroot(sysroot.path, system);
  const deployment = { ...(found.deployments[0] as (typeof found.deployments)[0]), checksum: commit };
  const [result] = await sealDeployments(sysroot.path, () => [deployment], OPTIONS, system);
  assert.ok(result?.error instanceof ValidationError);
  assert.equal(result.error.findings[0]?.code, 'commit-digest');
  assert.equal(result.error.exitCode, 2);
  assert.deepEqual(readdirSync(store()), []);
});

test('an image that cannot be read any more is replaced, and keeps no other deployment from being sealed', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const broken = lstatSync(imageOf(0)).ino;
  // What fs-verity answers when a block is not what it was.
  const refuse = (path: Path): void => {
    if (system.lstatIfExists(path)?.ino === broken) throw new IoError('read', path.toString(), 'EIO');
  };
  const opened = new Map<number, Path>();
  const failing: System = {
    ...system,
    readFile(path) {
      refuse(path);
      return system.readFile(path);
    },
    openRead(path, options) {
      const fd = system.openRead(path, options);
      opened.set(fd, path);
      return fd;
    },
    read(fd, buffer, position) {
      refuse(opened.get(fd) ?? '');
      return system.read(fd, buffer, position);
    },
  };
  const results = await seal(failing);
  assert.deepEqual(
    results.map(({ action }) => action),
    ['sealed', 'unchanged', 'unchanged'],
  );
  assert.notEqual(lstatSync(imageOf(0)).ino, broken);
});

test('one deployment whose objects are gone does not keep the others from being sealed', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  unlinkSync(objectWith('2222').path);
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ action, error }) => [action, error?.code]),
    [
      ['failed', 'not-found'],
      ['sealed', undefined],
      ['sealed', undefined],
    ],
  );
});

interface Damage {
  readonly what: string;
  readonly apply: () => void;
  readonly depth?: VerifyOptions['depth'];
  /** `code` of the errors it must lead to. */
  readonly codes: readonly string[];
  /** Deployments that the first error names, by index. */
  readonly touches: readonly number[];
  readonly path?: string;
  readonly remedy: RegExp;
}

const DAMAGES: readonly Damage[] = [
  {
    what: 'missing image',
    apply: () => unlinkSync(imageOf(0)),
    codes: ['image-missing'],
    touches: [0],
    remedy: /^sealtree seal --sysroot \/\S+ alpha\//,
  },
  {
    what: 'cut image',
    apply: () => {
      copyFileSync(imageOf(0), join(folder, 'copy'));
      truncateSync(join(folder, 'copy'), 8192);
      replace(imageOf(0), readFileSync(join(folder, 'copy')));
    },
    codes: ['image-digest', 'image-damaged'],
    touches: [0],
    remedy: /^sealtree seal/,
  },
  {
    what: 'changed image',
    apply: () => {
      const bytes = readFileSync(imageOf(0));
      bytes[1152 + 4] = (bytes[1152 + 4] as number) ^ 1;
      replace(imageOf(0), bytes);
    },
    codes: ['image-digest', 'entry-differs'],
    touches: [0],
    remedy: /^sealtree seal/,
  },
  {
    what: 'image of another commit',
    apply: () => {
      unlinkSync(imageOf(0));
      linkSync(imageOf(1), imageOf(0));
    },
    codes: ['image-digest', 'entry-differs'],
    touches: [0],
    remedy: /^sealtree seal/,
  },
  {
    what: 'missing object',
    apply: () => unlinkSync(objectWith('1111').path),
    codes: ['commit-damaged', 'object-missing'],
    touches: [1],
    path: '/usr/bin/tool',
    remedy: /ostree fsck --repo=.* --delete$/,
  },
  {
    what: 'cut object',
    apply: () => replace(objectWith('1111').path, '1111'),
    codes: ['entry-differs', 'object-size'],
    touches: [1, 2],
    path: '/usr/bin/tool',
    remedy: /ostree fsck --repo=.* --delete$/,
  },
  {
    what: 'object of another content and the same length',
    apply: () => replace(objectWith('in all').path, Buffer.alloc(5000, 'x')),
    depth: 'deep',
    codes: ['object-corrupt'],
    touches: [0, 1, 2],
    path: '/usr/bin/same',
    remedy: /ostree fsck --repo=.* --delete$/,
  },
];

for (const { what, apply, depth = 'metadata', codes, touches, path, remedy } of DAMAGES) {
  test(`verify finds: ${what}`, async () => {
    const { system } = simulateInodes(linuxSystem, { verity: false });
    await seal(system);
    apply();
    const errors = (await verify(system, { depth })).findings.filter(({ severity }) => severity === 'error');
    const found = new Set(errors.map(({ code }) => code));
    for (const code of codes) assert.ok(found.has(code), `${code} not in ${[...found].join(', ')}`);
    assert.ok(errors.every((finding) => finding.remedy?.length && finding.deployments?.length));
    assert.match(errors[0]?.remedy?.[0] ?? '', remedy);
    const ids = readSysroot(sysroot.path, system).deployments.map(({ id }) => id);
    const named = new Set(errors.flatMap(({ deployments = [] }) => deployments));
    for (const index of touches) assert.ok(named.has(ids[index] as string));
    if (path !== undefined) assert.ok(errors.some(({ paths }) => paths?.includes(path)));
  });
}

for (const [errno, finding] of [
  ['EACCES', 'unchecked object-unreadable'],
  ['EIO', 'error object-damaged'],
  ['ENOENT', 'error object-missing'],
] as const)
  for (const depth of ['metadata', 'deep'] as const)
    test(`verify goes on after an object that opens with ${errno} (${depth})`, async () => {
      const { system } = simulateInodes(linuxSystem, { verity: false });
      await seal(system);
      const { path } = objectWith('1111');
      const failing: System = {
        ...system,
        openRead(file, options) {
          if (file === path) throw new IoError('open', path, errno);
          return system.openRead(file, options);
        },
      };
      const { findings, objects, objectsRead } = await verify(failing, { depth });
      const found = findings.filter(({ where }) => where.startsWith('object '));
      assert.deepEqual(
        found.map(({ severity, code }) => `${severity} ${code}`),
        [finding],
      );
      assert.deepEqual(found[0]?.paths, ['/usr/bin/tool']);
      assert.equal(objectsRead, depth === 'deep' ? objects - 1 : 0);
    });

test('what a commit needs and this user must not read leaves it unchecked, not damaged', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const failing: System = {
    ...system,
    openRead(file, options) {
      if (file.toString().endsWith('.dirmeta')) throw new IoError('open', file.toString(), 'EACCES');
      return system.openRead(file, options);
    },
  };
  const { findings } = await verify(failing);
  const codes = new Set(findings.map(({ severity, code }) => `${severity} ${code}`));
  assert.ok(codes.has('unchecked commit-unreadable'));
  assert.ok(![...codes].some((code) => code.startsWith('error')), [...codes].join(', '));
});

test('fs-verity that measures something else is an error of the object and of the image', async () => {
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  await seal(system);
  // Replaced by a file of another content that has fs-verity as well.
  const { path } = objectWith('in all');
  replace(path, Buffer.alloc(5000, 'x'));
  verity.add(lstatSync(path).ino);
  const { findings } = await verify(system);
  const object = findings.find(({ code }) => code === 'object-verity');
  assert.equal(object?.severity, 'error');
  assert.deepEqual(object.paths, ['/usr/bin/same']);
  assert.equal(object.deployments?.length, 3);
});

test('an object that differs from what was sealed is not sealed again', async () => {
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  await seal(system);
  const before = readdirSync(store());
  const { path, checksum } = objectWith('2222');
  const good = readFileSync(path);
  replace(path, Buffer.alloc(good.length, 'x'));
  verity.add(lstatSync(path).ino);
  for (const dryRun of [true, false]) {
    const [first, ...others] = await seal(system, { rebuild: true, dryRun });
    assert(first?.error instanceof ValidationError);
    assert.deepEqual(
      first.error.findings.map(({ code, where }) => [code, where]),
      [['object-changed', `object ${checksum}.file`]],
    );
    assert.deepEqual(
      others.map(({ action }) => action),
      ['unchanged', 'unchanged'],
    );
  }
  assert.deepEqual(readdirSync(store()), before);
  replace(path, good);
  await seal(system, { rebuild: true });
  assert.deepEqual((await verify(system)).findings, []);
});

test('an object that lost its fs-verity is named, and the remedy mends it', async () => {
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  await seal(system);
  const { path, checksum } = objectWith('1111');
  verity.delete(lstatSync(path).ino);
  const { findings } = await verify(system);
  const ids = readSysroot(sysroot.path, system).deployments.map(({ id }) => id);
  assert.deepEqual(
    findings.map(({ message, pathCount, ...finding }) => finding),
    [
      {
        severity: 'warning',
        code: 'object-without-verity',
        where: `object ${checksum}.file`,
        paths: ['/usr/bin/tool'],
        deployments: ids.slice(1),
        remedy: [`sealtree seal --sysroot ${sysroot.path} ${ids[1]} ${ids[2]}`],
      },
    ],
  );
  const sealAgain = async (options: Partial<SealOptions> = {}) =>
    (await seal(system, options)).map(({ action }) => action);
  assert.deepEqual(await sealAgain({ verity: 'off' }), Array(3).fill('unchanged'));
  const [, planned] = await seal(system, { dryRun: true });
  assert.deepEqual(planned?.steps, ['enable fs-verity where it is off']);
  for (const dryRun of [true, false])
    assert.deepEqual(await sealAgain({ dryRun }), ['unchanged', 'protected', 'protected']);
  assert.deepEqual(await sealAgain(), Array(3).fill('unchanged'));
  assert.deepEqual((await verify(system)).findings, []);
});

test('an object that is missing is no reason to say that all is as it was', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: true });
  await seal(system);
  unlinkSync(objectWith('1111').path);
  const results = await seal(system);
  assert.deepEqual(
    results.map(({ action, error }) => [action, error?.code]),
    [['unchanged', undefined], ...Array(2).fill(['failed', 'not-found'])],
  );
});

test('an intact host has no findings that count, a host that was never sealed only unchecked ones', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  assert.deepEqual(
    (await verify(system)).findings.map(({ severity, code }) => [severity, code]),
    Array(3).fill(['unchecked', 'not-sealed']),
  );
});

test('status tells each state of an image from the others', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  const states = () =>
    reportDeployments(readSysroot(sysroot.path, system), system).map(
      ({ image }) => `${image.state} ${image.valid}`,
    );
  assert.deepEqual(states(), Array(3).fill('none undefined'));
  writeFileSync(imageOf(0), 'not made by us');
  assert.equal(states()[0], 'foreign false');
  await seal(system);
  assert.deepEqual(states(), Array(3).fill('sealed true'));
  copyFileSync(imageOf(0), join(folder, 'copy'));
  replace(imageOf(0), readFileSync(join(folder, 'copy')));
  assert.equal(states()[0], 'unlinked true');
  rmSync(join(sysroot.repositoryPath, 'extensions/sealtree/commits', sysroot.commits[1]));
  assert.equal(states()[0], 'foreign undefined');
  await seal(system);
  replace(imageOf(0), 'rubbish');
  assert.equal(states()[0], 'unlinked false');
  const lost = readImageState(
    { path: sysroot.deploymentPaths[1] as string, checksum: sysroot.commits[0] },
    sysroot.repositoryPath,
    system,
  );
  unlinkSync(lost.storePath as string);
  assert.equal(states()[1], 'lost true');
});

test('gc removes what no deployment has, with its record, and never what one still has', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const options = { dryRun: false, lockTimeoutMs: 0, progress: silent() };
  const kept = await sweep(sysroot.path, options, system);
  assert.deepEqual([kept.images.kept.length, kept.images.removed.length, kept.records.length], [2, 0, 0]);
  // As ostree does it: the folder goes, its boot entry too.
  rmSync(sysroot.deploymentPaths[0] as string, { recursive: true });
  rmSync(join(sysroot.path, 'boot/loader.0/entries/ostree-3.conf'));
  const planned = await sweep(sysroot.path, { ...options, dryRun: true }, system);
  assert.equal(readdirSync(store()).length, 2);
  const swept = await sweep(sysroot.path, options, system);
  assert.deepEqual(swept, planned);
  assert.deepEqual([swept.images.kept.length, swept.images.removed.length, swept.records.length], [1, 1, 1]);
  assert.deepEqual(
    (await verify(system)).findings.filter(({ severity }) => severity === 'error'),
    [],
  );
});

test('gc forgets what was known of objects that are gone', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const options = { dryRun: false, lockTimeoutMs: 0, progress: silent() };
  const known = () => readObjectInfo(Repository.open(sysroot.repositoryPath, system))?.count ?? 0;
  const before = known();
  unlinkSync(objectWith('2222').path);
  assert.equal((await sweep(sysroot.path, { ...options, dryRun: true }, system)).goneObjects, 1);
  assert.equal(known(), before);
  assert.equal((await sweep(sysroot.path, options, system)).goneObjects, 1);
  assert.equal(known(), before - 1);
  assert.equal((await sweep(sysroot.path, options, system)).goneObjects, 0);

  const repository = Repository.open(sysroot.repositoryPath, system);
  const packed = DirtreePack.read(repository).count;
  const { rootTree } = repository.commit(sysroot.commits[0]);
  unlinkSync(repository.objectPath(rootTree, 'dirtree'));
  assert.equal((await sweep(sysroot.path, options, system)).goneObjects, 1);
  assert.equal(DirtreePack.read(repository).count, packed - 1);
});

test('gc removes what a run left that was killed while it wrote a record', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const leftover = join(sysroot.repositoryPath, 'extensions/sealtree/commits/.sealtree-tmp-111111111111');
  writeFileSync(leftover, '');
  const swept = await sweep(sysroot.path, { dryRun: false, lockTimeoutMs: 0, progress: silent() }, system);
  assert.deepEqual([swept.images.recovery.temporary, swept.records], [[leftover], []]);
  assert.equal(lstatSync(leftover, { throwIfNoEntry: false }), undefined);
});

test('a wrong digest among what is known of objects fails the seal or is found by verify', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const repository = Repository.open(sysroot.repositoryPath, system);
  const known = readObjectInfo(repository);
  assert(known !== undefined);
  const wrong = known.row(objectWith('1111').checksum);
  writeDigest(known.columns, wrong, Buffer.alloc(32, 1), 0);
  writeObjectInfo(repository, known, []);
  for (const folder of ['images', 'commits'])
    rmSync(join(sysroot.repositoryPath, 'extensions/sealtree', folder), { recursive: true });
  for (const path of sysroot.deploymentPaths) rmSync(join(path, '.ostree.cfs'));
  const results = await seal(system);
  const failed = results.filter(({ action }) => action === 'failed');
  const { findings } = await verify(system, { depth: 'deep' });
  // A few objects are hashed again before anything is published, which ones is left to chance.
  if (failed.length > 0) for (const { error } of failed) assert.equal(error?.code, 'validation-failed');
  else assert(findings.some(({ severity, code }) => severity === 'error' && code === 'object-corrupt'));
});

test('what was learnt of a damaged object is not kept when the seal fails', async () => {
  const { system } = simulateInodes(linuxSystem, { verity: false });
  await seal(system);
  const { path, checksum } = objectWith('1111');
  const right = readFileSync(path);
  replace(path, Buffer.alloc(right.length, 'x'));
  const info = join(sysroot.repositoryPath, 'extensions/sealtree/object-info');
  rmSync(info);
  const failed = (await seal(system, { rebuild: true })).filter(({ action }) => action === 'failed');
  assert(failed.length > 0);
  for (const { error } of failed) assert(error instanceof ValidationError);
  const known = readObjectInfo(Repository.open(sysroot.repositoryPath, system));
  assert(known === undefined || known.row(checksum) === -1);
});
