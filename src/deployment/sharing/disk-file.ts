/** Files as the disk has them, in a folder and below. */
import type { Stats } from 'node:fs';
import { stringToBytes } from '../../base/bytes.ts';
import { errnoOf, type SealtreeError } from '../../base/errors.ts';
import { isDirectory } from '../../base/mode.ts';
import type { System } from '../../base/system.ts';
import type { DiskFile } from './shares.ts';

/** st_blocks counts 512 bytes each, whatever the file system's blocks are (stat(2)). */
export const diskFile = ({ dev, ino, blocks }: Stats): DiskFile => ({ dev, ino, bytes: blocks * 512 });

const SLASH = Buffer.from('/');

/** A folder and all below it on its file system; `onProblem` hears of folders in it that cannot be read. */
export function* filesBelow(
  path: string,
  system: System,
  onProblem: (where: string, error: SealtreeError) => void,
): Generator<DiskFile> {
  const top = system.lstatIfExists(path);
  if (top === undefined) return;
  yield diskFile(top);
  const pending: Buffer[] = [Buffer.from(path)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of namesIn(next, system, onProblem)) {
      const child = Buffer.concat([next, SLASH, stringToBytes(name)]);
      // Somebody may be at work in it.
      const stats = system.lstatIfExists(child);
      if (stats === undefined || stats.dev !== top.dev) continue;
      yield diskFile(stats);
      if (isDirectory(stats.mode)) pending.push(child);
    }
  }
}

function namesIn(
  folder: Buffer,
  system: System,
  onProblem: (where: string, error: SealtreeError) => void,
): readonly ReturnType<System['readdir']>[number][] {
  try {
    return system.readdir(folder).filter((name) => name !== '.' && name !== '..');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') onProblem(folder.toString(), error as SealtreeError);
    return [];
  }
}
