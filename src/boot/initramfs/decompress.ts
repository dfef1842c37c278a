/** Decompressing what an initramfs is made of, in pieces: gzip and zstd here, the rest by the host's programs. */
import { crc32, createInflateRaw, createZstdDecompress } from 'node:zlib';
import { FormatError, OperationError } from '../../base/errors.ts';
import { pipe } from '../../base/process.ts';
import { type Compression, readGzipHeader } from './compression.ts';

/** Gives what one compressed stream holds, in pieces. @throws FormatError when it is damaged */
export type Decompress = (
  compression: Exclude<Compression, 'gzip'>,
  compressed: Buffer,
  where: string,
) => AsyncIterable<Uint8Array>;

const PIECE_BYTES = 256 * 1024;

/** Half a gigabyte takes the slowest of the programs less than this, on a busy machine. */
const TIMEOUT_MS = 10 * 60_000;

const PROGRAMS: Readonly<Record<Exclude<Compression, 'gzip'>, readonly [string, ...string[]]>> = {
  zstd: ['zstd', '-dc', '--long=31', '-'],
  xz: ['xz', '-dc'],
  lz4: ['lz4', '-dc', '-'],
  bzip2: ['bzip2', '-dc'],
  lzma: ['xz', '--format=lzma', '-dc'],
  lzop: ['lzop', '-dc'],
};

/** The {@link Decompress} of this host. @throws NotFoundError when the program that it takes is not installed */
export const decompress: Decompress = (compression, compressed, where) => {
  // Node has zstd since 22.15 and 23.8.
  if (compression === 'zstd' && typeof createZstdDecompress === 'function')
    return unzstd(compressed, `${where}: zstd`);
  return runProgram(compression, compressed, where);
};

async function* unzstd(compressed: Buffer, where: string): AsyncGenerator<Uint8Array> {
  const stream = createZstdDecompress({ chunkSize: PIECE_BYTES });
  yield* typed(stream.end(compressed) as AsyncIterable<Buffer>, where);
}

async function* runProgram(
  compression: Exclude<Compression, 'gzip'>,
  compressed: Buffer,
  where: string,
): AsyncGenerator<Uint8Array> {
  const [program, ...args] = PROGRAMS[compression];
  try {
    yield* pipe(program, args, { input: compressed, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    // The program's own words say what is wrong with the bytes.
    if (!(error instanceof OperationError)) throw error;
    throw new FormatError(where, `cannot be decompressed: ${error.message}`, { cause: error });
  }
}

/**
 * One gzip member, whose end is known once it is inflated, and only then. Length and checksum at its end are
 * compared, as the kernel's unpacker does not.
 */
export class GzipMember {
  /** The name in its header. */
  readonly name: string | undefined;
  readonly #file: Buffer;
  readonly #where: string;
  readonly #dataOffset: number;
  #end: number | undefined;

  /** @throws FormatError */
  constructor(file: Buffer, offset: number, where: string) {
    const { name, dataOffset } = readGzipHeader(file, offset, where);
    this.name = name;
    this.#file = file;
    this.#where = `${where}: gzip`;
    this.#dataOffset = dataOffset;
  }

  /** Behind its last byte; known when all its pieces have been taken. */
  get end(): number {
    if (this.#end === undefined) throw new Error('the member has not been inflated');
    return this.#end;
  }

  /** @throws FormatError */
  async *pieces(): AsyncGenerator<Uint8Array> {
    const inflate = createInflateRaw({ chunkSize: PIECE_BYTES });
    let checksum = 0;
    let size = 0;
    for await (const piece of typed(
      inflate.end(this.#file.subarray(this.#dataOffset)) as AsyncIterable<Buffer>,
      this.#where,
    )) {
      checksum = crc32(piece, checksum);
      size += piece.length;
      yield piece;
    }
    const trailer = this.#dataOffset + inflate.bytesWritten;
    if (trailer + 8 > this.#file.length)
      throw new FormatError(this.#where, 'cut off', { offset: this.#file.length });
    const want = [this.#file.readUInt32LE(trailer), this.#file.readUInt32LE(trailer + 4)];
    if (checksum !== want[0] || size % 2 ** 32 !== want[1])
      throw new FormatError(this.#where, 'checksum or length of what was inflated', {
        offset: trailer,
        got: [checksum, size],
        want,
      });
    this.#end = trailer + 8;
  }
}

/** zlib's errors as ours. */
async function* typed(pieces: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch (error) {
    const isDamage = error instanceof Error && 'code' in error && /^Z(STD)?_/.test(String(error.code));
    if (!isDamage) throw error;
    throw new FormatError(where, error.message, { cause: error });
  }
}
