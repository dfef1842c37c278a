/** What a reader of a screen is, and what it works with; see `readers.ts` for all of them. */
import type { System } from '../src/base/system.ts';
import type { Repository } from '../src/repository/repository.ts';
import type { Subject } from './models/subject.ts';
import type { RunProgram } from './program.ts';
import type { Event, Request, State } from './state.ts';
import type { FileTree } from './trees/file-tree.ts';

/** What readers work with. */
export interface Source extends Pick<State, 'sysrootPath' | 'repositoryPath'> {
  readonly system: System;
  readonly dispatch: (event: Event) => void;
  /** Runs the program itself, for what takes long or needs more than reading. */
  readonly run: RunProgram;
  /** Opened once, with what was cached of it. @throws SealtreeError */
  readonly repository: () => Repository;
  /** Opened once, as long as few others are asked for. @throws SealtreeError */
  readonly files: (subject: Subject) => FileTree;
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
