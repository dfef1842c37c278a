/** Command lines that a person can copy into a shell. */
import { displayBytes, textToBytes } from './bytes.ts';

/**
 * Text as one word of a command line: as it is where that is safe, else quoted for a POSIX shell. What would act on
 * the terminal is escaped in `$'…'`, which POSIX has since 2024, and bash, zsh and busybox for long.
 */
export function shellWord(text: string): string {
  if (/^[\w./:=@%+,-]+$/.test(text)) return text;
  if (/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text))
    return `$'${displayBytes(textToBytes(text)).replaceAll("'", "\\'")}'`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
