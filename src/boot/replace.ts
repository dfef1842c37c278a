/**
 * A file gets other content in one rename: written aside in the same folder, synced, renamed, the folder synced.
 * Whatever stops it leaves the old file or the new one, and at most temporary files, which {@link removeLeftovers}
 * takes away.
 */
import { dirname, join } from 'node:path';
import { type ByteString, bytesToText } from '../base/bytes.ts';
import { errnoOf, isMissing, OperationError } from '../base/errors.ts';
import type { System, SystemReads } from '../base/system.ts';
import { type BlsName, parseBlsName } from '../formats/bls.ts';
import { isTemporaryName, temporaryName } from '../image/store.ts';

/** Puts `bytes` in the place of a file, whose mode, owner and xattrs the new one gets. */
export function replaceFile(path: string, bytes: Uint8Array, system: System): void {
  const temporary = writeLike(path, bytes, system);
  renameForLoader(temporary, path, system);
}

/**
 * The same for a boot entry. Its name may change at any time: systemd-bless-boot renames an entry whose boot went
 * well, and asks for no lock. What has the name right before the rename gets the new content; where the old content
 * comes back under another name in between, that one gets it as well.
 * @param name the name the entry had when it was read
 * @returns the path that has the content now
 */
export function replaceEntry(
  folder: string,
  name: BlsName,
  before: Uint8Array,
  after: Uint8Array,
  system: System,
): string {
  const { found, attributes } = readEntryFile(folder, name, before, system);
  const temporary = writeAside(folder, attributes, after, system);
  system.checkpoint(folder);
  let target = namesOf(folder, name, system)[0] ?? found;
  const kept = keep(join(folder, target), system);
  system.rename(temporary, join(folder, target));
  const other = namesOf(folder, name, system).find((one) => one !== target);
  if (other !== undefined) {
    // Ours went to a name that had just been given up.
    system.rename(join(folder, target), join(folder, other));
    target = other;
  }
  system.fsyncDirectory(folder);
  system.checkpoint(folder);
  if (kept !== undefined) system.unlink(kept);
  return join(folder, target);
}

/** Looks at the entry's file; again where it is renamed under our eyes. */
function readEntryFile(
  folder: string,
  name: BlsName,
  before: Uint8Array,
  system: SystemReads,
): { found: string; attributes: Attributes } {
  for (let triesLeft = 3; ; triesLeft--) {
    const [found, ...others] = namesOf(folder, name, system);
    if (found === undefined || others.length > 0)
      throw changed(
        join(folder, `${name.stem}.conf`),
        found === undefined ? 'it is gone' : 'there are several',
      );
    const path = join(folder, found);
    try {
      expectContent(path, before, system);
      return { found, attributes: readAttributes(path, system) };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || triesLeft === 0) throw error;
    }
  }
}

/** Names in the folder that differ from the entry's in nothing but the boot counters. */
function namesOf(folder: string, { stem }: BlsName, system: SystemReads): string[] {
  return system
    .readdir(folder)
    .map(bytesToText)
    .filter((name) => parseBlsName(name)?.stem === stem)
    .sort();
}

/** @throws OperationError where the file is not what the plan was made for */
export function expectContent(path: string, expected: Uint8Array, system: SystemReads): void {
  if (!system.readFile(path).equals(expected)) throw changed(path, 'its content is another now');
}

export const changed = (path: string, how: string): OperationError =>
  new OperationError('changed-meanwhile', `${path} was changed by somebody else: ${how}`, {
    hint: 'run it again: the plan is then made anew',
  });

/** A new file beside `path` with its mode, owner and xattrs; synced. Returns its path. */
export function writeLike(path: string, bytes: Uint8Array, system: System): string {
  return writeAsideOf(path, path, bytes, system);
}

/** The same with the mode, owner and xattrs of another file. */
export function writeAsideOf(path: string, like: string, bytes: Uint8Array, system: System): string {
  return writeAside(dirname(path), readAttributes(like, system), bytes, system);
}

/** What a file has besides its content. */
interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: ReadonlyMap<ByteString, ByteString>;
}

function readAttributes(path: string, system: SystemReads): Attributes {
  const { mode, uid, gid } = system.lstat(path);
  const xattrs = new Map<ByteString, ByteString>();
  for (const name of system.listxattr(path)) {
    const value = system.getxattr(path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return { mode, uid, gid, xattrs };
}

function writeAside(folder: string, attributes: Attributes, bytes: Uint8Array, system: System): string {
  const temporary = join(folder, temporaryName());
  try {
    fill(temporary, attributes, bytes, system);
    return temporary;
  } catch (error) {
    // A full file system must not be left fuller.
    removeQuietly(temporary, system);
    throw error;
  }
}

function fill(path: string, { mode, uid, gid, xattrs }: Attributes, bytes: Uint8Array, system: System): void {
  const fd = system.create(path, 0o600);
  try {
    system.write(fd, bytes);
    const made = system.fstat(fd);
    if (made.uid !== uid || made.gid !== gid) system.fchown(fd, uid, gid);
    system.fchmod(fd, mode & 0o7777);
    for (const [name, value] of xattrs)
      if (system.getxattr(path, name) !== value) system.setxattr(path, name, value);
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
}

/** After a failure, which must not be hidden by another: the next run takes away what is left. */
export function removeQuietly(path: string, system: System): void {
  try {
    system.unlink(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Gives a synced file its name. */
export function renameDurably(from: string, to: string, system: System): void {
  system.rename(from, to);
  system.fsyncDirectory(dirname(to));
}

/**
 * Gives a synced file the name of one that a boot loader reads. For a loader there is no journal: it finds each block
 * as it was last written to its place, and blocks get there in any order. So the new file is there before anything
 * names it, and the old one is not given up before the name is the new file's: else a power cut could leave the loader
 * an empty file.
 */
export function renameForLoader(from: string, to: string, system: System): void {
  const folder = dirname(to);
  system.checkpoint(folder);
  const kept = keep(to, system);
  renameDurably(from, to, system);
  system.checkpoint(folder);
  if (kept !== undefined) system.unlink(kept);
}

/** Another name for a file, so that it stays when it loses this one; undefined where there is none, or no links. */
function keep(path: string, system: System): string | undefined {
  const kept = join(dirname(path), temporaryName());
  try {
    system.link(path, kept);
    return kept;
  } catch (error) {
    if (!['ENOENT', 'EPERM', 'EOPNOTSUPP', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
    return undefined;
  }
}

/** Temporary files of killed runs in these folders; those that do not exist have none. */
export function findLeftovers(folders: readonly string[], system: SystemReads): string[] {
  return folders.flatMap((folder) => {
    let names: string[];
    try {
      names = system.readdir(folder).map(bytesToText);
    } catch (error) {
      if (!isMissing(error)) throw error;
      return [];
    }
    // A folder is none of ours, and must not keep us from working for ever.
    return names
      .filter(isTemporaryName)
      .map((name) => join(folder, name))
      .filter((path) => system.lstatIfExists(path)?.isDirectory() === false);
  });
}

/** To be called with the lock held: temporary files of a living run look the same. */
export function removeLeftovers(paths: readonly string[], system: System): void {
  // One of them may be what a loader still sees of a file that has been replaced.
  for (const folder of new Set(paths.map(dirname))) system.checkpoint(folder);
  for (const path of paths) system.unlink(path);
}
