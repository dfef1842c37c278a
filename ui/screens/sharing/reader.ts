/** Asks what is shared: `sealtree sharing`. */
import { programFailure } from '../../models/failure.ts';
import { documentOf, type Running } from '../../program.ts';
import type { Reader, Source } from '../../reader.ts';
import type { SharingReport } from './report.ts';
import { type SharingRequest, sharingWords } from './state.ts';

export class SharingReader implements Reader<SharingRequest> {
  readonly #source: Source;
  #running: Running | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  async answer(request: SharingRequest): Promise<void> {
    const { dispatch, run } = this.#source;
    const { reading } = request;
    // By content it may take long, and who asks anew does not wait for it.
    this.#running?.abandon();
    const running = run(sharingWords(request), (told) => {
      if (told.kind === 'stage') dispatch({ type: 'sharing-told', reading, stage: told.stage });
    });
    this.#running = running;
    const outcome = await running.ended;
    const value = documentOf<SharingReport>(outcome, 'sharing');
    if (value !== undefined) return dispatch({ type: 'sharing-read', reading, value });
    dispatch({ type: 'sharing-failed', reading, failure: programFailure(outcome, this.#source) });
  }
}
