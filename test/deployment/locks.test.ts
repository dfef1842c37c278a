import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  BusyError,
  ConfigError,
  IoError,
  NotFoundError,
  PermissionError,
  UnsupportedError,
} from '../../src/base/errors.ts';
import { Progress } from '../../src/base/progress.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { withLocks, withSharedRepositoryLock } from '../../src/deployment/locks.ts';
import { Sandbox } from '../support/sandbox.ts';

const ONE_TRY = { timeoutMs: 0 };

function makeSysroot(work: Sandbox, config = '[core]\nrepo_version=1\n') {
  work.mkdir('sysroot/ostree/deploy');
  work.write('sysroot/ostree/repo/config', config);
  return { sysroot: work.join('sysroot'), repository: work.join('sysroot/ostree/repo') };
}

test('a sysroot is locked for one, its repository shared, and both are free afterwards', async () => {
  using work = new Sandbox();
  const { sysroot, repository } = makeSysroot(work);
  const result = await withLocks(sysroot, ONE_TRY, linuxSystem, async () => {
    await assert.rejects(
      withLocks(sysroot, ONE_TRY, linuxSystem, () => undefined),
      BusyError,
    );
    await assert.rejects(linuxSystem.lock(`${repository}/.lock`, { exclusive: true }, 0), BusyError);
    await withSharedRepositoryLock(repository, ONE_TRY, linuxSystem, () => undefined);
    return 'done';
  });
  assert.equal(result, 'done');
  assert.ok(!existsSync(`${sysroot}/ostree/lock`));
  (await linuxSystem.lock(`${repository}/.lock`, { exclusive: true }, 0)).release();
});

test('locks are released when the work fails, and when the second is not to be had', async () => {
  using work = new Sandbox();
  const { sysroot, repository } = makeSysroot(work);
  const fail = (): never => {
    throw new Error('the work failed');
  };
  await assert.rejects(withLocks(sysroot, ONE_TRY, linuxSystem, fail), /the work failed/);
  const other = await linuxSystem.lock(`${repository}/.lock`, { exclusive: true }, 0);
  await assert.rejects(
    withLocks(sysroot, ONE_TRY, linuxSystem, () => undefined),
    /repo\/\.lock: locked by/,
  );
  assert.ok(!existsSync(`${sysroot}/ostree/lock`));
  other.release();
});

test('core.locking and core.lock-timeout-secs are respected, a given time goes first', async () => {
  using work = new Sandbox();
  const { repository } = makeSysroot(work, '[core]\nlock-timeout-secs=0\n');
  const lock = await linuxSystem.lock(`${repository}/.lock`, { exclusive: true }, 0);
  await assert.rejects(
    withSharedRepositoryLock(repository, {}, linuxSystem, () => undefined),
    BusyError,
  );
  const waiting = withSharedRepositoryLock(repository, { timeoutMs: 20_000 }, linuxSystem, () => 'had it');
  lock.release();
  assert.equal(await waiting, 'had it');

  writeFileSync(`${repository}/config`, '[core]\nlocking=false\n');
  const unrespected = await linuxSystem.lock(`${repository}/.lock`, { exclusive: true }, 0);
  assert.equal(await withSharedRepositoryLock(repository, ONE_TRY, linuxSystem, () => 'no lock'), 'no lock');
  unrespected.release();

  writeFileSync(`${repository}/config`, '[core]\nlock-timeout-secs=-2\n');
  await assert.rejects(
    withSharedRepositoryLock(repository, ONE_TRY, linuxSystem, () => undefined),
    ConfigError,
  );
});

test('a lock that may not be taken says who may, or what is in the way; who only reads does without', async () => {
  using work = new Sandbox();
  const { sysroot, repository } = makeSysroot(work);
  const refusing = (errno: string) => ({
    ...linuxSystem,
    lock: (path: string) => Promise.reject(new IoError('open the lock file', path, errno)),
  });
  await assert.rejects(
    withLocks(sysroot, ONE_TRY, refusing('EACCES'), () => undefined),
    PermissionError,
  );
  await assert.rejects(
    withLocks(sysroot, ONE_TRY, refusing('EROFS'), () => undefined),
    UnsupportedError,
  );
  await assert.rejects(
    withLocks(sysroot, ONE_TRY, refusing('EIO'), () => undefined),
    IoError,
  );
  for (const errno of ['EACCES', 'EROFS'])
    assert.equal(await withSharedRepositoryLock(repository, ONE_TRY, refusing(errno), () => 'read'), 'read');
});

test('what is no sysroot is said to be none', async () => {
  using work = new Sandbox();
  await assert.rejects(
    withLocks(work.path, ONE_TRY, linuxSystem, () => undefined),
    NotFoundError,
  );
});

test('who waits is told for whom, once, and goes on when the lock is free', async () => {
  using work = new Sandbox();
  const { sysroot } = makeSysroot(work);
  const told: (string | undefined)[] = [];
  const progress = new Progress({ onChange: (stage) => void told.push(stage?.name) });
  const other = await linuxSystem.lock(`${sysroot}/ostree/lock`, { exclusive: true, mayBeUnlinked: true }, 0);
  const done = withLocks(sysroot, { timeoutMs: 10_000, progress }, linuxSystem, () => 'done');
  await new Promise((resolve) => setImmediate(resolve));
  other.release();
  assert.equal(await done, 'done');
  assert.equal(told.length, 1);
  assert.match(
    told[0] ?? '',
    new RegExp(`^waiting: ${sysroot}/ostree/lock: locked by .*process ${process.pid}`),
  );
});
