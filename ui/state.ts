/** All the interface knows, as plain data: what was read, where the cursor is, what lies open on top. */
import type { ByteString } from '../src/base/bytes.ts';
import type { SealOutlook } from '../src/deployment/outlook.ts';
import type { ImageReport } from '../src/deployment/status.ts';
import type { Sysroot } from '../src/deployment/sysroot.ts';
import type { StoredImage } from '../src/image/gc.ts';
import type { Failure } from './models/failure.ts';
import type { Size } from './models/layout.ts';
import { type Scroll, TOP } from './models/list.ts';
import type { Subject } from './models/subject.ts';
import { type Boot, type BootEvent, type BootRequest, NO_BOOT } from './screens/boot/state.ts';
import { type Commits, type CommitsEvent, type CommitsRequest, NO_COMMITS } from './screens/commits/state.ts';
import type { Item } from './screens/deployments/items.ts';
import type { Diff, DiffEvent, DiffRequest } from './screens/diff/state.ts';
import { type Help, NO_HELP } from './screens/help/state.ts';
import { type History, type HistoryEvent, type HistoryRequest, NO_HISTORY } from './screens/history/state.ts';
import { type Images, type ImagesEvent, type ImagesRequest, NO_IMAGES } from './screens/images/state.ts';
import { type Imports, type ImportsEvent, type ImportsRequest, NO_IMPORTS } from './screens/imports/state.ts';
import { type Jobs, type JobsEffect, type JobsEvent, NO_JOBS } from './screens/jobs/state.ts';
import type { Objects, ObjectsEvent, ObjectsRequest } from './screens/objects/state.ts';
import type { Proposal, ProposalEffect, ProposalEvent } from './screens/proposal/state.ts';
import { NO_SHARING, type Sharing, type SharingEvent, type SharingRequest } from './screens/sharing/state.ts';
import type { Tree, TreeEvent, TreeRequest } from './screens/tree/state.ts';

/** The screens that have a number, in the order of these, and the key that shows them. */
export const SCREEN_KEYS = { deployments: '1', commits: '2', boot: '3', images: '4', sharing: '5' } as const;
export type Screen = keyof typeof SCREEN_KEYS;
export const SCREENS = Object.keys(SCREEN_KEYS) as Screen[];

/** Lists with details beside or below them; those after the screens are opened from one. */
export type View =
  | Screen
  | 'tree'
  | 'diff'
  | 'objects'
  | 'history'
  | 'imports'
  | 'proposal'
  | 'jobs'
  | 'help';
export const VIEWS: readonly View[] = [
  ...SCREENS,
  'tree',
  'diff',
  'objects',
  'history',
  'imports',
  'proposal',
  'jobs',
  'help',
];

/** What takes the keys: the topmost of a stack. */
export type Mode = View | 'details' | 'search' | 'find' | 'ref' | 'palette' | 'commands';

/** What one goes away from and comes back to when another screen is opened. */
export interface Desk {
  readonly modes: readonly [Mode, ...Mode[]];
  readonly tree: Tree | undefined;
  readonly diff: Diff | undefined;
  readonly objects: Objects | undefined;
}

/** The list of all that keys do, searched by some letters. */
export interface Palette {
  readonly text: string;
  readonly cursor: number;
}

export const NO_PALETTE: Palette = { text: '', cursor: 0 };

/** Words that a row of a list has to say. */
export interface Find {
  readonly text: string;
  readonly view: View;
  /** Where the cursor was before. */
  readonly from: number;
  /** How many rows were looked at, while more are read to be looked at; undefined when the search is over. */
  readonly passed: number | undefined;
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
  /** Stored images that no deployment has. */
  readonly orphans: readonly StoredImage[];
  /** The rows of the deployments. */
  readonly items: readonly Item[];
  readonly commits: Commits;
  readonly boot: Boot;
  readonly history: History;
  readonly imageFiles: Images;
  readonly sharing: Sharing;
  readonly imports: Imports;
  readonly jobs: Jobs;
  /** A change that is looked at before it is made. */
  readonly proposal: Proposal | undefined;
  /** How many there were. */
  readonly planCount: number;
  /** Whether anything may be changed: not before the person asks for it. */
  readonly isWriting: boolean;
  /** What is looked for in the list of all that keys do. */
  readonly palette: Palette;
  /** What keys did where help was asked for. */
  readonly help: Help;
  /** What was last looked for in a list. */
  readonly find: Find | undefined;
  /** What the next one is compared with. */
  readonly marked: Subject | undefined;
  /** Words of the command that gets the terminal once the interface has ended. */
  readonly handsOver: readonly string[] | undefined;
  /** What became of the last key, where the screen does not show it; until the next one. */
  readonly notice: string | undefined;
}

