/** The history of what boots: its entries, and what the selected one changed. Pure. */
import type { Answer, AnswerEvent } from '../../models/answer.ts';
import type { Failure } from '../../models/failure.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { remembered } from '../../models/remembered.ts';
import type { State } from '../../state.ts';
import type { HistoryChangeReport, HistoryEntryReport, HistoryReport } from './report.ts';

export interface History extends Scroll, Answer<HistoryReport> {
  /** By number; a failure where it could not be read. */
  readonly changes: ReadonlyMap<number, HistoryChangeReport | Failure>;
}

export const NO_HISTORY: History = {
  ...TOP,
  reading: 0,
  value: undefined,
  isStale: true,
  stage: undefined,
  failure: undefined,
  changes: new Map(),
};

export type HistoryEvent =
  | AnswerEvent<'history', HistoryReport>
  | {
      readonly type: 'history-change-read';
      readonly reading: number;
      readonly number: number;
      readonly change: HistoryChangeReport | Failure;
    };

export type HistoryRequest = { readonly reader: 'history'; readonly reading: number } & (
  | { readonly type: 'read-history' }
  | { readonly type: 'read-history-change'; readonly number: number }
);

/** The newest first. */
export const historyRows = remembered(({ value }: History): readonly HistoryEntryReport[] =>
  value === undefined ? [] : value.entries.toReversed(),
);

export const selectedHistoryEntry = ({ history }: State): HistoryEntryReport | undefined =>
  historyRows(history)[history.list.cursor];

export function historyRequests(state: State): HistoryRequest[] {
  const { isStale, failure, reading, changes } = state.history;
  if (failure !== undefined) return [];
  const about = { reader: 'history', reading } as const;
  if (isStale) return [{ ...about, type: 'read-history' }];
  const number = selectedHistoryEntry(state)?.number;
  if (number === undefined || changes.has(number)) return [];
  return [{ ...about, type: 'read-history-change', number }];
}

export function onHistoryChange(
  history: History,
  { reading, number, change }: Extract<HistoryEvent, { type: 'history-change-read' }>,
): History {
  if (reading !== history.reading) return history;
  return { ...history, changes: new Map(history.changes).set(number, change) };
}
