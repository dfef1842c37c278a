/** Long work in pieces, so that keys are handled in between. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Steps } from '../src/base/steps.ts';

/** So long keys may wait for a piece of work. */
const TURN_MS = 12;

/** A cursor that rests so long is looked at more closely. */
const REST_MS = 150;

/** For what costs more than a key may wait for, and is wanted only where the cursor stays. */
export const rest = (): Promise<void> => sleep(REST_MS);

export class Turns {
  #ends = performance.now() + TURN_MS;

  /** Whether it is time to let others work. Looking at the clock costs a little: not for every item of a fast loop. */
  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  /** Does work in steps, and lets others work in between. */
  async finish<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if (this.isOver) await this.next();
    }
  }

  /** Lets others work. */
  async next(): Promise<void> {
    await nextTurn();
    this.#ends = performance.now() + TURN_MS;
  }
}
