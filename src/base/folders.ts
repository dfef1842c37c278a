/** Folders that may or may not be there yet. */
import { dirname, join } from 'node:path';
import { bytesToText } from './bytes.ts';
import { errnoOf } from './errors.ts';
import type { System } from './system.ts';

export interface MakeFoldersOptions {
  readonly mode?: number;
  /** Flush each new folder's entry to the disk before anything is put into it. */
  readonly durable?: boolean;
}

/** Makes a folder and those it is in, where missing. Others may do the same at the same time. */
export function makeFolders(path: string, system: System, options: MakeFoldersOptions = {}): void {
  if (system.lstatIfExists(path) !== undefined) return;
  const parent = dirname(path);
  makeFolders(parent, system, options);
  makeFolder(path, system, options.mode);
  if (options.durable) system.fsyncDirectory(parent);
}

/** Makes a folder, unless something with its name is there. */
export function makeFolder(path: string, system: System, mode?: number): void {
  try {
    system.mkdir(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Removes a file, or a folder with all that is in it; what is not there is gone already. For what we made ourselves. */
export function removeTree(path: string, system: System): void {
  const stats = system.lstatIfExists(path);
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    system.unlink(path);
    return;
  }
  for (const name of system.readdir(path).map(bytesToText)) removeTree(join(path, name), system);
  system.rmdir(path);
}
