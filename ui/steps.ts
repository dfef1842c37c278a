/** What readings of commits and trees make of the state, and what the state still wants to be read. Pure. */
import type { ByteString } from '../src/base/bytes.ts';
import { foldersAbove, ROOT, rowsOf } from './models/tree-rows.ts';
import {
  type CommitsEvent,
  NO_COMMITS,
  type Request,
  type Search,
  type State,
  TOP,
  type Tree,
  type TreeEvent,
  treeRows,
  viewOf,
} from './state.ts';

/** Commits are read in steps of so many, so that the cursor seldom waits. */
const COMMITS_AT_ONCE = 1000;
/** So many rows below the cursor should be there. */
const COMMITS_AHEAD = 200;

/** A tree keeps what is known of so many entries; then it starts anew with what is on the screen. */
const KEPT_ENTRIES = 5000;

/** Rows of the largest screens: what is asked for besides the visible ones does no harm. */
const WINDOW_ROWS = 100;

/** What is shown, or soon will be, and is not there. */
export function requestsOf(state: State): Request[] {
  switch (viewOf(state)) {
    case 'deployments':
      return [];
    case 'commits':
      return commitRequests(state);
    case 'tree':
      return state.tree === undefined ? [] : treeRequests(state.tree);
  }
}

function commitRequests({ commits }: State): Request[] {
  const { rows, list, isComplete, failure, seeksEnd, reading, facts } = commits;
  const requests: Request[] = [];
  const needed = seeksEnd ? Number.POSITIVE_INFINITY : list.cursor + COMMITS_AHEAD;
  if (!isComplete && failure === undefined && rows.length < needed)
    requests.push({
      type: 'read-commits',
      reading,
      count: Math.ceil(needed / COMMITS_AT_ONCE) * COMMITS_AT_ONCE,
    });
  const row = rows.at(list.cursor);
  if (row?.kind === 'commit' && facts?.checksum !== row.checksum)
    requests.push({ type: 'read-commit', checksum: row.checksum });
  return requests;
}

function treeRequests(tree: Tree): Request[] {
  const { commit, open, folders, broken, list, search, entries } = tree;
  const requests: Request[] = [];
  for (const path of open)
    if (!folders.has(path) && !broken.has(path)) requests.push({ type: 'read-folder', commit, path });
  if (search !== undefined && search.text !== '' && !search.isDone)
    requests.push({ type: 'search', commit, text: search.text });
  const nodes = treeRows(tree)
    .slice(list.offset, list.offset + WINDOW_ROWS)
    .map(({ node }) => node)
    .filter(({ path }) => !entries.has(path));
  if (nodes.length > 0) requests.push({ type: 'read-entries', commit, nodes });
  return requests;
}

/** What tells requests apart: one that was made already is not made again. */
export function requestKey(request: Request): string {
  switch (request.type) {
    case 'read-commits':
      return `commits ${request.reading} ${request.count}`;
    case 'read-commit':
      return `commit ${request.checksum}`;
    case 'read-folder':
      return `folder ${request.commit} ${request.path}`;
    case 'read-entries':
      return `entries ${request.commit} ${request.nodes.map(({ path }) => path).join('\0')}`;
    case 'search':
      return `search ${request.commit} ${request.text}`;
  }
}

export function onCommits(state: State, event: CommitsEvent): State {
  const { commits } = state;
  switch (event.type) {
    case 'commits-read': {
      if (event.reading !== commits.reading) return state;
      const { refCount, isComplete } = event;
      const rows = commits.rows.append(event.rows);
      const list = commits.seeksEnd ? { ...commits.list, cursor: rows.length - 1 } : commits.list;
      const seeksEnd = commits.seeksEnd && !isComplete;
      const commitCount = commits.commitCount + event.rows.filter(({ kind }) => kind === 'commit').length;
      return {
        ...state,
        commits: { ...commits, rows, commitCount, refCount, isComplete, list, seeksEnd },
      };
    }
    case 'commits-failed':
      if (event.reading !== commits.reading) return state;
      return { ...state, commits: { ...NO_COMMITS, reading: commits.reading, failure: event.failure } };
    case 'commit-read':
      return { ...state, commits: { ...commits, facts: event.facts } };
  }
}

/** Forgets all commits: they are read anew as far as they are looked at. */
export function commitsAnew(state: State): State {
  const { list, detailsOffset, reading } = state.commits;
  return { ...state, commits: { ...NO_COMMITS, list, detailsOffset, reading: reading + 1 } };
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
