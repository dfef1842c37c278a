/** All the interface knows, as plain data: what was read, where the cursor is, what lies open on top. */
import type { ByteString } from '../src/base/bytes.ts';
import type { SealOutlook } from '../src/deployment/outlook.ts';
import type { ImageReport } from '../src/deployment/status.ts';
import type { Sysroot } from '../src/deployment/sysroot.ts';
import type { Failure } from './models/failure.ts';
import type { Size } from './models/layout.ts';
import { type Scroll, TOP } from './models/list.ts';
import type { Subject } from './models/subject.ts';
import { type Commits, type CommitsEvent, type CommitsRequest, NO_COMMITS } from './screens/commits/state.ts';
import { type Item, itemsOf } from './screens/deployments/items.ts';
import type { Tree, TreeEvent, TreeRequest } from './screens/tree/state.ts';

/** The screens that have a number, in the order of these. */
export const SCREENS = ['deployments', 'commits'] as const;
export type Screen = (typeof SCREENS)[number];

/** Lists with details beside or below them; those after the screens are opened from one. */
export const VIEWS = [...SCREENS, 'tree'] as const;
export type View = (typeof VIEWS)[number];

/** What takes the keys: the topmost of a stack. */
export type Mode = View | 'details' | 'search' | 'help';

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
    items: itemsOf(undefined),
    commits: NO_COMMITS,
    notice: undefined,
  };
}

/** A screen with nothing opened from it. */
export function deskOf(screen: Screen): Desk {
  return { modes: [screen], tree: undefined };
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
  | TreeEvent
  | { readonly type: 'notice'; readonly text: string };

/** Something to read, because the state shows it and does not have it; the answer is an event. */
export type Request = CommitsRequest | TreeRequest;

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
  | Request;

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
