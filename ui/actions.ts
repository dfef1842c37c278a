/** All that keys do, declared once: the store runs it, footer and help read it. */
import { type Action, ALL, close, effect, hasRows, LISTS, move, only, open, pageOf } from './action.ts';
import { TREE_ACTIONS } from './screens/tree/actions.ts';
import { treeLeft } from './screens/tree/state.ts';
import {
  type Desk,
  deskOf,
  type Mode,
  modeOf,
  SCREENS,
  type Screen,
  type State,
  type Step,
  screenOf,
  VIEWS,
} from './state.ts';
import { VIEW_MODELS, viewModelOf } from './views.ts';

/** Goes to a numbered screen, to where one was on it; on that screen itself back to its list. */
function show(state: State, screen: Screen): Step {
  const { modes, tree, left } = state;
  if (screenOf(state) === screen) return only({ ...state, ...deskOf(screen) });
  const desk: Desk = { modes, tree: treeLeft(tree) };
  return only({
    ...state,
    left: { ...left, [screenOf(state)]: desk },
    ...(left[screen] ?? deskOf(screen)),
  });
}

export const ACTIONS: readonly Action[] = [
  { id: 'down', keys: ['j', 'down'], title: 'down', modes: LISTS, when: hasRows, run: (s) => move(s, 1) },
  { id: 'up', keys: ['k', 'up'], title: 'up', modes: LISTS, when: hasRows, run: (s) => move(s, -1) },
  {
    id: 'page-down',
    keys: ['ctrl-d', 'pagedown'],
    title: 'page down',
    modes: LISTS,
    when: hasRows,
    run: (s) => move(s, pageOf(s)),
  },
  {
    id: 'page-up',
    keys: ['ctrl-u', 'pageup'],
    title: 'page up',
    modes: LISTS,
    when: hasRows,
    run: (s) => move(s, -pageOf(s)),
  },
  {
    id: 'first',
    keys: ['g', 'home'],
    title: 'first',
    modes: LISTS,
    when: hasRows,
    run: (s) => move(s, Number.NEGATIVE_INFINITY),
  },
  {
    id: 'last',
    keys: ['G', 'end'],
    title: 'last',
    modes: LISTS,
    when: hasRows,
    run: (s) => move(s, Number.POSITIVE_INFINITY),
  },
  {
    id: 'open',
    keys: ['enter', 'right', 'l'],
    title: 'details',
    modes: SCREENS,
    when: hasRows,
    run: (s) => open(s, 'details'),
    footer: 5,
  },
  {
    id: 'pane',
    keys: ['tab'],
    title: 'details',
    modes: VIEWS,
    when: hasRows,
    run: (s) => open(s, 'details'),
  },
  {
    id: 'back',
    keys: ['esc', 'left', 'h', 'tab'],
    title: 'back',
    modes: ['details'],
    run: close,
    footer: 5,
  },
  ...TREE_ACTIONS,
  ...SCREENS.map(
    (screen, i): Action => ({
      id: `screen-${screen}`,
      keys: [String(i + 1)],
      title: VIEW_MODELS[screen].title.toLowerCase(),
      modes: LISTS,
      run: (s) => show(s, screen),
      footer: 1,
    }),
  ),
  {
    id: 'read',
    keys: ['R'],
    title: 'read again',
    modes: LISTS,
    when: (s) => viewModelOf(s).anew?.(s) !== undefined,
    run: (s) => viewModelOf(s).anew?.(s) ?? only(s),
    footer: 2,
  },
  { id: 'redraw', keys: ['ctrl-l'], title: 'redraw', modes: ALL, run: effect('redraw') },
  { id: 'suspend', keys: ['ctrl-z'], title: 'suspend', modes: ALL, run: effect('suspend') },
  { id: 'help', keys: ['?'], title: 'help', modes: LISTS, run: (s) => open(s, 'help'), footer: 7 },
  { id: 'close-help', keys: ['esc', '?', 'q'], title: 'close help', modes: ['help'], run: close, footer: 7 },
  { id: 'close', keys: ['q'], title: 'back', modes: ['details'], run: close },
  {
    id: 'quit',
    keys: ['q', 'ctrl-c'],
    title: 'quit',
    modes: SCREENS,
    run: effect('quit'),
    footer: 6,
  },
  {
    id: 'interrupt',
    keys: ['ctrl-c'],
    title: 'quit',
    modes: ALL.filter((mode) => !(SCREENS as readonly Mode[]).includes(mode)),
    run: effect('quit'),
  },
];

/** The action a key means now. */
export function findAction(state: State, key: string): Action | undefined {
  return ACTIONS.find((action) => action.keys.includes(key) && isAvailable(action, state));
}

/** Whether a key of it would do something now. */
export function isAvailable(action: Action, state: State): boolean {
  return action.modes.includes(modeOf(state)) && (action.when?.(state) ?? true);
}
