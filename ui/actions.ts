/** All that keys do, declared once: the store runs it, footer and help read it. */
import {
  type Action,
  ALL,
  BROWSED,
  close,
  effect,
  hasRows,
  isMeant,
  LISTS,
  move,
  only,
  open,
  pageOf,
} from './action.ts';
import { FIND_ACTIONS } from './find.ts';
import { paletteActions } from './palette.ts';
import { BOOT_ACTIONS } from './screens/boot/actions.ts';
import { COMMIT_ACTIONS } from './screens/commits/actions.ts';
import { DEPLOYMENT_ACTIONS } from './screens/deployments/actions.ts';
import { DIFF_ACTIONS } from './screens/diff/actions.ts';
import { helpActions } from './screens/help/actions.ts';
import { HISTORY_ACTIONS } from './screens/history/actions.ts';
import { IMAGE_ACTIONS } from './screens/images/actions.ts';
import { IMPORT_ACTIONS } from './screens/imports/actions.ts';
import { JOB_ACTIONS, leave, leaveNow } from './screens/jobs/actions.ts';
import { OBJECTS_ACTIONS } from './screens/objects/actions.ts';
import { objectsLeft } from './screens/objects/state.ts';
import { PROPOSAL_ACTIONS } from './screens/proposal/actions.ts';
import { SHARING_ACTIONS } from './screens/sharing/actions.ts';
import { TREE_ACTIONS } from './screens/tree/actions.ts';
import { treeLeft } from './screens/tree/state.ts';
import {
  type Desk,
  deskOf,
  lastingModes,
  SCREEN_KEYS,
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
  const { modes, tree, diff, objects, left } = state;
  if (screenOf(state) === screen) return only({ ...state, ...deskOf(screen) });
  const desk: Desk = {
    modes: lastingModes(modes),
    tree: treeLeft(tree),
    diff,
    objects: objectsLeft(objects),
  };
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
  ...PROPOSAL_ACTIONS,
  ...DEPLOYMENT_ACTIONS,
  ...COMMIT_ACTIONS,
  ...IMPORT_ACTIONS,
  ...IMAGE_ACTIONS,
  ...BOOT_ACTIONS,
  ...HISTORY_ACTIONS,
  ...JOB_ACTIONS,
  ...SHARING_ACTIONS,
  ...TREE_ACTIONS,
  ...DIFF_ACTIONS,
  ...OBJECTS_ACTIONS,
  ...SCREENS.map(
    (screen): Action => ({
      id: `screen-${screen}`,
      keys: [SCREEN_KEYS[screen]],
      title: VIEW_MODELS[screen].title.toLowerCase(),
      modes: LISTS,
      // A plan is accepted or left, not left open.
      when: (s) => !s.modes.includes('proposal'),
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
  ...helpActions(() => ACTIONS),
  { id: 'close', keys: ['q'], title: 'back', modes: ['details'], run: close },
  {
    id: 'quit',
    keys: ['q'],
    title: 'quit',
    modes: SCREENS,
    run: leave,
    footer: 6,
  },
  {
    id: 'interrupt',
    keys: ['ctrl-c'],
    title: 'quit',
    modes: ALL,
    run: leaveNow,
  },
  {
    id: 'write',
    keys: ['W'],
    title: 'write mode',
    modes: BROWSED,
    run: toggleWriting,
    footer: 3,
  },
  ...paletteActions(() => ACTIONS),
  {
    id: 'commands',
    keys: ['!'],
    title: 'commands',
    modes: LISTS.filter((mode) => mode !== 'help'),
    run: (s) => open(s, 'commands'),
  },
  {
    id: 'close-commands',
    keys: ['esc', '!', 'q', 'enter'],
    title: 'close',
    modes: ['commands'],
    run: close,
    footer: 7,
  },
  ...FIND_ACTIONS,
];

function toggleWriting(state: State): Step {
  const isWriting = !state.isWriting;
  const notice = isWriting
    ? 'write mode: each change is shown before it is made; W ends it'
    : 'read-only: nothing can be changed';
  return only({ ...state, isWriting, notice });
}

/** The action a key means now. */
export function findAction(state: State, key: string): Action | undefined {
  return ACTIONS.find((action) => action.keys.includes(key) && isMeant(action, state));
}
