/** Our locks and ostree's exclude each other, in both directions, on the same files. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BusyError } from '../../src/base/errors.ts';
import { lockHolders } from '../../src/base/ofd-lock.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { withLocks, withSharedRepositoryLock } from '../../src/deployment/locks.ts';
import { describeSystem, oracle, runHost } from '../support/oracle.ts';
import { OstreeSysroot } from '../support/ostree-sysroot.ts';
import { Sandbox } from '../support/sandbox.ts';

const ONE_TRY = { timeoutMs: 0 };

/** Waits for a condition; every state that is waited for here comes within seconds or never. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert(performance.now() < deadline, `waited in vain until ${what}`);
    await sleep(20);
  }
}

for (const suite of ['bookworm', 'trixie', 'sid'] as const) {
  describeSystem(`locks against ostree of ${suite}`, [suite], () => {
    /** Starts ostree beside the test, with a pipe that it reads while it holds a lock; `go` lets it read the end. */
    const startBlocked = (work: Sandbox, argv: (fifo: string) => readonly string[]) => {
      const fifo = work.join('fifo');
      runHost(['mkfifo', fifo]);
      const [file, ...args] = oracle(suite).command(argv(fifo));
      const child = spawn(file as string, args, { stdio: 'ignore' });
      const exit = new Promise<void>((resolve) => void child.on('exit', () => resolve()));
      return { exit, go: () => closeSync(openSync(fifo, 'w')) };
    };

    it('ostree waits while a sysroot is locked by us, and goes on afterwards', async () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      const argv = ['timeout', '2', 'ostree', 'admin', 'cleanup', `--sysroot=${sysroot.path}`];
      await withLocks(sysroot.path, ONE_TRY, linuxSystem, () => {
        const blocked = oracle(suite).run(argv, { allowFailure: true });
        assert.equal(blocked.status, 124, blocked.stdout + blocked.stderr);
        assert.match(blocked.stdout + blocked.stderr, /[Ww]aiting.*lock/);
      });
      assert.ok(!existsSync(`${sysroot.path}/ostree/lock`), 'unlinked at release, as ostree does');
      assert.equal(oracle(suite).run(argv).status, 0);
    });

    it('ostree does not prune while we share the lock of its repository', async () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      sysroot.repo('config', ['set', 'core.lock-timeout-secs', '1']);
      const prune = () => sysroot.repo('prune', ['--refs-only'], { allowFailure: true });
      await withSharedRepositoryLock(sysroot.repositoryPath, ONE_TRY, linuxSystem, () => {
        const blocked = prune();
        assert.notEqual(blocked.status, 0);
        assert.match(blocked.stderr, /[Ll]ock/);
      });
      assert.equal(prune().status, 0);
    });

    it('we wait while ostree has the lock, name it, and go on afterwards', async () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      // The transaction is open, and with it the shared lock held, while the archive is awaited.
      const { exit, go } = startBlocked(work, (fifo) => [
        'ostree',
        `--repo=${sysroot.repositoryPath}`,
        'commit',
        '--branch=b',
        `--tree=tar=${fifo}`,
      ]);
      const lockFile = `${sysroot.repositoryPath}/.lock`;
      await until('ostree has the lock', () => lockHolders(lockFile).length > 0);

      await withSharedRepositoryLock(sysroot.repositoryPath, ONE_TRY, linuxSystem, () => undefined);
      await withLocks(sysroot.path, ONE_TRY, linuxSystem, () => undefined);
      await assert.rejects(linuxSystem.lock(lockFile, { exclusive: true }, 50), (error: unknown) => {
        assert.ok(error instanceof BusyError);
        assert.match(error.message, /locked by ostree \(process [0-9]+\)/);
        return true;
      });
      const waiting = linuxSystem.lock(lockFile, { exclusive: true }, 20_000);
      // An archive that ends at once lets ostree fail or finish; either way it lets go.
      go();
      await exit;
      (await waiting).release();
    });

    it('we wait while ostree changes the sysroot', async () => {
      using work = new Sandbox();
      const sysroot = new OstreeSysroot(oracle(suite), work, ['os']);
      sysroot.commit('os/one', { version: '1' });
      const { exit, go } = startBlocked(work, (fifo) => [
        'ostree',
        'admin',
        'deploy',
        `--sysroot=${sysroot.path}`,
        '--os=os',
        `--overlay-initrd=${fifo}`,
        'os/one',
      ]);
      const lockFile = `${sysroot.path}/ostree/lock`;
      await until('ostree has the lock', () => existsSync(lockFile) && lockHolders(lockFile).length > 0);

      await assert.rejects(
        withLocks(sysroot.path, { timeoutMs: 100 }, linuxSystem, () => assert.fail('both have the lock')),
        (error: unknown) => {
          assert.ok(error instanceof BusyError);
          assert.equal(error.exitCode, 75);
          assert.match(error.message, /locked by ostree \(process [0-9]+\)/);
          return true;
        },
      );
      const ours = withLocks(sysroot.path, { timeoutMs: 20_000 }, linuxSystem, () => 'ours');
      go();
      await exit;
      assert.equal(await ours, 'ours');
      assert.ok(!existsSync(lockFile));
    });
  });
}
