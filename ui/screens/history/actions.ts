/** The way to the history of what boots, and back to one of its entries. */
import { type Action, close, hasRows, only, open } from '../../action.ts';
import { type State, type Step, viewOf } from '../../state.ts';
import { firstToBoot, TYPED_DIGITS } from '../boot/actions.ts';
import { propose } from '../proposal/state.ts';
import { selectedHistoryEntry } from './state.ts';

const wordsOf = (state: State): readonly string[] | undefined => {
  const entry = selectedHistoryEntry(state);
  return entry && ['boot', 'rollback', String(entry.number)];
};

function rollBack(state: State): Step {
  const [words, deployment] = [wordsOf(state), firstToBoot(state)];
  if (words === undefined || deployment === undefined) return only(state);
  return propose(state, {
    kind: 'boot-rollback',
    title: words.join(' '),
    words,
    accept: deployment.checksum.slice(0, TYPED_DIGITS),
  });
}

export const HISTORY_ACTIONS: readonly Action[] = [
  {
    id: 'history',
    keys: ['H'],
    title: 'history',
    modes: ['boot', 'details'],
    detailsOf: ['boot'],
    when: (s) => viewOf(s) === 'boot' && s.sysroot !== undefined,
    command: () => ['boot', 'history'],
    run: (s) => only({ ...s, modes: ['boot', 'history'] }),
    footer: 2,
  },
  {
    id: 'rollback',
    keys: ['b'],
    title: 'go back to it',
    modes: ['history', 'details'],
    detailsOf: ['history'],
    when: (s) => viewOf(s) === 'history' && selectedHistoryEntry(s) !== undefined,
    disabled: (s) => (firstToBoot(s) === undefined ? 'no deployment has a boot entry' : undefined),
    changes: true,
    command: wordsOf,
    run: rollBack,
    footer: 5,
  },
  {
    id: 'open-entry',
    keys: ['enter', 'right', 'l'],
    title: 'details',
    modes: ['history'],
    when: hasRows,
    run: (s) => open(s, 'details'),
    footer: 5,
  },
  { id: 'close-history', keys: ['esc', 'q'], title: 'back', modes: ['history'], run: close, footer: 4 },
];
