/**
 * Runs the tests: `node test/run.ts` all that need nothing but Node, `node test/run.ts system` those that need
 * root and the oracles, `node test/run.ts boot` those that boot machines. Further words pick the files whose path
 * contains one of them. Prints why tests were skipped; fails when one failed or none ran.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { type EventData, run } from 'node:test';
import { dot, spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { memoryFolder } from './support/sandbox.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is not part of `npm test`, by the word that runs it. */
const SUITES = new Map([
  ['system', 'test/system/'],
  ['boot', 'test/machine/'],
]);
/** Nor is this: measurements. */
const APART = [...SUITES.values(), 'test/bench/'];

const [first = '', ...others] = process.argv.slice(2);
const suite = SUITES.get(first);
const words = suite === undefined ? process.argv.slice(2) : others;

const files = globSync(`${suite ?? 'test/'}**/*.test.ts`, { cwd: root })
  .filter((file) => suite !== undefined || !APART.some((folder) => file.startsWith(folder)))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

if (files.length === 0) {
  console.error('no test file found');
  process.exit(1);
}

let passed = 0;
let failed = 0;
const skipped: string[] = [];

/** A file that hangs, or does not exit, would keep the run from ending. */
const SILENCE_MS = (suite === undefined ? 3 : 15) * 60_000;
const abort = new AbortController();
const watchdog = setTimeout(() => {
  console.error(`\nnothing happened for ${SILENCE_MS / 60_000} minutes; what still runs is ended`);
  abort.abort();
}, SILENCE_MS);

// Each file is a process of its own and most load the same modules: a quarter of the whole run is their compilation.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compiled');

// Half of what the kernel does for these tests is making and removing names, which memory does without a journal.
const memory = suite === undefined ? memoryFolder() : undefined;
if (memory !== undefined) process.env.SEALTREE_TEST_TMP ??= memory;

const events = run({
  signal: abort.signal,
  cwd: root,
  files: files.map((file) => join(root, file)),
  // Those that need root share this machine's mounts, loop devices and locks, and machines its processors.
  concurrency: suite === undefined ? availableParallelism() : 1,
});
events.on('test:pass', (event: EventData.TestPass) => {
  if (event.skip !== undefined && event.skip !== false) {
    const reason = typeof event.skip === 'string' && event.skip !== '' ? event.skip : 'NO REASON GIVEN';
    skipped.push(`${event.name}: ${reason}`);
    if (reason === 'NO REASON GIVEN') failed++;
  } else if (event.details.type !== 'suite') passed++;
});
events.on('test:fail', (event: EventData.TestFail) => {
  // A suite or file that failed only because of what is in it has been counted by that.
  const { failureType } = event.details.error as { failureType?: string };
  if (failureType !== 'subtestsFailed') failed++;
});

for (const sign of ['test:start', 'test:pass', 'test:fail'] as const)
  events.on(sign, () => watchdog.refresh());

const report = events.compose(process.stdout.isTTY || process.env.CI ? spec : dot);
report.pipe(process.stdout);
// The last words: after everything the reporter has to say.
report.on('end', () => {
  clearTimeout(watchdog);
  const skips = skipped.map((line) => `\n  ${line}`).join('');
  console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped${skips}`);
  if (passed === 0) console.error('no test ran');
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
});
