/** The screen of all commits: what is known of them, what a reading adds, and what is still to be read. Pure. */
import type { Checksum } from '../../../src/base/digest.ts';
import type { Failure } from '../../models/failure.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { Sequence } from '../../models/sequence.ts';
import type { State } from '../../state.ts';
import type { CommitFacts } from './facts.ts';
import type { HistoryRow } from './walk.ts';

/** Read as far as it is looked at. */
export interface Commits extends Scroll {
  /** Counts readings, so that what a former one still finds is told apart. */
  readonly reading: number;
  readonly rows: Sequence<HistoryRow>;
  /** Of the rows, those that are commits. */
  readonly commitCount: number;
  readonly refCount: number;
  /** Whether `rows` is all there is. */
  readonly isComplete: boolean;
  /** Whether the cursor follows the end of the list while it is read. */
  readonly seeksEnd: boolean;
  /** Of one commit: the one last selected. */
  readonly facts: CommitFacts | undefined;
  readonly failure: Failure | undefined;
}

export const NO_COMMITS: Commits = {
  ...TOP,
  reading: 0,
  rows: Sequence.empty,
  commitCount: 0,
  refCount: 0,
  isComplete: false,
  seeksEnd: false,
  facts: undefined,
  failure: undefined,
};

export type CommitsEvent =
  | {
      readonly type: 'commits-read';
      readonly reading: number;
      readonly rows: readonly HistoryRow[];
      readonly refCount: number;
      readonly isComplete: boolean;
    }
  | { readonly type: 'commits-failed'; readonly reading: number; readonly failure: Failure }
  | { readonly type: 'commit-read'; readonly facts: CommitFacts };

export type CommitsRequest =
  | {
      readonly reader: 'commits';
      readonly type: 'read-commits';
      readonly reading: number;
      readonly count: number;
    }
  | { readonly reader: 'commits'; readonly type: 'read-commit'; readonly checksum: Checksum };

/** Commits are read in steps of so many, so that the cursor seldom waits. */
const COMMITS_AT_ONCE = 1000;
/** So many rows below the cursor should be there. */
const COMMITS_AHEAD = 200;

export function selectedRow({ commits }: State): HistoryRow | undefined {
  return commits.rows.at(commits.list.cursor);
}

/** Refs that ostree makes for deployments: their images are those of the deployments. */
const OF_DEPLOYMENTS = /^ostree\/[01]\/[01]\/\d+$/;

/** Refs that name the selected commit and can have an image. */
export function sealableRefs(state: State): string[] {
  const row = selectedRow(state);
  return row?.kind === 'commit' ? row.refs.filter((ref) => !OF_DEPLOYMENTS.test(ref)) : [];
}

/** Of these, those that have one, be it of an older commit. */
export function sealedRefsOf(state: State): string[] {
  const { facts } = state.commits;
  const row = selectedRow(state);
  if (row?.kind !== 'commit' || facts?.checksum !== row.checksum) return [];
  return sealableRefs(state).filter((ref) => facts.sealedRefs.some((sealed) => sealed.ref === ref));
}

export function commitRequests(state: State): CommitsRequest[] {
  const { rows, list, isComplete, failure, seeksEnd, reading, facts } = state.commits;
  const requests: CommitsRequest[] = [];
  const wanted = Math.max(list.cursor, state.find?.passed ?? 0);
  const needed = seeksEnd ? Number.POSITIVE_INFINITY : wanted + COMMITS_AHEAD;
  if (!isComplete && failure === undefined && rows.length < needed)
    requests.push({
      reader: 'commits',
      type: 'read-commits',
      reading,
      count: Math.ceil(needed / COMMITS_AT_ONCE) * COMMITS_AT_ONCE,
    });
  const row = selectedRow(state);
  if (row?.kind === 'commit' && facts?.checksum !== row.checksum)
    requests.push({ reader: 'commits', type: 'read-commit', checksum: row.checksum });
  return requests;
}

export function onCommits(state: State, event: CommitsEvent): State {
  const { commits } = state;
  switch (event.type) {
    case 'commits-read': {
      if (event.reading !== commits.reading) return state;
      const { refCount, isComplete } = event;
      const rows = commits.rows.append(event.rows);
      const list = commits.seeksEnd ? { ...commits.list, cursor: rows.length - 1 } : commits.list;
      const seeksEnd = commits.seeksEnd && !isComplete;
      const commitCount = commits.commitCount + event.rows.filter(({ kind }) => kind === 'commit').length;
      return {
        ...state,
        commits: { ...commits, rows, commitCount, refCount, isComplete, list, seeksEnd },
      };
    }
    case 'commits-failed':
      if (event.reading !== commits.reading) return state;
      return { ...state, commits: { ...NO_COMMITS, reading: commits.reading, failure: event.failure } };
    case 'commit-read':
      return { ...state, commits: { ...commits, facts: event.facts } };
  }
}

/** Forgets all commits: they are read anew as far as they are looked at. */
export function commitsAnew(state: State): State {
  const { list, detailsOffset, reading } = state.commits;
  return { ...state, commits: { ...NO_COMMITS, list, detailsOffset, reading: reading + 1 } };
}
