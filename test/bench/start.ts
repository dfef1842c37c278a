/**
 * How long commands take to start, as a multiple of `node -e 0`: `npm run build && node test/bench/start.ts [SYSROOT]`.
 * Runs alternate, so that both sides see the same machine; medians of pairs are printed.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entry = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/sealtree.js');
const sysroot = process.argv[2] ?? '/';
const RUNS = 21;

/** What must hold is in the third column: the most a start may take. */
const COMMANDS: readonly (readonly [args: readonly string[], atMost: number])[] = [
  [['--version'], 1.3],
  [['hook', 'bench', '--sysroot', sysroot], 2.5],
  [['--help'], 2.5],
  [['status', '--sysroot', sysroot], 10],
];

function timeMs(args: readonly string[]): number {
  const started = performance.now();
  spawnSync(process.execPath, args);
  return performance.now() - started;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

for (const [args, atMost] of COMMANDS) {
  const pairs = Array.from({ length: RUNS }, () => [timeMs([entry, ...args]), timeMs(['-e', '0'])] as const);
  const own = median(pairs.map(([ms]) => ms));
  const ratio = median(pairs.map(([ms, base]) => ms / base));
  console.log(
    `${args[0]?.padEnd(10)} ${own.toFixed(0).padStart(4)} ms  ${ratio.toFixed(2)}x  (at most ${atMost}x)`,
  );
}
