/** Long work in pieces, so that keys are handled in between. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** So long keys may wait for a piece of work. */
const TURN_MS = 12;

export class Turns {
  #ends = performance.now() + TURN_MS;

  /** Whether it is time to let others work. Looking at the clock costs a little: not for every item of a fast loop. */
  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  /** Lets others work. */
  async next(): Promise<void> {
    await nextTurn();
    this.#ends = performance.now() + TURN_MS;
  }
}
