/**
 * How long work reports and how it stops. A verb takes a {@link Progress}, names its stages, counts what it
 * has done and calls `breathe()` between items: that lets the event loop run (signals, the interface's keys)
 * a few times a second and throws {@link InterruptedError} once the signal is aborted.
 */
import timers from 'node:timers/promises';
import { nowMs } from './clock.ts';
import { InterruptedError } from './errors.ts';

export interface Stage {
  /** A verb phrase such as `hashing objects`. */
  readonly name: string;
  /** Items in all, or undefined when unknown. */
  readonly total: number | undefined;
  /** Items done. */
  done: number;
  /** Bytes done, for the throughput. */
  bytes: number;
  readonly startedMs: number;
}

export interface ProgressOptions {
  readonly signal?: AbortSignal;
  /** Called at most every `intervalMs`, at each stage change and at the end (`undefined`). */
  readonly onChange?: (stage: Stage | undefined) => void;
  readonly intervalMs?: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

export class Progress {
  readonly signal: AbortSignal | undefined;
  stage: Stage | undefined;
  readonly #onChange: ((stage: Stage | undefined) => void) | undefined;
  readonly #intervalMs: number;
  readonly #now: () => number;
  #lastChange = 0;
  #lastBreath: number;

  constructor(options: ProgressOptions = {}) {
    this.signal = options.signal;
    this.#onChange = options.onChange;
    this.#intervalMs = options.intervalMs ?? 100;
    this.#now = options.now ?? nowMs;
    this.#lastBreath = this.#now();
  }

  /** Begins a stage; the one before it ends. */
  begin(name: string, total?: number): void {
    this.stage = { name, total, done: 0, bytes: 0, startedMs: this.#now() };
    this.#report();
  }

  advance(items: number, bytes = 0): void {
    const stage = this.stage;
    if (stage === undefined) return;
    stage.done += items;
    stage.bytes += bytes;
    if (this.#onChange !== undefined && this.#now() - this.#lastChange >= this.#intervalMs) this.#report();
  }

  end(): void {
    this.stage = undefined;
    this.#report();
  }

  /** Throws when the work was told to stop. */
  check(): void {
    if (this.signal?.aborted) throw new InterruptedError();
  }

  /** Gives other work a turn every 50 ms; cheap otherwise. */
  async breathe(): Promise<void> {
    this.check();
    if (this.#now() - this.#lastBreath < 50) return;
    await timers.setImmediate();
    this.#lastBreath = this.#now();
    this.check();
  }

  /** Waits for what others do; no longer once it was told to stop. @throws InterruptedError */
  async waitFor<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    if (signal === undefined) return await work;
    let stop = (): void => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(new InterruptedError());
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await Promise.race([stopped, work]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #report(): void {
    this.#lastChange = this.#now();
    this.#onChange?.(this.stage);
  }
}

/** A Progress that reports to nobody and never stops. */
export const silent = (): Progress => new Progress();

/** Remaining milliseconds of a stage at its mean pace so far; undefined before that can be said. */
export function remainingMs(stage: Stage, nowMs: number): number | undefined {
  if (stage.total === undefined || stage.done === 0) return undefined;
  return ((nowMs - stage.startedMs) / stage.done) * Math.max(0, stage.total - stage.done);
}
