/** Asks for the history of what boots: `sealtree boot history`. */
import { programFailure } from '../../models/failure.ts';
import { documentOf } from '../../program.ts';
import type { Reader, Source } from '../../reader.ts';
import type { HistoryChangeReport, HistoryReport } from './report.ts';
import type { HistoryRequest } from './state.ts';

export class HistoryReader implements Reader<HistoryRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  async answer(request: HistoryRequest, isStale: () => boolean): Promise<void> {
    if (request.type === 'read-history') return await this.#list(request.reading);
    if (!isStale()) await this.#change(request.reading, request.number);
  }

  async #list(reading: number): Promise<void> {
    const { dispatch, run } = this.#source;
    const outcome = await run(['boot', 'history'], () => undefined).ended;
    const value = documentOf<HistoryReport>(outcome, 'boot-history');
    if (value !== undefined) return dispatch({ type: 'history-read', reading, value });
    dispatch({ type: 'history-failed', reading, failure: programFailure(outcome, this.#source) });
  }

  async #change(reading: number, number: number): Promise<void> {
    const { dispatch, run } = this.#source;
    const outcome = await run(['boot', 'history', String(number)], () => undefined).ended;
    const change =
      documentOf<HistoryChangeReport>(outcome, 'boot-history-entry') ?? programFailure(outcome, this.#source);
    dispatch({ type: 'history-change-read', reading, number, change });
  }
}
