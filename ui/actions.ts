/** All that keys do, declared once: the store runs it, footer and help read it. */
import type { Checksum } from '../src/base/digest.ts';
import { isRegular } from '../src/base/mode.ts';
import { selectedRow } from './models/commit-details.ts';
import { shortName } from './models/deployment.ts';
import { layoutOf } from './models/layout.ts';
import { selectedNode } from './models/tree-details.ts';
import { folderOf, ROOT } from './models/tree-rows.ts';
import {
  type Effect,
  isInDetails,
  type Mode,
  modeOf,
  type Screen,
  type State,
  type Step,
  screenOf,
  selectedItem,
  type Tree,
  viewOf,
} from './state.ts';
import {
  commitsAnew,
  openTree,
  revealed,
  searchFor,
  treeAnew,
  treeLeft,
  withFolded,
  withRows,
} from './steps.ts';
import { VIEW_MODELS, viewModelOf } from './views.ts';

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

const hasRows = (state: State): boolean => viewModelOf(state).count(state) > 0;

/** Moves the cursor, or the text of the details while those have the keys. The store puts it within its limits. */
function move(state: State, lines: number): Step {
  const view = viewModelOf(state);
  const { list, detailsOffset } = view.scroll(state);
  if (isInDetails(state)) return only(view.scrolled(state, { list, detailsOffset: detailsOffset + lines }));
  const moved = view.scrolled(state, {
    detailsOffset: 0,
    list: { cursor: list.cursor + lines, offset: list.offset },
  });
  // Whoever moves on is not taken elsewhere later.
  const seeksEnd = viewOf(state) === 'commits' && lines === Number.POSITIVE_INFINITY;
  return only({
    ...moved,
    commits: { ...moved.commits, seeksEnd },
    ...(moved.tree === undefined ? {} : { tree: { ...moved.tree, target: undefined } }),
  });
}

/** A page, one line of the last still visible. */
function pageOf(state: State): number {
  const { list, details } = layoutOf(state.size, viewModelOf(state).count(state), isInDetails(state));
  return Math.max(1, (isInDetails(state) ? details : list).rows - 1);
}

const open = (state: State, mode: Mode): Step => only({ ...state, modes: [...state.modes, mode] });

function close(state: State): Step {
  const [screen, ...opened] = state.modes;
  return only({ ...state, modes: [screen, ...opened.slice(0, -1)] });
}

/** Goes to a numbered screen, to where one was on it; on that screen itself back to its list. */
function show(state: State, screen: Screen): Step {
  const { modes, tree, left } = state;
  const fresh = { modes: [screen], tree: undefined } as const;
  if (screenOf(state) === screen) return only({ ...state, ...fresh });
  return only({
    ...state,
    left: { ...left, [screenOf(state)]: { modes, tree: treeLeft(tree) } },
    ...(left[screen] ?? fresh),
  });
}

/** The commit of the selected row, and what the person calls it. */
function selectedCommit(state: State): { checksum: Checksum; title: string } | undefined {
  switch (viewOf(state)) {
    case 'deployments': {
      const item = selectedItem(state);
      if (item?.kind !== 'deployment') return undefined;
      const { deployment } = item;
      return { checksum: deployment.checksum, title: `${deployment.stateroot} ${shortName(deployment)}` };
    }
    case 'commits': {
      const row = selectedRow(state);
      return row?.kind === 'commit' ? { checksum: row.checksum, title: row.refs[0] ?? '' } : undefined;
    }
    case 'tree':
      return undefined;
  }
}

const hasCommit = (state: State): boolean => selectedCommit(state) !== undefined;

function browse(state: State): Step {
  const commit = selectedCommit(state);
  if (commit === undefined) return only(state);
  return only({
    ...state,
    modes: [...state.modes, 'tree'],
    tree: openTree(commit.checksum, commit.title),
  });
}

const inTree = (state: State, change: (tree: Tree) => Tree): Step =>
  only(state.tree === undefined ? state : { ...state, tree: change(state.tree) });

