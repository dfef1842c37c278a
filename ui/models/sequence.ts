/**
 * A list that only grows, as plain data: adding to it leaves the one before as it was and copies no items, only the
 * pieces they came in.
 */

/** Items of one piece; smaller additions fill the last one up. */
const PIECE = 512;

export class Sequence<T> {
  static readonly empty: Sequence<never> = new Sequence<never>([], 0);

  readonly length: number;
  /** All of {@link PIECE} items but the last. */
  readonly #pieces: readonly (readonly T[])[];

  private constructor(pieces: readonly (readonly T[])[], length: number) {
    this.#pieces = pieces;
    this.length = length;
  }

  at(index: number): T | undefined {
    return this.#pieces[Math.floor(index / PIECE)]?.[index % PIECE];
  }

  slice(start: number, end: number): T[] {
    const items: T[] = [];
    for (let i = Math.max(0, start); i < Math.min(end, this.length); i++) items.push(this.at(i) as T);
    return items;
  }

  append(items: readonly T[]): Sequence<T> {
    if (items.length === 0) return this;
    const last = this.#pieces.at(-1) ?? [];
    const isFull = last.length === PIECE;
    const pieces = isFull ? [...this.#pieces] : this.#pieces.slice(0, -1);
    const rest = isFull ? items : [...last, ...items];
    for (let i = 0; i < rest.length; i += PIECE) pieces.push(rest.slice(i, i + PIECE));
    return new Sequence(pieces, this.length + items.length);
  }
}
