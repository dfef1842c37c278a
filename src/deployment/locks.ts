/**
 * The locks that keep two runs apart, and both apart from ostree: SYSROOT/ostree/lock first, then REPO/.lock, the
 * files and the kind of lock (OFD) of libostree. There is none of our own. Whoever publishes into a sysroot's
 * repository or removes from it holds the sysroot's lock; all share the repository's, so that nothing is pruned
 * meanwhile.
 */
import { nowMs } from '../base/clock.ts';
import {
  BusyError,
  ConfigError,
  errnoOf,
  NotFoundError,
  PermissionError,
  UnsupportedError,
} from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { Lock, LockOptions, System, SystemReads } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';

export interface LockTimes {
  /** How long to wait in all; 0 = one try. Undefined: as long as the repository's `core.lock-timeout-secs` says. */
  readonly timeoutMs?: number | undefined;
  /** Stops the waiting with its signal, and is told who is waited for. */
  readonly progress?: Progress | undefined;
}

/** What libostree takes where `core.lock-timeout-secs` is not set; -1 there means for ever. */
const DEFAULT_TIMEOUT_SECONDS = 300;

/**
 * Runs `work` with a sysroot locked against changes: exclusively SYSROOT/ostree/lock, then its repository's lock
 * shared, so that no object is pruned.
 * @throws BusyError that names the holder, PermissionError, UnsupportedError (read-only file system)
 */
export async function withLocks<T>(
  sysrootPath: string,
  times: LockTimes,
  system: System,
  work: () => T | Promise<T>,
): Promise<T> {
  return await holding(await lockSysroot(sysrootPath, times, system), work);
}

/**
 * Runs `work` with a repository locked for publishing into it or removing from it: with its sysroot's locks where it lies
 * in one, else with its own lock taken exclusively, so that no other run of ours works there.
 */
export async function withPublishingLock<T>(
  repositoryPath: string,
  times: LockTimes,
  system: System,
  work: () => T | Promise<T>,
): Promise<T> {
  const sysroot = /^(.*)\/ostree\/repo$/.exec(system.realpath(repositoryPath))?.[1];
  if (sysroot !== undefined) return await withLocks(sysroot === '' ? '/' : sysroot, times, system, work);
  return await holding([await lockRepository(repositoryPath, times, system, true)], work);
}

/** Runs `work` with a repository's lock shared; without it where this user may not write there, as libostree does. */
export async function withSharedRepositoryLock<T>(
  repositoryPath: string,
  times: LockTimes,
  system: System,
  work: () => T | Promise<T>,
): Promise<T> {
  let lock: Lock | undefined;
  try {
    lock = await lockRepository(repositoryPath, times, system);
  } catch (error) {
    if (!(error instanceof PermissionError || error instanceof UnsupportedError)) throw error;
  }
  return await holding([lock], work);
}

async function lockSysroot(
  sysrootPath: string,
  times: LockTimes,
  system: System,
): Promise<(Lock | undefined)[]> {
  const ostree = `${sysrootPath.replace(/\/+$/, '')}/ostree`;
  if (system.lstatIfExists(`${ostree}/repo/config`) === undefined)
    throw new NotFoundError(`${sysrootPath} is not an ostree sysroot: it has no repository ostree/repo`, {
      hint: 'name the sysroot with --sysroot PATH',
      details: { path: sysrootPath },
    });
  const deadline = nowMs() + (times.timeoutMs ?? 0);
  const sysrootLock = await take(
    `${ostree}/lock`,
    { exclusive: true, mayBeUnlinked: true },
    {
      timeoutMs: times.timeoutMs ?? DEFAULT_TIMEOUT_SECONDS * 1000,
      progress: times.progress,
    },
    system,
  );
  try {
    const left =
      times.timeoutMs === undefined ? times : { ...times, timeoutMs: Math.max(0, deadline - nowMs()) };
    return [sysrootLock, await lockRepository(`${ostree}/repo`, left, system)];
  } catch (error) {
    sysrootLock.release();
    throw error;
  }
}

/** Shared unless said otherwise; undefined where the repository's configuration turns locking off. */
async function lockRepository(
  path: string,
  times: LockTimes,
  system: System,
  exclusive = false,
): Promise<Lock | undefined> {
  const config = readLocking(path, system);
  if (!config.enabled) return undefined;
  const timeoutMs = times.timeoutMs ?? config.timeoutMs;
  return await take(`${path}/.lock`, { exclusive }, { timeoutMs, progress: times.progress }, system);
}

async function take(
  path: string,
  options: LockOptions,
  times: LockTimes & { readonly timeoutMs: number },
  system: System,
): Promise<Lock> {
  try {
    return await waitFor(path, options, times, system);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'EPERM') {
      throw new PermissionError(`${path}: no permission to take the lock`, {
        hint: 'run it as root',
        cause: error,
      });
    }
    if (errno === 'EROFS') {
      throw new UnsupportedError(`${path}: cannot take the lock: the file system is mounted read-only`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Whoever watches the progress hears whom it waits for. */
async function waitFor(
  path: string,
  options: LockOptions,
  { timeoutMs, progress }: LockTimes & { readonly timeoutMs: number },
  system: System,
): Promise<Lock> {
  if (progress !== undefined && timeoutMs > 0) {
    try {
      return await system.lock(path, options, 0, progress.signal);
    } catch (error) {
      if (!(error instanceof BusyError)) throw error;
      progress.begin(`waiting: ${error.message}`);
    }
  }
  return await system.lock(path, options, timeoutMs, progress?.signal);
}

/** `core.locking` and `core.lock-timeout-secs` as in ostree.repo-config(5). */
function readLocking(repositoryPath: string, system: SystemReads): { enabled: boolean; timeoutMs: number } {
  const path = `${repositoryPath}/config`;
  const config = Keyfile.parse(system.readFile(path), path);
  const seconds = config.getInteger('core', 'lock-timeout-secs') ?? DEFAULT_TIMEOUT_SECONDS;
  if (seconds < -1) throw new ConfigError(`${path}: core.lock-timeout-secs is ${seconds}, want -1 or more`);
  return {
    enabled: config.getBoolean('core', 'locking') ?? true,
    timeoutMs: seconds === -1 ? Number.POSITIVE_INFINITY : seconds * 1000,
  };
}

async function holding<T>(locks: readonly (Lock | undefined)[], work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    // The reverse of the order in which they were taken.
    for (const lock of [...locks].reverse()) lock?.release();
  }
}
