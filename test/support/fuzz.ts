/**
 * A seeded mutation fuzzer, in-process. A target reads foreign bytes; each mutant of its valid inputs must end
 * in success or in a typed error, in bounded time and memory. A mutant depends on nothing but the seed, the
 * target and its own number, so that a failure can be had again alone.
 *
 * | variable            | meaning                                             |
 * |---------------------|-----------------------------------------------------|
 * | SEALTREE_FUZZ_COUNT | mutants per target; the default is for `npm test`   |
 * | SEALTREE_FUZZ_SEED  | another run                                         |
 * | SEALTREE_FUZZ_ONLY  | this one mutant of each target                      |
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SealtreeError } from '../../src/base/errors.ts';
import { type Mutant, mutate } from './mutate.ts';
import { Random } from './random.ts';

export interface FuzzInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs: each is read once unchanged, and must be accepted. */
  readonly inputs: readonly FuzzInput[];
  /** Lines and words are mutated besides bytes. */
  readonly text?: boolean;
  /** Checks the header (framing, magic, sizes); what it returns reads all the rest. */
  open(bytes: Buffer): () => void | Promise<void>;
}

/** What became of the mutants. */
export interface FuzzTally {
  /** Distinct mutants read. */
  mutants: number;
  /** Those that got past the header checks. */
  pastHeader: number;
  /** `parsed`, or the code of a typed error. */
  readonly outcomes: Map<string, number>;
  slowestMs: number;
}

const newTally = (): FuzzTally => ({ mutants: 0, pastHeader: 0, outcomes: new Map(), slowestMs: 0 });

/** Of all targets of this process. */
export const fuzzTotals: FuzzTally = newTally();

const DEFAULT_COUNT = 300;

/** One mutant may take this long, on a busy machine. */
const LIMIT_MS = 2000;
/** After this long it hangs, and the process is ended. */
const HANG_MS = 30_000;
/** What one mutant may add to the heap and to buffers. */
const LIMIT_BYTES = 96 << 20;

/** Registers the test that reads SEALTREE_FUZZ_COUNT mutants of a target and reports the outcomes. */
export function fuzz(target: FuzzTarget): void {
  it(`reads mutants of ${target.name} or refuses them by a typed error`, async (t) => {
    t.diagnostic(`${target.name}: ${describeTally(await readMutants(target))}`);
  });
}

/** Such as `5000 mutants, 4211 past the header; format 4200, parsed 800; slowest 3 ms`. */
export function describeTally(tally: FuzzTally): string {
  const outcomes = [...tally.outcomes].sort().map(([outcome, count]) => `${outcome} ${count}`);
  return `${tally.mutants} mutants, ${tally.pastHeader} past the header; ${outcomes.join(', ')}; slowest ${tally.slowestMs.toFixed(0)} ms`;
}

async function readMutants(target: FuzzTarget): Promise<FuzzTally> {
  const seed = Number(process.env.SEALTREE_FUZZ_SEED ?? 1);
  const count = Number(process.env.SEALTREE_FUZZ_COUNT ?? DEFAULT_COUNT);
  for (const { name, bytes } of target.inputs) {
    const { outcome, error } = await read(target, Buffer.from(bytes));
    assert.equal(outcome, 'parsed', `${target.name}: the valid input ${name}: ${describeError(error)}`);
  }

  const tally = newTally();
  using watchdog = new Watchdog(target.name, seed);
  const readOne = async (number: number, mutant: Mutant & { of: string }): Promise<void> => {
    watchdog.at(number);
    const before = process.memoryUsage();
    const began = performance.now();
    const { outcome, pastHeader, error } = await read(target, mutant.bytes);
    const tookMs = performance.now() - began;
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    const which = (): string =>
      `${target.name}, seed ${seed}, mutant ${number} (of ${mutant.of}: ${mutant.steps.join('; ')})`;
    if (outcome === undefined) assert.fail(`${which()}: ${describeError(error)}`);
    if (tookMs > LIMIT_MS) assert.fail(`${which()} took ${tookMs.toFixed(0)} ms`);
    if (grown > LIMIT_BYTES) assert.fail(`${which()} allocated ${grown} bytes`);
    for (const into of [tally, fuzzTotals]) {
      into.mutants++;
      if (pastHeader) into.pastHeader++;
      into.outcomes.set(outcome, (into.outcomes.get(outcome) ?? 0) + 1);
      into.slowestMs = Math.max(into.slowestMs, tookMs);
    }
  };

  if (process.env.SEALTREE_FUZZ_ONLY !== undefined) {
    const number = Number(process.env.SEALTREE_FUZZ_ONLY);
    await readOne(number, mutantOf(target, seed, number));
    return tally;
  }
  const seen = new Set<string>();
  for (let number = 0; tally.mutants < count; number++) {
    assert(number < 20 * count, `${target.name}: only ${tally.mutants} distinct mutants`);
    const mutant = mutantOf(target, seed, number);
    const key = hash('sha1', mutant.bytes, 'base64');
    if (seen.has(key)) continue;
    seen.add(key);
    await readOne(number, mutant);
  }
  return tally;
}

function mutantOf(target: FuzzTarget, seed: number, number: number): Mutant & { of: string } {
  const random = new Random(hash('sha1', `${seed} ${target.name} ${number}`, 'buffer').readUInt32LE());
  const input = random.pick(target.inputs);
  const other = random.pick(target.inputs);
  return { of: input.name, ...mutate(random, input.bytes, other.bytes, target.text === true) };
}

interface Reading {
  /** undefined = neither success nor a typed error. */
  readonly outcome: string | undefined;
  readonly pastHeader: boolean;
  readonly error?: unknown;
}

async function read(target: FuzzTarget, bytes: Buffer): Promise<Reading> {
  let pastHeader = false;
  try {
    const rest = target.open(bytes);
    pastHeader = true;
    const pending = rest();
    if (pending instanceof Promise) await pending;
    return { outcome: 'parsed', pastHeader };
  } catch (error) {
    return { outcome: error instanceof SealtreeError ? error.code : undefined, pastHeader, error };
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * A thread that ends the process when one mutant takes for ever: a loop without an end would keep the test
 * runner's own timeout from ever acting, and nobody would learn which mutant it was.
 */
class Watchdog {
  readonly #current = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  constructor(target: string, seed: number) {
    this.#worker = new Worker(WATCH, {
      eval: true,
      workerData: { current: this.#current, target, seed, hangMs: HANG_MS },
    });
    this.#worker.unref();
  }

  at(number: number): void {
    this.#current[0] = number;
  }

  [Symbol.dispose](): void {
    Atomics.store(this.#current, 1, 1);
    Atomics.notify(this.#current, 1);
  }
}

const WATCH = `
const { workerData: { current, target, seed, hangMs } } = require('node:worker_threads');
for (let last = -1; Atomics.wait(current, 1, 0, hangMs) === 'timed-out'; last = current[0]) {
  if (current[0] !== last) continue;
  require('node:fs').writeSync(2, 'fuzz: ' + target + ', seed ' + seed + ', mutant ' + last + ' hangs\\n');
  process.kill(process.pid, 'SIGKILL');
}`;
