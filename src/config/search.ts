/**
 * Where configuration comes from (UAPI.6, "Configuration Files Specification"): of the main files in /etc, /run,
 * /usr/local/lib and /usr/lib the first one holds and the others are not read; drop-ins `NAME.conf.d/*.conf` of all
 * four folders come after it, sorted by name, and of one name the highest folder's. A file that is empty or a symlink
 * to /dev/null masks those of its name below it.
 *
 * Symlinks are followed inside the root that is looked at, so an image builder's tree never shows the builder's files.
 */
import { join, resolve } from 'node:path';
import { bytesToText } from '../base/bytes.ts';
import { errnoOf, IoError } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';

/** Folders of configuration, the one that wins first. */
export const CONFIG_FOLDERS = ['/etc', '/run', '/usr/local/lib', '/usr/lib'] as const;

export interface ConfigFile {
  /** As seen from inside the root, such as `/etc/sealtree/sealtree.conf`. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** A file that is not read, and the one that keeps it from being read. */
export interface UnreadConfigFile {
  readonly path: string;
  readonly because: 'masked' | 'overridden';
  readonly by: string;
}

export interface ConfigFiles {
  /** In the order in which they are read: what comes later holds. */
  readonly read: readonly ConfigFile[];
  readonly unread: readonly UnreadConfigFile[];
}

/**
 * Finds `PROJECT/NAME.conf` and its drop-ins.
 * @throws IoError for a file that is there and cannot be read
 */
export function findConfigFiles(project: string, name: string, system: SystemReads, root = '/'): ConfigFiles {
  const read: ConfigFile[] = [];
  const unread: UnreadConfigFile[] = [];
  const take = (paths: readonly string[]): void => {
    let winner: ConfigFile | undefined;
    for (const path of paths) {
      if (winner !== undefined) {
        if (isThere(root, path, system))
          unread.push({
            path,
            because: winner.bytes.length === 0 ? 'masked' : 'overridden',
            by: winner.path,
          });
        continue;
      }
      const bytes = readInside(root, path, system);
      if (bytes !== undefined) winner = { path, bytes };
    }
    if (winner !== undefined && winner.bytes.length > 0) read.push(winner);
  };

  const main = CONFIG_FOLDERS.map((folder) => `${folder}/${project}/${name}.conf`);
  take(main);
  const dropIns = new Map<string, string[]>();
  for (const folder of main.map((path) => `${path}.d`))
    for (const file of listInside(root, folder, system))
      dropIns.set(file, [...(dropIns.get(file) ?? []), `${folder}/${file}`]);
  // Sorted as bytes, as the specification's other readers do it whatever the locale.
  for (const file of [...dropIns.keys()].sort()) take(dropIns.get(file) ?? []);
  return { read, unread };
}

const isThere = (root: string, path: string, system: SystemReads): boolean =>
  system.lstatIfExists(join(root, path)) !== undefined;

/** Names of the drop-ins in a folder. */
function listInside(root: string, folder: string, system: SystemReads): string[] {
  const path = resolveInside(root, folder, system);
  try {
    return system
      .readdir(join(root, path))
      .map(bytesToText)
      .filter((name) => name.endsWith('.conf') && !name.startsWith('.'));
  } catch (error) {
    if (isNothing(error)) return [];
    throw error;
  }
}

/** The file's bytes, none for a mask; undefined where nothing has that name. */
function readInside(root: string, path: string, system: SystemReads): Buffer | undefined {
  if (!isThere(root, path, system)) return undefined;
  const target = resolveInside(root, path, system);
  if (target === '/dev/null') return Buffer.alloc(0);
  try {
    return system.readFile(join(root, target));
  } catch (error) {
    // A dangling symlink is no configuration; it masks nothing.
    if (isNothing(error)) return undefined;
    throw error;
  }
}

/** ELOOP's limit in the kernel. */
const MAX_LINKS = 40;

/** The path without symlinks, every target taken from inside `root`. */
function resolveInside(root: string, path: string, system: SystemReads): string {
  let links = 0;
  let done = '/';
  let todo = names(path);
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    const next = resolve(done, name);
    const stats = system.lstatIfExists(join(root, next));
    if (!stats?.isSymbolicLink()) {
      done = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new IoError('follow symlinks of', join(root, path), 'ELOOP');
    const target = bytesToText(system.readlink(join(root, next)));
    if (target.startsWith('/')) done = '/';
    todo = [...names(target), ...todo];
  }
  return done;
}

const names = (path: string): string[] => path.split('/').filter((name) => name !== '');

function isNothing(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
