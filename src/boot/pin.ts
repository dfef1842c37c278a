/**
 * The seal pin: the kernel argument that makes a boot demand one image,
 * `sealtree.pin=<first 12 hex digits of the commit>:<image digest>`. The commit's digits tell a stale pin, which ostree
 * copied to the entry of another commit, from a wrong one.
 *
 * An edit changes the pin's own bytes in the entry's one `options` line and nothing else. Words are split at blanks
 * and quotes mean nothing, since that is how ostree finds `ostree=`, ostree-prepare-root reads /proc/cmdline, and the
 * script in the initramfs reads the pin: all must see the same one.
 */
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, type Digest, isHex64 } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import { type BlsEntry, blsValues, setBlsValues } from '../formats/bls.ts';

/** The name of the kernel argument, without `=`. */
export const SEAL_PIN_KARG = 'sealtree.pin';

/** Hex digits of the commit in a pin. */
export const COMMIT_PREFIX_LENGTH = 12;

export interface SealPin {
  /** The first {@link COMMIT_PREFIX_LENGTH} hex digits of the commit. */
  readonly commitPrefix: string;
  /** fs-verity digest the deployment's image must have. */
  readonly imageDigest: Digest;
}

/** Reads the argument's value. @throws FormatError that names `where` */
export function parseSealPin(value: ByteString, where: string): SealPin {
  const [prefix = '', digest = '', ...rest] = value.split(':');
  if (!/^[0-9a-f]{12}$/.test(prefix) || !isHex64(digest) || rest.length > 0)
    throw new FormatError(where, 'not a seal pin', {
      got: JSON.stringify(value.slice(0, 120)),
      want: '12 hex digits of the commit, a colon, 64 hex digits of the image digest',
    });
  return { commitPrefix: prefix, imageDigest: digest as Digest };
}

/** The whole argument, `sealtree.pin=…`. */
export function formatSealPin(commit: Checksum, imageDigest: Digest): ByteString {
  return sealPinWord({ commitPrefix: commit.slice(0, COMMIT_PREFIX_LENGTH), imageDigest });
}

/** The pin of a commit's image. */
export function sealPinOf(commit: Checksum, imageDigest: Digest): SealPin {
  return { commitPrefix: commit.slice(0, COMMIT_PREFIX_LENGTH), imageDigest };
}

function sealPinWord({ commitPrefix, imageDigest }: SealPin): ByteString {
  return `${SEAL_PIN_KARG}=${commitPrefix}:${imageDigest}` as ByteString;
}

/** Values of all pins on a command line, in order; a bare `sealtree.pin` has the empty one. */
export function sealPinValues(options: ByteString): ByteString[] {
  return pinWords(options).map(
    ({ start, end }) => options.slice(start, end).slice(SEAL_PIN_KARG.length + 1) as ByteString,
  );
}

/**
 * A command line with exactly this pin, or with none. A pin that is there keeps its place, a new one stands before
 * `ostree=`, so that whoever reads that one reads it too; further ones go. All else stays byte for byte, and what was
 * added and taken away again leaves no trace.
 */
export function withSealPin(options: ByteString, pin: SealPin | undefined): ByteString {
  const found = pinWords(options);
  const kept = pin === undefined ? undefined : found[0];
  let text: string = options;
  for (const word of found.toReversed()) {
    if (pin !== undefined && word === kept)
      text = text.slice(0, word.start) + sealPinWord(pin) + text.slice(word.end);
    else text = without(text, word);
  }
  if (pin !== undefined && kept === undefined) text = inserted(text, sealPinWord(pin));
  return text as ByteString;
}

/**
 * The entry with exactly this pin, or with none.
 * @throws FormatError when it has not exactly one `options` line: ostree reads only the last, loaders join all
 */
export function entryWithSealPin(entry: BlsEntry, pin: SealPin | undefined, where: string): BlsEntry {
  const [options, ...others] = blsValues(entry, 'options');
  if (options === undefined || others.length > 0)
    throw new FormatError(where, 'a boot entry of ostree has one options line', {
      got: options === undefined ? 0 : others.length + 1,
      want: 1,
    });
  return setBlsValues(entry, 'options' as ByteString, [withSealPin(options, pin)]);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function pinWords(options: string): Span[] {
  return Array.from(options.matchAll(/[^ \t]+/g), ({ 0: word, index }) => ({
    start: index,
    end: index + word.length,
    word,
  })).filter(({ word }) => word === SEAL_PIN_KARG || word.startsWith(`${SEAL_PIN_KARG}=`));
}

/** Without the word and one blank: the one after it, or at the end the one before it. */
function without(text: string, { start, end }: Span): string {
  if (end < text.length) return text.slice(0, start) + text.slice(end + 1);
  return text.slice(0, Math.max(start - 1, 0));
}

function inserted(text: string, word: string): string {
  const at = /(?:^|[ \t])(?=ostree=)/.exec(text);
  if (at !== null) {
    const start = at.index + at[0].length;
    return `${text.slice(0, start)}${word} ${text.slice(start)}`;
  }
  return text === '' ? word : `${text} ${word}`;
}
