/**
 * How quick the interface is: `npm run bench:ui`. The first screen is that of the build, in a terminal of its own;
 * everything else is measured on a terminal without a kernel, key by key, over a repository of a hundred thousand commits
 * and a million files. What must hold is said in each line; the exit code is 1 where it does not.
 */
import '../support/jsx.ts';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { Screen } from '../support/screen.ts';
import { makeLargeRepository } from './large-repository.ts';

const { start } = await import('../../ui/start.tsx');

const program = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/sealtree.js');
const STARTS = 15;
const KEYS = 100;
/**
 * ink draws at most thirty times a second, and what is read for a row may be a frame of its own: a key that comes sooner
 * would wait for these.
 */
const FRAME_MS = 90;
/** No piece of work should be longer: a key has to wait for it. */
const MOST_WAIT_MS = 50;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Processor time of this thread. */
function usedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
let isTooSlow = false;

function report(what: string, value: number, unit: 'ms' | 'x', atMost: number): void {
  isTooSlow ||= value > atMost;
  const text = `${value.toFixed(unit === 'x' ? 2 : 1)} ${unit}`;
  console.log(
    `${what.padEnd(52)} ${text.padStart(10)}   (at most ${atMost} ${unit})${value > atMost ? '  TOO SLOW' : ''}`,
  );
}

/** Milliseconds until a command in a terminal of its own has written what `until` waits for, or has ended. */
function timeInTerminal(command: readonly string[], until?: RegExp): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const line = command.map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', CI: 'false' },
    });
    let written = '';
    let reached: number | undefined;
    child.stdout.on('data', (chunk: Buffer) => {
      written += chunk.toString();
      if (until === undefined || reached !== undefined || !until.test(written)) return;
      reached = performance.now() - started;
      child.stdin.write('\x03');
    });
    child.on('error', reject);
    child.on('close', () => {
      if (until !== undefined && reached === undefined)
        reject(new Error(`never showed ${until}:\n${written}`));
      else resolve(reached ?? performance.now() - started);
    });
  });
}

async function measureStart(sysroot: string): Promise<void> {
  const firsts: number[] = [];
  const wholes: number[] = [];
  const own: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const base = await timeInTerminal([process.execPath, '-e', '0']);
    const command = [process.execPath, program, '--sysroot', sysroot, 'ui'];
    const first = await timeInTerminal(command, /Deployments/);
    const whole = await timeInTerminal(command, /3 deployments · 3 sealed/);
    own.push(first);
    firsts.push(first / base);
    wholes.push(whole / base);
  }
  console.log(`first screen ${median(own).toFixed(0)} ms`);
  report('first screen, by node -e 0', median(firsts), 'x', 12);
  report('every deployment and its image on it', median(wholes), 'x', 14);
}

/**
 * The longest time in which nothing else could be done: what the interface's thread computed from one turn of its loop
 * to the next. Counted in its own processor time, since on a busy machine it waits for a processor too.
 */
class Stalls {
  #longest = 0;
  #last = usedMs();

  constructor() {
    setInterval(() => {
      const used = usedMs();
      this.#longest = Math.max(this.#longest, used - this.#last);
      this.#last = used;
    }, 1).unref();
  }

  take(): number {
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }
}

/** From a key to what it made the terminal show: milliseconds of the clock, and of this thread's processor time. */
async function timeKey(screen: Screen, key: string): Promise<readonly [clock: number, used: number]> {
  await sleep(FRAME_MS);
  const before = screen.written.length;
  const [started, usedBefore] = [performance.now(), usedMs()];
  screen.type(key);
  while (screen.written.length === before) await new Promise((resolve) => setImmediate(resolve));
  return [performance.now() - started, usedMs() - usedBefore];
}

async function timeKeys(what: string, screen: Screen, key: string, atMost: number): Promise<void> {
  const times: (readonly [number, number])[] = [];
  for (let i = 0; i < KEYS; i++) times.push(await timeKey(screen, key));
  report(what, median(times.map(([, used]) => used)), 'ms', atMost);
  console.log(`    by the clock ${median(times.map(([clock]) => clock)).toFixed(1)} ms`);
}

async function timeUntil(screen: Screen, keys: string, shown: RegExp): Promise<number> {
  const started = performance.now();
  screen.type(keys);
  await screen.until(shown, 120_000);
  return performance.now() - started;
}

async function measureLarge(path: string): Promise<void> {
  const screen = new Screen(120, 40);
  const { stdin, stdout } = screen;
  const stalls = new Stalls();
  const started = performance.now();
  const ended = start({
    sysrootPath: '/nowhere',
    repositoryPath: path,
    system: linuxSystem,
    env: { LANG: 'C.UTF-8', TERM: 'xterm' },
    hasColor: true,
    stdin,
    stdout,
  });
  await screen.until(/more below/);
  report('100,000 commits: first of them shown', performance.now() - started, 'ms', 1000);
  stalls.take();
  const toEnd = await timeUntil(screen, 'G', /100001 commits · 4 refs/);
  console.log(`100,000 commits: all read after ${toEnd.toFixed(0)} ms`);
  report('  longest wait of a key meanwhile', stalls.take(), 'ms', MOST_WAIT_MS);
  await timeKeys('  cursor up, a row a frame', screen, 'k', 5);

  screen.type('gt');
  await screen.until(/folder-000000/);
  screen.type('gq');
  await screen.until(/more below|100001 commits/);
  stalls.take();
  report('a million files: root folder shown', await timeUntil(screen, 'gt', /folder-000030/), 'ms', 200);
  report('  a folder of 900 unfolded', await timeUntil(screen, 'l', /file-0-000030/), 'ms', 200);
  report('  longest wait of a key meanwhile', stalls.take(), 'ms', MOST_WAIT_MS);
  screen.type('h');
  report('  a folder of 100,000 unfolded', await timeUntil(screen, 'Gl', /entries +100000/), 'ms', 1000);
  report('  longest wait of a key meanwhile', stalls.take(), 'ms', MOST_WAIT_MS);
  await timeKeys('  cursor down in 100,000 rows', screen, 'j', 5);
  await timeKeys('  page down in 100,000 rows', screen, '\x04', 15);
  stalls.take();
  const found = await timeUntil(screen, '/folder 900 000899\r', /\/folder-000900\/file-900-000899/);
  const all = await timeUntil(screen, '', / \d+ found(?!,)/);
  console.log(
    `a million files: path found after ${found.toFixed(0)} ms, all searched after ${(found + all).toFixed(0)} ms`,
  );
  report('  longest wait of a key meanwhile', stalls.take(), 'ms', MOST_WAIT_MS);
  screen.type('\x03');
  await ended;
}

// Keys and waits are told in processor time, all else by the clock: what else runs makes it longer.
console.log(`load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} processors`);
const folder = mkdtempSync(join(tmpdir(), 'sealtree-bench-'));
try {
  const sysroot = join(folder, 'demo');
  spawnSync(process.execPath, [program, '--quiet', 'demo', sysroot], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await measureStart(sysroot);
  const large = makeLargeRepository(join(folder, 'repo'));
  await measureLarge(large.path);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isTooSlow ? 1 : 0;
