/**
 * The kernel command line as words, split and quoted as the kernel does it (lib/cmdline.c, `next_arg`): white space
 * separates, a double quote anywhere switches that off until the next one, and there is no escape character.
 * Words are kept as written, so that joining what was split changes nothing but the space between words.
 *
 * Out of scope: what a word means, and the kernel's rule that `-` and `_` are the same in module parameters.
 */
import type { ByteString } from '../base/bytes.ts';
import { UsageError } from '../base/errors.ts';

/** One word of a command line, unquoted. */
export interface Karg {
  readonly key: ByteString;
  /** What follows the first `=`; undefined for a bare word. */
  readonly value: ByteString | undefined;
}

/** The kernel's isspace(): the ASCII ones, and 0xa0 of Latin-1. */
const SPACE = /[\t-\r \xa0]/;

/** The words of a command line, quotes kept. An unclosed quote reaches to the end. */
export function splitKargs(line: ByteString): ByteString[] {
  const words: ByteString[] = [];
  let start = -1;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] as string;
    if (!quoted && SPACE.test(c)) {
      if (start >= 0) words.push(line.slice(start, i) as ByteString);
      start = -1;
      continue;
    }
    if (start < 0) start = i;
    if (c === '"') quoted = !quoted;
  }
  if (start >= 0) words.push(line.slice(start) as ByteString);
  return words;
}

/** The words as one line, one space between two. */
export function joinKargs(words: readonly ByteString[]): ByteString {
  return words.join(' ') as ByteString;
}

/**
 * Key and value of a word, with the quotes removed that the kernel removes: one before the word with the one that
 * ends it, or one directly after the `=` with the one that ends the word. Quotes elsewhere are part of the text.
 */
export function parseKarg(word: ByteString): Karg {
  const wrapped = word.startsWith('"');
  const inner = wrapped ? word.slice(1) : word;
  // The kernel splits at the first '=' that is not the first character.
  const equals = inner.indexOf('=', 1);
  if (equals < 0) return { key: (wrapped ? withoutLastQuote(inner) : inner) as ByteString, value: undefined };
  const key = inner.slice(0, equals) as ByteString;
  const value = inner.slice(equals + 1);
  if (value.startsWith('"')) return { key, value: withoutLastQuote(value.slice(1)) as ByteString };
  return { key, value: (wrapped ? withoutLastQuote(value) : value) as ByteString };
}

function withoutLastQuote(text: string): string {
  return text.endsWith('"') ? text.slice(0, -1) : text;
}

/**
 * A word that {@link parseKarg} reads back as given; quoted where it has to be.
 * @throws UsageError when the kernel's syntax cannot express it.
 */
export function formatKarg(key: ByteString, value?: ByteString): ByteString {
  if (key === '' || key.indexOf('=', 1) >= 0 || /[\0\n"]/.test(key) || SPACE.test(key))
    throw new UsageError(`kernel argument name ${JSON.stringify(key)} cannot be written on a command line`);
  if (value === undefined) return key;
  if (/[\0\n"]/.test(value))
    throw new UsageError(`value of kernel argument ${key} contains a quote, a newline or a NUL byte`, {
      details: { key, value },
    });
  return `${key}=${SPACE.test(value) ? `"${value}"` : value}` as ByteString;
}
