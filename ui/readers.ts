/**
 * Reads what screens ask for, in turns with the keys. Loaded with the first screen that needs it; what is found goes
 * out as events.
 */
import type { System } from '../src/base/system.ts';
import { Repository } from '../src/repository/repository.ts';
import { repositoryOf } from './models/command-line.ts';
import { CommitsReader } from './screens/commits/reader.ts';
import { TreeReader } from './screens/tree/reader.ts';
import type { Event, Request, State } from './state.ts';
import { Turns } from './turns.ts';

/** What readers work with. */
export interface Source extends Pick<State, 'sysrootPath' | 'repositoryPath'> {
  readonly system: System;
  readonly dispatch: (event: Event) => void;
  /** Opened once, with what was cached of it. @throws SealtreeError */
  repository(): Repository;
}

/** Answers the requests that name it. */
export interface Reader<R extends Request> {
  /**
   * `isStale` says whether nobody waits for this any more: the interface has ended, or something newer of the same type
   * was asked for. Failures that are for the person become events.
   */
  answer(request: R, isStale: () => boolean): Promise<void> | void;
  /** What is read from now on is read from disk. */
  forget?(): void;
}

export interface ReadersOptions
  extends Pick<Source, 'sysrootPath' | 'repositoryPath' | 'system' | 'dispatch'> {}

type Name = Request['reader'];

export class Readers {
  readonly tree: TreeReader;
  readonly #readers: { readonly [N in Name]: Reader<Extract<Request, { reader: N }>> };
  readonly #latest = new Map<Request['type'], Request>();
  #repository: Repository | undefined;
  #isStopped = false;

  constructor(options: ReadersOptions) {
    const source: Source = {
      ...options,
      repository: () => {
        this.#repository ??= Repository.open(repositoryOf(options), options.system);
        return this.#repository;
      },
    };
    this.tree = new TreeReader(source);
    this.#readers = { commits: new CommitsReader(source), tree: this.tree };
  }

  /** Ends what is under way. */
  stop(): void {
    this.#isStopped = true;
  }

  forget(): void {
    this.#repository = undefined;
    for (const reader of Object.values(this.#readers)) reader.forget?.();
  }

  async answer(request: Request): Promise<void> {
    this.#latest.set(request.type, request);
    await new Turns().next();
    // The table pairs each name with the reader of its requests, which the compiler cannot follow through a union.
    const reader = this.#readers[request.reader] as Reader<Request>;
    await reader.answer(request, () => this.#isStopped || this.#latest.get(request.type) !== request);
  }
}
