/** The few signs that are not letters, in Unicode and in ASCII, each one column wide; and in words. */

export interface Glyphs {
  readonly isAscii: boolean;
  readonly good: string;
  readonly warning: string;
  readonly bad: string;
  readonly unknown: string;
  readonly none: string;
  readonly busy: string;
  readonly cursor: string;
  /** What the next one is compared with. */
  readonly marked: string;
  readonly booted: string;
  readonly next: string;
  readonly ellipsis: string;
  readonly rule: string;
  /** In every row of a wide screen: with a sign outside of ASCII each of them would take ink twice the time. */
  readonly divider: string;
  readonly separator: string;
  readonly up: string;
  readonly down: string;
  readonly folded: string;
  readonly unfolded: string;
  /** Between a place and what was opened from it. */
  readonly deeper: string;
  /** Work under way. */
  readonly running: string;
  /** Of a bar. */
  readonly filled: string;
  readonly empty: string;
}

export const UNICODE_GLYPHS: Glyphs = {
  isAscii: false,
  good: '✓',
  warning: '!',
  bad: '✗',
  unknown: '?',
  none: '–',
  busy: '…',
  cursor: '▸',
  marked: '◆',
  booted: '●',
  next: '→',
  ellipsis: '…',
  rule: '─',
  divider: '|',
  separator: '·',
  up: '↑',
  down: '↓',
  folded: '+',
  unfolded: '-',
  deeper: '›',
  running: '▶',
  filled: '█',
  empty: '░',
};

export const ASCII_GLYPHS: Glyphs = {
  isAscii: true,
  good: '+',
  warning: '!',
  bad: 'x',
  unknown: '?',
  none: '-',
  busy: '.',
  cursor: '>',
  marked: '#',
  booted: '*',
  next: '>',
  ellipsis: '~',
  rule: '-',
  divider: '|',
  separator: '-',
  up: '^',
  down: 'v',
  folded: '+',
  unfolded: '-',
  deeper: '>',
  running: '>',
  filled: '#',
  empty: '.',
};

/** Words, for those who hear what is shown. What only looks like something is nothing. */
export const READER_GLYPHS: Glyphs = {
  isAscii: true,
  good: '',
  warning: 'warning:',
  bad: 'error:',
  unknown: 'unknown:',
  none: '',
  busy: '',
  cursor: '',
  marked: 'marked',
  booted: 'booted',
  next: 'to',
  ellipsis: '...',
  rule: '',
  divider: '',
  separator: ',',
  up: '',
  down: '',
  folded: 'folded',
  unfolded: 'unfolded',
  deeper: ',',
  running: 'running',
  filled: '',
  empty: '',
};

/** What the terminal of this environment can show: a locale without UTF-8 and the kernel's console get ASCII. */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  // locale(7): the first that is set and not empty decides.
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  const isUtf8 = /utf-?8/i.test(locale ?? '');
  return isUtf8 && !/^(linux|vt\d|dumb)/.test(env.TERM ?? '') ? UNICODE_GLYPHS : ASCII_GLYPHS;
}
