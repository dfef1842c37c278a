/**
 * Which parts of an image are taken. Inodes and data of a sound image never overlap; of a hostile one they may,
 * so that a few kilobytes stand for millions of entries. Claiming every part before it is used keeps the work
 * in proportion to the image.
 */
import { FormatError } from '../../base/errors.ts';
import { SLOT_SIZE } from './layout.ts';

export class Claims {
  readonly #where: string;
  /** One bit per slot of the image. */
  readonly #bits: Uint8Array;

  constructor(imageSize: number, where: string) {
    this.#where = where;
    this.#bits = new Uint8Array(Math.ceil(imageSize / SLOT_SIZE / 8));
  }

  /** Takes the slots of the bytes from `start` to `end`; FormatError when one is taken already. */
  take(start: number, end: number, what: string): void {
    const bits = this.#bits;
    const last = Math.ceil(end / SLOT_SIZE);
    for (let slot = Math.floor(start / SLOT_SIZE); slot < last; slot++) {
      const bit = 1 << (slot & 7);
      const byte = bits[slot >>> 3] as number;
      if (byte & bit)
        throw new FormatError(this.#where, `${what} overlaps other parts of the image`, {
          offset: slot * SLOT_SIZE,
        });
      bits[slot >>> 3] = byte | bit;
    }
  }
}