/** With `repositoryPath` there is no sysroot to look at: what there is to see begins with the commits. */
export function initialState(sysrootPath: string, size: Size, nowMs: number, repositoryPath?: string): State {
  return {
    ...TOP,
    ...deskOf(repositoryPath === undefined ? 'deployments' : 'commits'),
    sysrootPath,
    repositoryPath,
    size,
    nowMs,
    left: {},
    isReading: false,
    sysroot: undefined,
    outlook: undefined,
    images: new Map(),
    failure: undefined,
    orphans: [],
    items: [],
    commits: NO_COMMITS,
    boot: NO_BOOT,
    history: NO_HISTORY,
    imageFiles: NO_IMAGES,
    sharing: NO_SHARING,
    imports: NO_IMPORTS,
    jobs: NO_JOBS,
    proposal: undefined,
    planCount: 0,
    isWriting: false,
    palette: NO_PALETTE,
    help: NO_HELP,
    find: undefined,
    marked: undefined,
    handsOver: undefined,
    notice: undefined,
  };
}

/** A screen with nothing opened from it. */
export function deskOf(screen: Screen): Desk {
  return { modes: [screen], tree: undefined, diff: undefined, objects: undefined };
}

/** What takes the keys now. */
export function modeOf({ modes }: Pick<Desk, 'modes'>): Mode {
  return modes.at(-1) as Mode;
}

/** The list that is shown, whatever lies open over it. */
export function viewOf({ modes }: Pick<Desk, 'modes'>): View {
  return modes.findLast((mode) => isView(mode)) as View;
}

export function isView(mode: Mode): mode is View {
  return (VIEWS as readonly Mode[]).includes(mode);
}

/** Which of the numbered screens this is. */
export function screenOf({ modes }: Pick<Desk, 'modes'>): Screen {
  return modes[0] as Screen;
}

/** Whether the details of the list that is shown have the keys, also under the help. */
export function isInDetails(desk: Pick<Desk, 'modes'>): boolean {
  return desk.modes.lastIndexOf('details') > desk.modes.lastIndexOf(viewOf(desk));
}

/** The state as it is below what lies over it: where an action would happen. */
export function behind(state: State): State {
  const [screen, ...opened] = state.modes;
  return { ...state, modes: [screen, ...opened.slice(0, -1)] };
}

/** What one comes back to: neither jobs nor help, which are open once at most and over anything. */
export function lastingModes([screen, ...opened]: State['modes']): State['modes'] {
  const at = opened.findIndex((mode) => mode === 'jobs' || mode === 'help');
  return [screen, ...(at === -1 ? opened : opened.slice(0, at))];
}

export function selectedItem({ items, list }: State): Item | undefined {
  return items[list.cursor];
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
  | BootEvent
  | HistoryEvent
  | SharingEvent
  | ImportsEvent
  | JobsEvent
  | ProposalEvent
  | { readonly type: 'orphans-read'; readonly images: readonly StoredImage[] }
  | TreeEvent
  | DiffEvent
  | ImagesEvent
  | ObjectsEvent
  | { readonly type: 'notice'; readonly text: string };

/** Something to read, because the state shows it and does not have it; the answer is an event. */
export type Request =
  | BootRequest
  | HistoryRequest
  | SharingRequest
  | ImportsRequest
  | CommitsRequest
  | TreeRequest
  | DiffRequest
  | ImagesRequest
  | ObjectsRequest;

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
      readonly subject: Subject;
      readonly path: ByteString;
      readonly form: 'text' | 'hex';
    }
  /** Shows text in the pager. */
  | { readonly type: 'show'; readonly text: string }
  | JobsEffect
  | ProposalEffect
  | Request;

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
