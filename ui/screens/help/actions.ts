/** The way to the list of keys, and from there to what they do. */
import { type Action, close, hasRows, isMeant, LISTS, only, press, whyNot } from '../../action.ts';
import { TOP } from '../../models/list.ts';
import { type State, type Step, viewOf } from '../../state.ts';
import { type HelpRow, selectedHelp } from './state.ts';

/** What the footer shows is what is needed most. */
const rankOf = ({ id }: HelpRow, all: readonly Action[]): number =>
  -(all.find((action) => action.id === id)?.footer ?? 0);

function openHelp(all: readonly Action[], state: State): Step {
  const rows = all
    .filter((action) => isMeant(action, state))
    .map(
      (action): HelpRow => ({
        id: action.id,
        keys: action.keys,
        title: action.title,
        reason: whyNot(action, state),
        command: action.command?.(state),
      }),
    );
  // What moves about is known, or soon found.
  rows.sort((a, b) => rankOf(a, all) - rankOf(b, all));
  return only({ ...state, help: { ...TOP, rows }, modes: [...state.modes, 'help'] });
}

/** Does what is selected where help was asked for, as its key would. */
function runHelp(all: readonly Action[], state: State): Step {
  const row = selectedHelp(state);
  const below = close(state).state;
  const action = all.find((one) => one.id === row?.id && isMeant(one, below));
  return action === undefined ? only(below) : press(action, below);
}

/** Keys of the list of what `all()` keys do. */
export const helpActions = (all: () => readonly Action[]): Action[] => [
  {
    id: 'help',
    keys: ['?'],
    title: 'help',
    modes: LISTS.filter((mode) => mode !== 'help'),
    when: (s) => viewOf(s) !== 'help',
    run: (s) => openHelp(all(), s),
    footer: 7,
  },
  {
    id: 'help-run',
    keys: ['enter'],
    title: 'do it',
    modes: ['help'],
    when: hasRows,
    run: (s) => runHelp(all(), s),
    footer: 6,
  },
  { id: 'close-help', keys: ['esc', '?', 'q'], title: 'close help', modes: ['help'], run: close, footer: 7 },
];
