/** Makes an empty repository, with the folders and the configuration `ostree init` gives one (ostree-repo.c). */
import { join } from 'node:path';
import { errnoOf, OperationError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import type { RepositoryMode } from './repository.ts';

const FOLDERS = [
  'tmp',
  'tmp/cache',
  'extensions',
  'state',
  'refs',
  'refs/heads',
  'refs/mirrors',
  'refs/remotes',
  'objects',
];

/** `archive` goes by its old name in configuration files, so that every version of ostree reads them. */
const configMode = (mode: RepositoryMode): string => (mode === 'archive' ? 'archive-z2' : mode);

export interface InitOptions {
  /** Further settings, by group and key, such as `{ sysroot: { readonly: 'true' } }`. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/**
 * Makes the repository at `path`, whose parent must exist; `path` may be an empty folder.
 * @throws OperationError when there is something in the way
 */
export function initRepository(
  path: string,
  mode: RepositoryMode,
  system: System,
  options: InitOptions = {},
): void {
  try {
    system.mkdir(path, 0o777);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if (system.readdir(path).length > 0)
      throw new OperationError('exists', `${path} is not empty, so no repository is made there`);
  }
  const config = new Keyfile(join(path, 'config'));
  config.setString('core', 'repo_version', '1');
  config.setString('core', 'mode', configMode(mode));
  for (const [group, keys] of Object.entries(options.config ?? {}))
    for (const [key, value] of Object.entries(keys)) config.setString(group, key, value);
  const fd = system.create(config.where, 0o644);
  try {
    system.write(fd, config.toBytes());
  } finally {
    system.close(fd);
  }
  // Only with `objects`, which is made last, the folder is a repository for anybody.
  for (const folder of FOLDERS) system.mkdir(join(path, folder), 0o777);
}
