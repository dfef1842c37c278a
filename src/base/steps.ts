/**
 * Work in steps, for who has other things to do in between: a generator that stops now and then, without a value, and
 * returns what came of it.
 */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All of them at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * All of them, with something else in between. In a young process that is time won: what the steps run often is compiled
 * beside, and they go on with what is ready.
 */
export function finishWith<T>(steps: Steps<T>, between: () => void): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    between();
  }
}
