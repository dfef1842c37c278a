/**
 * The state of the interface outside of React: keys that come in one burst each see what the one before has done,
 * and all of it can be tested without a terminal.
 */
import { only, press } from './action.ts';
import { findAction } from './actions.ts';
import { soughtOn, typeFind } from './find.ts';
import { UNICODE_GLYPHS } from './glyphs.ts';
import { answered } from './models/answer.ts';
import { clamp, settleList } from './models/list.ts';
import { typePalette } from './palette.ts';
import { onCommits } from './screens/commits/state.ts';
import { itemsOf } from './screens/deployments/items.ts';
import { onDiff } from './screens/diff/state.ts';
import { onHistoryChange } from './screens/history/state.ts';
import { onImages } from './screens/images/state.ts';
import { typeRef } from './screens/imports/actions.ts';
import { onImports } from './screens/imports/state.ts';
import { onJobs } from './screens/jobs/state.ts';
import { onObjects } from './screens/objects/state.ts';
import { onProposal, typeProposal } from './screens/proposal/state.ts';
import { typeSearch } from './screens/tree/actions.ts';
import { onTree } from './screens/tree/state.ts';
import {
  type Effect,
  type Event,
  lastingModes,
  modeOf,
  type Request,
  type State,
  type Step,
  selectedItem,
} from './state.ts';
import { makeTheme } from './theme.ts';
import { layoutOfState, viewModelOf } from './views.ts';

/** What an event makes of a state, and what is to be read for it. Pure. */
export function step(state: State, event: Event): Step {
  const next = react(state, event);
  const settled = settle(soughtOn(next.state));
  // Before the start nothing was asked for.
  const asked = event.type === 'start' ? [] : requestsOf(state);
  return { state: settled, effects: [...next.effects, ...newRequests(asked, settled)] };
}

function react(state: State, event: Event): Step {
  switch (event.type) {
    case 'key':
      return pressed({ ...state, notice: undefined }, event.key);
    case 'resize':
      return only({ ...state, size: event.size });
    case 'tick':
      return only({ ...state, nowMs: event.nowMs });
    case 'start':
      if (state.repositoryPath !== undefined) return only(state);
      return { state: { ...state, isReading: true }, effects: ['read-sysroot'] };
    case 'sysroot-read': {
      const { sysroot, outlook } = event;
      return only(withItems({ ...state, sysroot, outlook, failure: undefined }));
    }
    case 'image-read':
      return only({ ...state, images: new Map(state.images).set(event.id, event.image) });
    case 'reading-failed':
      return only({
        ...withItems({ ...state, sysroot: undefined, orphans: [] }),
        images: new Map(),
        isReading: false,
        failure: event.failure,
      });
    case 'reading-done':
      return only({ ...withImagesOfList(state), isReading: false, nowMs: event.nowMs });
    case 'commits-read':
    case 'commits-failed':
    case 'commit-read':
      return only(onCommits(state, event));
    case 'boot-told':
    case 'boot-read':
    case 'boot-failed':
      return only(withItems({ ...state, boot: answered(state.boot, event) }));
    case 'history-told':
    case 'history-read':
    case 'history-failed': {
      const history = answered(state.history, event);
      // What was read of entries was of the history before.
      return only({
        ...state,
        history: event.type === 'history-read' ? { ...history, changes: new Map() } : history,
      });
    }
    case 'history-change-read':
      return only({ ...state, history: onHistoryChange(state.history, event) });
    case 'sharing-told':
    case 'sharing-read':
    case 'sharing-failed':
      return only({ ...state, sharing: answered(state.sharing, event) });
    case 'imports-read':
    case 'imports-failed':
      return only({ ...state, imports: onImports(state.imports, event) });
    case 'job-told':
    case 'job-ended':
      return onJobs(state, event);
    case 'plan-told':
    case 'plan-read':
      return only(onProposal(state, event));
    case 'orphans-read':
      return only(withItems({ ...state, orphans: event.images }));
    case 'images-read':
    case 'images-failed':
    case 'image-surveyed':
      return only(onImages(state, event));
    case 'objects-listed':
    case 'objects-checked':
    case 'objects-failed':
    case 'uses-read':
      return only(onObjects(state, event));
    case 'diff-progress':
    case 'diff-read':
    case 'diff-failed':
    case 'diff-folder-read':
    case 'change-read':
      return only(onDiff(state, event));
    case 'folder-read':
    case 'folder-failed':
    case 'entries-read':
    case 'object-read':
    case 'found':
      return only(onTree(state, event));
    case 'notice':
      return only({ ...state, notice: event.text });
  }
}

function pressed(state: State, key: string): Step {
  const action = findAction(state, key);
  // Whoever does something else has changed their mind.
  const stays = state.jobs.leaving === 'asked' && action?.id !== 'quit';
  const before = stays ? { ...state, jobs: { ...state.jobs, leaving: undefined } } : state;
  if (action !== undefined) return press(action, before);
  if (modeOf(state) === 'proposal') return only(typeProposal(before, key));
  if (modeOf(state) === 'palette') {
    const letter = key === 'space' ? ' ' : key;
    return only([...letter].length === 1 ? typePalette(before, (text) => text + letter) : before);
  }
  const character = key === 'space' ? ' ' : key;
  if ([...character].length !== 1) return only(state);
  if (modeOf(state) === 'ref') return typeRef(state, (ref) => ref + character);
  if (modeOf(state) === 'search') return typeSearch(state, (text) => text + character);
  return modeOf(state) === 'find' ? typeFind(state, (text) => text + character) : only(state);
}

/** What the state shows and was not read yet. What lies below jobs or help goes on being read. */
function requestsOf(state: State): readonly Request[] {
  const below = { ...state, modes: lastingModes(state.modes) };
  return viewModelOf(below).requests?.(below) ?? [];
}

/** What the state shows and lacks and was not `asked` for before: the rest is on its way. */
function newRequests(asked: readonly Request[], state: State): Request[] {
  const wanted = requestsOf(state);
  if (wanted.length === 0) return [];
  const known = new Set(asked.map((request) => JSON.stringify(request)));
  return wanted.filter((request) => !known.has(JSON.stringify(request)));
}

/** The rows of what is known now; the cursor stays with what it was on. */
function withItems(state: State): State {
  const items = itemsOf(state);
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

/** Puts cursor and offsets of the list that is shown within what there is and what fits. */
function settle(state: State): State {
  const view = viewModelOf(state);
  const count = view.count(state);
  const scroll = view.scroll(state);
  const { list, details } = layoutOfState(state);
  // The list first: the details are those of the row the cursor is on.
  const position = settleList(scroll.list, count, list.rows);
  const settled = view.scrolled(state, { list: position, detailsOffset: scroll.detailsOffset });
  // Counted only when there is something to limit: this runs for every key.
  if (scroll.detailsOffset === 0) return settled;
  const lines = view.details(settled, details.columns, COUNTING).length;
  const detailsOffset = Math.max(0, clamp(scroll.detailsOffset, 0, lines - details.rows));
  return view.scrolled(settled, { list: position, detailsOffset });
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
