/** What keys do where two commits or images are compared, and how one gets there. */
import { type Action, close, hasRows, only, open, selectedSubject } from '../../action.ts';
import { isSameSubject, type Subject } from '../../models/subject.ts';
import { SCREENS, type State, type Step } from '../../state.ts';
import { viewModelOf } from '../../views.ts';
import { folderOf } from '../tree/rows.ts';
import type { Status } from './changes.ts';
import { changeKey, type Diff, openDiff, selectedChange, withShown, withUnfolded } from './state.ts';

/** Marks what is selected, to be compared with whatever is selected then; once more takes that back. */
function mark(state: State): Step {
  const selected = selectedSubject(state);
  if (selected === undefined) return only(state);
  return only({ ...state, marked: isSameSubject(selected, state.marked) ? undefined : selected });
}

/** What is compared with the selected one: what was marked, else what came before it. */
function sidesOf(state: State): { before: Subject; after: Subject } | undefined {
  const after = selectedSubject(state);
  const before = state.marked ?? viewModelOf(state).former?.(state);
  if (after === undefined || before === undefined || isSameSubject(before, after)) return undefined;
  return { before, after };
}

function compare(state: State): Step {
  const sides = sidesOf(state);
  if (sides === undefined) return only(state);
  return only({
    ...state,
    modes: [...state.modes, 'diff'],
    diff: openDiff(sides.before, sides.after),
  });
}

const inDiff = (state: State, change: (diff: Diff) => Diff): Step =>
  only(state.diff === undefined ? state : { ...state, diff: change(state.diff) });

function openChange(state: State): Step {
  const { diff } = state;
  const change = diff && selectedChange(diff)?.change;
  if (diff === undefined || change === undefined) return only(state);
  if (change.kind === 'file') return open(state, 'details');
  return inDiff(state, (it) => withUnfolded(it, change.path, !it.open.has(change.path)));
}

const unfold = (state: State): Step =>
  inDiff(state, (diff) => {
    const change = selectedChange(diff)?.change;
    return change?.kind === 'directory' ? withUnfolded(diff, change.path, true) : diff;
  });

/** Folds the folder, or goes to the one around. */
const fold = (state: State): Step =>
  inDiff(state, (diff) => {
    const change = selectedChange(diff)?.change;
    if (change === undefined) return diff;
    if (change.kind === 'directory' && diff.open.has(change.path))
      return withUnfolded(diff, change.path, false);
    const around = diff.rows.findIndex((row) => row.change.path === folderOf(change.path));
    return around === -1 ? diff : { ...diff, list: { ...diff.list, cursor: around }, detailsOffset: 0 };
  });

/** The lines that differ, without the limits of the screen. */
const linesOf = (state: State): readonly string[] => {
  const change = state.diff && selectedChange(state.diff)?.change;
  const facts = state.diff?.facts;
  if (change === undefined || facts?.key !== changeKey(change)) return [];
  return facts.content.kind === 'text' ? facts.content.lines : [];
};

const toggles: readonly (readonly [key: string, status: Status, title: string])[] = [
  ['a', 'added', 'added'],
  ['r', 'removed', 'removed'],
  ['m', 'modified', 'modified'],
  ['u', 'same', 'unmodified'],
];

const isOpen = ({ diff }: State): boolean => diff?.comparison !== undefined;

export const DIFF_ACTIONS: readonly Action[] = [
  {
    id: 'mark',
    keys: ['space'],
    title: 'mark',
    modes: SCREENS,
    when: (s) => selectedSubject(s) !== undefined,
    run: mark,
    footer: 2,
  },
  {
    id: 'diff',
    keys: ['d'],
    title: 'diff',
    modes: [...SCREENS, 'details'],
    when: (s) => sidesOf(s) !== undefined,
    run: compare,
    footer: 3,
  },
  {
    id: 'open-change',
    keys: ['enter'],
    title: 'open',
    modes: ['diff'],
    when: hasRows,
    run: openChange,
    footer: 5,
  },
  {
    id: 'unfold-change',
    keys: ['l', 'right'],
    title: 'unfold',
    modes: ['diff'],
    when: hasRows,
    run: unfold,
  },
  { id: 'fold-change', keys: ['h', 'left'], title: 'fold', modes: ['diff'], when: hasRows, run: fold },
  {
    id: 'page-change',
    keys: ['o'],
    title: 'pager',
    modes: ['diff', 'details'],
    detailsOf: ['diff'],
    when: (s) => linesOf(s).length > 0,
    run: (s) => ({ state: s, effects: [{ type: 'show', text: `${linesOf(s).join('\n')}\n` }] }),
    footer: 2,
  },
  ...toggles.map(
    ([key, status, title]): Action => ({
      id: `show-${status}`,
      keys: [key],
      title,
      modes: ['diff'],
      when: isOpen,
      run: (s) => inDiff(s, (diff) => withShown(diff, status)),
      footer: 3,
    }),
  ),
  {
    id: 'close-diff',
    keys: ['esc', 'q'],
    title: 'back',
    modes: ['diff'],
    run: (s) => only({ ...close(s).state, diff: undefined }),
    footer: 4,
  },
];
