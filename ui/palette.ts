/** The list of all that keys do, searched by some letters of what they are called. Pure. */
import { type Action, BROWSED, close, isMeant, only, open, press } from './action.ts';
import { behind, NO_PALETTE, type State, type Step } from './state.ts';

/** What can be done there, those first whose names begin with the letters. */
export function paletteRows(all: readonly Action[], state: State): Action[] {
  const below = behind(state);
  const words = state.palette.text
    .toLowerCase()
    .split(' ')
    .filter((word) => word !== '');
  return all
    .filter((action) => !MOVES.has(action.id) && isMeant(action, below))
    .filter(({ title, id }) => words.every((word) => `${title} ${id}`.toLowerCase().includes(word)))
    .toSorted((a, b) => rank(a, words) - rank(b, words));
}

/** Whoever looks for these has found them. */
const MOVES: ReadonlySet<string> = new Set(['down', 'up', 'palette', 'interrupt']);

const rank = ({ title, footer = 0 }: Action, [first]: readonly string[]): number =>
  (first !== undefined && title.startsWith(first) ? 0 : 100) - footer;

/** Types into it; what was selected was found by other letters. */
export function typePalette(state: State, change: (text: string) => string): State {
  return { ...state, palette: { text: change(state.palette.text), cursor: 0 } };
}

function movePalette(all: readonly Action[], state: State, lines: number): State {
  const { palette } = state;
  const last = Math.max(0, paletteRows(all, state).length - 1);
  return { ...state, palette: { ...palette, cursor: Math.max(0, Math.min(last, palette.cursor + lines)) } };
}

function closePalette(state: State): Step {
  return only({ ...close(state).state, palette: NO_PALETTE });
}

/** Does what is selected, as its key would. */
function runPalette(all: readonly Action[], state: State): Step {
  const action = paletteRows(all, state)[state.palette.cursor];
  const below = { ...behind(state), palette: NO_PALETTE };
  return action === undefined ? only(state) : press(action, below);
}

/** Keys of the list of `all()` that keys do. */
export const paletteActions = (all: () => readonly Action[]): Action[] => [
  {
    id: 'palette',
    keys: [':'],
    title: 'all actions',
    modes: BROWSED,
    run: (s) => open(s, 'palette'),
    footer: 1,
  },
  {
    id: 'palette-run',
    keys: ['enter'],
    title: 'do it',
    modes: ['palette'],
    run: (s) => runPalette(all(), s),
    footer: 8,
  },
  { id: 'palette-close', keys: ['esc'], title: 'close', modes: ['palette'], run: closePalette, footer: 7 },
  {
    id: 'palette-down',
    keys: ['down', 'tab', 'ctrl-n'],
    title: 'down',
    modes: ['palette'],
    run: (s) => only(movePalette(all(), s, 1)),
  },
  {
    id: 'palette-up',
    keys: ['up', 'ctrl-p'],
    title: 'up',
    modes: ['palette'],
    run: (s) => only(movePalette(all(), s, -1)),
  },
  {
    id: 'palette-rub',
    keys: ['backspace', 'delete'],
    title: 'rub out',
    modes: ['palette'],
    run: (s) => only(typePalette(s, (text) => [...text].slice(0, -1).join(''))),
  },
  {
    id: 'palette-clear',
    keys: ['ctrl-u'],
    title: 'clear',
    modes: ['palette'],
    run: (s) => only(typePalette(s, () => '')),
  },
];
