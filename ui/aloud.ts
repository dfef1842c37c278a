/**
 * The interface for screen readers: what has changed, as plain lines that follow each other, instead of a screen that is
 * drawn again and again. No boxes, bars or columns: the selected row as a sentence, progress in words.
 */
import { ACTIONS } from './actions.ts';
import { READER_GLYPHS } from './glyphs.ts';
import { overlayLines } from './models/overlay.ts';
import { shareDone } from './models/stage.ts';
import { displayText, stripped } from './models/text.ts';
import { paletteRows } from './palette.ts';
import { activeJobs } from './screens/jobs/state.ts';
import { isReady, isTyped } from './screens/proposal/state.ts';
import { isInDetails, isView, modeOf, type State } from './state.ts';
import type { Store } from './store.ts';
import { makeTheme } from './theme.ts';
import { VIEW_MODELS, viewModelOf } from './views.ts';

const THEME = makeTheme(false, READER_GLYPHS);
/** Lines are not laid out: whoever reads them breaks them. */
const WIDTH = 500;
/** Nobody listens to more of a file; the pager has all of it. */
const MOST_LINES = 200;

/** What there is to say, part by part. */
export interface Spoken {
  /** What is looked at. */
  readonly place: string;
  /** How it is. */
  readonly summary: string;
  /** The row with the cursor; what stands in for a list without rows. */
  readonly row: readonly string[];
  /** While the details have the keys. */
  readonly details: readonly string[];
  /** What is typed or asked for. */
  readonly prompt: string;
  readonly notice: string;
  /** Running jobs, by tenths. */
  readonly work: string;
}

export function spoken(state: State): Spoken {
  const view = viewModelOf(state);
  const count = view.count(state);
  const { cursor } = view.scroll(state).list;
  const rowOf = (): string => `${cursor + 1} of ${count}: ${view.said?.(state, cursor) ?? ''}`;
  return {
    place: placeOf(state),
    summary: [...view.summary(state), state.isWriting ? 'write mode' : 'read-only'].join(', '),
    row: count > 0 ? [rowOf()] : plainLines(view.instead(state, WIDTH, THEME)),
    details: isInDetails(state) ? plainLines(view.details(state, WIDTH, THEME)).slice(0, MOST_LINES) : [],
    prompt: promptOf(state),
    notice: state.notice === undefined ? '' : displayText(state.notice),
    work: activeJobs(state).map(workOf).join('; '),
  };
}

/** What is to be said after `before`. */
export function announced(before: Spoken | undefined, now: Spoken): string[] {
  const isNew = before?.place !== now.place;
  const lines: string[] = [];
  if (isNew) lines.push(`${now.place}. ${now.summary}. Question mark lists the keys.`);
  else if (wordsOf(before.summary) !== wordsOf(now.summary)) lines.push(now.summary);
  if (now.details.length > 0) {
    if (isNew || before.details.join('\n') !== now.details.join('\n')) lines.push(...now.details);
  } else if (isNew || before.row.join('\n') !== now.row.join('\n')) lines.push(...now.row);
  for (const part of ['prompt', 'notice', 'work'] as const)
    if (now[part] !== '' && before?.[part] !== now[part]) lines.push(now[part]);
  return lines;
}

/** Numbers that count up say nothing new. */
const wordsOf = (text: string): string => text.replace(/\d[\d,.]*/g, '');

function placeOf(state: State): string {
  const places = state.modes
    .filter(isView)
    .map((view) => VIEW_MODELS[view].place?.(state) ?? VIEW_MODELS[view].title);
  return [
    ...places,
    ...(isInDetails(state) ? [`details of ${viewModelOf(state).detailsTitle(state)}`] : []),
  ].join(', ');
}

function promptOf(state: State): string {
  const { proposal, palette, find, tree, imports } = state;
  switch (modeOf(state)) {
    case 'find':
      return `search: ${find?.text ?? ''}`;
    case 'search':
      return `search in files: ${tree?.search?.text ?? ''}`;
    case 'ref':
      return `ref that will name it: ${imports.asked?.ref ?? ''}`;
    case 'palette': {
      const rows = paletteRows(ACTIONS, state);
      const title = rows[palette.cursor]?.title ?? 'nothing is called so';
      return `all actions: ${palette.text}; ${rows.length} found, selected: ${title}`;
    }
    case 'commands':
      return plainLines(overlayLines(state, MOST_LINES, THEME)).join('; ');
    case 'proposal': {
      if (proposal === undefined || !isReady(state)) return '';
      return isTyped(proposal)
        ? `type ${[...proposal.accept].join(' ')} and Enter to do it, Escape leaves it; typed: ${[...proposal.typed].join(' ')}`
        : `${proposal.accept} does it, Escape leaves it`;
    }
    default:
      return '';
  }
}

function workOf({ title, state, stage }: ReturnType<typeof activeJobs>[number]): string {
  const share = stage === undefined ? undefined : shareDone(stage);
  const done = share === undefined ? [] : [`${Math.floor(share * 10) * 10} percent`];
  return [displayText(title), state, ...(stage === undefined ? [] : [stage.name]), ...done].join(', ');
}

/** Lines made for the eye, without what only the eye needs. */
function plainLines(lines: readonly string[]): string[] {
  return lines
    .map((line) => stripped(line).replace(/\s+/g, ' ').trim())
    .filter((line) => /[\p{L}\p{N}]/u.test(line));
}

/** Changes come in bursts: what is said is said of the last of them. */
const SETTLED_MS = 100;

/** What was said last, at once. */
export interface Said {
  /** Counted from 1; 0 before anything was said. */
  readonly number: number;
  readonly lines: readonly string[];
}

/** What is said, for whoever shows it. */
export class Aloud {
  readonly #store: Store;
  readonly #listeners = new Set<() => void>();
  #last: Spoken | undefined;
  #said: Said = { number: 0, lines: [] };
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Store) {
    this.#store = store;
    store.subscribe(() => {
      this.#timer ??= setTimeout(this.#say, SETTLED_MS);
    });
  }

  readonly said = (): Said => this.#said;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Says no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  readonly #say = (): void => {
    this.#timer = undefined;
    const now = spoken(this.#store.state());
    const said = announced(this.#last, now);
    this.#last = now;
    if (said.length === 0) return;
    this.#said = { number: this.#said.number + 1, lines: said };
    for (const listener of this.#listeners) listener();
  };
}
