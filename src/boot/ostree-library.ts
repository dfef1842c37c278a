/**
 * Whether a deployment's own ostree still knows which deployment runs when the root is an overlay. It compares the
 * root's device and inode with those of the deployments' folders, which never fit then; ostree-prepare-root leaves the
 * folder's in /run/ostree-booted for that, and libostree has to look there (ostree-sysroot.c). One that does not ends
 * every `ostree admin` command on such a root in an error: 2022.7 of Debian 12 does.
 */
import { textToBytes } from '../base/bytes.ts';
import type { SystemReads } from '../base/system.ts';
import { TreeRoot } from './initramfs/tree-root.ts';

const LIBRARY = 'libostree-1.so.1';

/** The key in /run/ostree-booted: a library that reads it has it among its strings. */
const KEY = 'backing-root-device-inode';

/** Path of a libostree in the deployment that does not; undefined where it does, and where there is none. */
export function libraryWithoutOverlayRoot(deploymentPath: string, system: SystemReads): string | undefined {
  const root = new TreeRoot(deploymentPath, system);
  const folders = ['usr/lib', 'usr/lib64', ...multiarchFolders(deploymentPath, system)];
  for (const folder of folders) {
    const library = root.readFile(textToBytes(`${folder}/${LIBRARY}`));
    if (library !== undefined) return library.includes(KEY) ? undefined : `${folder}/${LIBRARY}`;
  }
  return undefined;
}

/** Such as usr/lib/x86_64-linux-gnu. */
function multiarchFolders(deploymentPath: string, system: SystemReads): string[] {
  const lib = `${deploymentPath}/usr/lib`;
  if (system.lstatIfExists(lib)?.isDirectory() !== true) return [];
  return system
    .readdir(lib)
    .filter((name) => /^[a-z0-9_]+-linux-[a-z0-9]+$/.test(name))
    .sort()
    .map((name) => `usr/lib/${name}`);
}
