/** A commit's tree: what is known and unfolded of it, what a reading adds, and what is still to be read. Pure. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Checksum } from '../../../src/base/digest.ts';
import type { TreeNode } from '../../../src/repository/tree.ts';
import type { EntryFacts } from '../../models/entry.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import type { State } from '../../state.ts';
import { foldersAbove, ROOT, rowsOf, type TreeRow } from './rows.ts';

/** What was searched in a tree, and what was found. */
export interface Search {
  readonly text: string;
  /** Where the cursor was before. */
  readonly from: ByteString | undefined;
  readonly rows: readonly TreeRow[];
  /** Entries looked at. */
  readonly passed: number;
  readonly isDone: boolean;
}

/** Read where it is opened. */
export interface Tree extends Scroll {
  readonly commit: Checksum;
  /** What the person opened: a short checksum or the name of a deployment. */
  readonly title: string;
  /** Paths of the folders that are unfolded. */
  readonly open: ReadonlySet<ByteString>;
  /** By path; folders that were unfolded once. */
  readonly folders: ReadonlyMap<ByteString, readonly TreeNode[]>;
  /** By path: why a folder could not be read. */
  readonly broken: ReadonlyMap<ByteString, string>;
  /** The unfolded part as rows. */
  readonly rows: readonly TreeRow[];
  /** By path: owner, mode and so on of what was on the screen. */
  readonly entries: ReadonlyMap<ByteString, EntryFacts>;
  readonly search: Search | undefined;
  /** Where the cursor goes once its folder was read. */
  readonly target: ByteString | undefined;
}

export type TreeEvent =
  | {
      readonly type: 'folder-read';
      readonly commit: Checksum;
      readonly path: ByteString;
      readonly nodes: readonly TreeNode[];
    }
  | {
      readonly type: 'folder-failed';
      readonly commit: Checksum;
      readonly path: ByteString;
      readonly message: string;
    }
  | {
      readonly type: 'entries-read';
      readonly commit: Checksum;
      readonly entries: ReadonlyMap<ByteString, EntryFacts>;
    }
  | {
      readonly type: 'found';
      readonly commit: Checksum;
      readonly text: string;
      readonly nodes: readonly TreeNode[];
      readonly passed: number;
      readonly isDone: boolean;
    };

export type TreeRequest =
  | {
      readonly reader: 'tree';
      readonly type: 'read-folder';
      readonly commit: Checksum;
      readonly path: ByteString;
    }
  | {
      readonly reader: 'tree';
      readonly type: 'read-entries';
      readonly commit: Checksum;
      readonly nodes: readonly TreeNode[];
    }
  | { readonly reader: 'tree'; readonly type: 'search'; readonly commit: Checksum; readonly text: string };

/** A tree keeps what is known of so many entries; then it starts anew with what is on the screen. */
const KEPT_ENTRIES = 5000;

/** Rows of the largest screens: what is asked for besides the visible ones does no harm. */
const WINDOW_ROWS = 100;

/** The rows of a tree that are shown. */
export function treeRows({ search, rows }: Tree): readonly TreeRow[] {
  return search === undefined || search.text === '' ? rows : search.rows;
}

export function selectedNode(tree: Tree): TreeNode | undefined {
  return treeRows(tree)[tree.list.cursor]?.node;
}

export function treeRequests({ tree }: State): TreeRequest[] {
  if (tree === undefined) return [];
  const { commit, open, folders, broken, list, search, entries } = tree;
  const requests: TreeRequest[] = [];
  for (const path of open)
    if (!folders.has(path) && !broken.has(path))
      requests.push({ reader: 'tree', type: 'read-folder', commit, path });
  if (search !== undefined && search.text !== '' && !search.isDone)
    requests.push({ reader: 'tree', type: 'search', commit, text: search.text });
  const nodes = treeRows(tree)
    .slice(list.offset, list.offset + WINDOW_ROWS)
    .map(({ node }) => node)
    .filter(({ path }) => !entries.has(path));
  if (nodes.length > 0) requests.push({ reader: 'tree', type: 'read-entries', commit, nodes });
  return requests;
}

