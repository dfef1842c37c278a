/** Paragraphs for a terminal of 80 columns. */
import { textWidth } from '../output.ts';

const COLUMNS = 80;

/**
 * Text as lines that end before column 80 where its words allow it; words are never broken, so that what is to be
 * copied stays whole.
 * @param indent before each line
 * @param first before the first line instead, of the same width
 */
export function wrap(text: string, indent = '', first = indent): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && textWidth(line) + 1 + textWidth(word) > COLUMNS) {
      lines.push(line);
      line = indent;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
