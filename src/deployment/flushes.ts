/**
 * Whether ostree waits for the disk. With `core.fsync = false` in the repository's configuration it does not
 * (ostree_repo_set_disable_fsync, in `ostree_repo_open`): a power cut may then leave boot entries that reached the disk
 * before the links and files they lead to.
 */
import { join } from 'node:path';
import { SealtreeError } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import type { SystemReads } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import type { Finding } from '../image/findings.ts';
import type { Sysroot } from './sysroot.ts';

type Place = Pick<Sysroot, 'path' | 'repositoryPath'>;

/** What the configuration makes a power cut do. @throws FormatError, ConfigError for what ostree would refuse */
export function flushFindings(config: Uint8Array, { path, repositoryPath }: Place): Finding[] {
  const where = join(repositoryPath, 'config');
  if (Keyfile.parse(config, where).getBoolean('core', 'fsync') ?? true) return [];
  const repo = path === '/' ? [] : [`--repo=${shellWord(repositoryPath)}`];
  return [
    {
      severity: 'warning',
      code: 'fsync-off',
      where,
      message:
        'core.fsync is off, so ostree does not wait for the disk: after a power cut boot entries may lead to links and files that never reached it',
      remedy: [['ostree', ...repo, 'config set core.fsync true'].join(' ')],
    },
  ];
}

/** The same of the repository as it is there. */
export function readFlushFindings(sysroot: Place, system: SystemReads): Finding[] {
  const where = join(sysroot.repositoryPath, 'config');
  try {
    return flushFindings(system.readFile(where), sysroot);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return [{ severity: 'unchecked', code: 'config-unreadable', where, message: error.message }];
  }
}
