/**
 * Where the frames of a zstd stream end (RFC 8878, section 3). Node's decompressor stops at the end of a frame without
 * a word when the next one begins in the same piece; layers of the zstd:chunked kind have thousands of frames, and
 * skippable ones at the end that are no data.
 */
import { asBuffer } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';

const MAGIC = 0xfd2f_b528;
const SKIPPABLE = 0x184d_2a50;
const SKIPPABLE_MASK = 0xffff_fff0;

/** Bytes of the fields of a frame header, by their bits in its first byte. */
const CONTENT_SIZE = [0, 2, 4, 8] as const;
const DICTIONARY_ID = [0, 1, 2, 4] as const;

const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** The part of a frame that is being read. */
type State = 'magic' | 'skippable size' | 'descriptor' | 'block' | 'passing';

/** Cuts a stream in pieces so that none reaches over the end of a frame, and leaves skippable frames out. */
export class ZstdFrames {
  readonly #where: string;
  #state: State = 'magic';
  /** The bytes of a field that is not whole yet. */
  readonly #field = Buffer.alloc(4);
  #filled = 0;
  /** Bytes to pass, and the state after them. */
  #left = 0;
  #after: State = 'magic';
  #isSkipped = false;
  #hasChecksum = false;
  #offset = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** @throws FormatError for what is no zstd stream */
  push(chunk: Uint8Array): Buffer[] {
    const bytes = asBuffer(chunk);
    const out: Buffer[] = [];
    let start = 0;
    const cut = (end: number): void => {
      if (!this.#isSkipped && end > start) out.push(bytes.subarray(start, end));
      start = end;
    };
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'passing') {
        const count = Math.min(this.#left, bytes.length - at);
        this.#left -= count;
        at += count;
      } else {
        const want = this.#state === 'block' ? 3 : this.#state === 'descriptor' ? 1 : 4;
        const count = bytes.copy(this.#field, this.#filled, at, at + want - this.#filled);
        this.#filled += count;
        at += count;
        if (this.#filled < want) break;
        this.#filled = 0;
        const wasMagic = this.#state === 'magic';
        this.#read(this.#offset + at);
        if (wasMagic) {
          // It may have begun in the piece before: only now it is known whose it is.
          if (!this.#isSkipped) out.push(Buffer.from(this.#field));
          start = at;
        }
      }
      if (this.#state === 'passing' && this.#left === 0) this.#state = this.#after;
      if (this.#state === 'magic') cut(at);
    }
    this.#offset += bytes.length;
    if (!this.#isSkipped && this.#state !== 'magic') cut(bytes.length);
    return out;
  }

  /** @throws FormatError when the stream ends within a frame */
  end(): void {
    if (this.#state !== 'magic' || this.#filled > 0)
      throw new FormatError(this.#where, 'zstd stream is cut off', { offset: this.#offset });
  }

  #pass(count: number, after: State): void {
    this.#left = count;
    this.#after = after;
    this.#state = 'passing';
  }

  #read(offset: number): void {
    if (this.#state === 'magic') this.#readMagic(offset);
    else if (this.#state === 'descriptor') this.#readDescriptor(this.#field[0] as number);
    else if (this.#state === 'block') this.#readBlock(this.#field.readUIntLE(0, 3), offset);
    else this.#pass(this.#field.readUInt32LE(), 'magic');
  }

  #readMagic(offset: number): void {
    const magic = this.#field.readUInt32LE();
    this.#isSkipped = (magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE;
    if (this.#isSkipped) this.#state = 'skippable size';
    else if (magic === MAGIC) this.#state = 'descriptor';
    else
      throw new FormatError(this.#where, 'no frame of zstd', {
        offset: offset - 4,
        got: `0x${magic.toString(16)}`,
      });
  }

  #readDescriptor(descriptor: number): void {
    const isSingle = (descriptor & 0x20) !== 0;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const sizeBytes = CONTENT_SIZE[descriptor >> 6] as number;
    const rest =
      (isSingle ? 0 : 1) +
      (DICTIONARY_ID[descriptor & 0x03] as number) +
      (isSingle && sizeBytes === 0 ? 1 : sizeBytes);
    this.#pass(rest, 'block');
  }

  #readBlock(header: number, offset: number): void {
    const type = (header >> 1) & 0x03;
    if (type === RESERVED_BLOCK)
      throw new FormatError(this.#where, 'block of zstd of a kind that is not known', { offset: offset - 3 });
    const isLast = (header & 1) !== 0;
    const size = type === RLE_BLOCK ? 1 : header >> 3;
    this.#pass(size + (isLast && this.#hasChecksum ? 4 : 0), isLast ? 'magic' : 'block');
  }
}
