/**
 * Contents become objects in batches, here or in a thread: each is hashed, looked up, and written to a staging folder
 * where the repository has none of it.
 */
import { join } from 'node:path';
import { type Checksum, checksumOf, nativeEngine } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import type { FileHeader } from '../formats/objects.ts';
import { FileObject, type WritableMode } from './write-object.ts';

/** One regular file in a batch's bytes: what is hashed before its content, then the content, up to `end`. */
export interface BatchFile {
  readonly header: FileHeader;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly files: readonly BatchFile[];
}

/** Where the objects of a batch go. */
export interface BatchTarget {
  readonly repositoryPath: string;
  readonly mode: WritableMode;
  /** A staging folder that nobody else writes to meanwhile. */
  readonly folder: string;
}

/** Of each file of a batch, in order. */
export interface BatchResult {
  readonly checksums: readonly Checksum[];
  /** Whether its object is in the staging folder now, or in the repository already. */
  readonly isStaged: readonly boolean[];
}

/** What an object is called in a staging folder. */
export const objectName = (checksum: Checksum, extension: string): string => `${checksum}.${extension}`;

/** Where the object of such a name lies in a repository. */
export const objectPath = (repositoryPath: string, name: string): string =>
  join(repositoryPath, 'objects', name.slice(0, 2), name.slice(2));

export const fileExtension = (mode: WritableMode): 'file' | 'filez' =>
  mode === 'archive' ? 'filez' : 'file';

/** Writes what is not there yet. @throws IoError, after which the folder has nothing incomplete in it */
export function writeBatch(system: System, target: BatchTarget, { bytes, files }: Batch): BatchResult {
  const checksums: Checksum[] = [];
  const isStaged: boolean[] = [];
  for (const { header, start, contentStart, end } of files) {
    const checksum = checksumOf(nativeEngine.sha256(bytes.subarray(start, end)));
    const name = objectName(checksum, fileExtension(target.mode));
    const isNew = system.lstatIfExists(objectPath(target.repositoryPath, name)) === undefined;
    if (isNew) writeOnce(system, target, name, header, bytes.subarray(contentStart, end), checksum);
    checksums.push(checksum);
    isStaged.push(isNew);
  }
  return { checksums, isStaged };
}

/** An object that is in the folder already is whole. */
function writeOnce(
  system: System,
  { mode, folder }: BatchTarget,
  name: string,
  header: FileHeader,
  content: Uint8Array,
  checksum: Checksum,
): void {
  const path = join(folder, name);
  let object: FileObject;
  try {
    object = new FileObject(system, mode, path, header, content.length, checksum);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw error;
  }
  try {
    object.write(content);
    object.finish();
  } catch (error) {
    object.close();
    system.unlink(path);
    throw error;
  }
}
