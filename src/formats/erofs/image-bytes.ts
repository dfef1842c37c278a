/** An image's bytes and the checks that all its readers need. */
import { asBuffer } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';

/** Ranges of bytes, from a common offset. */
export type Ranges = readonly (readonly [from: number, to: number])[];

export class ImageBytes {
  readonly bytes: Buffer;
  /** Over the same bytes: reads numbers, and throws a RangeError outside of them, so {@link need} comes first. */
  readonly view: DataView;
  /** Names the image in errors. */
  readonly where: string;

  constructor(bytes: Uint8Array, where: string) {
    this.bytes = asBuffer(bytes);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.where = where;
  }

  /** Asserts that `size` bytes from `offset` on are inside the image. */
  need(offset: number, size: number, what: string): void {
    if (offset + size > this.bytes.length)
      throw this.error(
        `${what} runs past the end`,
        offset,
        `${this.bytes.length} bytes in all`,
        offset + size,
      );
  }

  /** Asserts that bytes nobody uses are zero, as another version of the format might use them. */
  needZeros(offset: number, ranges: Ranges, what: string): void {
    for (let range = 0; range < ranges.length; range++) {
      const [from, to] = ranges[range]!;
      for (let i = offset + from; i < offset + to; i++) {
        if (this.bytes[i] !== 0) throw this.error(what, i, this.bytes[i], 0);
      }
    }
  }

  error(what: string, offset?: number, got?: unknown, want?: unknown): FormatError {
    return new FormatError(this.where, what, {
      ...(offset === undefined ? {} : { offset }),
      ...(got === undefined ? {} : { got }),
      ...(want === undefined ? {} : { want }),
    });
  }
}

export const hex = (value: number): string => `0x${value.toString(16)}`;
