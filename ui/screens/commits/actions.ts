/** What keys do with commits: images for the refs that name them. */
import type { Action } from '../../action.ts';
import { type State, viewOf } from '../../state.ts';
import { proposeSeal, proposeUnseal, sealWords, unsealWords } from '../proposal/refs.ts';
import { sealableRefs, sealedRefsOf, selectedRow } from './state.ts';

const HERE = ['commits', 'details'] as const;

const isHere = (state: State): boolean =>
  viewOf(state) === 'commits' && selectedRow(state)?.kind === 'commit';

const NO_REF = 'no ref names this commit: images are kept for refs';

export const COMMIT_ACTIONS: readonly Action[] = [
  {
    id: 'seal-ref',
    keys: ['s'],
    title: 'seal its ref',
    modes: HERE,
    detailsOf: ['commits'],
    when: isHere,
    disabled: (s) => (sealableRefs(s).length === 0 ? NO_REF : undefined),
    changes: true,
    command: (s) => (sealableRefs(s).length === 0 ? undefined : sealWords(sealableRefs(s))),
    run: (s) => proposeSeal(s, sealableRefs(s)),
    footer: 3,
  },
  {
    id: 'unseal-ref',
    keys: ['u'],
    title: 'unseal',
    modes: HERE,
    detailsOf: ['commits'],
    when: isHere,
    disabled: (s) => (sealedRefsOf(s).length === 0 ? 'no ref that names this commit is sealed' : undefined),
    changes: true,
    command: (s) => (sealedRefsOf(s).length === 0 ? undefined : unsealWords(sealedRefsOf(s))),
    run: (s) => proposeUnseal(s, sealedRefsOf(s)),
    footer: 1,
  },
];
