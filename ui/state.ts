/** All the interface knows, as plain data: what was read, where the cursor is, what lies open on top. */
import type { ByteString } from '../src/base/bytes.ts';
import type { Checksum } from '../src/base/digest.ts';
import type { SealOutlook } from '../src/deployment/outlook.ts';
import type { ImageReport } from '../src/deployment/status.ts';
import type { Sysroot } from '../src/deployment/sysroot.ts';
import type { TreeNode } from '../src/repository/tree.ts';
import type { CommitFacts } from './models/commit-facts.ts';
import type { HistoryRow } from './models/commit-walk.ts';
import type { EntryFacts } from './models/entry.ts';
import type { Failure } from './models/failure.ts';
import { type Item, itemsOf } from './models/items.ts';
import type { Size } from './models/layout.ts';
import type { ListPosition } from './models/list.ts';
import { Sequence } from './models/sequence.ts';
import type { TreeRow } from './models/tree-rows.ts';

/** The screens that have a number. */
export type Screen = 'deployments' | 'commits';

/** Lists with details beside or below them. */
export type View = Screen | 'tree';

/** What takes the keys: the topmost of a stack. */
export type Mode = View | 'details' | 'search' | 'help';

/** Where one is in a list and in the details of its selected row. */
export interface Scroll {
  readonly list: ListPosition;
  /** The first visible line of the details. */
  readonly detailsOffset: number;
}

export const TOP: Scroll = { list: { cursor: 0, offset: 0 }, detailsOffset: 0 };

/** The screen of all commits; read as far as it is looked at. */
export interface Commits extends Scroll {
  /** Counts readings, so that what a former one still finds is told apart. */
  readonly reading: number;
  readonly rows: Sequence<HistoryRow>;
  /** Of the rows, those that are commits. */
  readonly commitCount: number;
  readonly refCount: number;
  /** Whether `rows` is all there is. */
  readonly isComplete: boolean;
  /** Whether the cursor follows the end of the list while it is read. */
  readonly seeksEnd: boolean;
  /** Of one commit: the one last selected. */
  readonly facts: CommitFacts | undefined;
  readonly failure: Failure | undefined;
}

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

/** A commit's tree; read where it is opened. */
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

/** What one goes away from and comes back to when another screen is opened. */
export interface Desk {
  readonly modes: readonly [Mode, ...Mode[]];
  readonly tree: Tree | undefined;
}

export interface State extends Scroll, Desk {
  readonly sysrootPath: string;
  /** The repository; undefined where only the sysroot says which. */
  readonly repositoryPath: string | undefined;
  readonly size: Size;
  /** Ages are told against it; milliseconds since 1970. */
  readonly nowMs: number;
  /** The desks of the other screens. */
  readonly left: Readonly<Partial<Record<Screen, Desk>>>;
  readonly isReading: boolean;
  /** The sysroot as last read; undefined before that and after a failure. */
  readonly sysroot: Sysroot | undefined;
  readonly outlook: SealOutlook | undefined;
  /** By deployment id; missing while it is being read. */
  readonly images: ReadonlyMap<string, ImageReport>;
  readonly failure: Failure | undefined;
  /** The rows of the deployments. */
  readonly items: readonly Item[];
  readonly commits: Commits;
  /** What became of the last key, where the screen does not show it; until the next one. */
  readonly notice: string | undefined;
}

export const NO_COMMITS: Commits = {
  ...TOP,
  reading: 0,
  rows: Sequence.empty,
  commitCount: 0,
  refCount: 0,
  isComplete: false,
  seeksEnd: false,
  facts: undefined,
  failure: undefined,
};

/** With `repositoryPath` there is no sysroot to look at: what there is to see begins with the commits. */
export function initialState(sysrootPath: string, size: Size, nowMs: number, repositoryPath?: string): State {
  return {
    ...TOP,
    sysrootPath,
    repositoryPath,
    size,
    nowMs,
    modes: [repositoryPath === undefined ? 'deployments' : 'commits'],
    left: {},
    isReading: false,
    sysroot: undefined,
    outlook: undefined,
    images: new Map(),
    failure: undefined,
    items: itemsOf(undefined),
    commits: NO_COMMITS,
    tree: undefined,
    notice: undefined,
  };
}

/** What takes the keys now. */
export function modeOf({ modes }: Desk): Mode {
  return modes.at(-1) as Mode;
}

const VIEWS: readonly Mode[] = ['deployments', 'commits', 'tree'] satisfies View[];

/** The list that is shown, whatever lies open over it. */
export function viewOf({ modes }: Desk): View {
  return modes.findLast((mode) => VIEWS.includes(mode)) as View;
}

/** Which of the numbered screens this is. */
export function screenOf({ modes }: Desk): Screen {
  return modes[0] as Screen;
}

/** Whether the details of the list that is shown have the keys, also under the help. */
export function isInDetails(desk: Desk): boolean {
  return desk.modes.lastIndexOf('details') > desk.modes.lastIndexOf(viewOf(desk));
}

export function selectedItem({ items, list }: State): Item | undefined {
  return items[list.cursor];
}

/** The rows of a tree that are shown. */
export function treeRows({ search, rows }: Tree): readonly TreeRow[] {
  return search === undefined || search.text === '' ? rows : search.rows;
}

/** What happened. */
export type Event =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'resize'; readonly size: Size }
  | { readonly type: 'tick'; readonly nowMs: number }
  | { readonly type: 'start' }
  | { readonly type: 'sysroot-read'; readonly sysroot: Sysroot; readonly outlook: SealOutlook }
  | { readonly type: 'image-read'; readonly id: string; readonly image: ImageReport }
  | { readonly type: 'reading-failed'; readonly failure: Failure }
  | { readonly type: 'reading-done'; readonly nowMs: number }
  | CommitsEvent
  | TreeEvent
  | { readonly type: 'notice'; readonly text: string };

export type CommitsEvent =
  | {
      readonly type: 'commits-read';
      readonly reading: number;
      readonly rows: readonly HistoryRow[];
      readonly refCount: number;
      readonly isComplete: boolean;
    }
  | { readonly type: 'commits-failed'; readonly reading: number; readonly failure: Failure }
  | { readonly type: 'commit-read'; readonly facts: CommitFacts };

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

/** Something to read, because the state shows it and does not have it; the answer is an event. */
export type Request =
  | { readonly type: 'read-commits'; readonly reading: number; readonly count: number }
  | { readonly type: 'read-commit'; readonly checksum: Checksum }
  | { readonly type: 'read-folder'; readonly commit: Checksum; readonly path: ByteString }
  | { readonly type: 'read-entries'; readonly commit: Checksum; readonly nodes: readonly TreeNode[] }
  | { readonly type: 'search'; readonly commit: Checksum; readonly text: string };

/** What is to be done besides: the only way in which a step reaches out. */
export type Effect =
  | 'read-sysroot'
  /** What was cached of the repository is forgotten. */
  | 'reopen'
  | 'redraw'
  | 'suspend'
  | 'quit'
  | {
      readonly type: 'page';
      readonly commit: Checksum;
      readonly path: ByteString;
      readonly form: 'text' | 'hex';
    }
  | Request;

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
