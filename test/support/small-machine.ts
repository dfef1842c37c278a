/**
 * An operating system small enough to be booted a hundred times: Debian's initramfs without what looks for hardware,
 * and a root whose init says on ttyS1 what it sees and powers off. A boot takes five seconds.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GUEST_ROOT, guestKernelRelease } from './guest.ts';
import { ORACLES, runHost } from './oracle.ts';

/** Has what the system is made of, but for the kernel and its modules: those are the guest's. */
const MACHINE_ROOT = join(ORACLES, 'machine');

const PREPARE_ROOT = 'usr/lib/ostree/ostree-prepare-root';
const PROGRAMS = ['usr/bin/busybox', 'usr/bin/mount', 'usr/bin/umount', PREPARE_ROOT];
const MODULES = ['lib/libcrc32c', 'fs/erofs/erofs', 'fs/overlayfs/overlay', 'drivers/block/loop'];

/** Files that the system boots without, in this folder of it. Each says its name, and is three pages long. */
export const PLAIN_FILES = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'whole'] as const;
export type PlainFile = (typeof PLAIN_FILES)[number];
export const PLAIN_FILES_FOLDER = 'usr/share/test';
export const PLAIN_FILE_SIZE = 3 * 4096;

const contentOf = (name: string): Buffer => Buffer.alloc(PLAIN_FILE_SIZE, `${name} as it was committed\n`);

/** The program that init starts from, as every file of user space that a boot needs first. */
export const INIT = 'usr/bin/busybox';

/** A line for each thing that is to be seen, the last one `end`. */
const REPORT = `#!/usr/bin/busybox sh
exec >/dev/ttyS1 2>&1
# Firmware may have written there too.
echo
echo begin
while read -r _ _ _ source point rest; do
  [ "$point" != / ] || root="\${rest#* - } $source"
done </proc/self/mountinfo
echo "root $root"
echo "cmdline $(cat /proc/cmdline)"
for name in sealed unsealed; do
  [ ! -e /run/sealtree/$name ] || echo "$name $(cat /run/sealtree/$name)"
done
for folder in /etc /usr; do
  if touch $folder/written 2>/run/error; then echo "writes $folder"; fi
done
for name in ${PLAIN_FILES.join(' ')}; do
  if sum=$(sha256sum /${PLAIN_FILES_FOLDER}/$name 2>/run/error); then echo "reads $name \${sum%% *}"
  else echo "fails $name $(cat /run/error)"; fi
done
echo end
`;

/** What busybox's init does, in this order. */
export const INITTAB = ['::sysinit:/usr/libexec/report', '::wait:/usr/bin/poweroff -f'] as const;

/** What a machine booted into; `nothing` when its init was never started. */
export type Root = 'sealed' | 'plain' | 'nothing';

export interface SmallBoot {
  readonly root: Root;
  /** /proc/cmdline; undefined where there was no init. */
  readonly commandLine: string | undefined;
  /** What the kernel did at last. */
  readonly end: 'power off' | 'restart' | 'halt' | 'panic';
  /** Lines of the kernel and of the initramfs, without the times that the kernel puts in front of its own. */
  readonly console: readonly string[];
  /** /run/sealtree/sealed and /run/sealtree/unsealed, without the newline; undefined where they are not. */
  readonly sealed: string | undefined;
  readonly unsealed: string | undefined;
  /** Which of /etc and /usr could be written to. */
  readonly writable: readonly string[];
  /** What reading gave: `right`, `wrong`, or the error's text. */
  readonly reads: ReadonlyMap<string, string>;
}

const ENDS = [
  ['power off', /^reboot: Power down$/],
  ['restart', /^(reboot: Restarting system|sysrq: Resetting)$/],
  ['halt', /^reboot: System halted$/],
  ['panic', /^Kernel panic - not syncing/],
] as const;

