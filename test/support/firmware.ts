/**
 * Machines that firmware and a boot loader start, as hardware is started: nobody tells QEMU of a kernel. Loaders and
 * firmware are Debian's, unpacked by `.ci/oracles`; what makes a disk bootable is what their own installers do.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootMachine, type Disk, type GuestEnd, type Machine } from './guest.ts';
import { ORACLES, runHost } from './oracle.ts';

/** Trixie's loaders and firmware. */
const LOADERS = join(ORACLES, 'loaders');
/** Sid's GRUB, for its blscfg. */
const BLSCFG = join(ORACLES, 'blscfg');

/** Far more than it takes on a machine with nothing else to do. */
const TIMEOUT_MS = 600_000;

/** QEMU's own BIOS, or UEFI. */
export type Firmware = 'bios' | 'efi';

/** Boots a machine from the first disk that its firmware can boot from. The folder, which must be there, gets its logs. */
export function bootByFirmware(
  folder: string,
  firmware: Firmware,
  disks: readonly Disk[],
  options: Pick<Machine, 'mayReboot'> = {},
): Promise<GuestEnd> {
  return bootMachine(folder, {
    ...options,
    start: firmware === 'bios' ? [] : uefi(folder),
    disks,
    timeoutMs: TIMEOUT_MS,
  });
}

function uefi(folder: string): string[] {
  const variables = join(folder, 'variables.fd');
  copyFileSync(join(LOADERS, 'usr/share/OVMF/OVMF_VARS_4M.fd'), variables);
  const code = join(LOADERS, 'usr/share/OVMF/OVMF_CODE_4M.fd');
  return [
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
  ];
}

/** A GRUB that knows one thing, to go on with the menu on the file system labelled `root`. */
interface Grub {
  readonly root: string;
  readonly platform: 'i386-pc' | 'x86_64-efi';
  /** Besides those for the disk and the console. */
  readonly modules: readonly string[];
}

export const GRUB_BIOS: Grub = { root: LOADERS, platform: 'i386-pc', modules: ['biosdisk'] };
export const GRUB_EFI: Grub = { root: LOADERS, platform: 'x86_64-efi', modules: [] };
export const GRUB_BLSCFG: Grub = { root: BLSCFG, platform: 'x86_64-efi', modules: ['blsuki'] };

export function grubVersion({ root }: Grub): string {
  const script = readFileSync(join(root, 'usr/sbin/grub-mkconfig'), 'utf8');
  return `GRUB ${/^PACKAGE_VERSION=(.*)$/m.exec(script)?.[1]}`;
}

/** What every menu of ours needs; `search` finds the disk, and the rest of it is what grub-mkconfig makes use of. */
const GRUB_MODULES = [
  'configfile',
  'echo',
  'ext2',
  'linux',
  'normal',
  'search',
  'search_label',
  'serial',
  'test',
];

const GRUB_START = `serial --unit=0 --speed=115200
terminal_output serial
search --no-floppy --label --set=root root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
`;

/** Makes a disk with GRUB and nothing else: its image, as `grub-install` would have it. */
export function makeGrubDisk(folder: string, grub: Grub): string {
  const start = join(folder, 'grub-start.cfg');
  writeFileSync(start, GRUB_START);
  const core = join(folder, 'grub-core');
  const modules = join(grub.root, 'usr/lib/grub', grub.platform);
  runHost([
    // Of another release than the host: with its own libraries.
    ...[join(grub.root, 'usr/lib64/ld-linux-x86-64.so.2'), '--library-path'],
    ...[join(grub.root, 'usr/lib/x86_64-linux-gnu'), join(grub.root, 'usr/bin/grub-mkimage')],
    ...['--directory', modules, '--format', grub.platform, '--prefix', '/boot/grub'],
    ...['--config', start, '--output', core, ...GRUB_MODULES, ...grub.modules],
  ]);
  if (grub.platform === 'x86_64-efi') return makeEfiDisk(folder, { 'EFI/BOOT/BOOTX64.EFI': core });
  // The boot sector loads what begins in the next one: where `grub-bios-setup` puts it on a disk without partitions.
  const disk = join(folder, 'grub.img');
  writeFileSync(disk, Buffer.concat([readFileSync(join(modules, 'boot.img')), readFileSync(core)]));
  runHost(['truncate', '--size=%1M', disk]);
  return disk;
}

/** Makes an EFI system partition with systemd-boot and these files, by path on it; its menu does not wait. */
export function makeSystemdBootDisk(folder: string, files: Readonly<Record<string, string>>): string {
  const loader = join(LOADERS, 'usr/lib/systemd/boot/efi/systemd-bootx64.efi');
  const config = join(folder, 'loader.conf');
  writeFileSync(config, 'timeout 0\n');
  return makeEfiDisk(folder, {
    'EFI/BOOT/BOOTX64.EFI': loader,
    'EFI/systemd/systemd-bootx64.efi': loader,
    'loader/loader.conf': config,
    ...files,
  });
}

/** A FAT file system without partitions, which firmware takes as well. Files are named by their path on it. */
function makeEfiDisk(folder: string, files: Readonly<Record<string, string>>): string {
  const disk = join(folder, 'esp.img');
  writeFileSync(disk, '');
  runHost(['truncate', '--size=96M', disk]);
  runHost(['mkfs.vfat', '-n', 'ESP', disk]);
  const tree = join(folder, 'esp');
  for (const [path, from] of Object.entries(files)) {
    const to = join(tree, path);
    mkdirSync(join(to, '..'), { recursive: true });
    copyFileSync(from, to);
  }
  runHost(['sh', '-euc', 'mcopy -s -i "$0" "$1"/* ::', disk, tree]);
  return disk;
}
