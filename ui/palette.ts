/** The list of all that keys do, searched by some letters of what they are called. Pure. */
import { type Action, close, only } from './action.ts';
import { ACTIONS, isMeant, press } from './actions.ts';
import { type Mode, NO_PALETTE, type State, type Step } from './state.ts';

/** The state as it is below what lies over it: where the action would happen. */
export function behind(state: State): State {
  const [screen, ...opened] = state.modes.slice(0, -1) as [Mode, ...Mode[]];
  return { ...state, modes: [screen, ...opened] };
}

/** What can be done there, those first whose names begin with the letters. */
export function paletteRows(state: State): Action[] {
  const below = behind(state);
  const words = state.palette.text
    .toLowerCase()
    .split(' ')
    .filter((word) => word !== '');
  return ACTIONS.filter((action) => !MOVES.has(action.id) && isMeant(action, below))
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

export function movePalette(state: State, lines: number): State {
  const { palette } = state;
  const last = Math.max(0, paletteRows(state).length - 1);
  return { ...state, palette: { ...palette, cursor: Math.max(0, Math.min(last, palette.cursor + lines)) } };
}

export function closePalette(state: State): Step {
  return only({ ...close(state).state, palette: NO_PALETTE });
}

/** Does what is selected, as its key would. */
export function runPalette(state: State): Step {
  const action = paletteRows(state)[state.palette.cursor];
  const below = { ...behind(state), palette: NO_PALETTE };
  return action === undefined ? only(state) : press(action, below);
}
