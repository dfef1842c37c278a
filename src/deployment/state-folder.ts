/**
 * Where sealtree keeps what belongs to a machine and to no deployment: /var/lib/sealtree. A sysroot that is not the
 * running one has no /var of its own: each stateroot has one, and the machine will see that of what it boots.
 */
import { join } from 'node:path';
import { NotFoundError } from '../base/errors.ts';
import type { Sysroot } from './sysroot.ts';

const FOLDER = 'lib/sealtree';

/**
 * The folder, which may not be there yet.
 * @throws NotFoundError where nothing would be booted, so that nobody can say whose /var it is
 */
export function stateFolder({
  path,
  isBooted,
  deployments,
}: Pick<Sysroot, 'path' | 'isBooted' | 'deployments'>): string {
  if (isBooted) return join('/var', FOLDER);
  const stateroot = deployments.find(({ staged }) => !staged)?.stateroot;
  if (stateroot === undefined)
    throw new NotFoundError(`${path} has no deployment that could be booted, and so no /var/${FOLDER}`);
  return folderOf(path, stateroot);
}

/** The same folder of each other stateroot: what its deployments have at /var/lib/sealtree, unless that is mounted over. */
export function otherStateFolders({
  path,
  isBooted,
  deployments,
}: Pick<Sysroot, 'path' | 'isBooted' | 'deployments'>): string[] {
  const own = deployments.find(({ staged, booted }) => (isBooted ? booted : !staged))?.stateroot;
  const others = new Set(deployments.map(({ stateroot }) => stateroot).filter((one) => one !== own));
  return [...others].map((stateroot) => folderOf(path, stateroot));
}

const folderOf = (path: string, stateroot: string): string =>
  join(path, 'ostree/deploy', stateroot, 'var', FOLDER);
