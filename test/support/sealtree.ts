/** Runs the program as a person would: a process of its own. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunOptions, type RunResult, runHost } from './oracle.ts';

/** The checkout: what an oracle root must see to run the program inside. */
export const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** SEALTREE_ENTRY names what is tested, such as the built `dist/sealtree.js`; the sources by default. */
const ENTRY = join(PROJECT, process.env.SEALTREE_ENTRY ?? 'src/main.ts');

/** The command line of a run, for scripts and other namespaces. */
export const sealtreeArgv = (args: readonly string[]): string[] => [process.execPath, ENTRY, ...args];

/** Runs `sealtree ARGS…` on the host. Fails the test when it exits with another status than 0. */
export function sealtree(args: readonly string[], options?: RunOptions): RunResult {
  return runHost(sealtreeArgv(args), options);
}
