/** What all parts of the check share. */
import { shellWord } from '../../base/shell.ts';
import type { BootPolicy } from '../../config/settings.ts';
import type { Severity } from '../../image/findings.ts';

/** A boot that comes up, but not sealed: what `prefer` accepts and `enforce` does not. */
export const unsealed = (policy: BootPolicy): Severity => (policy === 'enforce' ? 'error' : 'warning');

/** `sealtree boot VERB ARGUMENTS`, with the sysroot named where it is not the running system's. */
export function bootCommand(sysrootPath: string, verb: string, args: readonly string[] = []): string {
  const where = sysrootPath === '/' ? [] : ['--sysroot', shellWord(sysrootPath)];
  return ['sealtree boot', verb, ...args, ...where].join(' ');
}
