/** What keys do over a plan: look at it, accept it, or leave it. */
import { type Action, only } from '../../action.ts';
import type { State } from '../../state.ts';
import { acceptProposal, closeProposal, isReady, isTyped, typeProposal } from './state.ts';

/** Whether one letter accepts it. */
const isQuick = (state: State): boolean =>
  isReady(state) && state.proposal !== undefined && !isTyped(state.proposal);

/** Whether the digits that accept it were typed. */
const isSpelt = ({ proposal }: State): boolean =>
  proposal !== undefined && isTyped(proposal) && proposal.typed === proposal.accept;

export const PROPOSAL_ACTIONS: readonly Action[] = [
  {
    id: 'accept',
    keys: ['y'],
    title: 'do it',
    modes: ['proposal'],
    when: isQuick,
    run: acceptProposal,
    footer: 9,
  },
  {
    id: 'accept-typed',
    keys: ['enter'],
    title: 'do it',
    modes: ['proposal'],
    when: (s) => isReady(s) && isSpelt(s),
    run: acceptProposal,
    footer: 9,
  },
  {
    id: 'rub',
    keys: ['backspace', 'delete'],
    title: 'rub out',
    modes: ['proposal'],
    when: (s) => (s.proposal?.typed ?? '') !== '',
    run: (s) => only(typeProposal(s, 'backspace')),
  },
  {
    id: 'decline',
    keys: ['esc', 'q', 'n'],
    title: 'leave it',
    modes: ['proposal'],
    run: closeProposal,
    footer: 8,
  },
];
