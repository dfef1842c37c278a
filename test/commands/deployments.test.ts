/** seal, status, verify and gc as a person meets them: their words and exit codes, and no word too many. */
import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';
import { memorySurroundings } from '../support/surroundings.ts';

let folder: string;
let sysroot: SmallSysroot;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealtree-deployments-'));
  sysroot = await makeSmallSysroot(join(folder, 'sysroot'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const withVerity = (): System => simulateInodes(linuxSystem, { verity: true }).system;
const withoutVerity = (): System => simulateInodes(linuxSystem, { verity: false }).system;

async function run(system: System, ...args: string[]) {
  const surroundings = memorySurroundings({ system });
  const words = [...args, '--sysroot', sysroot.path, '--progress', 'none'];
  const exitCode = await runProgram(words, surroundings, { version: '0', commands: COMMANDS });
  return {
    exitCode,
    lines: surroundings.stdout.text.trimEnd().split('\n'),
    stderr: surroundings.stderr.text,
  };
}

const imageOf = (index: number): string => join(sysroot.deploymentPaths[index] as string, '.ostree.cfs');

test('seal says that image and objects are protected when the kernel confirmed both', async () => {
  const { exitCode, lines, stderr } = await run(withVerity(), 'seal');
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(lines[0] ?? '', /^alpha\/[0-9a-f]{64}\.0: sealed$/);
  assert.match(lines[1] ?? '', /^ {4}image [0-9a-f]{64} \([0-9.]+ kB\)$/);
  assert.match(lines.at(-1) ?? '', /^Image and objects are under fs-verity/);
});

test('a second seal looks at objects too, and says that they are protected', async () => {
  const system = withVerity();
  await run(system, 'seal');
  const { lines } = await run(system, 'seal');
  assert.match(lines[0] ?? '', /: already sealed$/);
  assert.match(lines.at(-1) ?? '', /^Image and objects are under fs-verity/);
});

test('seal without fs-verity says what is not protected, and nothing of what was not asked for', async () => {
  assert.match((await run(withoutVerity(), 'seal')).lines.join('\n'), /No fs-verity: .*EOPNOTSUPP/);
  assert.match(
    (await run(withoutVerity(), 'seal', '--fsverity', 'off')).lines.at(-1) ?? '',
    /^fs-verity was not asked for/,
  );
  const refused = await run(withoutVerity(), 'seal', '--fsverity', 'require', '--rebuild');
  assert.equal(refused.exitCode, 69);
  assert.match(refused.stderr, /no fs-verity/);
});

test('a dry run of seal names each step once', async () => {
  const { lines } = await run(withVerity(), 'seal', '--dry-run');
  assert.equal(lines.filter((line) => line.startsWith('    would write ')).length, 2);
  assert.equal(lines.filter((line) => /: would seal$/.test(line)).length, 3);
});

test('status exits with 2 when an image is not what was sealed, or gone', async () => {
  const system = withoutVerity();
  assert.equal((await run(system, 'status')).exitCode, 0);
  writeFileSync(imageOf(0), 'rubbish');
  const foreign = await run(system, 'status');
  assert.equal(foreign.exitCode, 2);
  assert.match(foreign.lines.join('\n'), /image: +no image at all/);
  await run(system, 'seal');
  assert.equal((await run(system, 'status')).exitCode, 0);
  unlinkSync(imageOf(0));
  const missing = await run(system, 'status');
  assert.equal(missing.exitCode, 2);
  assert.match(missing.lines.join('\n'), /image: +missing; sealed was [0-9a-f]{64}/);
  writeFileSync(imageOf(0), 'rubbish');
  const wrong = await run(system, 'status');
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.lines.join('\n'), /image: +not what was sealed/);
});

test('status says what stands in the way also where all is sealed, in lines of 80 columns', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  const { lines } = await run(system, 'status');
  assert.match(lines.join('\n'), /\n\nWhat stands in the way of fs-verity:\n {2}limit: /);
  for (const line of lines.filter((one) => /^ +digest:/.test(one))) assert.ok(line.length < 80, line);
});

