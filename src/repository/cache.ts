/**
 * A bounded cache in two generations: what was used since the last turn lives in the young one, and when that
 * holds half of the weight allowed the old one is dropped. As cheap as two Maps, and close to least-recently-used.
 */
export class BoundedCache<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #weight = 0;
  readonly #limit: number;
  readonly #weigh: (value: V) => number;

  /** @param limit - the most weight held, in the unit of `weigh` (items by default) */
  constructor(limit: number, weigh: (value: V) => number = () => 1) {
    this.#limit = limit;
    this.#weigh = weigh;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#weight += this.#weigh(value);
    if (this.#weight > this.#limit / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = this.#weigh(value);
    }
    this.#young.set(key, value);
  }
}
