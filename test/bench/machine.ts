/** The machine that was measured on, in a line. */
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { ORACLES, runHost } from '../support/oracle.ts';

export function describeMachine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const disk = runHost(['findmnt', '--noheadings', '--output=FSTYPE', '--target', ORACLES]).stdout.trim();
  return `${availableParallelism()} cores ${cpus()[0]?.model}, ${memory} GiB, ${disk}, Linux ${release()}, Node ${process.version.slice(1)}`;
}
