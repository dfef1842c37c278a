/** The shells that what is shipped as sh has to run in. */
import { spawnSync } from 'node:child_process';

/** How to run a script in each of them. */
export const SHELLS: readonly (readonly [string, ...string[]])[] = [
  ['dash'],
  ['bash', '--posix'],
  ['busybox', 'sh'],
];

/** Whether this machine has it. */
export const hasShell = ([program]: readonly [string, ...string[]]): boolean =>
  spawnSync(program, ['--help']).error === undefined;
