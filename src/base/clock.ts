/** The clock that durations are measured with. */

/** Milliseconds, monotonic: what `performance.now()` tells, without the module behind it, which takes a millisecond to load. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
