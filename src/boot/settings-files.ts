/** Whose configuration a sysroot goes by, and the one file of it that sealtree writes. */
import type { Sysroot } from '../deployment/sysroot.ts';

/**
 * The root below which a sysroot's sealtree.conf is looked for: the running system's, or that of the deployment that
 * boots first, since a physical root has no /etc of its own.
 */
export const settingsRoot = ({ path, deployments }: Pick<Sysroot, 'path' | 'deployments'>): string =>
  path === '/' ? '/' : (deployments.find(({ staged }) => !staged)?.path ?? path);

/**
 * Holds the settings that a rollback brought back, and comes last among drop-ins as they are commonly named. Only what
 * the other files do not say stands in it; where that is nothing, it is not there.
 */
export const ROLLBACK_FILE = '/etc/sealtree/sealtree.conf.d/zz-rollback.conf';
