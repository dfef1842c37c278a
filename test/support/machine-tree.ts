/**
 * The operating system of whole test machines, as an image builder would make it: Debian with its own ostree (trixie:
 * 2025.2, sid: 2026.4, with composefs), systemd and an initramfs, as a folder that ostree can commit and deploy.
 * `.ci/oracles` has unpacked and configured its packages.
 */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ORACLES, runHost } from './oracle.ts';
import { DEFINE_STEP } from './steps.ts';

/** Debian's packages, configured, by release; none of the layout that ostree wants. */
const MACHINE_ROOTS = { trixie: join(ORACLES, 'machine'), sid: join(ORACLES, 'machine-sid') } as const;

/** What a machine is made of. */
export type Release = keyof typeof MACHINE_ROOTS;

export const MACHINE_ROOT = MACHINE_ROOTS.trixie;

/** What makes the initramfs. Neither takes in more than this machine needs, for speed. */
export type Generator =
  /** With ostree's own module, which mounts the deployment. */
  | 'dracut'
  /** Without anything of ostree: Debian has no such hook. */
  | 'initramfs-tools';

export interface MachineTree {
  /** Default trixie. */
  readonly release?: Release;
  readonly generator: Generator;
  /** Kernel modules that the initramfs must not have. Only for dracut; initramfs-tools takes none unasked. */
  readonly without?: readonly string[];
  /** Changes the tree before its initramfs is made. */
  readonly prepare?: (tree: string) => void;
}

/** As `uname -r` prints it in a machine. */
export function machineKernelRelease(of: Release = 'trixie'): string {
  const root = MACHINE_ROOTS[of];
  const [release, ...others] = readdirSync(join(root, 'usr/lib/modules'));
  if (release === undefined || others.length > 0)
    throw new Error(`${root} has no kernel, or more than one: run .ci/oracles`);
  return release;
}

/** Makes the folder `tree`, which must not exist. */
export function makeMachineTree(tree: string, options: MachineTree): void {
  runHost(['cp', '--archive', '--one-file-system', MACHINE_ROOTS[options.release ?? 'trixie'], tree]);
  thinOut(tree, machineKernelRelease(options.release));
  configure(tree);
  options.prepare?.(tree);
  makeInitramfs(tree, options);
  layOut(tree);
}

/** Many files that no machine here uses: each costs time when it is sealed under emulation. */
const UNUSED = [
  'usr/lib/x86_64-linux-gnu/gconv',
  'usr/lib/x86_64-linux-gnu/perl-base',
  'usr/share/bash-completion',
  'usr/share/lintian',
  'usr/share/perl5',
  'usr/share/zoneinfo',
];

/** Takes away the kernel modules that no machine here uses: those for hardware that it has not. */
function thinOut(tree: string, release: string): void {
  const script = `
    cd "$1/usr/lib/modules/$2/kernel"
    rm -r net
    find drivers -mindepth 1 -maxdepth 1 ! -name block ! -name virtio -exec rm -r {} +
    depmod --basedir "$1" "$2"`;
  runHost(['sh', '-euc', script, 'thin', tree, release]);
}

/** What only costs time under emulation, or asks the network. */
const MASKED = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty@tty1.service',
  'kmod-static-nodes.service',
  'ldconfig.service',
  'proc-sys-fs-binfmt_misc.automount',
  'serial-getty@ttyS0.service',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-hostnamed.socket',
  'systemd-hwdb-update.service',
  'systemd-journal-catalog-update.service',
  'systemd-logind.service',
  'systemd-modules-load.service',
  'systemd-tmpfiles-setup-dev-early.service',
  'systemd-user-sessions.service',
];

/** What asks whether there are units to be made, at each start and reload, and finds none here. */
const MASKED_GENERATORS = ['debug', 'getty', 'hibernate-resume', 'rc-local', 'run', 'ssh', 'sysv', 'tpm2'];

/** Has udev look at the disks, and at no more of the hardware that was there before it. */
const COLDPLUG = `ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=virtio --subsystem-match=block
`;

/** Runs what the test asks for, once everything is up, and powers off. */
const JOB_UNIT = `[Unit]
Description=The test's job
DefaultDependencies=no
After=multi-user.target
ConditionPathExists=/dev/disk/by-id/virtio-job

[Service]
Type=exec
ExecStart=/usr/lib/machine-job
StandardOutput=journal+console
StandardError=journal+console
`;

const JOB = `#!/bin/sh
set -u
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 TZ=UTC
${DEFINE_STEP}
sealtree() { /var/lib/sealtree/app/node /var/lib/sealtree/app/dist/sealtree.js "$@"; }
# A disk has whole sectors.
tr -d '\\0' </dev/disk/by-id/virtio-job >/run/machine-job
. /run/machine-job
step end true
systemctl poweroff --no-block
`;

