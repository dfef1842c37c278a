/** Asks what is shared: `sealtree sharing`. */
import { programFailure } from '../../models/failure.ts';
import { documentOf } from '../../program.ts';
import type { Reader, Source } from '../../readers.ts';
import { reportOf, type SharingDocument } from './report.ts';
import type { SharingRequest } from './state.ts';

export class SharingReader implements Reader<SharingRequest> {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  async answer({ reading }: SharingRequest): Promise<void> {
    const { dispatch, run } = this.#source;
    const running = run(['sharing'], (told) => {
      if (told.kind === 'stage') dispatch({ type: 'sharing-told', reading, stage: told.stage });
    });
    const outcome = await running.ended;
    const document = documentOf<SharingDocument>(outcome, 'sharing');
    if (document !== undefined) return dispatch({ type: 'sharing-read', reading, value: reportOf(document) });
    dispatch({ type: 'sharing-failed', reading, failure: programFailure(outcome, this.#source) });
  }
}
