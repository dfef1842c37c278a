/** Where a command puts what it has made, an image or an archive: a file, written aside and renamed, or standard output. */
import { dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import { randomHex } from '../base/random.ts';
import type { System } from '../base/system.ts';
import type { OutputStream } from './surroundings.ts';

/** Permissions of a new file before the umask. */
const NEW_FILE_MODE = 0o666;

/** The bytes in order, in pieces. */
export type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes it whole to `path`, or to `stdout` for `-`, which must not be a terminal. A file of that name is
 * replaced at once by the finished one, keeping its permissions; what is no regular file (a device, a pipe) is
 * written into.
 */
export async function writeOutput(
  path: string,
  pieces: Pieces,
  stdout: OutputStream,
  system: System,
): Promise<void> {
  if (path === '-') {
    if (stdout.isTerminal) throw new UsageError('standard output is a terminal: name a file with --output');
    for await (const bytes of pieces) stdout.write(bytes);
    return;
  }
  const existing = system.lstatIfExists(path);
  if (existing === undefined) {
    await replace(path, NEW_FILE_MODE, undefined, pieces, system);
    return;
  }
  const { mode } = system.stat(path);
  if (isRegular(mode)) await replace(system.realpath(path), mode & 0o777, mode & 0o7777, pieces, system);
  else await writeInto(path, pieces, system);
}

async function replace(
  path: string,
  createMode: number,
  exactMode: number | undefined,
  pieces: Pieces,
  system: System,
): Promise<void> {
  const folder = dirname(path);
  system.stat(folder);
  const temporary = join(folder, `.sealtree-tmp-${randomHex(6)}`);
  const fd = system.create(temporary, createMode);
  try {
    try {
      for await (const bytes of pieces) system.write(fd, bytes);
      if (exactMode !== undefined) system.fchmod(fd, exactMode);
      system.fsync(fd);
    } finally {
      system.close(fd);
    }
    system.rename(temporary, path);
  } catch (error) {
    system.unlink(temporary);
    throw error;
  }
  system.fsyncDirectory(folder);
}

async function writeInto(path: string, pieces: Pieces, system: System): Promise<void> {
  const fd = system.openWrite(path);
  try {
    for await (const bytes of pieces) system.write(fd, bytes);
  } finally {
    system.close(fd);
  }
}
