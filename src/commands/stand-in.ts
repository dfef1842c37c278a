/** What the stand-ins for composefs' tools share: their way to fail, and to read and write files. */

import { displayMessage } from '../base/bytes.ts';
import { SealtreeError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import type { Surroundings } from './surroundings.ts';

/** A tool ends with this text on stderr, written as it is, and exit code 1, the only one the C tools have. */
export class ToolFailure extends Error {}

/** Runs a tool's body; errors become `NAME: message` on stderr and exit code 1. */
export async function runTool(
  name: string,
  surroundings: Surroundings,
  body: () => Promise<void>,
): Promise<number> {
  try {
    await body();
    surroundings.stdout.flush();
    return 0;
  } catch (error) {
    if (!(error instanceof ToolFailure || error instanceof SealtreeError)) throw error;
    // What was printed before the failure stands, as with the C tools.
    surroundings.stdout.flush();
    const text = error instanceof ToolFailure ? error.message : `${name}: ${displayMessage(error.message)}`;
    surroundings.stderr.write(`${text}\n`);
    surroundings.stderr.flush();
    return 1;
  }
}

const CHUNK_BYTES = 1 << 20;

/** The bytes of an open file or pipe; each chunk is valid until the next. */
export function* readChunks(fd: number, system: System): Generator<Uint8Array, void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const count = system.read(fd, buffer, null);
    if (count > 0) yield buffer.subarray(0, count);
    if (count < buffer.length) return;
  }
}

/** The bytes of a file, or of standard input for `-`. */
export function* readInput(path: string, system: System): Generator<Uint8Array, void> {
  if (path === '-') {
    yield* readChunks(0, system);
    return;
  }
  const fd = system.openRead(path);
  try {
    yield* readChunks(fd, system);
  } finally {
    system.close(fd);
  }
}