test('what verify names for images without digests mends them', async () => {
  const system = withoutVerity();
  await run(system, 'seal', '--digests', 'no');
  const { lines } = await run(system, 'verify', '2');
  const [, mend = ''] =
    /to mend: sealtree (seal --sysroot \S+ --rebuild beta\/\S+)/.exec(lines.join('\n')) ?? [];
  assert.equal((await run(system, ...mend.split(' '))).exitCode, 0);
  assert.doesNotMatch((await run(system, 'verify', '2')).lines.join('\n'), /without a digest/);
});

test('verify looks at the deployments there are once nothing is removed any more', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  const locking: System = {
    ...system,
    lock(path, options, timeoutMs, signal) {
      rmSync(sysroot.deploymentPaths[0] as string, { recursive: true });
      unlinkSync(join(sysroot.path, 'boot/loader/entries/ostree-3.conf'));
      return system.lock(path, options, timeoutMs, signal);
    },
  };
  assert.match((await run(locking, 'verify')).lines.at(-1) ?? '', /^2 of 2 deployments have an image/);
});

test('--json=lines is one line also where the answer is no list', async () => {
  const { lines } = await run(withoutVerity(), 'status', '--json=lines');
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0] ?? '').deployments.length, 3);
});

test('what is to be run next can be copied into a shell', async () => {
  const path = join(folder, "it's here");
  renameSync(sysroot.path, path);
  sysroot = { ...sysroot, path };
  const { lines } = await run(withoutVerity(), 'status');
  assert.match(lines.at(-1) ?? '', /next: sealtree seal --sysroot '.*\/it'\\''s here'$/);
});

test('--repo that is not the repository of the sysroot is refused, not ignored', async () => {
  const own = join(folder, 'own');
  symlinkSync(join(sysroot.path, 'ostree/repo'), own);
  for (const command of ['seal', 'status', 'verify', 'gc']) {
    for (const repo of [folder, join(folder, 'missing')]) {
      const { exitCode, stderr } = await run(withoutVerity(), command, '--repo', repo);
      assert.equal(exitCode, 64);
      assert.match(stderr, /is not the repository of /);
    }
    assert.equal((await run(withoutVerity(), command, '--repo', own)).exitCode, 0, command);
  }
});

test('a deployment that is not there is called one', async () => {
  for (const [name, message] of [
    ['booted', /no deployment is booted/],
    ['7', /there is no deployment 7/],
    [`alpha/${'0'.repeat(64)}.0`, /no deployment is called alpha/],
    ['none', /no ref or commit "none"/],
  ] as const) {
    const { exitCode, stderr } = await run(withoutVerity(), 'log', name);
    assert.equal(exitCode, 66);
    assert.match(stderr, message);
  }
});

test('verify exits with 2 for errors alone, and its last line says what was looked at', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  const sound = await run(system, 'verify', '--deep');
  assert.equal(sound.exitCode, 0);
  assert.match(
    sound.lines.at(-1) ?? '',
    /^3 of 3 deployments have an image; ([0-9]+) of \1 objects read and hashed: 0 errors, 2 unchecked$/,
  );
  assert.match((await run(system, 'verify')).lines.at(-1) ?? '', /content not read/);
  unlinkSync(imageOf(0));
  const broken = await run(system, 'verify', '0');
  assert.equal(broken.exitCode, 2);
  assert.match(broken.lines.join('\n'), /to mend: sealtree seal --sysroot \S+ alpha\//);
});

test('gc says what goes and what it frees', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  assert.deepEqual((await run(system, 'gc')).lines, ['2 images in use, 0 removed, 0 B freed']);
  const { path } = JSON.parse((await run(system, 'status', '--json')).lines.join('\n')).deployments[0].image;
  assert.equal(path, imageOf(0));
  rmSync(sysroot.deploymentPaths[0] as string, { recursive: true });
  const { lines } = await run(system, 'gc', '--dry-run');
  assert.match(lines[0] ?? '', /^would remove .*\.cfs \([0-9.]+ kB\)$/);
  assert.match(lines.at(-1) ?? '', /^1 image in use, 1 to remove, [0-9.]+ kB to free$/);
});

