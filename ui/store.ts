/**
 * The state of the interface outside of React: keys that come in one burst each see what the one before has done,
 * and all of it can be tested without a terminal.
 */
import { findAction } from './actions.ts';
import { UNICODE_GLYPHS } from './glyphs.ts';
import { detailsLines } from './models/details.ts';
import { itemsOf } from './models/items.ts';
import { layoutOf } from './models/layout.ts';
import { clamp, settleList } from './models/list.ts';
import { type Effect, type Event, isInDetails, type State, type Step, selectedItem } from './state.ts';
import { makeTheme } from './theme.ts';

/** What an event makes of a state. Pure. */
export function step(state: State, event: Event): Step {
  const next = react(state, event);
  return { ...next, state: settle(next.state) };
}

function react(state: State, event: Event): Step {
  switch (event.type) {
    case 'key':
      return findAction(state, event.key)?.run(state) ?? only(state);
    case 'resize':
      return only({ ...state, size: event.size });
    case 'tick':
      return only({ ...state, nowMs: event.nowMs });
    case 'start':
      return { state: { ...state, isReading: true }, effects: ['read-sysroot'] };
    case 'sysroot-read': {
      const { sysroot, outlook } = event;
      return only({ ...withItems(state, itemsOf(sysroot)), sysroot, outlook, failure: undefined });
    }
    case 'image-read':
      return only({ ...state, images: new Map(state.images).set(event.id, event.image) });
    case 'reading-failed':
      return only({
        ...withItems(state, []),
        sysroot: undefined,
        images: new Map(),
        isReading: false,
        failure: event.failure,
      });
    case 'reading-done':
      return only({ ...withImagesOfList(state), isReading: false, nowMs: event.nowMs });
  }
}

const only = (state: State): Step => ({ state, effects: [] });

/** New rows; the cursor stays with what it was on. */
function withItems(state: State, items: State['items']): State {
  const selected = selectedItem(state)?.key;
  const found = items.findIndex(({ key }) => key === selected);
  const cursor = found === -1 ? state.list.cursor : found;
  return { ...state, items, list: { ...state.list, cursor } };
}

/** Forgets images of deployments that are gone. */
function withImagesOfList(state: State): State {
  const ids = new Set(state.sysroot?.deployments.map(({ id }) => id));
  return { ...state, images: new Map([...state.images].filter(([id]) => ids.has(id))) };
}

/** Colours change no widths, so any theme will do to count lines. */
const COUNTING = makeTheme(false, UNICODE_GLYPHS);

/** Puts cursor and offsets within what there is and what fits. */
function settle(state: State): State {
  const { items, size } = state;
  const { list, details } = layoutOf(size, items.length, isInDetails(state));
  // Counted only when there is something to limit: this runs for every key.
  const detailsOffset =
    state.detailsOffset === 0
      ? 0
      : clamp(state.detailsOffset, 0, detailsLines(state, details.columns, COUNTING).length - details.rows);
  return {
    ...state,
    list: settleList(state.list, items.length, list.rows),
    detailsOffset: Math.max(0, detailsOffset),
  };
}

export class Store {
  #state: State;
  readonly #listeners = new Set<() => void>();
  readonly #run: (effect: Effect) => void;

  /** `run` starts an effect and returns at once; what comes of it is dispatched as events. */
  constructor(state: State, run: (effect: Effect) => void) {
    this.#state = state;
    this.#run = run;
  }

  readonly state = (): State => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly dispatch = (event: Event): void => {
    const { state, effects } = step(this.#state, event);
    this.#state = state;
    for (const listener of this.#listeners) listener();
    for (const effect of effects) this.#run(effect);
  };
}
