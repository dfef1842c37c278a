/** What keys do with what is shared. */
import { type Action, only } from '../../action.ts';
import { viewOf } from '../../state.ts';
import { sharingWords, withContents } from './state.ts';

export const SHARING_ACTIONS: readonly Action[] = [
  {
    id: 'by-content',
    keys: ['c'],
    title: 'by content',
    modes: ['sharing', 'details'],
    detailsOf: ['sharing'],
    when: (s) => viewOf(s) === 'sharing',
    command: ({ sharing }) => sharingWords({ byContent: !sharing.byContent }),
    run: (s) => only({ ...s, sharing: withContents(s.sharing, !s.sharing.byContent) }),
    footer: 4,
  },
];
