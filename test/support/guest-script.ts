/**
 * A shell script as the only process of a {@link bootGuest | guest}. Each `step NAME COMMAND…` of it becomes a
 * {@link Step} here, with exit status and output as they were.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { bootGuest, type Disk, GUEST_ROOT, guestKernelRelease } from './guest.ts';
import { runHost } from './oracle.ts';
import { DEFINE_STEP, readSteps, type Step } from './steps.ts';

export interface GuestScript {
  /** sh, under `set -u`. Coreutils, findutils, util-linux, e2fsprogs and fsverity are there, busybox for the rest. */
  readonly script: string;
  /** /dev/vda, /dev/vdb, … */
  readonly disks: readonly Disk[];
  /** Kernel modules to load before it starts; what they need is loaded too. */
  readonly modules: readonly string[];
  /** Files and folders of the host, by the path at which the guest sees them. */
  readonly files: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface GuestRun {
  readonly console: string;
  /** From QEMU's start to its end. */
  readonly seconds: number;
  readonly steps: ReadonlyMap<string, Step>;
  /** Fails the test when the script made no such step. */
  step(name: string): Step;
}

/** The last thing a script's guest says. */
const END = 'guest: the script has ended';

/** For the end of a script: the machine is gone, and what was not written is lost. */
export const POWER_CUT = `
echo '${END}'
sleep 1
echo b >/proc/sysrq-trigger
sleep 60
`;

const INIT = `#!/bin/sh
set -u
export PATH=/usr/sbin:/usr/bin:/busybox HOME=/root LC_ALL=C.UTF-8 TZ=UTC
/usr/bin/busybox mkdir -p /busybox /dev /proc /root /run /sys /tmp
/usr/bin/busybox --install -s /busybox
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
for module in /modules/*; do insmod "$module"; done
${DEFINE_STEP}
. /script
echo '${END}'
poweroff -f
`;

/** Lines of the console in a failure: a panic's trace, which has up to 60, and what led to it. */
const TAIL_LINES = 100;

/**
 * Runs a script in a guest. Several may run at once, each with a folder of its own for what belongs to it.
 * @throws Error with the end of the console's log, when the guest did not reach the end of the script in time
 */
export async function runInGuest(folder: string, options: GuestScript): Promise<GuestRun> {
  const initramfs = makeInitramfs(folder, options);
  const { console, report, failure, seconds } = await bootGuest(folder, { ...options, initramfs });
  const fail = (what: string): never => {
    const tail = console.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
    throw new Error(`the guest ${what}; its console ends with:\n${tail}`);
  };
  if (failure !== undefined) fail(failure);
  if (!console.includes(END)) fail('ended before its script did');
  const steps = readSteps(report);
  return { console, seconds, steps, step: (name) => steps.get(name) ?? fail(`made no step ${name}`) };
}

/** Packs what a guest gets; returns the file. Not compressed: unpacking takes longer there than reading. */
function makeInitramfs(folder: string, { script, modules, files }: GuestScript): string {
  const path = join(folder, 'initramfs.cpio');
  writeFileSync(path, '');
  const userland = `find bin lib lib64 sbin usr -path usr/share -prune -o -path usr/lib/modules -prune -o -print`;
  runHost(['sh', '-euc', `cd "$0"; ${userland} | ${PACK} >>"$1"`, GUEST_ROOT, path]);

  const own = join(folder, 'initramfs');
  mkdirSync(own);
  writeFileSync(join(own, 'init'), INIT, { mode: 0o755 });
  writeFileSync(join(own, 'script'), script);
  mkdirSync(join(own, 'modules'));
  loadingOrder(modules).forEach((module, i) => {
    const name = `${String(i).padStart(2, '0')}-${basename(module, '.xz')}`;
    writeFileSync(join(own, 'modules', name), runHost(['xz', '--decompress', '--stdout', module]).bytes);
  });
  const config = `boot/config-${guestKernelRelease()}`;
  for (const [name, from] of Object.entries({ ...files, [config]: join(GUEST_ROOT, config) })) {
    mkdirSync(join(own, dirname(name)), { recursive: true });
    symlinkSync(from, join(own, name));
  }
  // Links to what is large are followed instead of copying it.
  runHost(['sh', '-euc', `cd "$0"; find -L . | ${PACK} --dereference >>"$1"`, own, path]);
  return path;
}

const PACK = 'cpio --quiet --create --format=newc --owner=+0:+0';

/** The files of these kernel modules and of those they need, in the order in which they are to be loaded. */
function loadingOrder(names: readonly string[]): string[] {
  const folder = join(GUEST_ROOT, 'usr/lib/modules', guestKernelRelease());
  const needs = new Map<string, string[]>();
  for (const line of readFileSync(join(folder, 'modules.dep'), 'utf8').trimEnd().split('\n')) {
    const [file = '', others = ''] = line.split(':');
    // Listed so that the last one is to be loaded first.
    needs.set(file, others.split(' ').filter(Boolean).reverse());
  }
  const order = names.flatMap((name) => {
    const file = [...needs.keys()].find((path) => basename(path) === `${name}.ko.xz`);
    if (file === undefined) throw new Error(`${folder} has no module ${name}`);
    return [...(needs.get(file) ?? []), file];
  });
  return [...new Set(order)].map((file) => join(folder, file));
}