test('nothing is pruned while an image of a commit is built', async () => {
  const locks: string[] = [];
  const system: System = {
    ...linuxSystem,
    lock(path, options, ...more) {
      locks.push(`${path} ${options.exclusive ? 'exclusive' : 'shared'}`);
      return linuxSystem.lock(path, options, ...more);
    },
  };
  const wanted = `${sysroot.repositoryPath}/.lock shared`;
  const { lines } = await run(system, 'digest', 'os/stable');
  assert.deepEqual(locks, [wanted]);
  const created = await run(system, 'image', 'create', 'os/stable', '-o', join(folder, 'image'));
  assert.deepEqual(locks, [wanted, wanted]);
  assert.deepEqual(created.lines, lines);
});

test('verify tells a program that follows it what it finds, when it finds it', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  unlinkSync(imageOf(2));
  const surroundings = memorySurroundings({ system });
  const words = ['verify', '--json', '--progress', 'json', '--sysroot', sysroot.path];
  assert.equal(await runProgram(words, surroundings, { version: '0', commands: COMMANDS }), 2);
  const told = surroundings.stderr.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { finding?: { code: string } });
  const { findings } = JSON.parse(surroundings.stdout.text) as { findings: { code: string }[] };
  assert.deepEqual(
    told.flatMap(({ finding }) => finding ?? []).map(({ code }) => code),
    ['image-missing'],
  );
  assert(findings.some(({ code }) => code === 'image-missing'));
});

test('sharing says what deployments have alone, and what a ref keeps', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  const { exitCode, lines, stderr } = await run(system, 'sharing', '--content');
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(lines[0] ?? '', /^deployment +objects +total +unique +shared +frees$/);
  assert.match(lines[1] ?? '', /^0 alpha\/[0-9a-f]{12}\.0 +5( +[\d.]+ kB){4}$/);
  assert.equal(lines.filter((line) => /^[0-9a-f]{16} /.test(line)).length, 4);
  assert(lines.some((line) => /^ {2}0 alpha\/.* stay for os\/testing$/.test(line)));
  assert(lines.some((line) => / contents: no two objects have the same bytes\.$/.test(line)));
  assert(lines.some((line) => /^\/usr\/bin +4 +/.test(line)));
  assert.deepEqual(
    lines.filter((line) => [...line].length > 80),
    [],
  );
});

test('sharing compares what is named: deployments, commits, refs and images', async () => {
  const system = withoutVerity();
  await run(system, 'seal');
  const [image = ''] = readdirSync(join(sysroot.repositoryPath, 'extensions/sealtree/images'));
  const names = ['0', 'os/stable', 'os/testing^', image.slice(0, 12)];
  const { lines } = await run(system, 'sharing', ...names);
  assert.match(lines[0] ?? '', /^compared /);
  assert.deepEqual(
    lines.slice(1, 5).map((line) => line.split(/ {2,}/)[0]),
    [`0 alpha/${sysroot.commits[1].slice(0, 12)}.0`, 'os/stable', 'os/testing^', image.slice(0, 16)],
  );
  const json = (await run(system, '--json', 'sharing', ...names)).lines.join('\n');
  const { deployments, refs, commits, images } = JSON.parse(json) as Record<string, unknown[]>;
  assert.deepEqual(
    [deployments, refs, commits, images].map((list) => list?.length),
    [1, 1, 1, 1],
  );
  assert.equal((await run(system, 'sharing', 'os/none')).exitCode, 66);
  assert.equal((await run(system, 'sharing', './none.cfs')).exitCode, 66);
});

