/** Reads commits: the history as far as it is looked at, and all there is to say about one. */
import { SealtreeError } from '../../../src/base/errors.ts';
import type { Repository } from '../../../src/repository/repository.ts';
import { repositoryFailure } from '../../models/failure.ts';
import type { Reader, Source } from '../../readers.ts';
import { Turns } from '../../turns.ts';
import { readCommitFacts } from './facts.ts';
import type { CommitsRequest } from './state.ts';
import { type HistoryRow, walkForest } from './walk.ts';

export class CommitsReader implements Reader<CommitsRequest> {
  readonly #source: Source;
  #history: History | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  forget(): void {
    this.#history = undefined;
  }

  answer(request: CommitsRequest, isStale: () => boolean): Promise<void> | void {
    if (request.type === 'read-commits') return this.#readCommits(request, isStale);
    if (!isStale()) this.#readCommit(request);
  }

  async #readCommits(
    { reading, count }: Extract<CommitsRequest, { type: 'read-commits' }>,
    isStale: () => boolean,
  ): Promise<void> {
    const { dispatch } = this.#source;
    try {
      if (this.#history?.reading !== reading) this.#history = new History(this.#source.repository(), reading);
      const history = this.#history;
      for (let turns = new Turns(); !isStale() && history.count < count; await turns.next()) {
        const rows = history.take(count - history.count, turns);
        const { refCount, isComplete } = history;
        dispatch({ type: 'commits-read', reading, rows, refCount, isComplete });
        if (isComplete) return;
      }
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      this.#history = undefined;
      dispatch({ type: 'commits-failed', reading, failure: repositoryFailure(error, this.#source) });
    }
  }

  #readCommit({ checksum }: Extract<CommitsRequest, { type: 'read-commit' }>): void {
    const { dispatch } = this.#source;
    try {
      dispatch({ type: 'commit-read', facts: readCommitFacts(this.#source.repository(), checksum) });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
  }
}

/** The walk over all commits, as far as it got. */
class History {
  readonly reading: number;
  readonly refCount: number;
  count = 0;
  isComplete = false;
  readonly #walking: Generator<HistoryRow, void>;

  constructor(repository: Repository, reading: number) {
    const refs = repository.listRefs();
    this.reading = reading;
    this.refCount = refs.length;
    this.#walking = walkForest(repository, refs);
  }

  /** The next rows: at most so many, and no more than fit into a turn. */
  take(count: number, turns: Turns): HistoryRow[] {
    const rows: HistoryRow[] = [];
    while (rows.length < count && !turns.isOver) {
      const next = this.#walking.next();
      if (next.done) {
        this.isComplete = true;
        break;
      }
      rows.push(next.value);
    }
    this.count += rows.length;
    return rows;
  }
}
