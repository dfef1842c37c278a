/** A table that says something else of an object than the object itself is found out, whatever it says. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { silent } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import type { Finding } from '../../src/image/findings.ts';
import { buildImage, type CommitObjects } from '../../src/image/plan.ts';
import { objectsRead, rereadObjects } from '../../src/image/reread-objects.ts';
import { Known } from '../../src/repository/content-table.ts';
import { Repository } from '../../src/repository/repository.ts';
import { Sandbox } from '../support/sandbox.ts';
import { makeSmallSysroot, type SmallSysroot } from '../support/small-sysroot.ts';

let work: Sandbox;
let sysroot: SmallSysroot;
let repository: Repository;
let objects: CommitObjects;
/** The row of a regular file that is not empty, and that of a symlink. */
let file: number;
let link: number;

before(async () => {
  work = new Sandbox();
  sysroot = await makeSmallSysroot(work.join('sysroot'));
  repository = Repository.open(sysroot.repositoryPath, linuxSystem);
});

after(() => work[Symbol.dispose]());

beforeEach(async () => {
  ({ objects } = await buildImage(repository, sysroot.commits[0], { progress: silent() }));
  const { table, rows } = objects;
  file = rows.find((row) => (table.columns.size[row] as number) > 0) as number;
  link = rows.find((row) => table.targets.has(row)) as number;
});

function reread(): Finding[] {
  const steps = rereadObjects(repository, objectsRead(objects.table, objects.rows));
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

test('what was read right is found again', () => {
  assert.deepEqual(reread(), []);
});

for (const field of ['size', 'mode', 'uid', 'gid'] as const)
  test(`another ${field} in the table is found`, () => {
    objects.table.columns[field][file]! += 1;
    const [finding, ...more] = reread();
    assert.equal(finding?.code, 'object-reread');
    assert.ok(finding?.message.startsWith(`object ${objects.table.checksum(file)}.file was read as mode`));
    assert.deepEqual(more, []);
  });

test('xattrs that the object has not are found', () => {
  const { table } = objects;
  table.columns.xattrs[file] = table.xattrs.id([['user.a' as ByteString, 'b' as ByteString]]);
  assert.match(reread()[0]?.message ?? '', /xattrs \{user\.a=b\}; read again it is .* xattrs \{\}$/);
});

test('another link target, and none, are found', () => {
  objects.table.targets.set(link, 'elsewhere' as ByteString);
  assert.match(reread()[0]?.message ?? '', / to elsewhere, /);
  objects.table.targets.delete(link);
  assert.equal(reread().length, 1);
});

test('rows that were mixed up are found', () => {
  const { columns } = objects.table;
  const both = [file, link].map((row) => columns.mode[row] as number);
  [columns.mode[link], columns.mode[file]] = both as [number, number];
  assert.equal(reread().length, 2);
});

test('an object that is another one by now is found, unless it is to be believed', () => {
  const path = repository.objectPath(objects.table.checksum(file), 'file');
  const { mode } = linuxSystem.lstat(path);
  chmodSync(path, mode ^ 0o111);
  try {
    assert.equal(reread().length, 1);
    objects.table.columns.known[file]! |= Known.believed;
    assert.deepEqual(reread(), []);
  } finally {
    chmodSync(path, mode);
  }
});
