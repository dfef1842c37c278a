/**
 * Temporary work folders that are gone afterwards, whatever happened in them: mounts are taken down and
 * immutable flags (ostree sets one on each deployment) lifted first. What a killed run left behind is removed
 * by the next one.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const DISK = realpathSync(tmpdir());

/** Where work folders are made; oracle roots see it at the same path. `npm test` has it in memory. */
export const WORK_BASE = realpathSync(process.env.SEALTREE_TEST_TMP ?? DISK);

const SHARED_MEMORY = '/dev/shm';

/** What tests that run at a time may have lying about; a container is often given less there. */
const ROOM_BYTES = 2 ** 30;

/**
 * A file system in memory that tests can do all in that they do on a disk but fs-verity, where the machine has one: what
 * changes thousands of names need not wait for a disk.
 */
export function memoryFolder(): string | undefined {
  // User xattrs came to file systems in memory with Linux 6.6.
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 6)) return undefined;
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    if (bavail * bsize < ROOM_BYTES) return undefined;
    // Programs are tried there, too.
    const mount = mountLines().findLast((fields) => fields[4] === SHARED_MEMORY);
    return mount?.[5]?.split(',').includes('noexec') ? undefined : SHARED_MEMORY;
  } catch {
    // Whatever the reason, it is of no use then.
    return undefined;
  }
}

/** The fields of /proc/self/mountinfo: the fifth is the mount point, the sixth its options. */
const mountLines = (): string[][] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));

const MEMORY = memoryFolder() ?? WORK_BASE;

const PREFIX = 'sealtree-test-';

/** Mount points at or under `path`, deepest first. */
export function mountsUnder(path: string): string[] {
  return mountLines()
    .map((fields) =>
      (fields[4] ?? '').replace(/\\([0-7]{3})/g, (_, o) => String.fromCharCode(Number.parseInt(o, 8))),
    )
    .filter((point) => point === path || point.startsWith(`${path}/`))
    .reverse();
}

function remove(path: string): void {
  for (const point of mountsUnder(path)) spawnSync('umount', ['--lazy', point]);
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Immutable folders refuse; only then is the walk of chattr worth its time.
    spawnSync('chattr', ['-R', '-f', '-i', path]);
    rmSync(path, { recursive: true, force: true });
  }
}

const live = new Set<string>();

function removeLeftovers(): void {
  for (const base of new Set([WORK_BASE, MEMORY, DISK]))
    for (const name of readdirSync(base)) {
      const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      if (pid === undefined) continue;
      try {
        process.kill(Number(pid), 0);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') remove(join(base, name));
      }
    }
}

let isWatching = false;

function watchTheEnd(): void {
  if (isWatching) return;
  isWatching = true;
  process.on('exit', () => {
    for (const path of live) remove(path);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
}

/** A work folder; `using work = new Sandbox()` or `dispose()` removes it. */
export class Sandbox {
  /** Absolute, without symlinks. */
  readonly path: string;

  /**
   * @param options `inMemory`: for little, and often changed; `onDisk`: for what a file system in memory cannot do, also
   *   where {@link WORK_BASE} is one
   */
  constructor({ inMemory = false, onDisk = false } = {}) {
    if (live.size === 0) {
      removeLeftovers();
      watchTheEnd();
    }
    const base = onDisk ? DISK : inMemory ? MEMORY : WORK_BASE;
    this.path = mkdtempSync(join(base, `${PREFIX}${process.pid}-`));
    live.add(this.path);
  }

  /** A path in the folder. */
  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Makes a folder (and its parents) and returns its path. */
  mkdir(...parts: string[]): string {
    const path = this.join(...parts);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Writes a file (and the folders it is in) and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.join(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  dispose(): void {
    if (live.delete(this.path)) remove(this.path);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
