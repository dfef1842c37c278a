import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { BusyError, InterruptedError, IoError } from '../../src/base/errors.ts';
import { lockHolders } from '../../src/base/ofd-lock.ts';
import { linuxSystem as system } from '../../src/base/system-linux.ts';
import { Sandbox } from '../support/sandbox.ts';

test('an exclusive lock excludes, shared ones do not exclude each other', async () => {
  using work = new Sandbox();
  const path = work.join('lock');
  const one = await system.lock(path, { exclusive: false }, 0);
  const two = await system.lock(path, { exclusive: false }, 0);
  await assert.rejects(system.lock(path, { exclusive: true }, 0), BusyError);
  one.release();
  one.release();
  await assert.rejects(
    system.lock(path, { exclusive: true }, 0),
    BusyError,
    'a second release releases nothing',
  );
  two.release();
  const three = await system.lock(path, { exclusive: true }, 0);
  await assert.rejects(system.lock(path, { exclusive: false }, 0), BusyError);
  three.release();
  assert.ok(existsSync(path));
});

test('the holder is named, with its process', async () => {
  using work = new Sandbox();
  const path = work.join('lock');
  const lock = await system.lock(path, { exclusive: true }, 0);
  assert.deepEqual(lockHolders(path), [{ pid: process.pid, command: basename(process.argv[1] as string) }]);
  await assert.rejects(system.lock(path, { exclusive: true }, 0), (error: unknown) => {
    assert.ok(error instanceof BusyError);
    assert.match(error.message, new RegExp(`${path}: locked by .* \\(process ${process.pid}\\)`));
    assert.match(String(error.hint), /--lock-timeout/);
    return true;
  });
  lock.release();
  assert.deepEqual(lockHolders(path), []);
  assert.deepEqual(lockHolders(work.join('missing')), []);
});

test('waiting ends when the lock is free, when the time is over, or when it is told to', async () => {
  using work = new Sandbox();
  const path = work.join('lock');
  const lock = await system.lock(path, { exclusive: true }, 0);
  const waiting = system.lock(path, { exclusive: true }, 20_000);
  setTimeout(() => lock.release(), 20);
  const next = await waiting;
  await assert.rejects(system.lock(path, { exclusive: true }, 30), BusyError);
  await assert.rejects(
    system.lock(path, { exclusive: true }, 20_000, AbortSignal.timeout(20)),
    InterruptedError,
  );
  next.release();
});

test('a lock file that was unlinked meanwhile is no lock', async () => {
  using work = new Sandbox();
  const path = work.join('lock');
  const options = { exclusive: true, mayBeUnlinked: true };
  const first = await system.lock(path, options, 0);
  const waiting = system.lock(path, options, 20_000);
  first.release();
  const second = await waiting;
  assert.equal(statSync(path).nlink, 1, 'the second holder has a lock on a file that has the name');
  await assert.rejects(system.lock(path, options, 0), BusyError);
  second.release();
  assert.ok(!existsSync(path));
});

test('a symlink in the place of a lock file is refused', async () => {
  using work = new Sandbox();
  symlinkSync('elsewhere', work.join('lock'));
  await assert.rejects(system.lock(work.join('lock'), { exclusive: true }, 0), IoError);
  assert.ok(!existsSync(work.join('elsewhere')));
});

test('processes that count under one lock count right, though each unlinks the file', async () => {
  using work = new Sandbox();
  const counter = work.write('counter', '0');
  const url = new URL('../../src/base/system-linux.ts', import.meta.url).href;
  const script = work.write(
    'count.mjs',
    `import { readFileSync, writeFileSync } from 'node:fs';
    import { linuxSystem } from ${JSON.stringify(url)};
    const [counter, path] = process.argv.slice(2);
    for (let i = 0; i < 40; i++) {
      const lock = await linuxSystem.lock(path, { exclusive: true, mayBeUnlinked: true }, 30_000);
      writeFileSync(counter, String(Number(readFileSync(counter, 'utf8')) + 1));
      lock.release();
    }`,
  );
  const ends = Array.from(
    { length: 3 },
    () =>
      new Promise<number | null>((resolve) => {
        const child = spawn(process.execPath, [script, counter, work.join('lock')], { stdio: 'inherit' });
        child.on('exit', (code) => resolve(code));
      }),
  );
  assert.deepEqual(await Promise.all(ends), [0, 0, 0]);
  assert.equal(readFileSync(counter, 'utf8'), '120');
  writeFileSync(counter, '');
});
