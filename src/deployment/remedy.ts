/** Command lines that mend something, to be copied as they are. */
import { shellWord } from '../base/shell.ts';

/** `sealtree seal WORDS`, with the sysroot named where it is not the running system's. */
export function sealCommand(sysrootPath: string, words: readonly string[] = []): string {
  const where = sysrootPath === '/' ? [] : ['--sysroot', shellWord(sysrootPath)];
  return ['sealtree seal', ...where, ...words].join(' ');
}
