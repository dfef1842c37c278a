/**
 * How things are set off from each other. The colours are the terminal's own sixteen, so its theme decides how
 * they look; without colour, weight, inverse and glyphs still tell all there is to tell.
 */
import type { Glyphs } from './glyphs.ts';

/** Wraps text in a look. */
export type Paint = (text: string) => string;

/** How good something is. Unknown is never good. */
export type Tone = 'good' | 'warning' | 'bad' | 'unknown' | 'none' | 'busy';

export interface Theme {
  readonly glyphs: Glyphs;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly inverse: Paint;
  readonly accent: Paint;
  /** By tone; the ones that need no attention are dim or plain. */
  readonly tone: Readonly<Record<Tone, Paint>>;
}

/** SGR codes, each with the one that ends it. */
const paint =
  (on: number, off: number): Paint =>
  (text) =>
    text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`;

/** Leaves text as it is. */
export const plain: Paint = (text) => text;

export function makeTheme(hasColor: boolean, glyphs: Glyphs): Theme {
  const color = (on: number): Paint => (hasColor ? paint(on, 39) : plain);
  const dim = paint(2, 22);
  return {
    glyphs,
    bold: paint(1, 22),
    dim,
    inverse: paint(7, 27),
    accent: color(36),
    tone: {
      good: color(32),
      warning: color(33),
      bad: color(31),
      unknown: color(36),
      none: color(33),
      busy: dim,
    },
  };
}
