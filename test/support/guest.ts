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

export interface Guest {
  readonly initramfs: string;
  /** Raw disk images: /dev/vda, /dev/vdb, … */
  readonly disks: readonly string[];
  /** Kernel command line, besides what every guest gets. */
  readonly append?: string;
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

/** As `uname -r` prints it in a guest. */
export function guestKernelRelease(): string {
  const [release, ...others] = readdirSync(join(GUEST_ROOT, 'usr/lib/modules'));
  if (release === undefined || others.length > 0)
    throw new Error(`${GUEST_ROOT} has no kernel, or more than one: run .ci/oracles`);
  return release;
}

/** Boots a guest and waits for its end, whichever it is. The folder, which must be there, gets its logs. */
export async function bootGuest(folder: string, guest: Guest): Promise<GuestEnd> {
  const consolePath = join(folder, 'console.log');
  const reportPath = join(folder, 'report.log');
  const argv = [
    ...['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-m', '2048'],
    // QEMU 7.2 gets cmpxchg16b wrong now and then: guests then die of a double fault.
    ...['-accel', 'tcg,thread=single,tb-size=512', '-cpu', 'max,-cx16', '-smp', '1'],
    ...['-serial', `file:${consolePath}`, '-serial', `file:${reportPath}`],
    ...['-kernel', join(GUEST_ROOT, `boot/vmlinuz-${guestKernelRelease()}`), '-initrd', guest.initramfs],
    // A panic is a reboot at once, and a reboot the end.
    ...['-append', `console=ttyS0 mitigations=off panic=-1 ${guest.append ?? ''}`, '-no-reboot'],
    ...guest.disks.flatMap((path) => ['-drive', `file=${path},if=virtio,format=raw,cache=unsafe`]),
  ];
  const began = performance.now();
  const failure = await run(argv, guest.timeoutMs ?? 300_000);
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