function closeTree(state: State): Step {
  const { tree } = state;
  if (tree?.search !== undefined) return endSearch(state);
  return only({ ...close(state).state, tree: undefined });
}

/** Unfolds or folds a folder; of a file the details are opened. */
function openEntry(state: State): Step {
  const { tree } = state;
  const node = tree === undefined ? undefined : selectedNode(tree);
  if (tree === undefined || node === undefined) return only(state);
  // What was found is shown without its surroundings: there is nothing to unfold.
  if (node.kind === 'file' || tree.search !== undefined) return open(state, 'details');
  return inTree(state, (it) => withFolded(it, node.path, !it.open.has(node.path)));
}

const unfold = (state: State): Step =>
  inTree(state, (tree) => {
    const node = selectedNode(tree);
    return node?.kind === 'directory' && tree.search === undefined ? withFolded(tree, node.path, true) : tree;
  });

/** Folds the folder, or goes to the one around. */
const fold = (state: State): Step =>
  inTree(state, (tree) => {
    const node = selectedNode(tree);
    if (node === undefined || tree.search !== undefined) return tree;
    if (node.kind === 'directory' && tree.open.has(node.path)) return withFolded(tree, node.path, false);
    const around = tree.rows.findIndex((row) => row.node.path === folderOf(node.path));
    return around === -1 ? tree : { ...tree, list: { ...tree.list, cursor: around }, detailsOffset: 0 };
  });

const foldAll = (state: State): Step =>
  inTree(state, (tree) => {
    const path = selectedNode(tree)?.path;
    const [, top] = path?.split('/') ?? [];
    const folded = { ...tree, open: new Set([ROOT]) };
    return withRows({ ...folded, target: top === undefined ? undefined : (`/${top}` as typeof ROOT) });
  });

/** The regular file the cursor is on. */
function selectedFile({ tree }: State): { commit: Checksum; path: typeof ROOT } | undefined {
  const node = tree === undefined ? undefined : selectedNode(tree);
  if (tree === undefined || node?.kind !== 'file') return undefined;
  const facts = tree.entries.get(node.path);
  const isFile = facts !== undefined && facts.problem === undefined && isRegular(facts.mode);
  return isFile ? { commit: tree.commit, path: node.path } : undefined;
}

const hasFile = (state: State): boolean => viewOf(state) === 'tree' && selectedFile(state) !== undefined;

function page(state: State, form: 'text' | 'hex'): Step {
  const file = selectedFile(state);
  return { state, effects: file === undefined ? [] : [{ type: 'page', ...file, form }] };
}

function search(state: State): Step {
  const opened = open(state, 'search').state;
  return inTree(opened, (tree) => {
    const from = tree.search?.from ?? selectedNode(tree)?.path;
    return { ...tree, search: searchFor('', from) };
  });
}

/** The whole tree again, with the cursor on what was found. */
function endSearch(state: State): Step {
  return inTree(state, (tree) => {
    const { search: ended } = tree;
    const isFound = ended !== undefined && ended.text !== '';
    return revealed(tree, isFound ? (selectedNode(tree)?.path ?? ended.from) : ended?.from);
  });
}

/** Enter on an empty line is as good as Escape. */
function keepSearch(state: State): Step {
  const closed = close(state).state;
  return state.tree?.search?.text === '' ? endSearch(closed) : only(closed);
}

/** Changes what is searched; what was found by other words is forgotten. */
export function typeSearch(state: State, change: (text: string) => string): Step {
  return inTree(state, (tree) => {
    const { search: before } = tree;
    if (before === undefined) return tree;
    const text = change(before.text);
    if (text === before.text) return tree;
    return {
      ...tree,
      search: searchFor(text, before.from),
      list: { cursor: 0, offset: 0 },
      detailsOffset: 0,
    };
  });
}

