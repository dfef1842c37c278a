/** All the interface knows, as plain data: what was read, where the cursor is, what lies open on top. */
import type { SealOutlook } from '../src/deployment/outlook.ts';
import type { ImageReport } from '../src/deployment/status.ts';
import type { Sysroot } from '../src/deployment/sysroot.ts';
import type { Failure } from './models/failure.ts';
import { type Item, itemsOf } from './models/items.ts';
import type { Size } from './models/layout.ts';
import type { ListPosition } from './models/list.ts';

/** What takes the keys: the topmost of a stack. */
export type Mode = 'deployments' | 'details' | 'help';

export interface State {
  readonly sysrootPath: string;
  readonly size: Size;
  /** Ages are told against it; milliseconds since 1970. */
  readonly nowMs: number;
  /** The screen first, then what was opened over it. */
  readonly modes: readonly [Mode, ...Mode[]];
  readonly isReading: boolean;
  /** The sysroot as last read; undefined before that and after a failure. */
  readonly sysroot: Sysroot | undefined;
  readonly outlook: SealOutlook | undefined;
  /** By deployment id; missing while it is being read. */
  readonly images: ReadonlyMap<string, ImageReport>;
  readonly failure: Failure | undefined;
  /** The rows of the list. */
  readonly items: readonly Item[];
  readonly list: ListPosition;
  /** The first visible line of the details. */
  readonly detailsOffset: number;
}

export function initialState(sysrootPath: string, size: Size, nowMs: number): State {
  return {
    sysrootPath,
    size,
    nowMs,
    modes: ['deployments'],
    isReading: false,
    sysroot: undefined,
    outlook: undefined,
    images: new Map(),
    failure: undefined,
    items: itemsOf(undefined),
    list: { cursor: 0, offset: 0 },
    detailsOffset: 0,
  };
}

/** What takes the keys now. */
export function modeOf({ modes }: State): Mode {
  return modes.at(-1) as Mode;
}

/** Whether the details have the keys, also under the help. */
export function isInDetails({ modes }: State): boolean {
  return modes.includes('details');
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
  | { readonly type: 'reading-done'; readonly nowMs: number };

/** What is to be done besides: the only way in which a step reaches out. */
export type Effect = 'read-sysroot' | 'redraw' | 'suspend' | 'quit';

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
