/** What keys do in the files of a commit or an image. */
import { isRegular } from '../../../src/base/mode.ts';
import { type Action, close, hasRows, move, only, open, selectedSubject } from '../../action.ts';
import type { Subject } from '../../models/subject.ts';
import { SCREENS, type State, type Step } from '../../state.ts';
import { folderOf, ROOT } from './rows.ts';
import { openTree, revealed, searchFor, selectedNode, type Tree, withFolded, withRows } from './state.ts';

const hasSubject = (state: State): boolean => selectedSubject(state) !== undefined;

function browse(state: State): Step {
  const subject = selectedSubject(state);
  if (subject === undefined) return only(state);
  return only({
    ...state,
    modes: [...state.modes, 'tree'],
    tree: openTree(subject),
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
    const around = tree.rows.findIndex(({ path }) => path === folderOf(node.path));
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
function selectedFile({ tree }: State): { subject: Subject; path: typeof ROOT } | undefined {
  const node = tree === undefined ? undefined : selectedNode(tree);
  if (tree === undefined || node?.kind !== 'file') return undefined;
  const facts = tree.entries.get(node.path);
  const isFile = facts !== undefined && facts.problem === undefined && isRegular(facts.mode);
  return isFile ? { subject: tree.subject, path: node.path } : undefined;
}

const hasFile = (state: State): boolean => selectedFile(state) !== undefined;

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

export const TREE_ACTIONS: readonly Action[] = [
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
  { id: 'close-tree', keys: ['esc', 'q'], title: 'back', modes: ['tree'], run: closeTree, footer: 4 },
  {
    id: 'browse',
    keys: ['t'],
    title: 'files',
    modes: [...SCREENS, 'details'],
    when: hasSubject,
    run: browse,
    footer: 4,
  },
  {
    id: 'deeper',
    keys: ['enter'],
    title: 'files',
    modes: ['details'],
    detailsOf: ['deployments', 'commits', 'images'],
    when: hasSubject,
    run: browse,
  },
  {
    id: 'page',
    keys: ['o'],
    title: 'pager',
    modes: ['tree', 'details'],
    detailsOf: ['tree'],
    when: hasFile,
    run: (s) => page(s, 'text'),
    footer: 3,
  },
  {
    id: 'hex',
    keys: ['x'],
    title: 'hexdump',
    modes: ['tree', 'details'],
    detailsOf: ['tree'],
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
];
