/** What keys do with images: those of refs are made anew, or kept no longer. */
import type { Action } from '../../action.ts';
import { type State, viewOf } from '../../state.ts';
import { proposeSeal, proposeUnseal, sealWords, unsealWords } from '../proposal/refs.ts';
import { selectedImage } from './state.ts';

const HERE = ['images', 'details'] as const;

const isHere = (state: State): boolean => viewOf(state) === 'images' && selectedImage(state) !== undefined;

/** Refs that were sealed with the selected image; `gone` ones cannot be sealed again. */
const refsOf = (state: State, isMeant: 'all' | 'existing'): string[] =>
  (selectedImage(state)?.refs ?? [])
    .filter((ref) => isMeant === 'all' || ref.state !== 'gone')
    .map(({ name }) => name);

const NO_REF = 'no ref was sealed with it; s on the commits seals one';

export const IMAGE_ACTIONS: readonly Action[] = [
  {
    id: 'seal-image-ref',
    keys: ['s'],
    title: 'seal its ref',
    modes: HERE,
    detailsOf: ['images'],
    when: isHere,
    disabled: (s) => (refsOf(s, 'existing').length === 0 ? NO_REF : undefined),
    changes: true,
    command: (s) => (refsOf(s, 'existing').length === 0 ? undefined : sealWords(refsOf(s, 'existing'))),
    run: (s) => proposeSeal(s, refsOf(s, 'existing')),
    footer: 3,
  },
  {
    id: 'unseal-image-ref',
    keys: ['u'],
    title: 'unseal',
    modes: HERE,
    detailsOf: ['images'],
    when: isHere,
    disabled: (s) => (refsOf(s, 'all').length === 0 ? NO_REF : undefined),
    changes: true,
    command: (s) => (refsOf(s, 'all').length === 0 ? undefined : unsealWords(refsOf(s, 'all'))),
    run: (s) => proposeUnseal(s, refsOf(s, 'all')),
    footer: 1,
  },
];
