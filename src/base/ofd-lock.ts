/**
 * Open file description locks (fcntl_locking(2)), the kind libostree and libglnx take. flock(2) does not exclude
 * them, and a lock by fcntl's older F_SETLK would be lost with the first close of any descriptor of the file.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename } from 'node:path';
import timers from 'node:timers/promises';
import { nowMs } from './clock.ts';
import { BusyError, errnoOf, InterruptedError, IoError } from './errors.ts';
import { F_OFD_SETLK, libc, wholeFileLock } from './libc.ts';
import type { Lock, LockOptions } from './system.ts';

/** Longest pause between two tries; libostree itself looks once a second. */
const MAX_PAUSE_MS = 200;

/** {@link System.lock}. */
export async function takeLock(
  path: string,
  options: LockOptions,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Lock> {
  const deadline = nowMs() + timeoutMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    if (signal?.aborted) throw new InterruptedError();
    const lock = tryLock(path, options);
    if (lock !== undefined) return lock;
    const leftMs = deadline - nowMs();
    if (leftMs <= 0) throw busy(path, options);
    await pause(Math.min(pauseMs, leftMs), signal);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await timers.setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw signal?.aborted ? new InterruptedError() : error;
  }
}

/** One try. Undefined when somebody else holds the lock. */
function tryLock(path: string, options: LockOptions): Lock | undefined {
  const system = libc(`lock ${path}`);
  for (;;) {
    const fd = openLockFile(path, options);
    let taken = false;
    try {
      if (system.fcntl(fd, F_OFD_SETLK, wholeFileLock(options.exclusive)) === -1) {
        const errno = system.errno();
        if (errno === 'EAGAIN' || errno === 'EACCES') return undefined;
        throw new IoError('lock', path, errno);
      }
      // The holder before us may have unlinked the file between our open and our lock: then the name is free, or
      // somebody else's new file, and ours protects nothing.
      taken = !options.mayBeUnlinked || fstatSync(fd).nlink > 0;
    } finally {
      if (!taken) closeSync(fd);
    }
    if (taken) return heldLock(path, fd, options);
  }
}

function openLockFile(path: string, options: LockOptions): number {
  // The modes libglnx and libostree give these files.
  const mode = options.mayBeUnlinked ? 0o600 : 0o644;
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, mode);
  } catch (error) {
    const errno = errnoOf(error) ?? 'EIO';
    // A shared lock needs no more than reading.
    if (!options.exclusive && (errno === 'EACCES' || errno === 'EROFS' || errno === 'EPERM')) {
      const fd = attempt(() => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW));
      if (fd !== undefined) return fd;
    }
    throw new IoError('open the lock file', path, errno, { cause: error });
  }
}

function heldLock(path: string, fd: number, options: LockOptions): Lock {
  let held = true;
  return {
    path,
    release() {
      if (!held) return;
      held = false;
      try {
        // Under the exclusive lock the name can only be this very file: see tryLock.
        if (options.mayBeUnlinked && options.exclusive) unlinkSync(path);
      } catch (error) {
        // A lock file left behind is harmless; everything else must not be lost.
        if (errnoOf(error) === undefined) throw error;
      } finally {
        closeSync(fd);
      }
    },
  };
}

function busy(path: string, options: LockOptions): BusyError {
  const holders = lockHolders(path);
  const who =
    holders.length === 0
      ? 'another process'
      : holders
          .map(({ pid, command }) => (command === '' ? `process ${pid}` : `${command} (process ${pid})`))
          .join(', ');
  return new BusyError(`${path}: locked by ${who}`, {
    hint: 'wait for it to end and try again, or wait longer with --lock-timeout',
    details: { path, exclusive: options.exclusive, holders },
  });
}

export interface LockHolder {
  readonly pid: number;
  /** The program's name, or '' when it cannot be read. */
  readonly command: string;
}

/**
 * The processes that hold a lock on the file. /proc/locks names no process for an OFD lock (the pid is -1), but
 * /proc/PID/fdinfo/FD has a `lock:` line. Without root only the caller's own processes can be seen.
 */
export function lockHolders(path: string): LockHolder[] {
  const file = attempt(() => statSync(path));
  if (file === undefined) return [];
  const holders: LockHolder[] = [];
  for (const pid of attempt(() => readdirSync('/proc')) ?? []) {
    if (!/^[0-9]+$/.test(pid)) continue;
    for (const fd of attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const open = attempt(() => statSync(`/proc/${pid}/fd/${fd}`));
      if (open?.ino !== file.ino || open.dev !== file.dev) continue;
      if (!/^lock:/m.test(attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? '')) continue;
      holders.push({
        pid: Number(pid),
        command: commandOf(pid),
      });
      break;
    }
  }
  return holders;
}

/** From the command line: the name in /proc/PID/comm is that of a thread, `MainThread` for Node. */
function commandOf(pid: string): string {
  const words = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')) ?? [];
  const program = basename(words[0] ?? '');
  const script = words.slice(1).find((word) => word !== '' && !word.startsWith('-'));
  return program === 'node' && script !== undefined ? basename(script) : program;
}

/** Processes come and go, and some are not ours to see: what fails with an errno is simply not there. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
