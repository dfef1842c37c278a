/** Images for refs: proposals to make them and to keep them no longer, from wherever a ref is to be seen. */
import { displayText } from '../../models/text.ts';
import type { State, Step } from '../../state.ts';
import { propose } from './state.ts';

/** Changes of one letter are accepted by this one. */
const YES = 'y';

/** Words of the command that seals refs. */
export const sealWords = (refs: readonly string[]): string[] => [
  'seal',
  ...refs.flatMap((ref) => ['--ref', ref]),
];

/** Words of the command that unseals them. */
export const unsealWords = (refs: readonly string[]): string[] => [...sealWords(refs), '--unseal'];

const namesOf = (refs: readonly string[]): string => refs.map(displayText).join(', ');

export const proposeSeal = (state: State, refs: readonly string[]): Step =>
  propose(state, { kind: 'seal-ref', title: `seal ${namesOf(refs)}`, words: sealWords(refs), accept: YES });

export const proposeUnseal = (state: State, refs: readonly string[]): Step =>
  propose(state, {
    kind: 'unseal-ref',
    title: `unseal ${namesOf(refs)}`,
    words: unsealWords(refs),
    accept: YES,
  });
