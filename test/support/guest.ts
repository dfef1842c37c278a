/**
 * Virtual machines, for what the kernel that runs the tests cannot do. They are emulated, as KVM is not to be had
 * on every host that runs these tests, and so about ten times slower. Kernel and userland are Debian trixie's,
 * unpacked by `.ci/oracles`.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ORACLES } from './oracle.ts';

/** The unpacked packages a guest is made of. */
export const GUEST_ROOT = join(ORACLES, 'guest');

/** A disk of a machine: a raw image, or what QEMU is to be told of one that is more than that. */
export type Disk = string | readonly string[];

export interface Guest {
  /** Default the guests' own. */
  readonly kernel?: string;
  readonly initramfs: string;
  /** /dev/vda, /dev/vdb, … */
  readonly disks: readonly Disk[];
  /** A file to be read at /dev/disk/by-id/virtio-NAME, by name. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Kernel command line, besides what every guest gets. */
  readonly append?: string;
  /** The whole kernel command line, to the letter. */
  readonly commandLine?: string;
  /** Default 5 minutes; then the machine is killed. */
  readonly timeoutMs?: number;
}

/** What a guest left behind. */
export interface GuestEnd {
  /** What came over ttyS0: kernel and console. */
  readonly console: string;
  /** What came over ttyS1, which nobody else writes to. */
  readonly report: Buffer;
  /** How the machine ended, where it did not power itself off: half a sentence. */
  readonly failure: string | undefined;
  /** From QEMU's start to its end. */
  readonly seconds: number;
}

/** What the kernel of every machine is to be told. */
export const GUEST_KARGS = [
  'console=ttyS0',
  'mitigations=off',
  // A panic is a reboot at once, and a reboot the end.
  'panic=-1',
  // The timer that the kernel checks is QEMU's, which a busy host keeps waiting: no reason to panic.
  'no_timer_check',
];

/** As `uname -r` prints it in a guest. */
export function guestKernelRelease(): string {
  const [release, ...others] = readdirSync(join(GUEST_ROOT, 'usr/lib/modules'));
  if (release === undefined || others.length > 0)
    throw new Error(`${GUEST_ROOT} has no kernel, or more than one: run .ci/oracles`);
  return release;
}

/** A machine without what makes it start. */
export interface Machine {
  /** QEMU's arguments for that: a kernel, or firmware. */
  readonly start: readonly string[];
  readonly disks: readonly Disk[];
  /** Whether it starts again when it is reset, as hardware does; else a reset is its end. */
  readonly mayReboot?: boolean;
  /** Default 5 minutes; then the machine is killed. */
  readonly timeoutMs?: number;
}

/** Boots a guest and waits for its end, whichever it is. The folder, which must be there, gets its logs. */
export function bootGuest(folder: string, guest: Guest): Promise<GuestEnd> {
  const kernel = guest.kernel ?? join(GUEST_ROOT, `boot/vmlinuz-${guestKernelRelease()}`);
  const commandLine = guest.commandLine ?? [...GUEST_KARGS, guest.append ?? ''].join(' ');
  const inputs = Object.entries(guest.inputs ?? {}).map(([name, path]) => [
    ...['-drive', `file=${path},if=none,id=${name},format=raw,readonly=on`],
    ...['-device', `virtio-blk-pci,drive=${name},serial=${name}`],
  ]);
  const start = ['-kernel', kernel, '-initrd', guest.initramfs, '-append', commandLine];
  return bootMachine(folder, { ...guest, start, disks: [...guest.disks, ...inputs] });
}

/** As {@link bootGuest}, by whatever is to start it. */
export async function bootMachine(folder: string, machine: Machine): Promise<GuestEnd> {
  const consolePath = join(folder, 'console.log');
  const reportPath = join(folder, 'report.log');
  const argv = [
    ...['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-m', '2048'],
    // QEMU 7.2 gets cmpxchg16b wrong now and then: guests then die of a double fault.
    ...['-accel', 'tcg,thread=single,tb-size=512', '-cpu', 'max,-cx16', '-smp', '1'],
    ...(machine.mayReboot ? [] : ['-no-reboot']),
    ...['-serial', `file:${consolePath}`, '-serial', `file:${reportPath}`],
    ...machine.start,
    ...machine.disks.flatMap((disk) =>
      typeof disk === 'string' ? ['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe`] : disk,
    ),
  ];
  const began = performance.now();
  const failure = await run(argv, machine.timeoutMs ?? 300_000);
  return {
    console: readFileSync(consolePath, 'utf8').replaceAll('\r\n', '\n'),
    report: readFileSync(reportPath),
    failure,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Says what went wrong; undefined when nothing did. */
function run(argv: readonly string[], timeoutMs: number): Promise<string | undefined> {
  // A machine must not outlive the test that waits for it, however that one ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      if (isLate) resolve(`did not end within ${timeoutMs / 1000} s`);
      else if (status !== 0) resolve(`ended with ${signal ?? `exit ${status}`}: ${stderr.trim()}`);
      else resolve(undefined);
    });
  });
}
