/** Trees for a real ostree to deploy, and a system on which what it deployed can be installed into the boot. */
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { standInInitramfs } from './bootable-sysroot.ts';
import type { OsTreeOptions } from './ostree-sysroot.ts';
import { simulateInodes } from './simulated-inodes.ts';

const MODULES = 'usr/lib/modules/6.12.0';

/** A tree whose kernel can boot sealed, as far as its files say. */
export function bootableTree(version: string, initramfs: string, kernel = 'kernel'): OsTreeOptions {
  const config = [
    'EROFS_FS',
    'EROFS_FS_XATTR',
    'EROFS_FS_BACKED_BY_FILE',
    'OVERLAY_FS',
    'FS_VERITY',
    'RD_GZIP',
  ];
  return {
    version,
    files: {
      [`${MODULES}/vmlinuz`]: kernel,
      [`${MODULES}/initramfs.img`]: standInInitramfs(),
      [`${MODULES}/modules.builtin`]: 'kernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\n',
      [`${MODULES}/modules.dep`]: '',
      [`${MODULES}/config`]: config.map((option) => `CONFIG_${option}=y\n`).join(''),
      'usr/bin/mount': '#!/bin/sh\n',
      'usr/bin/umount': '#!/bin/sh\n',
      'usr/etc/sealtree/sealtree.conf': `[boot]\ninitramfs=${initramfs}\npolicy=enforce\n`,
    },
  };
}

/** Real files and inode flags, and a file system that can do fs-verity. */
export function playedVerity(): System {
  const { system } = simulateInodes(linuxSystem, { verity: true });
  const { isImmutable, setImmutable, fsync, fsyncDirectory, syncfs } = linuxSystem;
  return { ...system, isImmutable, setImmutable, fsync, fsyncDirectory, syncfs };
}
