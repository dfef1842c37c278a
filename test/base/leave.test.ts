/** How a program ends whose work is done. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const program = join(import.meta.dirname, '../support/programs/leaving.ts');

function run(args: readonly string[], nodeOptions: readonly string[] = []) {
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...env } = process.env;
  return spawnSync(process.execPath, [...nodeOptions, program, ...args], { encoding: 'utf8', env });
}

test('whoever loaded koffi ends at once, with its exit code and after what others have to do', () => {
  const { status, stdout, stderr } = run(['koffi']);
  assert.deepEqual([status, stdout, stderr], [3, 'done\n', '']);
});

test('whoever did not ends as Node does', () => {
  assert.deepEqual([run([]).status, run([]).stdout], [3, 'done\nfarewell\n']);
});

test('with options of Node, which may be to write at the end, it ends as Node does', () => {
  assert.equal(run(['koffi'], ['--no-warnings']).stdout, 'done\nfarewell\n');
});

test('an error that nobody catches is printed', () => {
  const { status, stderr } = run(['koffi', 'error']);
  assert.equal(status, 1);
  assert.match(stderr, /Error: of a program that is done/);
});
