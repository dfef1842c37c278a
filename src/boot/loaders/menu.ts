/**
 * A boot menu as a loader reads it where it does not read the boot entries themselves: a file that ostree's back end
 * or a generator wrote, or copies of the entries on another file system.
 */
import type { ByteString } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';

/** One choice of a menu, its texts as they stand there. */
export interface MenuEntry {
  /** '' where the format has none (uEnv.txt). */
  readonly title: ByteString;
  /** Path as written; undefined for what boots no kernel. */
  readonly kernel: ByteString | undefined;
  readonly initrds: readonly ByteString[];
  /** The kernel command line as written; '' without one. */
  readonly options: ByteString;
  /** Line of the options in the file, counted from 1; 0 without any. */
  readonly optionsLine: number;
}

export type MenuFormat = 'grub' | 'syslinux' | 'uenv' | 'bls';

export interface Menu {
  /** Absolute path of the file, of the folder for `bls`. */
  readonly path: string;
  readonly format: MenuFormat;
  /** The file's bytes; empty for `bls`. */
  readonly bytes: Buffer;
  readonly entries: readonly MenuEntry[];
}

/** No menu is this large; a file that is has been mistaken for one. */
const MAX_MENU_BYTES = 4 << 20;

/** The lines of a menu file. @throws FormatError for what is no text, or beyond 4 MiB */
export function menuLines(bytes: Uint8Array, where: string): ByteString[] {
  if (bytes.length > MAX_MENU_BYTES)
    throw new FormatError(where, 'too large for a boot menu', {
      got: bytes.length,
      want: `<= ${MAX_MENU_BYTES}`,
    });
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new FormatError(where, 'NUL byte in a boot menu', { offset: nul });
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.split('\n').map((line) => line.replace(/\r$/, '') as ByteString);
}

/** A text without the blanks around it; by hand, since a regular expression can be made slow. */
export function withoutBlanks(text: string): ByteString {
  const isBlank = (c: string | undefined): boolean => c === ' ' || c === '\t';
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end) as ByteString;
}

/** The value of `ostree=` on a command line, which tells whose entry it is; undefined without one. */
export function ostreeLink(options: ByteString): ByteString | undefined {
  const word = options.split(' ').find((one) => one.startsWith('ostree='));
  return word === undefined ? undefined : (word.slice('ostree='.length) as ByteString);
}
