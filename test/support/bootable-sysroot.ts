/**
 * A small sysroot with all that a boot reads: kernels, an initramfs of systemd's kind, loader entries with their
 * files, and on demand sealed, pinned and with our addition, as `boot install` leaves it. Made without ostree, root or
 * fs-verity: inode flags and fs-verity are played (see {@link simulateInodes}), kernel and programs are stand-ins.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ByteString } from '../../src/base/bytes.ts';
import { S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import type { System } from '../../src/base/system.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { readBootEntries } from '../../src/boot/entries.ts';
import { buildAddition } from '../../src/boot/initramfs/addition.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs } from '../../src/boot/initramfs/extended.ts';
import { describeInitramfs, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import type { InitramfsSettings } from '../../src/boot/initramfs-settings.ts';
import { entryWithSealPin } from '../../src/boot/pin.ts';
import { readSysroot } from '../../src/deployment/sysroot.ts';
import { formatBlsEntry } from '../../src/formats/bls.ts';
import { type CpioFile, writeCpio } from '../../src/formats/cpio.ts';
import { sealAll } from './seal-state.ts';
import { simulateInodes } from './simulated-inodes.ts';
import { makeSmallSysroot, type SmallSysroot } from './small-sysroot.ts';

/** What `uname -r` would print. */
export const RELEASE = '6.12.0-test';

export interface BootableSysroot extends SmallSysroot {
  /** With fs-verity and an ext4 that has it. */
  readonly system: System;
  /** Inode numbers of files with fs-verity. */
  readonly verity: Set<number>;
  /** Paths of the boot entries, the one that boots first in front. */
  readonly entries: readonly string[];
  /** In /boot, one for each stateroot; the first belongs to the first two entries. */
  readonly kernels: readonly [string, string];
  readonly initrds: readonly [string, string];
}

const BOOTCSUM = 'b'.repeat(64);
const STATEROOTS = ['alpha', 'beta'] as const;

/** The shortest file that the x86 boot protocol takes for a whole kernel. */
export function standInKernel(seed: number): Buffer {
  const bytes = Buffer.alloc(5 * 512 + 4096, seed);
  bytes.writeUInt8(4, 0x1f1);
  bytes.writeUInt32LE(4096 / 16, 0x1f4);
  bytes.writeUInt16LE(0xaa55, 0x1fe);
  bytes.write('HdrS', 0x202, 'latin1');
  return bytes;
}

const file = (name: string, content = 'a program', mode = 0o755): CpioFile => ({
  name: name as ByteString,
  mode: S_IFREG | mode,
  content: Buffer.from(content),
});
const link = (name: string, target: string): CpioFile => ({
  name: name as ByteString,
  mode: S_IFLNK | 0o777,
  content: Buffer.from(target),
});

/** An initramfs of systemd's kind without anything of ours; lacks what `without` names. */
export function standInInitramfs(without: readonly string[] = []): Buffer {
  const files = [
    link('init', 'usr/lib/systemd/systemd'),
    file('usr/lib/systemd/systemd'),
    file('etc/initrd-release', 'NAME=test\n', 0o644),
    file('usr/lib/ostree/ostree-prepare-root'),
    ...['sh', 'cat', 'mkdir', 'ln', 'mount', 'umount', 'insmod'].map((name) => file(`usr/bin/${name}`)),
    ...['erofs', 'overlay'].map((name) =>
      file(`usr/lib/modules/${RELEASE}/kernel/fs/${name}.ko`, 'm', 0o644),
    ),
    link('bin', 'usr/bin'),
    link('lib', 'usr/lib'),
  ];
  return writeCpio(files.filter(({ name }) => !without.some((part) => name.includes(part))));
}

