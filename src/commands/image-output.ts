/** Where a command puts the image it has made: a file, written aside and renamed, or standard output. */
import { dirname, join } from 'node:path';
import { UsageError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import { randomHex } from '../base/random.ts';
import type { System } from '../base/system.ts';
import type { OutputStream } from './surroundings.ts';

/** Permissions of a new file before the umask. */
const NEW_FILE_MODE = 0o666;

/**
 * Writes a whole image to `path`, or to `stdout` for `-`, which must not be a terminal. A file of that name is
 * replaced at once by the finished one, keeping its permissions; what is no regular file (a device, a pipe) is
 * written into.
 */
export function writeImageTo(path: string, bytes: Uint8Array, stdout: OutputStream, system: System): void {
  if (path === '-') {
    if (stdout.isTerminal) throw new UsageError('standard output is a terminal: no image is written to it');
    stdout.write(bytes);
    return;
  }
  const existing = system.lstatIfExists(path);
  if (existing === undefined) {
    replace(path, NEW_FILE_MODE, undefined, bytes, system);
    return;
  }
  const { mode } = system.stat(path);
  if (isRegular(mode)) replace(system.realpath(path), mode & 0o777, mode & 0o7777, bytes, system);
  else writeInto(path, bytes, system);
}

function replace(
  path: string,
  createMode: number,
  exactMode: number | undefined,
  bytes: Uint8Array,
  system: System,
): void {
  const folder = dirname(path);
  system.stat(folder);
  const temporary = join(folder, `.sealtree-tmp-${randomHex(6)}`);
  const fd = system.create(temporary, createMode);
  try {
    try {
      system.write(fd, bytes);
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

function writeInto(path: string, bytes: Uint8Array, system: System): void {
  const fd = system.openWrite(path);
  try {
    system.write(fd, bytes);
  } finally {
    system.close(fd);
  }
}
