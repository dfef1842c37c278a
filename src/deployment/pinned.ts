/**
 * Pins of ostree: a pinned deployment is not pushed out by new ones. What `ostree admin pin` does, by the deployment's
 * name instead of its place in a list that changes (ostree-sysroot.c, `ostree_sysroot_deployment_set_pinned`).
 */
import { join } from 'node:path';
import { NotFoundError, OperationError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import { makeStoreFolder, temporaryName } from '../image/store.ts';
import type { Deployment } from './deployment.ts';
import { type LockTimes, withLocks } from './locks.ts';
import { readSysroot, type Sysroot } from './sysroot.ts';

export interface PinOptions {
  readonly pinned: boolean;
  readonly dryRun: boolean;
  readonly times: LockTimes;
}

export interface PinResult {
  readonly deployment: Deployment;
  /** Whether it was otherwise before. */
  readonly isChanged: boolean;
}

/** Where ostree keeps what is not handed on to the next deployment. */
const GROUP = 'libostree-transient';

/**
 * Pins deployments, or takes their pins away.
 * @param select chooses among the deployments as they are once the locks are held
 * @throws OperationError for a staged one, which ostree does not pin either; BusyError
 */
export async function setPinned(
  sysrootPath: string,
  select: (sysroot: Sysroot) => readonly Deployment[],
  { pinned, dryRun, times }: PinOptions,
  system: System,
): Promise<PinResult[]> {
  const work = (): PinResult[] => {
    const sysroot = readSysroot(sysrootPath, system);
    const chosen = select(sysroot);
    const staged = chosen.find((deployment) => deployment.staged);
    if (staged !== undefined)
      throw new OperationError(
        'pin',
        `${staged.id} is staged: a deployment can be pinned once it is finalized`,
      );
    const results = chosen.map((deployment) => ({ deployment, isChanged: deployment.pinned !== pinned }));
    if (dryRun) return results;
    for (const { deployment, isChanged } of results)
      if (isChanged) write(deployment, pinned, sysroot, system);
    return results;
  };
  return dryRun ? work() : await withLocks(sysrootPath, times, system, work);
}

function write(deployment: Deployment, pinned: boolean, sysroot: Sysroot, system: System): void {
  const { origin, path: deploymentPath } = deployment;
  if (origin === undefined)
    throw new NotFoundError(
      `${deploymentPath}.origin: there is none that could be read, and pins are kept there`,
    );
  const { path } = origin;
  const content = Keyfile.parse(system.readFile(path), path);
  // ostree takes the whole group away, which has nothing else.
  if (pinned) content.setBoolean(GROUP, 'pinned', true);
  else content.removeGroup(GROUP);
  // Aside is where the next run looks for what a killed one left.
  const temporary = join(makeStoreFolder(sysroot.repositoryPath, 'images', system), temporaryName());
  const { mode, uid, gid } = system.lstat(path);
  const fd = system.create(temporary, 0o600);
  try {
    system.write(fd, content.toBytes());
    system.fchown(fd, uid, gid);
    system.fchmod(fd, mode & 0o7777);
    for (const name of system.listxattr(path)) {
      const value = system.getxattr(path, name);
      if (value !== undefined && system.getxattr(temporary, name) !== value)
        system.setxattr(temporary, name, value);
    }
    system.fsync(fd);
  } catch (error) {
    system.unlink(temporary);
    throw error;
  } finally {
    system.close(fd);
  }
  system.rename(temporary, path);
  system.fsyncDirectory(join(deploymentPath, '..'));
  // Whoever holds the sysroot open sees by this that it was changed.
  system.utimes(join(sysroot.path, 'ostree/deploy'), Math.floor(Date.now() / 1000));
}