/** What a machine that has ended left on ttyS0 and ttyS1. */
export function readSmallBoot(consoleText: string, report: string): SmallBoot {
  const console = consoleText.split('\n').map((line) => line.replace(/^\[ *\d+\.\d+\] /, '').trimEnd());
  const how = ENDS.find(([, pattern]) => console.some((line) => pattern.test(line)))?.[0];
  assert(how !== undefined, `the console shows no end:\n${console.slice(-60).join('\n')}`);
  const all = report.split(/\r?\n/);
  const [begin, end] = [all.indexOf('begin'), all.indexOf('end')];
  assert(begin < 0 || end >= 0, `init was stopped after\n${report}`);
  const lines = all.slice(begin, end);
  const valuesOf = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const reads = new Map<string, string>();
  for (const line of valuesOf('reads')) {
    const [name = '', checksum] = line.split(' ');
    const right = createHash('sha256').update(contentOf(name)).digest('hex');
    reads.set(name, checksum === right ? 'right' : 'wrong');
  }
  for (const line of valuesOf('fails')) reads.set(line.split(' ')[0] ?? '', line.replace(/^.*: /, ''));
  const [root] = valuesOf('root');
  return {
    root: root === undefined ? 'nothing' : rootOf(root),
    commandLine: valuesOf('cmdline')[0],
    end: how,
    console,
    sealed: valuesOf('sealed')[0],
    unsealed: valuesOf('unsealed')[0],
    writable: valuesOf('writes'),
    reads,
  };
}

/** `text`: TYPE SOURCE OPTIONS FOLDER of what is mounted as the root. */
function rootOf(text: string): Root {
  const [type, , options = ''] = text.split(' ');
  if (type === 'ext4') return 'plain';
  assert.equal(type, 'overlay', text);
  for (const option of ['ro', 'verity=require', 'metacopy=on', 'redirect_dir=on'])
    assert(options.split(',').includes(option), `the root is mounted without ${option}: ${text}`);
  return 'sealed';
}

export interface SmallTree {
  /** Whether its initramfs has ostree-prepare-root, and so needs nothing of ours to come up plain; default no. */
  readonly hasPrepareRoot?: boolean;
  /** The Debian root that it comes from; by default that of all else. */
  readonly prepareRootOf?: string;
}

/** Makes the tree to be committed, in a folder that is not there. `version` is all that tells two from each other. */
export function makeSmallTree(tree: string, version: string, options: SmallTree = {}): void {
  const release = guestKernelRelease();
  const modules = `usr/lib/modules/${release}`;
  const script = `
    guest=$1 tree=$2 modules=$3 files=$4 kernel=$5
    mkdir "$tree"
    cd "$tree"
    mkdir -p boot dev proc run sys sysroot tmp var usr/bin usr/sbin usr/etc "$modules"
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
    ln -s sysroot/ostree ostree
    ln -s ../bin/busybox usr/sbin/init
    for applet in cat poweroff sha256sum touch; do ln -s busybox "usr/bin/$applet"; done
    for file in $files; do install -D -m 644 "$guest/$modules/$file" "$modules/$file"; done
    install -m 644 "$guest/boot/vmlinuz-$kernel" "$modules/vmlinuz"
    install -m 644 "$guest/boot/config-$kernel" "$modules/config"`;
  const files = ['modules.dep', 'modules.builtin', ...MODULES.map((name) => `kernel/${name}.ko.xz`)].join(
    ' ',
  );
  runHost(['sh', '-euc', script, 'tree', GUEST_ROOT, tree, modules, files, release]);
  installPrograms(tree, MACHINE_ROOT, PROGRAMS);
  const own: Record<string, string | Uint8Array> = {
    'usr/etc/inittab': `${INITTAB.join('\n')}\n`,
    'usr/libexec/report': REPORT,
    'usr/lib/os-release': `NAME=Small\nID=small\nVERSION_ID=${version}\nPRETTY_NAME="Small OS ${version}"\n`,
  };
  for (const name of PLAIN_FILES) own[`${PLAIN_FILES_FOLDER}/${name}`] = contentOf(name);
  for (const [name, content] of Object.entries(own)) {
    mkdirSync(join(tree, dirname(name)), { recursive: true });
    writeFileSync(join(tree, name), content, { mode: name.startsWith('usr/libexec/') ? 0o755 : 0o644 });
  }
  makeInitramfs(`${tree}.initramfs`, join(tree, modules, 'initramfs.img'), options);
}

