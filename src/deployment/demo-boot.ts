/**
 * What the demonstration would boot from: kernel, initramfs and the menu of a boot loader, each as far as anything looks
 * at it, so that all there is to see and to plan of a boot can be seen on it. Nothing of it runs.
 */
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import { makeFolders } from '../base/folders.ts';
import { S_IFLNK, S_IFREG } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import { type CpioFile, writeCpio } from '../formats/cpio.ts';
import { type SourceDirectory, type SourceFile, sourceDirectory, sourceFile } from '../repository/source.ts';

/** As `uname -r` would print it. */
const RELEASE = '6.12.0-demo';

const script = (text: string): SourceFile => sourceFile(`#!/bin/sh\n${text}\n`, { permissions: 0o755 });

/** `usr/lib/modules` with a kernel of these bytes behind its header. */
export function demoModules(kernel: Uint8Array): SourceDirectory {
  return sourceDirectory({
    [RELEASE]: sourceDirectory({
      vmlinuz: sourceFile(bootableKernel(kernel)),
      'initramfs.img': sourceFile(initramfs(), { permissions: 0o600 }),
      config: sourceFile(OPTIONS.map((option) => `CONFIG_${option}=y\n`).join('')),
      'modules.builtin': sourceFile(BUILT_IN.map((name) => `kernel/${name}.ko\n`).join('')),
      'modules.dep': sourceFile(''),
    }),
  });
}

/** Programs in `usr/bin` that an initramfs without them takes along. */
export const DEMO_BOOT_PROGRAMS = { mount: script('exit 1'), umount: script('exit 1') };

/** `usr/lib/ostree`. */
export const DEMO_PREPARE_ROOT = sourceDirectory({ 'ostree-prepare-root': script('exit 1') });

/** What a kernel has to have for a sealed root: see its Documentation/filesystems. */
const OPTIONS = [
  'BLK_DEV_LOOP',
  'EROFS_FS',
  'EROFS_FS_BACKED_BY_FILE',
  'EROFS_FS_XATTR',
  'FS_VERITY',
  'OVERLAY_FS',
  'RD_GZIP',
];
const BUILT_IN = ['drivers/block/loop', 'fs/erofs/erofs', 'fs/overlayfs/overlay'];

/** Sectors of real-mode code behind the first one. */
const SETUP_SECTORS = 4;

/** The header of the x86 boot protocol (Documentation/arch/x86/boot.rst) in front of these bytes, so that they count as a whole kernel. */
function bootableKernel(content: Uint8Array): Buffer {
  const setup = Buffer.alloc((SETUP_SECTORS + 1) * 512);
  setup.writeUInt8(SETUP_SECTORS, 0x1f1);
  // The rest in units of 16 bytes.
  setup.writeUInt32LE(content.length >> 4, 0x1f4);
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.write('HdrS', 0x202, 'latin1');
  return Buffer.concat([setup, content]);
}

const program = (name: string, text = 'exit 1'): CpioFile => ({
  name: name as ByteString,
  mode: S_IFREG | 0o755,
  content: Buffer.from(`#!/bin/sh\n${text}\n`),
});
const link = (name: string, target: string): CpioFile => ({
  name: name as ByteString,
  mode: S_IFLNK | 0o777,
  content: Buffer.from(target),
});

const APPLETS = ['cat', 'insmod', 'ln', 'mkdir', 'mount', 'sh', 'umount'];

/** Laid out as initramfs-tools does it: /init runs scripts, all programs are one. */
function initramfs(): Buffer {
  return writeCpio([
    link('bin', 'usr/bin'),
    link('sbin', 'usr/sbin'),
    link('usr/sbin', 'bin'),
    program('init', 'exec run-init "$rootmnt" /sbin/init'),
    program('conf/initramfs.conf', 'BOOT=local'),
    program('scripts/functions'),
    program('scripts/local'),
    program('usr/bin/busybox'),
    ...APPLETS.map((applet) => link(`usr/bin/${applet}`, 'busybox')),
  ]);
}

/** The menu of a GRUB that reads the boot entries themselves. */
export function writeDemoLoader(path: string, system: System): void {
  const folder = join(path, 'boot/grub2');
  makeFolders(folder, system);
  const fd = system.create(join(folder, 'grub.cfg'), 0o644);
  try {
    system.write(fd, Buffer.from('set timeout=5\ninsmod blscfg\nblscfg --path /boot/loader/entries\n'));
  } finally {
    system.close(fd);
  }
}
