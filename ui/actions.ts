/** All that keys do, declared once: the store runs it, footer and help read it. */
import { layoutOf } from './models/layout.ts';
import { isInDetails, type Mode, modeOf, type State, type Step } from './state.ts';

export interface Action {
  readonly id: string;
  /** Names as in keys.ts, the one to show first. */
  readonly keys: readonly string[];
  readonly title: string;
  /** Where it works: the modes that take its keys. */
  readonly modes: readonly Mode[];
  /** Whether there is something to do; the key does nothing otherwise, and the footer leaves it out. */
  when?(state: State): boolean;
  run(state: State): Step;
  /** Shown in the footer, larger numbers first to stay when it is narrow; not shown without. */
  readonly footer?: number;
}

const only = (state: State): Step => ({ state, effects: [] });

const hasItems = ({ items }: State): boolean => items.length > 0;

/** Moves the cursor, or the text of the details while those have the keys. The store puts it within its limits. */
function move(state: State, lines: number): Step {
  if (isInDetails(state)) return only({ ...state, detailsOffset: state.detailsOffset + lines });
  const { cursor, offset } = state.list;
  return only({ ...state, detailsOffset: 0, list: { cursor: cursor + lines, offset } });
}

/** A page, one line of the last still visible. */
function pageOf(state: State): number {
  const { list, details } = layoutOf(state.size, state.items.length, isInDetails(state));
  return Math.max(1, (isInDetails(state) ? details : list).rows - 1);
}

const open = (state: State, mode: Mode): Step => only({ ...state, modes: [...state.modes, mode] });

function close(state: State): Step {
  const [screen, ...opened] = state.modes;
  return only({ ...state, modes: [screen, ...opened.slice(0, -1)] });
}

const LISTS: readonly Mode[] = ['deployments', 'details'];
const ALL: readonly Mode[] = [...LISTS, 'help'];

export const ACTIONS: readonly Action[] = [
  { id: 'down', keys: ['j', 'down'], title: 'down', modes: LISTS, when: hasItems, run: (s) => move(s, 1) },
  { id: 'up', keys: ['k', 'up'], title: 'up', modes: LISTS, when: hasItems, run: (s) => move(s, -1) },
  {
    id: 'page-down',
    keys: ['ctrl-d', 'pagedown'],
    title: 'page down',
    modes: LISTS,
    when: hasItems,
    run: (s) => move(s, pageOf(s)),
  },
  {
    id: 'page-up',
    keys: ['ctrl-u', 'pageup'],
    title: 'page up',
    modes: LISTS,
    when: hasItems,
    run: (s) => move(s, -pageOf(s)),
  },
  {
    id: 'first',
    keys: ['g', 'home'],
    title: 'first',
    modes: LISTS,
    when: hasItems,
    run: (s) => move(s, Number.NEGATIVE_INFINITY),
  },
  {
    id: 'last',
    keys: ['G', 'end'],
    title: 'last',
    modes: LISTS,
    when: hasItems,
    run: (s) => move(s, Number.POSITIVE_INFINITY),
  },
  {
    id: 'open',
    keys: ['enter', 'right', 'l'],
    title: 'details',
    modes: ['deployments'],
    when: hasItems,
    run: (s) => open(s, 'details'),
    footer: 3,
  },
  {
    id: 'back',
    keys: ['esc', 'left', 'h'],
    title: 'back',
    modes: ['details'],
    run: close,
    footer: 3,
  },
  {
    id: 'read',
    keys: ['r'],
    title: 'read again',
    modes: LISTS,
    run: (state) => ({ state: { ...state, isReading: true }, effects: ['read-sysroot'] }),
    footer: 2,
  },
  {
    id: 'redraw',
    keys: ['ctrl-l'],
    title: 'redraw',
    modes: ALL,
    run: (state) => ({ state, effects: ['redraw'] }),
  },
  {
    id: 'suspend',
    keys: ['ctrl-z'],
    title: 'suspend',
    modes: ALL,
    run: (state) => ({ state, effects: ['suspend'] }),
  },
  { id: 'help', keys: ['?'], title: 'help', modes: LISTS, run: (s) => open(s, 'help'), footer: 5 },
  { id: 'close-help', keys: ['esc', '?', 'q'], title: 'close help', modes: ['help'], run: close, footer: 5 },
  { id: 'close', keys: ['q'], title: 'back', modes: ['details'], run: close },
  {
    id: 'quit',
    keys: ['q', 'ctrl-c'],
    title: 'quit',
    modes: ['deployments'],
    run: quit,
    footer: 4,
  },
  { id: 'interrupt', keys: ['ctrl-c'], title: 'quit', modes: ['details', 'help'], run: quit },
];

function quit(state: State): Step {
  return { state, effects: ['quit'] };
}

/** The action a key means now. */
export function findAction(state: State, key: string): Action | undefined {
  return ACTIONS.find((action) => action.keys.includes(key) && isAvailable(action, state));
}

/** Whether a key of it would do something now. */
export function isAvailable(action: Action, state: State): boolean {
  return action.modes.includes(modeOf(state)) && (action.when?.(state) ?? true);
}
