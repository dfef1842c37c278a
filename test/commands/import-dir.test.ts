/** `import dir` as a person meets it; that its objects are ostree's own, test/system compares. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { runProgram } from '../../src/commands/program.ts';
import { COMMANDS } from '../../src/commands/registry.ts';
import { initRepository } from '../../src/repository/init.ts';
import { Sandbox } from '../support/sandbox.ts';
import { simulateInodes } from '../support/simulated-inodes.ts';
import { memorySurroundings } from '../support/surroundings.ts';

let work: Sandbox;

beforeEach(() => {
  work = new Sandbox();
  initRepository(work.join('repo'), 'archive', linuxSystem);
  mkdirSync(work.join('tree'));
  work.write('tree/f', 'x');
  linkSync(work.join('tree/f'), work.join('tree/g'));
  symlinkSync('f', work.join('tree/l'));
});

afterEach(() => work.dispose());

async function run(...args: readonly string[]) {
  const surroundings = memorySurroundings({ system: simulateInodes(linuxSystem, { verity: false }).system });
  const words = [...args, '--repo', work.join('repo'), '--progress', 'none'];
  const exitCode = await runProgram(words, surroundings, { version: '0', commands: COMMANDS });
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

const importTree = (...options: readonly string[]) => run('import', 'dir', ...options, work.join('tree'));

test('the folder itself is the root of the tree, and each name of a file counts', async () => {
  const { exitCode, stdout, stderr } = await importTree('--ref=a', '--owner-uid=7', '--owner-gid=8');
  assert.equal(exitCode, 0);
  assert.match(stdout, /^[0-9a-f]{64}\n$/);
  assert.match(stderr, /3 files, 2 B imported/);
  const { stdout: listed } = await run('ls', '-R', 'a');
  assert.match(
    listed,
    /^d0\d{4} 7 8 {6}0 \/\n-0\d{4} 7 8 {6}1 \/f\n-0\d{4} 7 8 {6}1 \/g\nl00777 7 8 {6}0 \/l -> f\n$/,
  );
});

test('--parent follows the commit of the ref', async () => {
  const first = (await importTree('--ref=a', '--timestamp=1')).stdout.trim();
  const report = JSON.parse((await importTree('--json', '--ref=a', '--parent')).stdout) as Record<
    string,
    unknown
  >;
  assert.equal(report.schema, 'sealtree/import-dir/v1');
  assert.deepEqual([report.parent, report.files, report.bytes], [first, 3, 2]);
  assert.equal((await importTree('--parent')).exitCode, 64);
});

test('--dry-run reads everything and writes nothing', async () => {
  const { exitCode, stdout, stderr } = await importTree('-n', '--ref=a');
  assert.equal(exitCode, 0);
  assert.match(stdout, /^[0-9a-f]{64}\n$/);
  assert.match(stderr, /nothing was written/);
  assert.equal((await run('refs')).stdout, '');
});

test('what a commit cannot hold is refused by name, or left out and named', async () => {
  assert.equal(spawnSync('mkfifo', [work.join('tree/pipe')]).status, 0);
  const refused = await importTree('--ref=a');
  assert.deepEqual([refused.exitCode, refused.stdout], [1, '']);
  assert.match(refused.stderr, /tree\/pipe: a commit cannot hold a fifo/);
  assert.equal((await run('refs')).stdout, '');
  const taken = await importTree('--ref=a', '--skip-special');
  assert.equal(taken.exitCode, 0);
  assert.match(taken.stderr, /left out, since no commit can hold them: .*tree\/pipe/);
});

test('names that are not UTF-8, what is no folder and what is no ref are refused before a ref changes', async () => {
  assert.equal((await run('import', 'dir', work.join('tree/f'))).exitCode, 64);
  assert.equal((await run('import', 'dir', work.join('nowhere'))).exitCode, 66);
  assert.equal((await importTree('--ref=../x')).exitCode, 64);
  assert.equal((await importTree('--owner-uid=root')).exitCode, 64);
  mkdirSync(Buffer.from(`${work.join('tree')}/\xff`, 'latin1'));
  const { exitCode, stderr } = await importTree('--ref=a');
  assert.equal(exitCode, 65);
  assert.match(stderr, /name is not UTF-8, which ostree requires/);
});
