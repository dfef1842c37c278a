/**
 * Search as people type it: of each word all letters, in this order, with gaps between them. The fewer gaps, the
 * more at the beginnings of names and the nearer to the end of the path, the better.
 */
import type { ByteString } from '../../../src/base/bytes.ts';

/** How well a path fits: larger is better; undefined where it does not. */
export type Matcher = (path: ByteString) => number | undefined;

const CONSECUTIVE = 8;
const AT_BEGINNING = 10;
const IN_NAME = 4;
const PER_GAP = 2;
const MAX_GAP_COST = 12;
/** A shorter path is better, a little. */
const PER_LETTER = 0.02;

/** Capitals count only where the words have some. */
export function matcherFor(words: readonly ByteString[]): Matcher {
  const hasCapitals = words.some((word) => /[A-Z]/.test(word));
  return (path) => {
    const text = hasCapitals ? path : path.toLowerCase();
    const nameStart = text.lastIndexOf('/') + 1;
    let score = -text.length * PER_LETTER;
    for (const word of words) {
      const found = bestOf(text, word, nameStart);
      if (found === undefined) return undefined;
      score += found;
    }
    return score;
  };
}

/** In the name alone, if it is all there; else anywhere. */
function bestOf(text: string, word: string, nameStart: number): number | undefined {
  const inName = scoreFrom(text, word, nameStart);
  if (inName !== undefined) return inName + IN_NAME * word.length;
  return scoreFrom(text, word, 0);
}

/** The letters as one piece where they are, else the shortest stretch that ends where they first are all there. */
function scoreFrom(text: string, word: string, from: number): number | undefined {
  const whole = text.indexOf(word, from);
  if (whole !== -1)
    return CONSECUTIVE * word.length + (isBeginning(text, whole) ? AT_BEGINNING : 0) + AT_BEGINNING;
  let at = from - 1;
  for (const letter of word) {
    at = text.indexOf(letter, at + 1);
    if (at === -1) return undefined;
  }
  let score = 0;
  let after = at + 1;
  for (let i = word.length - 1; i >= 0; i--) {
    const place = text.lastIndexOf(word[i] as string, after - 1);
    const gap = after - place - 1;
    score += gap === 0 ? CONSECUTIVE : -Math.min(MAX_GAP_COST, PER_GAP * gap);
    if (isBeginning(text, place)) score += AT_BEGINNING;
    after = place;
  }
  return score;
}

const isBeginning = (text: string, at: number): boolean =>
  at === 0 || '/-_. '.includes(text[at - 1] as string);

/** Keeps the best of many without keeping them all; among equals, those that came first. */
export class Best<T> {
  readonly #limit: number;
  #found: { readonly item: T; readonly score: number }[] = [];
  #least = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T, score: number): void {
    if (score <= this.#least) return;
    this.#found.push({ item, score });
    if (this.#found.length >= 2 * this.#limit) this.#sort();
  }

  /** The best one first. */
  get items(): T[] {
    this.#sort();
    return this.#found.map(({ item }) => item);
  }

  #sort(): void {
    this.#found = this.#found.sort((a, b) => b.score - a.score).slice(0, this.#limit);
    if (this.#found.length === this.#limit) this.#least = this.#found.at(-1)?.score ?? this.#least;
  }
}
