/**
 * A small machine that firmware and a boot loader start, and that can do all the work itself: ostree with its back end
 * for GRUB, GRUB's own tools and the program are there. Its disk is /dev/vdb, behind the one with the loader.
 */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bootByFirmware, type Firmware, GRUB_BIOS, GRUB_EFI } from './firmware.ts';
import { GUEST_KARGS, GUEST_ROOT, guestKernelRelease, type Machine } from './guest.ts';
import { installProgram, sectors } from './machine.ts';
import { writeFiles } from './machine-tree.ts';
import { ORACLES, oracle, runHost } from './oracle.ts';
import { OstreeSysroot } from './ostree-sysroot.ts';
import type { Sandbox } from './sandbox.ts';
import { INITTAB, installPrograms, makeSmallTree, readSmallBoot, type SmallBoot } from './small-machine.ts';
import { DEFINE_STEP, readSteps, type Step } from './steps.ts';

const STATEROOT = 'small';

/** What the system does the work with, by the Debian root it comes from. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  machine: [
    ...['usr/bin/kmod', 'usr/bin/lsattr', 'usr/bin/ostree', 'usr/bin/unshare', 'usr/sbin/tune2fs'],
    // Of node.
    ...['libstdc++.so.6', 'libdl.so.2', 'libpthread.so.0'].map((name) => `usr/lib/x86_64-linux-gnu/${name}`),
  ],
  guest: ['usr/bin/fsverity'],
  loaders: [
    ...['grub-file', 'grub-mkrelpath', 'grub-script-check'].map((name) => `usr/bin/${name}`),
    'usr/sbin/grub-probe',
  ],
};

/** Scripts and what they read, likewise. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  machine: ['usr/libexec/libostree/grub2-15_ostree'],
  loaders: ['usr/sbin/grub-mkconfig', 'usr/share/grub/grub-mkconfig_lib'],
};

/** For FAT, and for what the firmware says of the loader. */
const MODULES = ['fs/fat/fat', 'fs/fat/vfat', 'fs/nls/nls_ascii', 'fs/nls/nls_cp437', 'fs/efivarfs/efivarfs'];

/** Runs what the test asks for behind the report, if anything. */
const JOB = `#!/usr/bin/busybox sh
set -u
[ -b /dev/vdc ] || exit 0
export PATH=/usr/sbin:/usr/bin HOME=/var LC_ALL=C.UTF-8 TZ=UTC
mount -t tmpfs tmpfs /tmp
mount --bind /sysroot/ostree/deploy/${STATEROOT}/var /var
${DEFINE_STEP}
sealtree() { /var/lib/sealtree/app/node /var/lib/sealtree/app/dist/sealtree.js "$@"; }
# A disk has whole sectors.
tr -d '\\0' </dev/vdc >/run/job
. /run/job
# Loaders replay no journal.
step end mount -o remount,ro /sysroot
`;

const SETTINGS = '[boot]\npolicy = enforce\n';

/** A menu that does not wait, where it can be read here. */
const GRUB_DEFAULTS = 'GRUB_TIMEOUT=0\nGRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND="serial --unit=0"\n';

const KARGS = ['root=/dev/vdb', 'rw', ...GUEST_KARGS];

/** Makes a sysroot with one deployment, and a later commit on the branch. */
export async function deployLoaderMachine(work: Sandbox): Promise<OstreeSysroot> {
  const tree = work.join('tree');
  makeSmallTree(tree, '1', { hasPrepareRoot: true });
  equip(tree);
  configure(tree);
  const sysroot = new OstreeSysroot(oracle('trixie'), work, [STATEROOT]);
  const script = `
    ostree --repo="$repo" config set sysroot.bootprefix true
    ostree --repo="$repo" commit --branch=${STATEROOT} --tree=dir="$1"
    shift
    ostree admin deploy --sysroot="$sysroot" --os=${STATEROOT} "$@" ${STATEROOT}
    ostree --repo="$repo" commit --branch=${STATEROOT} --tree=ref=${STATEROOT} --subject=later`;
  sysroot.script(script, [tree, ...KARGS.map((karg) => `--karg=${karg}`)]);
  await installProgram(join(sysroot.path, 'ostree/deploy', STATEROOT, 'var/lib/sealtree/app'));
  return sysroot;
}

function equip(tree: string): void {
  for (const [root, paths] of Object.entries(PROGRAMS)) installPrograms(tree, join(ORACLES, root), paths);
  const copy = (root: string, from: string, to = from): void => {
    mkdirSync(join(tree, dirname(to)), { recursive: true });
    copyFileSync(join(root, from), join(tree, to));
  };
  for (const [root, paths] of Object.entries(FILES))
    for (const path of paths) copy(join(ORACLES, root), path);
  const modules = `usr/lib/modules/${guestKernelRelease()}`;
  const index = readdirSync(join(GUEST_ROOT, modules)).filter((name) => /^modules\..*\.bin$/.test(name));
  for (const name of [...index, ...MODULES.map((one) => `kernel/${one}.ko.xz`)])
    copy(GUEST_ROOT, join(modules, name));
  for (const name of ['insmod', 'modprobe']) symlinkSync('../bin/kmod', join(tree, 'usr/sbin', name));
  for (const name of readdirSync(join(ORACLES, 'loaders/etc/grub.d')))
    copy(join(ORACLES, 'loaders'), join('etc/grub.d', name), join('usr/etc/grub.d', name));
  symlinkSync('/usr/libexec/libostree/grub2-15_ostree', join(tree, 'usr/etc/grub.d/15_ostree'));
  // Whatever else a shell script of Debian's may call.
  const link = `
    cd "$1/usr"
    lib64/ld-linux-x86-64.so.2 --library-path lib/x86_64-linux-gnu bin/busybox --list | while read -r applet; do
      [ -e "bin/$applet" ] || [ -e "sbin/$applet" ] || ln -s busybox "bin/$applet"
    done`;
  runHost(['sh', '-euc', link, 'link', tree]);
}

