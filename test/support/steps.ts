/** What a machine reports over its second serial port: one line for each `step` of the script that it runs. */
import type { RunResult } from './oracle.ts';

export interface Step extends RunResult {
  readonly seconds: number;
}

/**
 * Defines `step NAME COMMAND…` for sh under `set -u`, which runs a command and reports exit status, output and time
 * as they were. Wants /run and /proc; file descriptor 3 is the port from here on.
 */
export const DEFINE_STEP = `
stty -F /dev/ttyS1 raw
exec 3>/dev/ttyS1

# Each program that is started costs an emulated machine a tenth of a second.
encode() { [ ! -s "$1" ] || base64 -w 0 "$1"; }

step() { # NAME COMMAND…
  step=$1
  shift
  echo "guest: $step: $*"
  read -r began _ </proc/uptime
  "$@" >/run/stdout 2>/run/stderr 3>&- </dev/null
  status=$?
  read -r ended _ </proc/uptime
  echo "$step $status $began $ended $(encode /run/stdout) $(encode /run/stderr)" >&3
}
`;

/** Reads what came over that port; a line that was cut off is no step. */
export function readSteps(report: Buffer): Map<string, Step> {
  const steps = new Map<string, Step>();
  for (const line of report.toString('latin1').split('\n').slice(0, -1)) {
    const [name = '', status, began, ended, stdout = '', stderr = ''] = line.split(' ');
    const bytes = Buffer.from(stdout, 'base64');
    steps.set(name, {
      status: Number(status),
      bytes,
      stdout: bytes.toString('utf8'),
      stderr: Buffer.from(stderr, 'base64').toString('utf8'),
      seconds: Number(ended) - Number(began),
    });
  }
  return steps;
}
