/**
 * Runs a command and says what it took: time by the clock, time of processors, memory and bytes read from the disk,
 * the last three as the kernel counts them for wait4(2).
 *
 * A process starts with the greatest memory its parent ever had to its name (exec_mmap in fs/exec.c), and Node's is
 * larger than that of most commands. So a shell starts the command in the background and ends; the command, an orphan
 * now, comes to this process, which opens the gate it stands at, looks at the clock, and waits for its end.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Run {
  readonly wallMs: number;
  /** In user and system mode, of all threads. */
  readonly cpuMs: number;
  /** The most memory that was resident at once. */
  readonly peakBytes: number;
  /** Read from the disk: what the page cache had is not counted. */
  readonly readBytes: number;
}

/** PR_SET_CHILD_SUBREAPER of include/uapi/linux/prctl.h. */
const PR_SET_CHILD_SUBREAPER = 36;
/** What ru_inblock counts in. */
const BLOCK_BYTES = 512;
/** `struct rusage` of 64-bit Linux: ru_utime, ru_stime at 0 and 16, ru_maxrss (KiB) at 32, ru_inblock at 88. */
const RUSAGE_BYTES = 144;

const LAUNCH = `cd "$1"; shift
rm -f gate
mkfifo gate
(read -r go; exec "$@" </dev/null) >out 2>err <gate &
echo $!`;

const environment = { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: '/root' };

interface Kernel {
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  wait4(pid: number, status: Buffer, options: number, usage: Buffer): number;
}

let bound: Kernel | undefined;

function kernel(): Kernel {
  if (bound !== undefined) return bound;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const program = koffi.load(null);
  bound = {
    prctl: program.func('prctl', 'int', [
      'int',
      ...Array<string>(4).fill('unsigned long'),
    ]) as Kernel['prctl'],
    wait4: program.func('wait4', 'int', ['int', 'void *', 'int', 'void *']) as Kernel['wait4'],
  };
  if (bound.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) throw new Error('cannot adopt orphans');
  return bound;
}

/**
 * Runs a command to its end. Its output goes to the files `out` and `err` of the folder `desk`, where it runs too.
 * @throws Error when it exits with another status than 0
 */
export function measure({ argv, env }: Command, desk: string): Run {
  const { wait4 } = kernel();
  const shell = spawnSync('/bin/sh', ['-euc', LAUNCH, 'launch', desk, ...argv], {
    env: { ...environment, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(shell.stdout);
  if (!(pid > 0)) throw new Error(`${argv.join(' ')}: not started`);
  const gate = openSync(join(desk, 'gate'), 'w');
  const startedMs = performance.now();
  writeSync(gate, '\n');
  const status = Buffer.alloc(4);
  const usage = Buffer.alloc(RUSAGE_BYTES);
  const ended = wait4(pid, status, 0, usage);
  const wallMs = performance.now() - startedMs;
  closeSync(gate);
  if (ended !== pid) throw new Error(`${argv.join(' ')}: cannot wait for process ${pid}`);
  const problem = status.readInt32LE(0);
  if (problem !== 0) {
    const words = readFileSync(join(desk, 'err'), 'utf8').slice(-2000);
    throw new Error(
      `${argv.join(' ')}\nended with status ${problem >> 8}, signal ${problem & 0x7f}\n${words}`,
    );
  }
  const seconds = (at: number): number =>
    Number(usage.readBigInt64LE(at)) + Number(usage.readBigInt64LE(at + 8)) / 1e6;
  return {
    wallMs,
    cpuMs: (seconds(0) + seconds(16)) * 1000,
    peakBytes: Number(usage.readBigInt64LE(32)) * 1024,
    readBytes: Number(usage.readBigInt64LE(88)) * BLOCK_BYTES,
  };
}