function configure(tree: string): void {
  const units = join(tree, 'usr/lib/systemd/system');
  writeFileSync(join(units, 'machine-job.service'), JOB_UNIT);
  symlinkSync('../machine-job.service', join(units, 'multi-user.target.wants/machine-job.service'));
  writeFileSync(join(tree, 'usr/lib/machine-job'), JOB, { mode: 0o755 });
  const masked = [
    ...MASKED.map((unit) => `system/${unit}`),
    ...MASKED_GENERATORS.map((name) => `system-generators/systemd-${name}-generator`),
  ];
  for (const name of masked) {
    const path = join(tree, 'etc/systemd', name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    symlinkSync('/dev/null', path);
  }
  const coldplug = join(units, 'systemd-udev-trigger.service');
  writeFileSync(coldplug, readFileSync(coldplug, 'utf8').replace(/^ExecStart=.*/ms, COLDPLUG));
  const target = join(units, 'default.target');
  rmSync(target);
  symlinkSync('multi-user.target', target);
  writeFileSync(join(tree, 'etc/machine-id'), `${'5ea1'.repeat(8)}\n`);
  writeFileSync(join(tree, 'etc/hostname'), 'machine\n');
  // As Debian's installer writes it: the remount of the root that it asks for cannot be done to an overlay.
  writeFileSync(join(tree, 'etc/fstab'), 'LABEL=root / ext4 errors=remount-ro 0 1\n');
}

function makeInitramfs(tree: string, { release: of, generator, without = [] }: MachineTree): void {
  const release = machineKernelRelease(of);
  const modules = join(tree, 'usr/lib/modules', release);
  copyFileSync(join(tree, `boot/vmlinuz-${release}`), join(modules, 'vmlinuz'));
  const path = `/usr/lib/modules/${release}/initramfs.img`;
  if (generator === 'dracut')
    runIn(tree, [
      ...['dracut', '--quiet', '--force', '--hostonly', '--no-hostonly-default-device', '--kver', release],
      ...['--modules', 'base systemd systemd-initrd dracut-systemd udev-rules rootfs-block fs-lib'],
      ...['--drivers', 'virtio_blk', '--omit-drivers', without.join(' '), '--compress', 'zstd -1', path],
    ]);
  else {
    const conf = join(tree, 'etc/initramfs-tools');
    writeFileSync(join(conf, 'conf.d/machine'), 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n');
    appendFileSync(join(conf, 'modules'), 'virtio_blk\n');
    runIn(tree, ['mkinitramfs', '-o', path, release]);
  }
  // ostree's objects keep the mode, and loaders are not root.
  runHost(['chmod', '644', join(tree, path)]);
}

/** Runs a program of the tree, with the tree as its root. */
function runIn(tree: string, argv: readonly string[]): void {
  const enter = `
    mount --rbind /dev "$1/dev"
    mount -t proc proc "$1/proc"
    mount -t sysfs sys "$1/sys"
    exec chroot "$@"`;
  const env = { PATH: '/usr/sbin:/usr/bin' };
  runHost(['unshare', '--mount', '--propagation', 'private', 'sh', '-euc', enter, 'enter', tree, ...argv], {
    env,
  });
}

/** What /var gets at each boot, since a commit has nothing of it. */
const VAR = `d /var/home 0755 root root -
d /var/lib 0755 root root -
d /var/mnt 0755 root root -
d /var/opt 0755 root root -
d /var/roothome 0700 root root -
d /var/srv 0755 root root -
d /var/usrlocal 0755 root root -
d /run/media 0755 root root -
`;

/** Moves everything to where ostree has it. */
function layOut(tree: string): void {
  const empty = (name: string) => {
    rmSync(join(tree, name), { recursive: true });
    mkdirSync(join(tree, name));
  };
  const link = (name: string, target: string) => {
    rmSync(join(tree, name), { recursive: true, force: true });
    symlinkSync(target, join(tree, name));
  };
  for (const name of UNUSED) rmSync(join(tree, name), { recursive: true, force: true });
  for (const name of ['boot', 'dev', 'proc', 'run', 'sys', 'tmp', 'var']) empty(name);
  runHost(['chmod', '1777', join(tree, 'tmp')]);
  for (const name of readdirSync(tree))
    if (/^(vmlinuz|initrd)|^\.sealtree-oracle$/.test(name)) rmSync(join(tree, name));
  for (const name of ['home', 'mnt', 'opt', 'srv']) link(name, `var/${name}`);
  link('media', 'run/media');
  link('root', 'var/roothome');
  link('usr/local', '../var/usrlocal');
  link('ostree', 'sysroot/ostree');
  mkdirSync(join(tree, 'sysroot'));
  writeFileSync(join(tree, 'usr/lib/tmpfiles.d/machine.conf'), VAR);
  // Of this host, put there while packages were installed.
  rmSync(join(tree, 'etc/resolv.conf'), { force: true });
  runHost(['mv', join(tree, 'etc'), join(tree, 'usr/etc')]);
}

/** Writes files into a tree or disk folder, by path relative to it. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}
