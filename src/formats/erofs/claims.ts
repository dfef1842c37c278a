/**
 * Which parts of an image are taken. Inodes and data of a sound image never overlap; of a hostile one they may,
 * so that a few kilobytes stand for millions of entries. Claiming every part before it is used keeps the work
 * in proportion to the image.
 */
import type { ImageBytes } from './image-bytes.ts';
import { INODES_START, SLOT_SIZE } from './layout.ts';

export class Claims {
  readonly #image: ImageBytes;
  /** One bit per slot of the image. */
  readonly #bits: Uint8Array;

  /** The headers are taken. */
  constructor(image: ImageBytes) {
    this.#image = image;
    this.#bits = new Uint8Array(Math.ceil(image.bytes.length / SLOT_SIZE / 8));
    for (let slot = 0; slot < INODES_START / SLOT_SIZE; slot++) this.#bits[slot >>> 3]! |= 1 << (slot & 7);
  }

  /** Takes the slots of the bytes from `start` to `end` for the inode `nid`; FormatError when one is taken already. */
  take(start: number, end: number, what: string, nid: number): void {
    const bits = this.#bits;
    const last = Math.ceil(end / SLOT_SIZE);
    for (let slot = Math.floor(start / SLOT_SIZE); slot < last; slot++) {
      const bit = 1 << (slot & 7);
      const byte = bits[slot >>> 3] as number;
      if (byte & bit)
        throw this.#image.error(`${what} ${nid} overlaps other parts of the image`, slot * SLOT_SIZE);
      bits[slot >>> 3] = byte | bit;
    }
  }
}
