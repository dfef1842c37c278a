/** What keys do: how an action is declared, and the moves most of them are made of. */

import type { Subject } from './models/subject.ts';
import { whyNoChange } from './screens/jobs/state.ts';
import {
  type Effect,
  isInDetails,
  type Mode,
  modeOf,
  type State,
  type Step,
  VIEWS,
  type View,
  viewOf,
} from './state.ts';
import { layoutOfState, viewModelOf } from './views.ts';

export interface Action {
  readonly id: string;
  /** Names as in keys.ts, the one to show first. */
  readonly keys: readonly string[];
  readonly title: string;
  /** Where it works: the modes that take its keys. */
  readonly modes: readonly Mode[];
  /** Of the details, those of these lists; of all without. */
  readonly detailsOf?: readonly View[];
  /** Whether there is something to do; the key does nothing otherwise, and the footer leaves it out. */
  when?(state: State): boolean;
  /** Why it cannot be done just now, where a person would expect it: the key says so instead. */
  disabled?(state: State): string | undefined;
  /** Whether it changes the disk: only in write mode, after a look at the plan and another key, and one at a time. */
  readonly changes?: boolean;
  /** Words of the command that does the same. */
  command?(state: State): readonly string[] | undefined;
  run(state: State): Step;
  /** Shown in the footer, larger numbers first to stay when it is narrow; not shown without. */
  readonly footer?: number;
  /** Whether it is worth its place there just now. */
  footerWhen?(state: State): boolean;
}

/** Every list and its details. */
export const LISTS: readonly Mode[] = [...VIEWS, 'details'];
export const ALL: readonly Mode[] = [...LISTS, 'search', 'find', 'ref', 'palette', 'commands'];
/** Those that one goes on from: a plan is accepted or left, and help is closed. */
export const BROWSED: readonly Mode[] = LISTS.filter((mode) => mode !== 'proposal' && mode !== 'help');

export const only = (state: State): Step => ({ state, effects: [] });

export const effect =
  (wanted: Effect) =>
  (state: State): Step => ({ state, effects: [wanted] });

/** Whether this is what a key of it means now; it may still say why it cannot be done. */
export function isMeant(action: Action, state: State): boolean {
  const { modes, detailsOf, when } = action;
  const mode = modeOf(state);
  const isOfView = mode !== 'details' || (detailsOf?.includes(viewOf(state)) ?? true);
  return modes.includes(mode) && isOfView && (when?.(state) ?? true);
}

/** Why it cannot be done just now; undefined where it can. */
export function whyNot(action: Action, state: State): string | undefined {
  return (action.changes === true ? whyNoChange(state) : undefined) ?? action.disabled?.(state);
}

/** Does it, or says why not. */
export function press(action: Action, state: State): Step {
  const reason = whyNot(action, state);
  return reason === undefined ? action.run(state) : only({ ...state, notice: reason });
}

/** Whether a key of it would do something now. */
export function isAvailable(action: Action, state: State): boolean {
  return isMeant(action, state) && whyNot(action, state) === undefined;
}

export const hasRows = (state: State): boolean => viewModelOf(state).count(state) > 0;

/** What is selected, as something that has files and can be compared. */
export const selectedSubject = (state: State): Subject | undefined => viewModelOf(state).subject?.(state);

export const open = (state: State, mode: Mode): Step => only({ ...state, modes: [...state.modes, mode] });

export function close(state: State): Step {
  const [screen, ...opened] = state.modes;
  return only({ ...state, modes: [screen, ...opened.slice(0, -1)] });
}

/** Moves the cursor, or the text of the details while those have the keys. The store puts it within its limits. */
export function move(state: State, lines: number): Step {
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
    find: moved.find && { ...moved.find, passed: undefined },
    ...(moved.tree === undefined ? {} : { tree: { ...moved.tree, target: undefined } }),
  });
}

/** A page, one line of the last still visible. */
export function pageOf(state: State): number {
  const { list, details } = layoutOfState(state);
  return Math.max(1, (isInDetails(state) ? details : list).rows - 1);
}