test('seal --ref keeps an image for a ref, and with --unseal no longer', async () => {
  const system = withoutVerity();
  assert.match((await run(system, 'seal', '--ref', 'os/stable')).lines[0] ?? '', /^os\/stable: sealed$/);
  const rebuilt = await run(system, 'seal', '--ref', 'os/stable', '--rebuild');
  assert.deepEqual([rebuilt.exitCode, rebuilt.lines[0]], [0, 'os/stable: already sealed']);
  const unseal = ['seal', '--ref', 'os/stable', '--unseal'];
  assert.equal((await run(system, ...unseal, '--rebuild')).exitCode, 64);
  assert.match(
    (await run(system, ...unseal, '-n')).lines[0] ?? '',
    /^os\/stable: would be unsealed; image [0-9a-f]{64} /,
  );
  assert.match((await run(system, ...unseal)).lines[0] ?? '', /^os\/stable: unsealed; /);
  assert.equal((await run(system, ...unseal)).exitCode, 66);
  assert.equal((await run(system, 'seal', '--unseal')).exitCode, 64);
});

test('pin keeps what was named, and leaves the rest of an origin as it was', async () => {
  const system = withoutVerity();
  const origin = `${sysroot.deploymentPaths[1]}.origin`;
  const before = '# by hand\n[origin]\nrefspec=os:stable\n';
  writeFileSync(origin, before);
  const marks = async (): Promise<string[]> =>
    (await run(system, 'status')).lines.filter((line) => line.includes('(pinned)'));
  assert.match((await run(system, 'pin', '1', '--dry-run')).lines[0] ?? '', /: would be pinned$/);
  assert.deepEqual(await marks(), []);
  assert.match((await run(system, 'pin', '1')).lines[0] ?? '', /^alpha\/.*: pinned$/);
  assert.match((await run(system, 'pin', '1')).lines[0] ?? '', /: already pinned$/);
  assert.equal((await marks()).length, 1);
  assert.match(
    readFileSync(origin, 'utf8'),
    /^# by hand\n\[origin\]\nrefspec=os:stable\n\n?\[libostree-transient\]\npinned=true\n$/,
  );
  assert.match((await run(system, 'pin', '--unpin', '1')).lines[0] ?? '', /: unpinned$/);
  assert.equal(readFileSync(origin, 'utf8').trimEnd(), before.trimEnd());
  assert.equal((await run(system, 'pin', '7')).exitCode, 66);
});

test('status warns of a repository whose ostree does not wait for the disk', async () => {
  const config = join(sysroot.repositoryPath, 'config');
  const before = readFileSync(config, 'utf8');
  assert.doesNotMatch((await run(withVerity(), 'status')).lines.join('\n'), /fsync|warning/);
  for (const [value, wanted] of [
    ['true', []],
    ['false', ['warning fsync-off']],
    ['0', ['warning fsync-off']],
    ['perhaps', ['unchecked config-unreadable']],
  ] as const) {
    writeFileSync(config, before.replace('[core]\n', `[core]\nfsync=${value}\n`));
    const { exitCode, lines } = await run(withVerity(), 'status', '--json');
    const { problems } = JSON.parse(lines.join('\n')) as { problems: { severity: string; code: string }[] };
    assert.deepEqual(
      problems.map(({ severity, code }) => `${severity} ${code}`),
      wanted,
    );
    assert.equal(exitCode, 0);
  }
  writeFileSync(config, before.replace('[core]\n', '[core]\nfsync=false\n'));
  const text = (await run(withVerity(), 'status')).lines.join('\n');
  assert.match(text, /^warning: .*\n +core\.fsync is off, .* never reached it$/m);
  assert.ok(text.includes(`to mend: ostree --repo=${sysroot.repositoryPath} config set core.fsync true`));
});
