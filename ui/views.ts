/** The lists the interface can show, each behind the same few questions: the frame, the store and the keys ask these. */

import { commitDetails, commitTitle } from './models/commit-details.ts';
import { commitLines } from './models/commit-list.ts';
import { listLines } from './models/deployment-list.ts';
import { detailsLines, detailsTitle } from './models/details.ts';
import {
  emptyCommitsLines,
  emptyTreeLines,
  type Failure,
  failureLines,
  noSysrootLines,
} from './models/failure.ts';
import { imageVerdict } from './models/image.ts';
import { displayText } from './models/text.ts';
import { entryDetails, entryTitle } from './models/tree-details.ts';
import { treeLines } from './models/tree-list.ts';
import { type Scroll, type State, TOP, type Tree, treeRows, type View, viewOf } from './state.ts';
import type { Theme } from './theme.ts';

export interface ViewModel {
  readonly title: string;
  count(state: State): number;
  scroll(state: State): Scroll;
  scrolled(state: State, scroll: Scroll): State;
  /** The heading and the visible rows. */
  list(state: State, width: number, height: number, theme: Theme, hasKeys: boolean): string[];
  detailsTitle(state: State): string;
  details(state: State, width: number, theme: Theme): string[];
  /** What is shown instead of both where there are no rows: why, and what to press. */
  instead(state: State, width: number, theme: Theme): string[];
  /** For the header, the most important part first. */
  summary(state: State): string[];
}

const deployments: ViewModel = {
  title: 'Deployments',
  count: ({ items }) => items.length,
  scroll: ({ list, detailsOffset }) => ({ list, detailsOffset }),
  scrolled: (state, { list, detailsOffset }) => ({ ...state, list, detailsOffset }),
  list: (state, width, height, theme, hasKeys) => listLines(state, width, height, theme, hasKeys),
  detailsTitle,
  details: detailsLines,
  instead: ({ failure, repositoryPath }, width, theme) =>
    repositoryPath === undefined ? orReading(failure, width, theme) : noSysrootLines(width, theme),
  summary({ isReading, sysroot, images }) {
    if (sysroot === undefined) return isReading ? ['reading'] : [];
    const { deployments: all, problems } = sysroot;
    const sealed = all.filter(({ id }) => imageVerdict(images.get(id)).tone === 'good').length;
    return [
      counted(all.length, 'deployment'),
      ...(all.length === 0 ? [] : [`${sealed} sealed`]),
      ...(problems.length === 0 ? [] : [counted(problems.length, 'problem')]),
      ...(isReading ? ['reading'] : []),
    ];
  },
};

const commits: ViewModel = {
  title: 'Commits',
  count: (state) => state.commits.rows.length,
  scroll: (state) => state.commits,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    commits: { ...state.commits, list, detailsOffset },
  }),
  list: commitLines,
  detailsTitle: commitTitle,
  details: commitDetails,
  instead(state, width, theme) {
    const { failure, isComplete } = state.commits;
    return isComplete ? emptyCommitsLines(state, width, theme) : orReading(failure, width, theme);
  },
  summary(state) {
    const { commitCount, refCount, isComplete, seeksEnd, failure, rows } = state.commits;
    if (failure !== undefined) return [];
    if (rows.length === 0 && !isComplete) return ['reading'];
    const read = counted(commitCount, 'commit');
    const more = seeksEnd ? ['reading on'] : ['more below'];
    return [read, ...(isComplete ? [] : more), counted(refCount, 'ref')];
  },
};

const tree: ViewModel = {
  title: 'Tree',
  count: (state) => (state.tree === undefined ? 0 : treeRows(state.tree).length),
  scroll: (state) => state.tree ?? TOP,
  scrolled: (state, { list, detailsOffset }) =>
    state.tree === undefined ? state : { ...state, tree: { ...state.tree, list, detailsOffset } },
  list: (state, width, height, theme, hasKeys) =>
    state.tree === undefined ? [] : treeLines(state.tree, width, height, theme, hasKeys),
  detailsTitle: entryTitle,
  details: entryDetails,
  instead: (state, width, theme) =>
    state.tree === undefined ? [] : emptyTreeLines(state.tree, width, theme),
  summary: (state) => (state.tree === undefined ? [] : treeSummary(state.tree)),
};

function treeSummary({ search, title, commit }: Tree): string[] {
  if (search === undefined || search.text === '') return [`commit ${commit.slice(0, 8)}`, displayText(title)];
  const found = `${search.rows.length} found`;
  return [search.isDone ? found : `${found}, ${search.passed} looked at`];
}

/** By name, in the order of their numbers. */
export const VIEW_MODELS: Readonly<Record<View, ViewModel>> = { deployments, commits, tree };

/** The list that is shown. */
export function viewModelOf(state: State): ViewModel {
  return VIEW_MODELS[viewOf(state)];
}

function orReading(failure: Failure | undefined, width: number, theme: Theme): string[] {
  return [
    '',
    ...(failure === undefined ? [` reading ${theme.glyphs.busy}`] : failureLines(failure, width, theme)),
  ];
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