function configure(tree: string): void {
  const [report, ...rest] = INITTAB;
  writeFiles(tree, {
    'usr/etc/inittab': [report, '::sysinit:/usr/libexec/job', ...rest, ''].join('\n'),
    'usr/etc/default/grub': GRUB_DEFAULTS,
    'usr/etc/passwd': 'root:x:0:0:root:/var:/bin/sh\n',
    'usr/etc/group': 'root:x:0:\n',
    'usr/etc/sealtree/sealtree.conf': SETTINGS,
    'usr/libexec/job': JOB,
  });
  chmodSync(join(tree, 'usr/libexec/job'), 0o755);
  mkdirSync(join(tree, 'efi'));
}

/** Puts into a copy of the sysroot, at `path`, what makes it the system of one loader. */
type Prepare = (sysroot: OstreeSysroot, path: string) => void;

/** A menu that ostree's own generator made, and all modules where grub-install puts them. */
export const prepareGrub: Prepare = (sysroot, path) => {
  const generate = `
    export OSTREE_SYSROOT="$1" _OSTREE_GRUB2_BOOTVERSION=1 GRUB2_BOOT_DEVICE_ID=root GRUB2_PREPARE_ROOT_CACHE=
    ostree --repo="$1/ostree/repo" config set sysroot.bootloader auto
    ostree admin instutil grub2-generate`;
  const menu = sysroot.ostree.runScript(generate, [path]).stdout;
  writeFiles(path, { 'boot/loader.1/grub.cfg': `set timeout=0\n${menu}` });
  const folder = join(path, 'boot/grub');
  mkdirSync(folder);
  symlinkSync('../loader/grub.cfg', join(folder, 'grub.cfg'));
  for (const { root, platform } of [GRUB_BIOS, GRUB_EFI])
    runHost(['cp', '--recursive', join(root, 'usr/lib/grub', platform), folder]);
};

/** A menu that has GRUB read the boot entries. */
export const prepareBlscfg: Prepare = (_, path) =>
  writeFiles(path, { 'boot/grub/grub.cfg': 'set timeout=0\nblscfg --path /boot/loader/entries\n' });

export interface LoaderBoot extends SmallBoot {
  /** From QEMU's start to its end. */
  readonly seconds: number;
  readonly steps: ReadonlyMap<string, Step>;
  /** Fails the test when the job made no such step. */
  step(name: string): Step;
}

export class LoaderMachine {
  /** The disk with the system. */
  readonly disk: string;
  readonly #folder: string;
  #boots = 0;

  private constructor(folder: string) {
    mkdirSync(folder);
    this.#folder = folder;
    this.disk = join(folder, 'disk.img');
  }

  /** Makes a machine of a sysroot; its file system cannot have fs-verity yet. */
  static of(sysroot: OstreeSysroot, folder: string, prepare?: Prepare): LoaderMachine {
    const machine = new LoaderMachine(folder);
    const copy = join(folder, 'sysroot');
    runHost(['cp', '--archive', sysroot.path, copy]);
    prepare?.(sysroot, copy);
    runHost(['truncate', '--size=768M', machine.disk]);
    runHost([
      ...['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '4096', '-L', 'root', '-O', '^verity'],
      ...['-d', copy, machine.disk],
    ]);
    rmSync(copy, { recursive: true });
    return machine;
  }

  /**
   * Boots from the loader's disk, runs the job if there is one, and waits for the power to go off. The job is sh, under
   * `set -u`, with `step NAME COMMAND…` and `sealtree`; the loader's disk is /dev/vda. Of a machine that may reboot the
   * last time is what is told.
   */
  async boot(
    firmware: Firmware,
    loaderDisk: string,
    job?: string,
    options: Pick<Machine, 'mayReboot'> = {},
  ): Promise<LoaderBoot> {
    const folder = join(this.#folder, String(this.#boots++));
    mkdirSync(folder);
    const disks = [loaderDisk, this.disk];
    if (job !== undefined) {
      disks.push(join(folder, 'job'));
      writeFileSync(join(folder, 'job'), sectors(job));
    }
    const { console, report, failure, seconds } = await bootByFirmware(folder, firmware, disks, options);
    const tail = (): string => console.split('\n').slice(-100).join('\n');
    assert.equal(failure, undefined, tail());
    const boot = readSmallBoot(console, report.toString('latin1'));
    const steps = readSteps(report);
    const step = (name: string): Step => steps.get(name) ?? assert.fail(`no step ${name}:\n${tail()}`);
    if (job !== undefined && boot.root !== 'nothing') assert.equal(step('end').status, 0, step('end').stderr);
    return { ...boot, seconds, steps, step };
  }
}
