/**
 * Text for lines of fixed width. What comes from a disk passes {@link displayText} or {@link messageText} first, so no
 * byte of it can act on the terminal. Widths are columns, counted as ink counts them.
 */
import stringWidth from 'string-width';
import { displayBytes, textToBytes } from '../../src/base/bytes.ts';

const ASCII = /^[\x20-\x7e]*$/;

/** Columns a text takes. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** A text without the codes that paint it. */
export const stripped = (text: string): string => text.replace(/\x1b\[[0-9;]*m/g, '');

/** A name made harmless. */
export function displayText(name: string): string {
  return displayBytes(textToBytes(name));
}

/** A sentence made harmless: names in it may have been escaped already, so backslashes stay single. */
export function messageText(message: string): string {
  return message.split('\\').map(displayText).join('\\');
}

const segmenter = new Intl.Segmenter();

/** What a person sees as characters. */
function characters(text: string): string[] {
  return ASCII.test(text) ? [...text] : Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** The longest beginning that fits into `width` columns. */
function head(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let taken = '';
  let used = 0;
  for (const character of characters(text)) {
    used += widthOf(character);
    if (used > width) break;
    taken += character;
  }
  return taken;
}

/** Cuts a text that is too long and says so with `ellipsis` (one column). */
export function truncate(text: string, width: number, ellipsis: string): string {
  if (widthOf(text) <= width) return text;
  return width < 1 ? '' : head(text, width - 1) + ellipsis;
}

/** A text in exactly `width` columns. */
export function cell(
  text: string,
  width: number,
  ellipsis: string,
  align: 'left' | 'right' = 'left',
): string {
  const cut = truncate(text, width, ellipsis);
  const gap = ' '.repeat(Math.max(0, width - widthOf(cut)));
  return align === 'right' ? gap + cut : cut + gap;
}

/**
 * Lines of at most `columns` columns, broken at spaces, and inside a word only where it is longer than a line. Less
 * than one, as in a terminal too small to show anything, counts as one.
 */
export function wrap(text: string, columns: number): string[] {
  const width = Math.max(1, columns);
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) <= width) {
      line += ` ${word}`;
      continue;
    }
    if (line !== '') lines.push(line);
    while (widthOf(word) > width) {
      // A character wider than the line still has to go somewhere.
      const part = head(word, width) || (characters(word)[0] as string);
      lines.push(part);
      word = word.slice(part.length);
    }
    line = word;
  }
  return [...lines, line];
}