/** Copies programs and libraries of a Debian root into a tree, by their paths, with all libraries that they need. */
export function installPrograms(tree: string, root: string, paths: readonly string[]): void {
  const script = `
    tree=$1 root=$2; shift 2
    folder=usr/lib/x86_64-linux-gnu loader=ld-linux-x86-64.so.2
    for path; do
      install -D -m 755 "$root/$path" "$tree/$path"
      "$root/$folder/$loader" --library-path "$root/$folder" --list "$root/$path"
    done | sed -n "s|.* => $root/\\($folder/[^ ]*\\) .*|\\1|p" | sort -u |
      while read -r library; do install -D -m 755 "$root/$library" "$tree/$library"; done
    install -m 755 "$root/$folder/$loader" "$tree/$folder/"
    mkdir -p "$tree/usr/lib64"
    ln -s -f "../\${folder#usr/}/$loader" "$tree/usr/lib64/"`;
  runHost(['sh', '-euc', script, 'install', tree, root, ...paths]);
}

/**
 * Debian's /init and its scripts on a static busybox, with the one driver that the disk needs and nothing that
 * mounts an image. Not compressed: unpacking takes longer than reading.
 */
function makeInitramfs(folder: string, archive: string, tree: SmallTree): void {
  const { hasPrepareRoot = false, prepareRootOf = MACHINE_ROOT } = tree;
  const script = `
    machine=$1 guest=$2 driver=$3
    mkdir "$4"
    cd "$4"
    mkdir -p run usr/bin usr/lib usr/sbin etc conf/conf.d scripts/init-top scripts/init-bottom
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
    install -m 755 "$guest/usr/bin/busybox" usr/bin/
    for applet in $("$guest/usr/bin/busybox" --list); do
      [ "$applet" = busybox ] || ln -s busybox "usr/bin/$applet"
    done
    debian=$machine/usr/share/initramfs-tools
    cp "$debian/init" .
    cp "$debian/scripts/functions" "$debian/scripts/local" "$debian/scripts/nfs" scripts/
    cp "$machine/etc/initramfs-tools/initramfs.conf" conf/
    echo DPKG_ARCH=amd64 >conf/arch.conf
    echo 'insmod /usr/lib/virtio_blk.ko' >scripts/init-top/ORDER
    # The last one as udev's script does it.
    printf '%s\\n' "$5" 'mount -n -o move /dev "$rootmnt/dev"' >scripts/init-bottom/ORDER
    xz --decompress --stdout "$guest/usr/lib/modules/$driver" >usr/lib/virtio_blk.ko
    printf '#!/bin/sh\\necho FSTYPE=ext4\\n' >usr/bin/fstype
    chmod 755 usr/bin/fstype`;
  const driver = `${guestKernelRelease()}/kernel/drivers/block/virtio_blk.ko.xz`;
  const call = hasPrepareRoot ? `/${PREPARE_ROOT} "$rootmnt"` : ':';
  runHost(['sh', '-euc', script, 'initramfs', MACHINE_ROOT, GUEST_ROOT, driver, folder, call]);
  if (hasPrepareRoot) installPrograms(folder, prepareRootOf, [PREPARE_ROOT]);
  const pack = `
    cd "$1"
    find . | sort | cpio --quiet --create --format=newc --reproducible --owner=+0:+0 >"$2"`;
  runHost(['sh', '-euc', pack, 'pack', folder, archive]);
}
