/** The files of a commit or an image: what is known and unfolded of it, what a reading adds, and what is still to be read. Pure. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Checksum } from '../../../src/base/digest.ts';
import { isRegular } from '../../../src/base/mode.ts';
import { deploymentSubject } from '../../models/deployment.ts';
import type { EntryFacts } from '../../models/entry.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { type Subject, subjectKey } from '../../models/subject.ts';
import type { State } from '../../state.ts';
import type { FileNode } from '../../trees/file-tree.ts';
import type { ObjectFacts } from './object.ts';
import { foldersAbove, ROOT, rowsOf } from './rows.ts';

/** What was searched in a tree, and what was found. */
export interface Search {
  readonly text: string;
  /** Where the cursor was before. */
  readonly from: ByteString | undefined;
  readonly rows: readonly FileNode[];
  /** Entries looked at. */
  readonly passed: number;
  readonly isDone: boolean;
}

/** Read where it is opened. */
export interface Tree extends Scroll {
  readonly subject: Subject;
  /** Paths of the folders that are unfolded. */
  readonly open: ReadonlySet<ByteString>;
  /** By path; folders that were unfolded once. */
  readonly folders: ReadonlyMap<ByteString, readonly FileNode[]>;
  /** By path: why a folder could not be read. */
  readonly broken: ReadonlyMap<ByteString, string>;
  /** The unfolded part as rows. */
  readonly rows: readonly FileNode[];
  /** By path: owner, mode and so on of what was on the screen. */
  readonly entries: ReadonlyMap<ByteString, EntryFacts>;
  /** Of one file: the one last selected. */
  readonly object: ObjectFacts | undefined;
  readonly search: Search | undefined;
  /** Where the cursor goes once its folder was read. */
  readonly target: ByteString | undefined;
}

/** `of` tells whose files it is about: see {@link subjectKey}. */
export type TreeEvent = { readonly of: string } & (
  | { readonly type: 'folder-read'; readonly path: ByteString; readonly nodes: readonly FileNode[] }
  | { readonly type: 'folder-failed'; readonly path: ByteString; readonly message: string }
  | { readonly type: 'entries-read'; readonly entries: ReadonlyMap<ByteString, EntryFacts> }
  | { readonly type: 'object-read'; readonly object: ObjectFacts }
  | {
      readonly type: 'found';
      readonly text: string;
      /** The best so far, the best one first; they take the place of all that were told before. */
      readonly nodes: readonly FileNode[];
      readonly passed: number;
      readonly isDone: boolean;
    }
);

export type TreeRequest = { readonly reader: 'tree'; readonly subject: Subject } & (
  | { readonly type: 'read-folder'; readonly path: ByteString }
  | { readonly type: 'read-entries'; readonly nodes: readonly FileNode[] }
  | {
      readonly type: 'read-object';
      readonly path: ByteString;
      readonly checksum: Checksum;
      /** Where the same path is looked up. */
      readonly others: readonly Subject[];
    }
  | { readonly type: 'search'; readonly text: string }
);

/** A tree keeps what is known of so many entries; then it starts anew with what is on the screen. */
const KEPT_ENTRIES = 5000;

/** Rows of the largest screens: what is asked for besides the visible ones does no harm. */
const WINDOW_ROWS = 100;

/** The rows of a tree that are shown. */
export function treeRows({ search, rows }: Tree): readonly FileNode[] {
  return search === undefined || search.text === '' ? rows : search.rows;
}

export function selectedNode(tree: Tree): FileNode | undefined {
  return treeRows(tree)[tree.list.cursor];
}

export function treeRequests({ tree, sysroot }: State): TreeRequest[] {
  if (tree === undefined) return [];
  const { subject, open, folders, broken, list, search, entries } = tree;
  const about = { reader: 'tree', subject } as const;
  const requests: TreeRequest[] = [];
  for (const path of open)
    if (!folders.has(path) && !broken.has(path)) requests.push({ ...about, type: 'read-folder', path });
  if (search !== undefined && search.text !== '' && !search.isDone)
    requests.push({ ...about, type: 'search', text: search.text });
  const nodes = treeRows(tree)
    .slice(list.offset, list.offset + WINDOW_ROWS)
    .filter(({ path }) => !entries.has(path));
  if (nodes.length > 0) requests.push({ ...about, type: 'read-entries', nodes });
  const path = selectedNode(tree)?.path;
  const facts = path === undefined ? undefined : entries.get(path);
  if (path === undefined || facts?.object === undefined || !isRegular(facts.mode)) return requests;
  if (tree.object?.path === path) return requests;
  const others = (sysroot?.deployments ?? []).map(deploymentSubject);
  return [...requests, { ...about, type: 'read-object', path, checksum: facts.object, others }];
}

/** A tree nothing is known of yet. */
export function openTree(subject: Subject): Tree {
  return {
    ...TOP,
    subject,
    open: new Set([ROOT]),
    folders: new Map(),
    broken: new Map(),
    rows: [],
    entries: new Map(),
    object: undefined,
    search: undefined,
    target: undefined,
  };
}

/** Forgets what was read of a tree, not what was unfolded. */
export function treeAnew(tree: Tree): Tree {
  const selected = treeRows(tree)[tree.list.cursor]?.path;
  const { subject, open, search } = tree;
  const again = search === undefined || !search.isDone ? search : searchFor(search.text, search.from);
  return { ...openTree(subject), open, search: again, target: selected };
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
  if (tree === undefined || subjectKey(tree.subject) !== event.of) return state;
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
    case 'object-read':
      return { ...tree, object: event.object };
    case 'found': {
      const { search } = tree;
      if (search === undefined || search.text !== event.text || search.isDone) return tree;
      return {
        ...tree,
        search: { ...search, rows: event.nodes, passed: event.passed, isDone: event.isDone },
      };
    }
  }
}

/** The rows of what is unfolded now. The cursor goes to `target` as soon as that is among them, else it stays with its entry. */
export function withRows(tree: Tree): Tree {
  const rows = rowsOf(tree);
  const selected = tree.search === undefined ? tree.rows[tree.list.cursor]?.path : undefined;
  const wanted = tree.target ?? selected;
  const found = wanted === undefined ? -1 : rows.findIndex(({ path }) => path === wanted);
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
