/**
 * This program as it can be copied to a machine that has neither npm nor node: the bundle, its payload, koffi with its
 * native file, the node that runs all this, and the libraries of that which small systems lack. What is run from its
 * sources cannot be copied: there is no bundle.
 */
import { basename, dirname, join, relative } from 'node:path';
import { bytesToText } from '../../base/bytes.ts';
import { nativeEngine } from '../../base/digest.ts';
import { FormatError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { PAYLOAD_NAMES, payloadPath } from '../payload.ts';

export interface ProgramFile {
  /** Below the copy's folder. */
  readonly path: string;
  /** Where it lies now. */
  readonly source: string;
  readonly mode: number;
  /** In another copy, which never changes: a hard link of it is as good. */
  readonly isInCopy?: boolean;
}

export interface Program {
  /** The same for the same content: 16 hex digits. */
  readonly id: string;
  /** Sorted by path. */
  readonly files: readonly ProgramFile[];
  /** SHA-256 and path of each file, as sha256sum(1) writes them. */
  readonly manifest: string;
  /** The same sums, each with what the file looked like that it was taken of: see {@link parseSums}. */
  readonly sums: string;
  /** What `--version` prints. */
  readonly version: string;
}

/** Where the running program is; told apart for the tests. */
export interface ProgramPlaces {
  /** The folder that has package.json, dist and contrib. */
  readonly root: string;
  readonly node: string;
  /** Shared objects that the node has loaded, absolute. */
  readonly libraries: readonly string[];
}

/** The running program's places; undefined where it is run from its sources. */
export function runningPlaces(): ProgramPlaces | undefined {
  const dist = [import.meta.dirname, dirname(import.meta.dirname)].find((path) => basename(path) === 'dist');
  if (dist === undefined) return undefined;
  const { sharedObjects = [] } = process.report.getReport() as { sharedObjects?: string[] };
  return { root: dirname(dist), node: process.execPath, libraries: sharedObjects };
}

/** Libraries of C++ and of the compiler; a system that boots has libc and all that comes with it. */
const CARRIED = /^(libstdc\+\+|libgcc_s|libatomic)\.so\./;

/** Sums by what the file looked like: its path, inode, size and times. */
export type KnownSums = ReadonlyMap<string, string>;

/** Reads {@link Program.sums}; a line that no version wrote is never asked for. */
export const parseSums = (text: string): KnownSums =>
  new Map(text.split('\n').map((line) => [line.slice(65), line.slice(0, 64)]));

/**
 * Reads all of it, once for its sums; what looks as it did when its sum was taken is not read again. That is good
 * enough to tell whether a copy is behind: nothing that boots goes by it.
 * @throws IoError, OperationError where parts of it are missing
 */
export function readProgram(
  { root, node, libraries }: ProgramPlaces,
  system: SystemReads,
  known: KnownSums = new Map(),
): Program {
  const file = (path: string, source: string, mode = 0o644): ProgramFile => ({ path, source, mode });
  const koffi = findPackage('koffi', root, system);
  const native = dirname(findPackage('@koromix', dirname(koffi), system));
  const files = [
    file('node', system.realpath(node), 0o755),
    file('package.json', join(root, 'package.json')),
    file('sealtree', payloadPath('app/sealtree'), 0o755),
    ...filesBelow(join(root, 'dist'), system).map((path) => file(relative(root, path), path)),
    ...PAYLOAD_NAMES.map((name) => payloadPath(name)).map((path) =>
      file(`contrib/${relative(contribOf(path), path)}`, path, system.stat(path).mode & 0o777),
    ),
    ...packageFiles(koffi, system).map((path) => file(`node_modules/koffi/${relative(koffi, path)}`, path)),
    ...filesBelow(join(native, '@koromix'), system).map((path) =>
      file(`node_modules/${relative(native, path)}`, path),
    ),
    ...libraries
      .filter((path) => CARRIED.test(basename(path)))
      .map((path) => file(`lib/${basename(path)}`, system.realpath(path), 0o755)),
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const summed = files.map(({ path, source }) => {
    const looks = looksOf(source, system);
    const sum = looks === undefined ? undefined : known.get(looks);
    return { path, looks, sum: sum ?? sha256(system.readFile(source)) };
  });
  const manifest = summed.map(({ path, sum }) => `${sum}  ${path}\n`).join('');
  const modes = files.map(({ mode }) => mode.toString(8)).join(' ');
  return {
    id: sha256(Buffer.from(manifest + modes)).slice(0, 16),
    files,
    manifest,
    sums: summed.map(({ looks, sum }) => (looks === undefined ? '' : `${sum} ${looks}\n`)).join(''),
    version: `sealtree ${packageVersion(root, system)}`,
  };
}

/** Undefined where there are no times, as in a sealed root: there another file may look the same. */
function looksOf(source: string, system: SystemReads): string | undefined {
  const { dev, ino, size, mtimeMs, ctimeMs } = system.stat(source);
  if (ctimeMs <= 0) return undefined;
  return [source, dev, ino, size, mtimeMs, ctimeMs].join(' ');
}

const sha256 = (bytes: Uint8Array): string => nativeEngine.sha256(bytes).toString('hex');

const contribOf = (path: string): string => path.slice(0, path.lastIndexOf('/contrib/') + '/contrib'.length);

/** Where Node finds a package of that name, or the folder of a scope: in node_modules here or above. */
function findPackage(name: string, from: string, system: SystemReads): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const path =
      basename(folder) === 'node_modules' ? join(folder, name) : join(folder, 'node_modules', name);
    if (system.lstatIfExists(path) !== undefined || folder === dirname(folder)) return system.realpath(path);
  }
}

/** What a package needs to be loaded: neither its documentation nor what it was built from. */
const packageFiles = (path: string, system: SystemReads): string[] =>
  filesBelow(path, system).filter((file) => /\.([cm]?js|json)$|\/LICENSE[^/]*$/.test(file));

function filesBelow(folder: string, system: SystemReads): string[] {
  return system
    .readdir(folder)
    .map((name) => join(folder, bytesToText(name)))
    .flatMap((path) => (system.stat(path).isDirectory() ? filesBelow(path, system) : [path]));
}

/** The version in the package.json of that folder. @throws FormatError where it has none, or is none; IoError */
export function packageVersion(root: string, system: SystemReads): string {
  const path = join(root, 'package.json');
  const text = system.readFile(path).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(path, 'not JSON', { cause: error });
  }
  if (typeof value === 'object' && value !== null && 'version' in value && typeof value.version === 'string')
    return value.version;
  throw new FormatError(path, 'it names no version');
}
