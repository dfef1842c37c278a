/**
 * Who is shown `trusted.*` xattrs: listxattr(2) leaves them out, without a word, for all but CAP_SYS_ADMIN in the
 * first user namespace (fs/xattr.c). Root in a container has often neither, so its number says nothing.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from './errors.ts';

/** Number of the capability: linux/capability.h. */
const CAP_SYS_ADMIN = 21n;

/** The first user namespace as /proc names it, with the inode number it always has (PROC_USER_INIT_INO, linux/proc_ns.h). */
const FIRST_USER_NAMESPACE = `user:[${0xef_ff_ff_fd}]`;

/** Whether this process is shown all xattrs; what cannot be found out is a no. */
export function seesTrustedXattrs(): boolean {
  try {
    return areTrustedShown(readFileSync('/proc/self/status', 'latin1'), readlinkSync('/proc/self/ns/user'));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/**
 * The same from what /proc says of a process.
 * @param status its `status`
 * @param userNamespace the target of its `ns/user`
 */
export function areTrustedShown(status: string, userNamespace: string): boolean {
  const effective = /^CapEff:\t([0-9a-f]{16})$/m.exec(status)?.[1];
  if (effective === undefined || userNamespace !== FIRST_USER_NAMESPACE) return false;
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}
