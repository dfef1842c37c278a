/** What is done through the C library where it can be called, and in Node's way where not. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { IoError } from '../../src/base/errors.ts';
import { libcProblem } from '../../src/base/libc.ts';
import { linuxSystem as system } from '../../src/base/system-linux.ts';
import { Sandbox } from '../support/sandbox.ts';

// It is asked for by the first call that wants the C library: for this process there is none.
Object.defineProperty(process, 'arch', { value: 'ppc64' });

test('the C library is not there', () => {
  assert.match(libcProblem() ?? '', /not known for linux on ppc64/);
});

test('a file is opened unless the path names a symlink or nothing', () => {
  using work = new Sandbox();
  const path = work.write('file', 'x');
  symlinkSync('file', work.join('link'));
  const fd = system.openUnlessLink(path);
  assert.ok(fd !== undefined);
  assert.equal(system.read(fd, Buffer.alloc(2), 0), 1);
  system.close(fd);
  for (const name of ['link', 'missing']) assert.equal(system.openUnlessLink(work.join(name)), undefined);
  assert.throws(
    () => system.openUnlessLink(`${path}/below`),
    (error) => error instanceof IoError && error.errno === 'ENOTDIR',
  );
});

test('a file is renamed only where nothing has the name, and is gone from the old one in any case', () => {
  using work = new Sandbox();
  const [from, to] = [work.write('from', 'first'), work.join('to')];
  const { ino } = statSync(from);
  system.renameIfAbsent(from, to);
  assert.equal(statSync(to).ino, ino);
  assert.equal(system.lstatIfExists(from), undefined);
  system.renameIfAbsent(work.write('from', 'second'), to);
  assert.equal(readFileSync(to, 'utf8'), 'first');
  assert.equal(system.lstatIfExists(from), undefined);
  assert.throws(() => system.renameIfAbsent(from, work.join('other')), { code: 'io', errno: 'ENOENT' });
});
