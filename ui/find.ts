/**
 * Search in a list: the cursor goes to the next row that says what was typed. Of a list that is read as far as it is looked
 * at, more is read until a row fits.
 */
import { type Action, BROWSED, close, only, open } from './action.ts';
import type { Find, State, Step, View } from './state.ts';
import { isInDetails, viewOf } from './state.ts';
import { viewModelOf } from './views.ts';

/** Whether rows can be searched here: the files of a tree have a search of their own. */
const canFind = (state: State): boolean => {
  const view = viewModelOf(state);
  return view.said !== undefined && viewOf(state) !== 'tree' && view.count(state) > 0;
};

/** Whether a row says all words of the text, in any order; capitals count only where there are some. */
function fits(text: string): (said: string) => boolean {
  const hasCapitals = /\p{Lu}/u.test(text);
  const words = text.split(' ').filter((word) => word !== '');
  return (said) => {
    const searched = hasCapitals ? said : said.toLowerCase();
    return words.every((word) => searched.includes(word));
  };
}

/** The first of these rows that fits; undefined where none does. */
function firstOf(state: State, text: string, rows: Iterable<number>): number | undefined {
  const view = viewModelOf(state);
  const isFound = fits(text);
  for (const row of rows) if (isFound(view.said?.(state, row) ?? '')) return row;
  return undefined;
}

/** `from`, and on in steps of one until before `to`. */
function* rowsFrom(from: number, to: number): Generator<number> {
  const by = from < to ? 1 : -1;
  for (let row = from; row !== to; row += by) yield row;
}

/** Puts the cursor on a row; the details begin at their top. */
function onRow(state: State, row: number): State {
  const view = viewModelOf(state);
  const { list } = view.scroll(state);
  return view.scrolled(state, { list: { ...list, cursor: row }, detailsOffset: 0 });
}

const withFind = (state: State, find: Find | undefined): State => ({ ...state, find });

/** Looks from `start` to the end, then in what is above; where there is more to come, that is waited for first. */
function seekDown(state: State, find: Find, start: number): State {
  const view = viewModelOf(state);
  const count = view.count(state);
  const below = firstOf(state, find.text, rowsFrom(Math.min(start, count), count));
  if (below !== undefined) return onRow(withFind(state, { ...find, passed: undefined }), below);
  if (view.isOpenEnded?.(state) === true) return withFind(state, { ...find, passed: count });
  return wrapped(withFind(state, { ...find, passed: undefined }), rowsFrom(0, Math.min(start, count)), 'top');
}

function wrapped(state: State, rows: Iterable<number>, where: 'top' | 'end'): State {
  const { text = '', from = 0 } = state.find ?? {};
  const found = firstOf(state, text, rows);
  if (found === undefined) return { ...onRow(state, from), notice: `no row says ${text}` };
  return { ...onRow(state, found), notice: `from the ${where} on again` };
}

/** Goes on where the search waited for more rows. */
export function soughtOn(state: State): State {
  const { find } = state;
  if (find?.passed === undefined) return state;
  if (find.view !== viewOf(state)) return withFind(state, { ...find, passed: undefined });
  const view = viewModelOf(state);
  const isOver = view.isOpenEnded?.(state) !== true;
  return view.count(state) > find.passed || isOver ? seekDown(state, find, find.passed) : state;
}

function next(state: State): Step {
  const { find } = state;
  if (find === undefined) return only(state);
  const from = viewModelOf(state).scroll(state).list.cursor;
  return only(seekDown(state, { ...find, from, view: viewOf(state) }, from + 1));
}

function previous(state: State): Step {
  const { find } = state;
  if (find === undefined) return only(state);
  const view = viewModelOf(state);
  const from = view.scroll(state).list.cursor;
  const kept = withFind(state, { ...find, from, view: viewOf(state), passed: undefined });
  const found = firstOf(kept, find.text, rowsFrom(from - 1, -1));
  return only(
    found === undefined ? wrapped(kept, rowsFrom(view.count(state) - 1, from), 'end') : onRow(kept, found),
  );
}

function begin(state: State): Step {
  const from = viewModelOf(state).scroll(state).list.cursor;
  return open(withFind(state, { text: '', view: viewOf(state), from, passed: undefined }), 'find');
}

/** Changes what is looked for, from where the cursor was before. */
export function typeFind(state: State, change: (text: string) => string): Step {
  const { find } = state;
  if (find === undefined) return only(state);
  const changed = { ...find, text: change(find.text), passed: undefined };
  return only(
    changed.text === '' ? onRow(withFind(state, changed), find.from) : seekDown(state, changed, find.from),
  );
}

/** Enter on an empty line is as good as Escape. */
const keep = (state: State): Step => (state.find?.text === '' ? leave(state) : close(state));

/** Back to where the cursor was. */
function leave(state: State): Step {
  const { find } = state;
  const closed = close(state).state;
  return only(find === undefined ? closed : withFind(onRow(closed, find.from), undefined));
}

const hasFound = (state: State): boolean =>
  state.find !== undefined && state.find.text !== '' && canFind(state) && !isInDetails(state);

const PLACES = BROWSED.filter((mode): mode is View => mode !== 'tree' && mode !== 'details');

export const FIND_ACTIONS: readonly Action[] = [
  {
    id: 'find',
    keys: ['/'],
    title: 'search',
    modes: [...PLACES, 'help'],
    when: canFind,
    run: begin,
    footer: 1,
  },
  { id: 'find-next', keys: ['n'], title: 'next', modes: [...PLACES, 'help'], when: hasFound, run: next },
  {
    id: 'find-previous',
    keys: ['N'],
    title: 'previous',
    modes: [...PLACES, 'help'],
    when: hasFound,
    run: previous,
  },
  { id: 'find-keep', keys: ['enter'], title: 'keep', modes: ['find'], run: keep, footer: 5 },
  { id: 'find-leave', keys: ['esc'], title: 'leave', modes: ['find'], run: leave, footer: 5 },
  {
    id: 'find-rub',
    keys: ['backspace', 'delete'],
    title: 'rub out',
    modes: ['find'],
    run: (s) => typeFind(s, (text) => [...text].slice(0, -1).join('')),
  },
  { id: 'find-clear', keys: ['ctrl-u'], title: 'clear', modes: ['find'], run: (s) => typeFind(s, () => '') },
];
