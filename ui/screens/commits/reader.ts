/** Reads commits: the history as far as it is looked at, and all there is to say about one. */
import { SealtreeError } from '../../../src/base/errors.ts';
import type { Repository } from '../../../src/repository/repository.ts';
import { repositoryFailure } from '../../models/failure.ts';
import type { Reader, Source } from '../../reader.ts';
import { Turns } from '../../turns.ts';
import { readCommitFacts } from './facts.ts';
import type { CommitsRequest } from './state.ts';
import { type HistoryRow, walkForest } from './walk.ts';

/** So often it is told what was read. */
const TELL_MS = 100;

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
      const turns = new Turns();
      let toldMs = Number.NEGATIVE_INFINITY;
      while (!isStale()) {
        history.read(count - history.count, turns);
        const { refCount, isComplete } = history;
        const isDone = isComplete || history.count >= count;
        // To be drawn costs more than to be read.
        if (isDone || performance.now() >= toldMs + TELL_MS) {
          dispatch({ type: 'commits-read', reading, rows: history.take(), refCount, isComplete });
          toldMs = performance.now();
        }
        if (isDone) return;
        await turns.next();
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
  /** Read and not told yet: whoever asks next is told. */
  #untold: HistoryRow[] = [];
  readonly #walking: Generator<HistoryRow, void>;

  constructor(repository: Repository, reading: number) {
    const refs = repository.listRefs();
    this.reading = reading;
    this.refCount = refs.length;
    this.#walking = walkForest(repository, refs);
  }

  /** Reads on: at most so many rows, and no more than fit into a turn. */
  read(count: number, turns: Turns): void {
    for (let i = 0; i < count && !turns.isOver; i++) {
      const next = this.#walking.next();
      if (next.done) {
        this.isComplete = true;
        break;
      }
      this.#untold.push(next.value);
      this.count++;
    }
  }

  /** The rows that were not taken yet. */
  take(): HistoryRow[] {
    const rows = this.#untold;
    this.#untold = [];
    return rows;
  }
}
