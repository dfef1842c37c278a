import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { makeFolder, makeFolders } from '../../src/base/folders.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { faultSystem } from '../support/fault-system.ts';
import { Sandbox } from '../support/sandbox.ts';

test('folders are made from the top down, each durable before the next, and those there are left alone', () => {
  using work = new Sandbox();
  const system = faultSystem(linuxSystem);
  makeFolders(work.join('a/b'), system, { durable: true });
  makeFolders(work.join('a/b/c'), system, { mode: 0o700 });
  assert.deepEqual(
    system.steps.map(({ call, subject }) => [call, subject.slice(work.path.length)]),
    [
      ['mkdir', '/a'],
      ['fsyncDirectory', ''],
      ['mkdir', '/a/b'],
      ['fsyncDirectory', '/a'],
      ['mkdir', '/a/b/c'],
    ],
  );
  assert.equal(statSync(work.join('a/b/c')).mode & 0o777, 0o700);
  makeFolder(work.join('a'), linuxSystem);
});
