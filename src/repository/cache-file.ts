/**
 * Files of the cache beside a repository's objects, `REPO/extensions/sealtree/NAME`: what was learnt of them, to be learnt
 * again where it is lost. A file is read only if nobody but its owner, who is root or us, can read or write it. Nothing
 * is synced: whoever reads one must see for himself that it is whole.
 */
import { errnoOf, IoError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import type { Repository } from './repository.ts';

const FOLDER = 'extensions/sealtree';
const FILE_MODE = 0o600;
const LARGE_BYTES = 256 * 1024;

/** Undefined where there is none, or none that can be read. */
export function readCacheFile({ path, system }: Repository, name: string): Buffer | undefined {
  const file = `${path}/${FOLDER}/${name}`;
  try {
    const stats = system.lstatIfExists(file);
    if (stats === undefined || !isRegular(stats.mode) || (stats.mode & 0o077) !== 0) return undefined;
    if (stats.uid !== 0 && stats.uid !== process.geteuid?.()) return undefined;
    return system.readFile(file);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Replaces one, the caller holding the lock. What cannot be kept is no failure: the next run learns it again.
 * @param pieces - of the file, in their order
 */
export function writeCacheFile(
  { path, system }: Repository,
  name: string,
  pieces: Iterable<Uint8Array>,
): void {
  const folder = `${path}/${FOLDER}`;
  const temporary = `${folder}/.${name}-new`;
  try {
    if (system.lstatIfExists(temporary) !== undefined) system.unlink(temporary);
    const fd = system.create(temporary, FILE_MODE);
    try {
      for (const piece of gathered(pieces)) system.write(fd, piece);
    } finally {
      system.close(fd);
    }
    system.rename(temporary, `${folder}/${name}`);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    // A full disk must not be left fuller.
    remove(temporary, system);
  }
}

/** Small pieces as one, which saves steps; large ones as they are, which saves memory. */
function* gathered(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  let small: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.length < LARGE_BYTES) {
      if (piece.length > 0) small.push(piece);
      continue;
    }
    if (small.length > 0) yield Buffer.concat(small);
    small = [];
    yield piece;
  }
  if (small.length > 0) yield Buffer.concat(small);
}

/** What cannot be removed stays. */
function remove(path: string, system: System): void {
  try {
    if (system.lstatIfExists(path) !== undefined) system.unlink(path);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
  }
}
