/** Asks what boots: `sealtree boot status`. */
import { programFailure } from '../../models/failure.ts';
import { documentOf } from '../../program.ts';
import type { Reader, Source } from '../../reader.ts';
import type { BootReport } from './report.ts';
import type { BootRequest } from './state.ts';

export class BootReader implements Reader<BootRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  async answer({ reading }: BootRequest): Promise<void> {
    const { dispatch, run } = this.#source;
    const running = run(['boot', 'status'], (told) => {
      if (told.kind === 'stage') dispatch({ type: 'boot-told', reading, stage: told.stage });
    });
    const outcome = await running.ended;
    const value = documentOf<BootReport>(outcome, 'boot-status');
    if (value !== undefined) return dispatch({ type: 'boot-read', reading, value });
    dispatch({ type: 'boot-failed', reading, failure: programFailure(outcome, this.#source) });
  }
}
