/** Seeded random numbers, so that each failure can be had again from its seed. */
import type { ByteString } from '../../src/base/bytes.ts';

/** mulberry32: 32 bits of state, a full period, good enough to choose test data. */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** 0 .. 2^32-1 */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 <= n < `bound` */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  /** `low` <= n <= `high` */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the probability `p`. */
  chance(p: number): boolean {
    return this.u32() < p * 0x1_0000_0000;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('nothing to pick from');
    return from[this.below(from.length)] as T;
  }

  bytes(count: number): Buffer {
    const out = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) out[i] = this.u32() & 0xff;
    return out;
  }

  byteString(count: number): ByteString {
    return this.bytes(count).toString('latin1') as ByteString;
  }

  /** An independent generator: what is drawn from it does not move this one. */
  fork(): Random {
    return new Random(this.u32());
  }
}