/** Makes it in the folder `path`, which must not exist: as ostree leaves it. */
export async function makeBootableSysroot(path: string): Promise<BootableSysroot> {
  const small = await makeSmallSysroot(path);
  const { system, verity } = simulateInodes(linuxSystem, { verity: true });
  const kernel = standInKernel(1);
  const initramfs = standInInitramfs();
  for (const deployment of small.deploymentPaths) {
    const modules = join(deployment, 'usr/lib/modules', RELEASE);
    write(join(modules, 'vmlinuz'), kernel);
    write(join(modules, 'initramfs.img'), initramfs);
    write(join(modules, 'modules.builtin'), 'kernel/drivers/block/loop.ko\n');
    write(join(modules, 'modules.dep'), 'kernel/fs/erofs.ko:\nkernel/fs/overlay.ko:\n');
    write(join(modules, 'kernel/fs/erofs.ko'), 'a module');
    write(join(modules, 'kernel/fs/overlay.ko'), 'a module');
    write(join(modules, 'config'), CONFIG);
    write(join(deployment, 'usr/bin/mount'), '#!/bin/sh\n');
    write(join(deployment, 'usr/bin/umount'), '#!/bin/sh\n');
    write(join(deployment, 'usr/lib/systemd/systemd'), '#!/bin/sh\n');
  }
  const kernels: string[] = [];
  const initrds: string[] = [];
  for (const stateroot of STATEROOTS) {
    const folder = join(path, 'boot/ostree', `${stateroot}-${BOOTCSUM}`);
    kernels.push(join(folder, `vmlinuz-${RELEASE}`));
    initrds.push(join(folder, `initramfs-${RELEASE}.img`));
    write(kernels.at(-1) as string, kernel);
    write(initrds.at(-1) as string, initramfs);
  }
  const entries = [3, 2, 1].map((version) => join(path, `boot/loader.0/entries/ostree-${version}.conf`));
  for (const entry of entries)
    writeFileSync(
      entry,
      readFileSync(entry, 'utf8').replace(
        /^linux \/ostree\/(\w+)-.*\n/m,
        (_, stateroot: string) =>
          `linux /ostree/${stateroot}-${BOOTCSUM}/vmlinuz-${RELEASE}\ninitrd /ostree/${stateroot}-${BOOTCSUM}/initramfs-${RELEASE}.img\n`,
      ),
    );
  return {
    ...small,
    system,
    verity,
    entries,
    kernels: kernels as unknown as readonly [string, string],
    initrds: initrds as unknown as readonly [string, string],
  };
}

const CONFIG = [
  'EROFS_FS=m',
  'EROFS_FS_XATTR=y',
  'EROFS_FS_BACKED_BY_FILE=y',
  'OVERLAY_FS=m',
  'FS_VERITY=y',
  'BLK_DEV_LOOP=y',
  'RD_GZIP=y',
]
  .map((option) => `CONFIG_${option}\n`)
  .join('');

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Seals all deployments, pins their entries, and puts the script into the initramfs files. */
export async function installBoot(sysroot: BootableSysroot, settings: InitramfsSettings): Promise<void> {
  const { system } = sysroot;
  for (const { error } of await sealAll(sysroot, 'require', system)) if (error !== undefined) throw error;
  pinAll(sysroot);
  for (const initrd of sysroot.initrds) await addScript(sysroot, initrd, settings);
}

/** Every entry gets the pin of the image that was sealed for its deployment. */
export function pinAll({ path, system }: Pick<BootableSysroot, 'path' | 'system'>): void {
  for (const { entry, expectedPin, path: at } of readBootEntries(readSysroot(path, system), system))
    if (entry !== undefined) writeFileSync(at, formatBlsEntry(entryWithSealPin(entry, expectedPin, at)));
}

/** Extends an initramfs as install does. */
export async function addScript(
  { deploymentPaths, system }: Pick<BootableSysroot, 'deploymentPaths' | 'system'>,
  initrd: string,
  settings: InitramfsSettings,
  original: Buffer = readFileSync(initrd),
  kernelRelease = RELEASE,
): Promise<void> {
  const facts = describeInitramfs(await readInitramfs(original, initrd, decompress, keepForFacts));
  const { bytes } = buildAddition(
    {
      deployment: deploymentPaths[0] as string,
      kernelRelease,
      facts,
      settings,
      firstFiles: ['usr/lib/systemd/systemd' as ByteString],
    },
    system,
  );
  rmSync(initrd);
  writeFileSync(initrd, Buffer.concat(extendInitramfs(original, bytes)));
}
