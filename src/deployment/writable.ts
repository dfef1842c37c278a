/**
 * Writing where a sysroot is mounted read-only. With `sysroot.readonly` ostree hands out /sysroot read-only and
 * writes to it in a mount namespace of its own; so does this. unshare(2) would move one thread of Node only, so the
 * program is started anew below `unshare --mount`, once; there it makes the mount writable for itself and goes on.
 */
import { join } from 'node:path';
import { OperationError, PermissionError, UnsupportedError } from '../base/errors.ts';
import { isReadOnlyMount, type Mount } from '../base/mountinfo.ts';
import { become, run } from '../base/process.ts';
import type { Path, SystemReads } from '../base/system.ts';

/** Set in the environment of the program in its own mount namespace: it must not start itself a second time. */
export const NAMESPACE_MARKER = 'SEALTREE_PRIVATE_MOUNTS';

/** How to start this program again. */
export interface Invocation {
  readonly execPath: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Told apart from reading {@link process} for the tests. */
const thisProcess = (): Invocation => ({
  execPath: process.execPath,
  args: [...process.execArgv, ...process.argv.slice(1)],
  env: process.env,
});

/**
 * Makes sure that sysroots can be written to: their `ostree` folder and what else is named (such as /boot).
 *
 * Where one is on a read-only mount of a writable file system, this process is replaced by the same program in a
 * mount namespace of its own: the call does not return then. To be called first, before anything is held or changed.
 * @throws PermissionError without the right to do that; UnsupportedError where the file system itself is read-only
 */
export async function ensureWritable(
  sysrootPaths: readonly string[],
  system: SystemReads,
  morePaths: readonly string[] = [],
  invocation: Invocation = thisProcess(),
): Promise<void> {
  const paths = [...sysrootPaths.map((path) => join(path, 'ostree')), ...morePaths];
  const mounts = readOnlyMounts(paths, system);
  if (mounts.length === 0) return;
  for (const mount of mounts) needWritableFileSystem(mount);
  if (invocation.env[NAMESPACE_MARKER] !== undefined) {
    for (const mount of mounts) await remount(mount);
    const left = readOnlyMounts(paths, system)[0];
    if (left === undefined) return;
    throw new OperationError('read-only', `${left.mountPoint}: still read-only after remounting it`);
  }
  if (process.geteuid?.() !== 0) {
    throw new PermissionError(`${mounts[0]?.mountPoint}: mounted read-only, and only root can change that`, {
      hint: 'run it as root',
    });
  }
  for (const mount of mounts) await rehearse(mount);
  startAgain(invocation);
}

const UNSHARE = ['--mount', '--propagation', 'slave'];

/** The read-only mounts among those the paths are on; each once. Paths that do not exist are not looked at. */
function readOnlyMounts(paths: readonly Path[], system: SystemReads): Mount[] {
  const found = new Map<string, Mount>();
  for (const path of paths) {
    if (system.lstatIfExists(path) === undefined) continue;
    const mount = system.statfs(path).mount;
    if (mount !== undefined && isReadOnlyMount(mount)) found.set(mount.mountPoint, mount);
  }
  return [...found.values()];
}

/** A read-only superblock is read-only for everybody, and not ours to change. */
function needWritableFileSystem(mount: Mount): void {
  if (!mount.superOptions.includes('ro')) return;
  throw new UnsupportedError(`${mount.mountPoint}: its file system (${mount.type}) is read-only`, {
    hint: `if it can be written at all: mount -o remount,rw ${mount.mountPoint}`,
  });
}

async function remount(mount: Mount): Promise<void> {
  await run('mount', remountArgs(mount));
}

/** Before this process is given up for another one: does it work at all? */
async function rehearse(mount: Mount): Promise<void> {
  try {
    await run('unshare', [...UNSHARE, 'mount', ...remountArgs(mount)]);
  } catch (cause) {
    if (!(cause instanceof OperationError)) throw cause;
    throw new PermissionError(
      `${mount.mountPoint}: mounted read-only, and it cannot be changed: ${cause.message}`,
      {
        hint: `where mounting is not allowed (a container, say), do it outside: mount -o remount,rw ${mount.mountPoint}`,
        cause,
      },
    );
  }
}

/** A bind remount sets all flags of the mount anew, so those it has are repeated. */
function remountArgs(mount: Mount): string[] {
  const flags = mount.options.filter((option) => option !== 'ro' && option !== 'rw');
  return ['-o', ['remount', 'bind', 'rw', ...flags].join(','), mount.mountPoint];
}

/** Becomes `unshare … PROGRAM ARGS`. */
function startAgain({ execPath, args, env }: Invocation): never {
  become('unshare', [...UNSHARE, execPath, ...args], { ...env, [NAMESPACE_MARKER]: '1' });
}