/** A tree nothing is known of yet. */
export function openTree(commit: Tree['commit'], title: string): Tree {
  return {
    ...TOP,
    commit,
    title,
    open: new Set([ROOT]),
    folders: new Map(),
    broken: new Map(),
    rows: [],
    entries: new Map(),
    search: undefined,
    target: undefined,
  };
}

/** Forgets what was read of a tree, not what was unfolded. */
export function treeAnew(tree: Tree): Tree {
  const selected = treeRows(tree)[tree.list.cursor]?.node.path;
  const { commit, title, open, search } = tree;
  const again = search === undefined || !search.isDone ? search : searchFor(search.text, search.from);
  return { ...openTree(commit, title), open, search: again, target: selected };
}

/** A search nothing was found by yet. */
export const searchFor = (text: string, from: Search['from']): Search => ({
  text,
  from,
  rows: [],
  passed: 0,
  isDone: false,
});

/** A tree that is left for another screen: nobody hears of a search that is under way. */
export function treeLeft(tree: Tree | undefined): Tree | undefined {
  const { search } = tree ?? {};
  if (tree === undefined || search === undefined || search.isDone) return tree;
  return { ...tree, search: searchFor(search.text, search.from) };
}

export function onTree(state: State, event: TreeEvent): State {
  const { tree } = state;
  if (tree === undefined || tree.commit !== event.commit) return state;
  const after = treeAfter(tree, event);
  return after === tree ? state : { ...state, tree: after };
}

function treeAfter(tree: Tree, event: TreeEvent): Tree {
  switch (event.type) {
    case 'folder-read':
      return withRows({ ...tree, folders: new Map(tree.folders).set(event.path, event.nodes) });
    case 'folder-failed':
      return withRows({ ...tree, broken: new Map(tree.broken).set(event.path, event.message) });
    case 'entries-read': {
      const kept = tree.entries.size > KEPT_ENTRIES ? [] : tree.entries;
      return { ...tree, entries: new Map([...kept, ...event.entries]) };
    }
    case 'found': {
      const { search } = tree;
      if (search === undefined || search.text !== event.text || search.isDone) return tree;
      const rows = [...search.rows, ...event.nodes.map((node) => ({ node, depth: 0 }))];
      return { ...tree, search: { ...search, rows, passed: event.passed, isDone: event.isDone } };
    }
  }
}

/** The rows of what is unfolded now. The cursor goes to `target` as soon as that is among them, else it stays with its entry. */
export function withRows(tree: Tree): Tree {
  const rows = rowsOf(tree);
  const selected = tree.search === undefined ? tree.rows[tree.list.cursor]?.node.path : undefined;
  const wanted = tree.target ?? selected;
  const found = wanted === undefined ? -1 : rows.findIndex(({ node }) => node.path === wanted);
  const isReached = found !== -1 && wanted === tree.target;
  const cursor = found === -1 || tree.search !== undefined ? tree.list.cursor : found;
  return {
    ...tree,
    rows,
    list: { ...tree.list, cursor },
    target: isReached ? undefined : tree.target,
  };
}

/** Unfolds or folds one folder. */
export function withFolded(tree: Tree, path: ByteString, isOpen: boolean): Tree {
  const open = new Set(tree.open);
  if (isOpen) open.add(path);
  else open.delete(path);
  return withRows({ ...tree, open });
}

/** The tree again, unfolded down to `path` with the cursor on it. */
export function revealed(tree: Tree, path: ByteString | undefined): Tree {
  const { search: _search, ...rest } = tree;
  if (path === undefined) return withRows({ ...rest, search: undefined });
  const open = new Set([...tree.open, ...foldersAbove(path)]);
  return withRows({ ...rest, search: undefined, open, target: path });
}
