/**
 * The copy of this program that units call: /var/lib/sealtree/app, a link to the folder `app-ID` beside it. A copy is
 * written aside, synced and tried before the link leads to it, and the one before stays until then; so whatever stops
 * it, the link leads to a copy that works, or there is none.
 */
import { basename, dirname, join } from 'node:path';
import { type ByteString, bytesToText } from '../../base/bytes.ts';
import { errnoOf, OperationError } from '../../base/errors.ts';
import { makeFolders, removeTree } from '../../base/folders.ts';
import { run } from '../../base/process.ts';
import type { System, SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import { isTemporaryName, temporaryName, writeSynced } from '../../image/store.ts';
import { type KnownSums, type Program, packageVersion, parseSums } from './program.ts';

export interface AppState {
  /** The machine's own state folder, /var/lib/sealtree. */
  readonly folder: string;
  /** The ID of the copy that the link leads to, when all of its files are there. */
  readonly current: string | undefined;
  /** Paths of all that is ours: the link, copies, what a killed run left. */
  readonly found: readonly string[];
  /** Something that no install made has the link's place. */
  readonly isForeign: boolean;
}

export const appLink = (folder: string): string => join(folder, 'app');

const copyName = (id: string): string => `app-${id}`;
const isCopyName = (name: string): boolean => /^app-[0-9a-f]{16}$/.test(name);

const MANIFEST = 'manifest';
/** Not in the manifest: it says where the copy came from, not what it is. */
const SUMS = 'sums';

export function readApp(folder: string, system: SystemReads): AppState {
  const names = system.lstatIfExists(folder)?.isDirectory()
    ? system.readdir(folder).map(bytesToText).sort()
    : [];
  const target = linkTarget(appLink(folder), system);
  const isOurs = target !== undefined && isCopyName(target);
  const id = isOurs && isWhole(join(folder, target), system) ? target.slice('app-'.length) : undefined;
  return {
    folder,
    current: id,
    found: names
      .filter((name) => (name === 'app' ? isOurs : isCopyName(name) || isTemporaryName(name)))
      .map((name) => join(folder, name)),
    isForeign: names.includes('app') && !isOurs,
  };
}

/** What was known of the program when the current copy was made. */
export function readKnownSums({ folder, current }: AppState, system: SystemReads): KnownSums {
  if (current === undefined) return new Map();
  return parseSums(readIfExists(join(folder, copyName(current), SUMS), system)?.toString('utf8') ?? '');
}

function linkTarget(path: string, system: SystemReads): string | undefined {
  try {
    return bytesToText(system.readlink(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR' && errno !== 'EINVAL') throw error;
    return undefined;
  }
}

/** Whether every file of a copy is there; their content was synced before the copy got its name. */
function isWhole(copy: string, system: SystemReads): boolean {
  const manifest = join(copy, MANIFEST);
  if (system.lstatIfExists(manifest)?.isFile() !== true) return false;
  const lines = system.readFile(manifest).toString('utf8').trimEnd().split('\n');
  return lines.every((line) => system.lstatIfExists(join(copy, line.slice(66)))?.isFile() === true);
}

/**
 * Copies the program and has the link lead to the copy; then the others go.
 * @throws OperationError when the copy does not run; nothing of the one before is changed then
 */
export async function installApp(folder: string, program: Program, system: System): Promise<void> {
  makeFolders(folder, system, { durable: true });
  for (const path of readApp(folder, system).found)
    if (isTemporaryName(basename(path))) removeTree(path, system);
  const copy = join(folder, copyName(program.id));
  if (system.lstatIfExists(copy) === undefined || !isWhole(copy, system)) {
    removeTree(copy, system);
    const temporary = join(folder, temporaryName());
    try {
      writeCopy(temporary, program, system);
      await tryOut(temporary, program);
    } catch (error) {
      // The next run would remove it; a full disk must not be left fuller until then.
      if (errnoOf(error) !== undefined || error instanceof OperationError) removeTree(temporary, system);
      throw error;
    }
    system.rename(temporary, copy);
    system.fsyncDirectory(folder);
  }
  const link = join(folder, temporaryName());
  system.symlink(basename(copy) as ByteString, link);
  system.rename(link, appLink(folder));
  system.fsyncDirectory(folder);
  for (const path of readApp(folder, system).found)
    if (path !== copy && path !== appLink(folder)) removeTree(path, system);
}

/** The program as it lies in its copy in that folder, where it is or will be: what further copies are made of. */
export function programInCopy(folder: string, program: Program): Program {
  const copy = join(folder, copyName(program.id));
  const files = program.files.map((file) => ({ ...file, source: join(copy, file.path), isInCopy: true }));
  return { ...program, files };
}

/** The program of the current copy; undefined where there is none. @throws IoError; FormatError where it is damaged */
export function readCopy({ folder, current }: AppState, system: SystemReads): Program | undefined {
  if (current === undefined) return undefined;
  const copy = join(folder, copyName(current));
  const manifest = system.readFile(join(copy, MANIFEST)).toString('utf8');
  const files = manifest
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(66))
    .map((path) => ({ path, source: join(copy, path), mode: system.stat(join(copy, path)).mode & 0o777 }));
  const version = `sealtree ${packageVersion(copy, system)}`;
  return programInCopy(folder, { id: current, files, manifest, sums: '', version });
}

function writeCopy(copy: string, { files, manifest, sums }: Program, system: System): void {
  system.mkdir(copy, 0o755);
  const made = new Set([copy]);
  const makeParent = (path: string): void => {
    const parent = dirname(join(copy, path));
    makeFolders(parent, system);
    for (let folder = parent; folder !== copy; folder = dirname(folder)) made.add(folder);
  };
  const write = (path: string, bytes: Uint8Array, mode: number): void =>
    writeSynced(join(copy, path), bytes, mode, system);
  for (const { path, source, mode, isInCopy } of files) {
    makeParent(path);
    if (isInCopy !== true || !link(source, join(copy, path), system))
      write(path, system.readFile(source), mode);
  }
  write(SUMS, Buffer.from(sums), 0o644);
  write(MANIFEST, Buffer.from(manifest), 0o644);
  for (const folder of made) system.fsyncDirectory(folder);
}

/** False where it cannot be: another file system. */
function link(from: string, to: string, system: System): boolean {
  try {
    system.link(from, to);
    return true;
  } catch (error) {
    if (!['EXDEV', 'EMLINK', 'EPERM', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) throw error;
    return false;
  }
}

/** It starts, says what it is, and its native part can be loaded. */
async function tryOut(copy: string, { version }: Program): Promise<void> {
  const said = (await run('/bin/sh', [join(copy, 'sealtree'), '--version'])).stdout.toString('utf8').trim();
  if (said !== version)
    throw new OperationError('app', `${copy}: the copy says ${JSON.stringify(said)}, want ${version}`);
  await run(join(copy, 'node'), ['--input-type=module', '--eval', 'await import("koffi")'], { cwd: copy });
}

/** Takes these away, which lie in the folder, and the folder when nothing else is in it. */
export function removeApp(folder: string, paths: readonly string[], system: System): void {
  for (const path of paths) removeTree(path, system);
  if (system.lstatIfExists(folder)?.isDirectory() !== true) return;
  if (system.readdir(folder).length === 0) system.rmdir(folder);
  system.fsyncDirectory(dirname(folder));
}