/** Reads what is shown anew. The store asks for what is missing then. */
function readAgain(state: State): Step {
  switch (viewOf(state)) {
    case 'deployments':
      return { state: { ...state, isReading: true }, effects: ['read-sysroot'] };
    case 'commits':
      return { state: commitsAnew(state), effects: ['reopen'] };
    case 'tree':
      return { ...inTree(state, treeAnew), effects: ['reopen'] };
  }
}

/** Where only a repository was named there are no deployments to read. */
const canReadAgain = (state: State): boolean =>
  viewOf(state) !== 'deployments' || state.repositoryPath === undefined;

const effect =
  (wanted: Effect) =>
  (state: State): Step => ({ state, effects: [wanted] });

const LISTS: readonly Mode[] = ['deployments', 'commits', 'tree', 'details'];
const ALL: readonly Mode[] = [...LISTS, 'search', 'help'];

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
    modes: ['deployments', 'commits'],
    when: hasRows,
    run: (s) => open(s, 'details'),
    footer: 5,
  },
  {
    id: 'open-entry',
    keys: ['enter'],
    title: 'open',
    modes: ['tree'],
    when: hasRows,
    run: openEntry,
    footer: 5,
  },
  { id: 'unfold', keys: ['l', 'right'], title: 'unfold', modes: ['tree'], when: hasRows, run: unfold },
  { id: 'fold', keys: ['h', 'left'], title: 'fold', modes: ['tree'], when: hasRows, run: fold },
  { id: 'fold-all', keys: ['Z'], title: 'fold all', modes: ['tree'], when: hasRows, run: foldAll },
  {
    id: 'pane',
    keys: ['tab'],
    title: 'details',
    modes: ['deployments', 'commits', 'tree'],
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
  { id: 'close-tree', keys: ['esc', 'q'], title: 'back', modes: ['tree'], run: closeTree, footer: 4 },
  {
    id: 'browse',
    keys: ['t'],
    title: 'files',
    modes: ['deployments', 'commits', 'details'],
    when: hasCommit,
    run: browse,
    footer: 4,
  },
  { id: 'deeper', keys: ['enter'], title: 'files', modes: ['details'], when: hasCommit, run: browse },
  {
    id: 'page',
    keys: ['o'],
    title: 'pager',
    modes: ['tree', 'details'],
    when: hasFile,
    run: (s) => page(s, 'text'),
    footer: 3,
  },
  {
    id: 'hex',
    keys: ['x'],
    title: 'hexdump',
    modes: ['tree', 'details'],
    when: hasFile,
    run: (s) => page(s, 'hex'),
    footer: 2,
  },
  { id: 'search', keys: ['/'], title: 'search', modes: ['tree'], run: search, footer: 3 },
  { id: 'search-keep', keys: ['enter'], title: 'keep', modes: ['search'], run: keepSearch, footer: 5 },
  {
    id: 'search-end',
    keys: ['esc'],
    title: 'end',
    modes: ['search'],
    run: (s) => endSearch(close(s).state),
    footer: 5,
  },
  { id: 'search-down', keys: ['down'], title: 'down', modes: ['search'], run: (s) => move(s, 1) },
  { id: 'search-up', keys: ['up'], title: 'up', modes: ['search'], run: (s) => move(s, -1) },
  {
    id: 'search-rub',
    keys: ['backspace', 'delete'],
    title: 'rub out',
    modes: ['search'],
    run: (s) => typeSearch(s, (text) => [...text].slice(0, -1).join('')),
  },
  {
    id: 'search-clear',
    keys: ['ctrl-u'],
    title: 'clear',
    modes: ['search'],
    run: (s) => typeSearch(s, () => ''),
  },
  ...(['deployments', 'commits'] as const).map(
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
    when: canReadAgain,
    run: readAgain,
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
    modes: ['deployments', 'commits'],
    run: effect('quit'),
    footer: 6,
  },
  {
    id: 'interrupt',
    keys: ['ctrl-c'],
    title: 'quit',
    modes: ['tree', 'details', 'search', 'help'],
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
