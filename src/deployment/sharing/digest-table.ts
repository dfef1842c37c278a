/** Numbers for digests and checksums, in the order in which they come: a million of them take some 50 MB. */

const WORDS = 8;

/** The length of a column that has become too short: twice as long would be too much memory for nothing. */
export const grownLength = (length: number): number => Math.ceil(1.5 * length);

export class DigestTable {
  /** The values, one after the other. */
  #words = new Int32Array(1024 * WORDS);
  /** Open addressing by the first word: number + 1, or 0 where nothing is. At most half full. */
  #slots = new Int32Array(2048);
  #count = 0;
  readonly #sought = Buffer.alloc(4 * WORDS);
  readonly #soughtWords = new Int32Array(this.#sought.buffer, this.#sought.byteOffset, WORDS);

  get count(): number {
    return this.#count;
  }

  /** The number of 64 hex digits, or -1. */
  find(hex: string): number {
    return (this.#slots[this.#slotOf(hex)] as number) - 1;
  }

  /** The number of 64 hex digits: the next one where they are new. */
  add(hex: string): number {
    const slot = this.#slotOf(hex);
    const known = this.#slots[slot] as number;
    if (known !== 0) return known - 1;
    if (WORDS * this.#count === this.#words.length) {
      const words = new Int32Array(WORDS * grownLength(this.#count));
      words.set(this.#words);
      this.#words = words;
    }
    this.#words.set(this.#soughtWords, WORDS * this.#count);
    this.#slots[slot] = ++this.#count;
    if (2 * this.#count > this.#slots.length) this.#grow();
    return this.#count - 1;
  }

  /** The 64 hex digits of a number. */
  hex(number: number): string {
    const { buffer, byteOffset } = this.#words;
    return Buffer.from(buffer, byteOffset + 4 * WORDS * number, 4 * WORDS).toString('hex');
  }

  #slotOf(hex: string): number {
    this.#sought.write(hex, 'hex');
    const mask = this.#slots.length - 1;
    let slot = (this.#soughtWords[0] as number) & mask;
    for (;;) {
      const known = this.#slots[slot] as number;
      if (known === 0 || this.#isSought(known - 1)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isSought(number: number): boolean {
    for (let i = 0; i < WORDS; i++)
      if (this.#words[WORDS * number + i] !== this.#soughtWords[i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = (this.#words[WORDS * number] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}
