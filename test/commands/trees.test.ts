/** import, export, seal --ref and image mount of refs as a person meets them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { initRepository } from '../../src/repository/init.ts';
import { LayoutMaker } from '../support/oci-layout.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { memorySurroundings } from '../support/surroundings.ts';
import { type TarEntry, tarOf } from '../support/tar.ts';

let work: Sandbox;

beforeEach(() => {
  work = new Sandbox();
  initRepository(work.join('repo'), 'bare-user-only', linuxSystem);
});

afterEach(() => work.dispose());

async function run(
  args: readonly string[],
  system: System = simulateInodes(linuxSystem, { verity: false }).system,
) {
  const surroundings = memorySurroundings({ system });
  const words = [...args, '--repo', work.join('repo'), '--progress', 'none'];
  const exitCode = await runProgram(words, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

const archive = (entries: readonly TarEntry[]): string => work.write('a.tar', tarOf(entries));
const CHECKSUM = /^[0-9a-f]{64}\n$/;

test('import tar prints the checksum, and says what came in and what was left out', async () => {
  const path = archive([
    { name: 'f', data: 'x' },
    { name: 'dev/null', type: '3' },
  ]);
  const refused = await run(['import', 'tar', '--ref', 'a', path]);
  assert.deepEqual([refused.exitCode, refused.stdout], [69, '']);
  assert.match(refused.stderr, /dev\/null: a commit cannot hold a character device[\s\S]*--skip-special/);
  const taken = await run(['import', 'tar', '--ref', 'a', '--skip-special', path]);
  assert.equal(taken.exitCode, 0);
  assert.match(taken.stdout, CHECKSUM);
  assert.match(taken.stderr, /left out, since no commit can hold them: dev\/null/);
  assert.match(taken.stderr, /2 entries, 1 B imported/);
});

test('import tar --parent follows the commit of the ref', async () => {
  const first = (
    await run(['import', 'tar', '--ref=a', '--timestamp=1', archive([{ name: 'f' }])])
  ).stdout.trim();
  const { stdout } = await run(['--json', 'import', 'tar', '--ref=a', '--parent', archive([{ name: 'g' }])]);
  const report = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(report.schema, 'sealtree/import-tar/v1');
  assert.equal(report.parent, first);
  assert.equal((await run(['import', 'tar', '--parent', archive([])])).exitCode, 64);
});

test('import --dry-run reads everything and writes nothing', async () => {
  const { exitCode, stdout, stderr } = await run([
    '-n',
    'import',
    'tar',
    '--ref=a',
    archive([{ name: 'f' }]),
  ]);
  assert.equal(exitCode, 0);
  assert.match(stdout, CHECKSUM);
  assert.match(stderr, /nothing was written/);
  assert.equal((await run(['refs'])).stdout, '');
});

test('limits and times that make no sense are refused before anything is read', async () => {
  for (const option of ['--max-size=x', '--max-size=-1', '--max-entries=1e9', '--timestamp=yesterday'])
    assert.equal((await run(['import', 'tar', option, archive([{ name: 'f' }])])).exitCode, 64, option);
  assert.equal((await run(['import', 'tar', '--ref', '-bad', archive([{ name: 'f' }])])).exitCode, 64);
  assert.equal((await run(['import', 'oci', '--platform=amd64', work.path])).exitCode, 64);
});

test('export tar gives back what was imported', async () => {
  const bytes = tarOf([
    { name: './', type: '5', mode: 0o755 },
    { name: 'f', data: 'x' },
  ]);
  await run(['import', 'tar', '--ref=a', work.write('in.tar', bytes)]);
  assert.equal((await run(['export', 'tar', 'a', '-o', work.join('out.tar')])).exitCode, 0);
  await run(['import', 'tar', '--ref=b', work.join('out.tar')]);
  assert.equal((await run(['diff', 'a', 'b'])).stdout, '');
  await run(['export', 'tar', 'b', '-o', work.join('again.tar')]);
  assert(readFileSync(work.join('out.tar')).equals(readFileSync(work.join('again.tar'))));
  assert.equal((await run(['--json', 'export', 'tar', 'a'])).exitCode, 64);
});

test('a container image goes in and out by the names a layout gives', async () => {
  const layout = new LayoutMaker(work.join('with:colon'));
  layout.addImage({ tag: 'app', layers: [tarOf([{ name: 'f', data: 'x' }])] });
  for (const spec of [layout.path, `${layout.path}:app`]) {
    const { exitCode, stdout, stderr } = await run([
      'import',
      'oci',
      '--platform=linux/amd64',
      '--ref=app',
      spec,
    ]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, CHECKSUM);
  }
  const missing = await run(['import', 'oci', `${layout.path}:other`]);
  assert.equal(missing.exitCode, 66);
  assert.match(missing.stderr, /there are app/);
  const out = await run(['export', 'oci', 'app', '-o', work.join('out'), '--tag', 'web']);
  assert.match(out.stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal((await run(['import', 'oci', '--ref=web', `${work.join('out')}:web`])).exitCode, 0);
  assert.equal((await run(['diff', 'app', 'web'])).stdout, '');
});

test('a ref is sealed, mounted as what the kernel can vouch for, and swept when it is gone', async () => {
  await run(['import', 'tar', '--ref=app', archive([{ name: 'f', data: 'x' }])]);
  mkdirSync(work.join('mnt'));
  const mount = ['-n', 'image', 'mount', 'app', work.join('mnt')];
  const early = await run(mount);
  assert.equal(early.exitCode, 66);
  assert.match(early.stderr, /sealtree seal --ref app makes it/);

  const { system } = simulateInodes(linuxSystem, { verity: true });
  const sealed = await run(['seal', '--ref', 'app'], system);
  assert.match(sealed.stdout, /^app: sealed\n {4}image [0-9a-f]{64} /);
  assert.match((await run(['seal', '--ref', 'app'], system)).stdout, /^app: already sealed/);
  const strict = await run([...mount, '--upper', work.mkdir('rw')], system);
  assert.match(strict.stdout, /rw,upperdir=\S+\/rw\/upper,workdir=\S+\/rw\/work,[^\n]*verity=require/);
  const loose = await run(mount);
  assert.equal(loose.exitCode, 0);
  assert.doesNotMatch(loose.stdout, /verity|upperdir/);

  assert.match((await run(['gc'])).stdout, /^1 image in use, 0 removed/);
  linuxSystem.unlink(work.join('repo/refs/heads/app'));
  assert.match((await run(['gc'])).stdout, /removed \S+\.cfs/);
  assert.equal(existsSync(work.join('repo/extensions/sealtree/refs/app')), false);
});
