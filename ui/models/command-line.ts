/** The command line that does the same as the interface: nothing here is for the interface alone. */
import { join } from 'node:path';
import { shellWord } from '../../src/base/shell.ts';
import type { State } from '../state.ts';

type Places = Pick<State, 'sysrootPath' | 'repositoryPath'>;

/** The repository that is looked at. */
export function repositoryOf({ sysrootPath, repositoryPath }: Places): string {
  return repositoryPath ?? join(sysrootPath, 'ostree/repo');
}

/** `sealtree`, what says where, and `words`, to be copied into a shell. */
export function commandLine({ sysrootPath, repositoryPath }: Places, ...words: readonly string[]): string {
  const where =
    repositoryPath !== undefined
      ? ['--repo', repositoryPath]
      : sysrootPath === '/'
        ? []
        : ['--sysroot', sysrootPath];
  return ['sealtree', ...[...where, ...words].map(shellWord)].join(' ');
}
