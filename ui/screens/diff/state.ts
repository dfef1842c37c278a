/** What differs between two commits or images: what is known and unfolded of it, and what is still to be read. Pure. */
import type { ByteString } from '../../../src/base/bytes.ts';
import type { EntryFacts } from '../../models/entry.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { type Subject, subjectKey } from '../../models/subject.ts';
import type { State } from '../../state.ts';
import type { FileNode } from '../../trees/file-tree.ts';
import type { Change, Comparison, Status } from './changes.ts';
import { type ChangeRow, foldersOf, rowsOf } from './rows.ts';

/** How the content of a file differs, as far as that can be told. */
export type ContentDiff =
  | { readonly kind: 'text'; readonly lines: readonly string[] }
  /** Only the bytes differ; or they are too many, or too different, for lines. */
  | { readonly kind: 'binary' | 'large' | 'slow' | 'same' | 'none' }
  | { readonly kind: 'failed'; readonly message: string };

/** One change in full. */
export interface ChangeFacts {
  readonly key: string;
  readonly before: EntryFacts | undefined;
  readonly after: EntryFacts | undefined;
  readonly content: ContentDiff;
}

export interface Diff extends Scroll {
  readonly before: Subject;
  readonly after: Subject;
  /** Undefined while it is looked for. */
  readonly comparison: Comparison | undefined;
  /** Entries compared so far. */
  readonly compared: number;
  readonly failure: string | undefined;
  /** Which kinds are shown. */
  readonly shown: Readonly<Record<Status, boolean>>;
  readonly open: ReadonlySet<ByteString>;
  /** By path: all that is in a folder, read where what is the same is shown too. */
  readonly folders: ReadonlyMap<ByteString, readonly FileNode[]>;
  readonly rows: readonly ChangeRow[];
  /** Of one change: the one last selected. */
  readonly facts: ChangeFacts | undefined;
}

/** `of` tells which diff it is about: see {@link diffKey}. */
export type DiffEvent = { readonly of: string } & (
  | { readonly type: 'diff-progress'; readonly compared: number }
  | { readonly type: 'diff-read'; readonly comparison: Comparison }
  | { readonly type: 'diff-failed'; readonly message: string }
  | { readonly type: 'diff-folder-read'; readonly path: ByteString; readonly nodes: readonly FileNode[] }
  | { readonly type: 'change-read'; readonly facts: ChangeFacts }
);

export type DiffRequest = {
  readonly reader: 'diff';
  readonly before: Subject;
  readonly after: Subject;
} & (
  | { readonly type: 'compare' }
  | { readonly type: 'list-folder'; readonly path: ByteString }
  | { readonly type: 'read-change'; readonly path: ByteString; readonly status: Status }
);

/** So many changes are shown unfolded at once. */
const UNFOLDED = 200;

export const diffKey = ({ before, after }: Pick<Diff, 'before' | 'after'>): string =>
  `${subjectKey(before)} ${subjectKey(after)}`;

export function openDiff(before: Subject, after: Subject): Diff {
  return {
    ...TOP,
    before,
    after,
    comparison: undefined,
    compared: 0,
    failure: undefined,
    shown: { added: true, removed: true, modified: true, same: false },
    open: new Set(),
    folders: new Map(),
    rows: [],
    facts: undefined,
  };
}

/** Forgets what was found, not what is shown of it. */
export const diffAnew = ({ before, after, shown, list }: Diff): Diff => ({
  ...openDiff(before, after),
  shown,
  list,
});

export const selectedChange = ({ rows, list }: Diff): ChangeRow | undefined => rows[list.cursor];

/** Tells changes apart: what was a folder and is a file now has one path twice. */
export const changeKey = ({ path, status }: Pick<Change, 'path' | 'status'>): string => `${status} ${path}`;

export function diffRequests({ diff }: State): DiffRequest[] {
  if (diff === undefined || diff.failure !== undefined) return [];
  const { before, after, comparison, shown, open, folders, facts } = diff;
  const about = { reader: 'diff', before, after } as const;
  if (comparison === undefined) return [{ ...about, type: 'compare' }];
  const requests: DiffRequest[] = [];
  if (shown.same)
    for (const path of open) if (!folders.has(path)) requests.push({ ...about, type: 'list-folder', path });
  const row = selectedChange(diff);
  if (row !== undefined && facts?.key !== changeKey(row.change))
    requests.push({ ...about, type: 'read-change', path: row.change.path, status: row.change.status });
  return requests;
}

export function onDiff(state: State, event: DiffEvent): State {
  const { diff } = state;
  if (diff === undefined || diffKey(diff) !== event.of) return state;
  return { ...state, diff: diffAfter(diff, event) };
}

function diffAfter(diff: Diff, event: DiffEvent): Diff {
  switch (event.type) {
    case 'diff-progress':
      return { ...diff, compared: event.compared };
    case 'diff-read': {
      const { root } = event.comparison;
      const { added, removed, modified } = root.totals;
      const isShort = added + removed + modified <= UNFOLDED;
      const open = new Set([root.path, ...(isShort ? foldersOf(root) : [])]);
      return withChanges({ ...diff, comparison: event.comparison, open });
    }
    case 'diff-failed':
      return { ...diff, failure: event.message };
    case 'diff-folder-read':
      return withChanges({ ...diff, folders: new Map(diff.folders).set(event.path, event.nodes) });
    case 'change-read':
      return { ...diff, facts: event.facts };
  }
}

/** The rows of what is unfolded and shown now; the cursor stays with its change. */
export function withChanges(diff: Diff): Diff {
  const selected = selectedChange(diff);
  const rows = rowsOf(diff);
  const found =
    selected === undefined
      ? -1
      : rows.findIndex(({ change }) => changeKey(change) === changeKey(selected.change));
  return { ...diff, rows, list: { ...diff.list, cursor: found === -1 ? diff.list.cursor : found } };
}

export function withUnfolded(diff: Diff, path: ByteString, isOpen: boolean): Diff {
  const open = new Set(diff.open);
  if (isOpen) open.add(path);
  else open.delete(path);
  return withChanges({ ...diff, open });
}

export const withShown = (diff: Diff, status: Status): Diff =>
  withChanges({ ...diff, shown: { ...diff.shown, [status]: !diff.shown[status] } });
