/** What is known of an image, in words. */
import type { ImageReport } from '../../src/deployment/status.ts';
import type { Tone } from '../theme.ts';

/** A word with how good it is. */
export interface Verdict {
  readonly tone: Tone;
  /** At most ten columns: for the list. */
  readonly word: string;
  readonly sentence: string;
}

/** What a glyph says, for those who do not see it: what comes before a sentence that does not say so itself. */
export const TONE_WORDS: Readonly<Record<Tone, string>> = {
  good: '',
  warning: 'warning: ',
  bad: 'error: ',
  unknown: 'unknown: ',
  none: '',
  busy: '',
};

/** `undefined` = not read yet. */
export function imageVerdict(image: ImageReport | undefined): Verdict {
  if (image === undefined) return { tone: 'busy', word: 'reading', sentence: 'being read' };
  if (image.valid === false && image.state === 'foreign')
    return { tone: 'bad', word: 'no image', sentence: 'no image at all' };
  if (image.valid === false) return { tone: 'bad', word: 'changed', sentence: 'not what was sealed' };
  switch (image.state) {
    case 'sealed':
      return image.valid
        ? { tone: 'good', word: 'sealed', sentence: 'sealed' }
        : { tone: 'unknown', word: 'unread', sentence: 'sealed, but it could not be read' };
    case 'unlinked':
      return image.sizeBytes === undefined
        ? { tone: 'bad', word: 'missing', sentence: 'missing: its commit is sealed, this deployment is not' }
        : { tone: 'warning', word: 'copy', sentence: 'right, but a copy of the stored image' };
    case 'lost':
      return { tone: 'bad', word: 'lost', sentence: 'the stored image is gone' };
    case 'foreign':
      return {
        tone: 'unknown',
        word: "ostree's",
        sentence: 'made by ostree, not checked against the commit',
      };
    case 'none':
      return { tone: 'none', word: 'not sealed', sentence: 'not sealed' };
  }
}

/** Whether the deployment's image is the one that was sealed. */
export function isSealed(image: ImageReport): boolean {
  return image.state === 'sealed' && image.valid !== false;
}

const VERITY: Readonly<Record<ImageReport['verity'], Verdict>> = {
  enabled: { tone: 'good', word: 'on', sentence: 'on' },
  disabled: { tone: 'warning', word: 'off', sentence: 'off' },
  unsupported: { tone: 'unknown', word: 'n/a', sentence: 'cannot be had here' },
  unknown: { tone: 'unknown', word: 'unknown', sentence: 'unknown' },
};

/** undefined where there is no image to have fs-verity. */
export function verityVerdict(image: ImageReport | undefined): Verdict | undefined {
  return image?.sizeBytes === undefined ? undefined : VERITY[image.verity];
}
