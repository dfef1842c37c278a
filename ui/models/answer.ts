/** What a command that runs beside the interface has answered, or is about to. */
import type { StageFacts } from '../program.ts';
import type { Failure } from './failure.ts';

export interface Answer<T> {
  /** Counts the questions, so that a late answer to a former one is told apart. */
  readonly reading: number;
  /** The last answer; shown until the next one has come. */
  readonly value: T | undefined;
  /** Whether it is to be asked for again. */
  readonly isStale: boolean;
  /** What is being looked at just now. */
  readonly stage: StageFacts | undefined;
  readonly failure: Failure | undefined;
}

export type AnswerEvent<N extends string, T> =
  | { readonly type: `${N}-told`; readonly reading: number; readonly stage: StageFacts | undefined }
  | { readonly type: `${N}-read`; readonly reading: number; readonly value: T }
  | { readonly type: `${N}-failed`; readonly reading: number; readonly failure: Failure };

/** What an event makes of it. */
export function answered<N extends string, T, A extends Answer<T>>(before: A, event: AnswerEvent<N, T>): A {
  if (event.reading !== before.reading) return before;
  if ('value' in event)
    return { ...before, value: event.value, isStale: false, stage: undefined, failure: undefined };
  if ('failure' in event) return { ...before, value: undefined, stage: undefined, failure: event.failure };
  return { ...before, stage: event.stage };
}

/** Asks once more. */
export function askedAgain<A extends Answer<unknown>>(before: A): A {
  return { ...before, reading: before.reading + 1, isStale: true, stage: undefined, failure: undefined };
}
