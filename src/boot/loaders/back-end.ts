/**
 * Which of ostree's back ends writes a menu at each deploy, found out as ostree does (ostree-sysroot.c,
 * `_ostree_sysroot_query_bootloader`, and the query functions of ostree-bootloader-*.c): what `sysroot.bootloader`
 * names, or with `auto` the first of syslinux, grub2 and uboot whose files are there.
 */
import { join } from 'node:path';
import { bytesToText } from '../../base/bytes.ts';
import { isMissing } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { Keyfile } from '../../formats/keyfile.ts';
import type { BackEnd, BackEndName } from './loader.ts';

const NAMES: readonly BackEndName[] = ['none', 'grub2', 'syslinux', 'uboot', 'zipl', 'aboot'];

/** Files of grub2 on BIOS machines: Debian's and Fedora's. */
export const GRUB_MENUS = ['boot/grub/grub.cfg', 'boot/grub2/grub.cfg'] as const;
/** Where the EFI system partition is, for ostree. */
export const EFI_FOLDER = 'boot/efi/EFI';
export const SYSLINUX_MENU = 'boot/syslinux/syslinux.cfg';
export const UENV_MENU = 'boot/loader/uEnv.txt';

/** @throws FormatError when the repository's config is no keyfile */
export function queryBackEnd(sysroot: Sysroot, system: SystemReads): BackEnd {
  const config = join(sysroot.repositoryPath, 'config');
  const bytes = readIfExists(config, system);
  const configured =
    bytes === undefined
      ? 'auto'
      : (Keyfile.parse(bytes, config).getString('sysroot', 'bootloader')?.trimEnd() ?? 'auto');
  if (configured !== 'auto') {
    // ostree refuses to open a repository with any other word. Named, a back end is not asked what it finds, so that
    // grub2 never takes itself to be on an EFI machine.
    const name = NAMES.find((one) => one === configured) ?? 'none';
    return { name, configured, isEfi: false, evidence: `sysroot.bootloader is ${configured}` };
  }
  const grub = queryGrub(sysroot, system);
  const found = (name: BackEndName, path: string, efi = false): BackEnd => ({
    name,
    configured,
    isEfi: efi,
    evidence: `${path} is there`,
  });
  const isThere = (path: string): boolean => system.lstatIfExists(join(sysroot.path, path)) !== undefined;
  if (isThere(SYSLINUX_MENU)) return found('syslinux', join(sysroot.path, SYSLINUX_MENU));
  if (grub !== undefined) return found('grub2', grub.path, grub.isEfi);
  if (isThere(UENV_MENU)) return found('uboot', join(sysroot.path, UENV_MENU));
  return {
    name: 'none',
    configured,
    isEfi: false,
    evidence: 'no file of a loader that ostree writes menus for',
  };
}

/** The file by which ostree's grub2 back end knows that it is active; undefined when it is not. */
function queryGrub(sysroot: Sysroot, system: SystemReads): { path: string; isEfi: boolean } | undefined {
  if (hasStaticBootupdConfig(sysroot, system)) return undefined;
  for (const menu of GRUB_MENUS) {
    const path = join(sysroot.path, menu);
    // lstat, as in GIO: before the first deployment the link to the menu leads nowhere.
    if (system.lstatIfExists(path) !== undefined) return { path, isEfi: false };
  }
  for (const path of efiGrubMenus(sysroot, system)) return { path, isEfi: true };
  return undefined;
}

/** `grub.cfg` of each vendor on the EFI system partition; not those in BOOT, which ostree passes over. */
export function efiGrubMenus(sysroot: Sysroot, system: SystemReads): string[] {
  const folder = join(sysroot.path, EFI_FOLDER);
  return listIfExists(folder, system)
    .filter((name) => name !== 'BOOT' && system.lstatIfExists(join(folder, name))?.isDirectory())
    .map((name) => join(folder, name, 'grub.cfg'))
    .filter((path) => exists(path, system));
}

/** bootupd's own static menu calls blscfg; ostree then leaves GRUB alone. */
export function hasStaticBootupdConfig(sysroot: Sysroot, system: SystemReads): boolean {
  const state = readIfExists(join(sysroot.path, 'boot/bootupd-state.json'), system)?.toString('latin1');
  // ostree does not parse it either.
  return state?.includes('"static-configs"') === true && !state.includes('"static-configs":null');
}

/** Whether something is there, symlinks followed. */
export function exists(path: string, system: SystemReads): boolean {
  try {
    system.stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Names in a folder, sorted; none when it does not exist. */
export function listIfExists(path: string, system: SystemReads): string[] {
  try {
    return system.readdir(path).map(bytesToText).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
