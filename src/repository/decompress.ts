/** Archives as they are compressed: told by their first bytes, never by their names. */

import type { Transform } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { asBuffer } from '../base/bytes.ts';
import { FormatError, NotFoundError, SealtreeError, UnsupportedError } from '../base/errors.ts';
import { pipe } from '../base/process.ts';
import { ZstdFrames } from '../formats/zstd.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

/** What compressed files begin with. A tar archive begins with a name: none of these. */
const MAGICS: readonly (readonly [Compression | 'bzip2', Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['bzip2', Buffer.from('BZh')],
];

/** A zstd stream may begin with skippable frames: 0x184D2A50 to …5F. */
const isSkippable = (head: Buffer): boolean =>
  head.length >= 4 && (head.readUInt32LE() & 0xffff_fff0) >>> 0 === 0x184d_2a50;

const HEAD_BYTES = 6;
const CHUNK_BYTES = 256 * 1024;

/** xz may take as long as it takes: whoever reads can stop. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * The bytes of an archive, decompressed where they are compressed: gzip and zstd here, in any number of members or
 * frames, xz by the host's program. `where` is what errors call it.
 * @throws FormatError for damaged streams, UnsupportedError for bzip2 and where a decompressor is missing
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  for (let length = 0; length < HEAD_BYTES; ) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    first.push(value);
    length += value.length;
  }
  const head = Buffer.concat(first);
  async function* whole(): AsyncGenerator<Uint8Array, void, undefined> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  switch (compressionOf(head, where)) {
    case 'none':
      return yield* whole();
    case 'gzip':
      return yield* through(whole(), zlib.createGunzip({ chunkSize: CHUNK_BYTES }), where);
    case 'zstd':
      return yield* through(frames(whole(), where), zstdDecompressor(), where);
    case 'xz':
      return yield* throughXz(whole(), where);
  }
}

function compressionOf(head: Buffer, where: string): Compression {
  if (isSkippable(head)) return 'zstd';
  const found = MAGICS.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'none';
  if (found === 'bzip2')
    throw new UnsupportedError(`${where}: bzip2 is not read here`, {
      hint: 'bzip2 --decompress --stdout FILE | sealtree import tar -',
    });
  return found;
}

function zstdDecompressor(): Transform {
  // Node 22.15 and 23.8 brought it.
  if (typeof zlib.createZstdDecompress !== 'function')
    throw new UnsupportedError('this Node cannot read zstd', {
      hint: 'zstd --decompress --stdout FILE | sealtree import tar -',
    });
  return zlib.createZstdDecompress({ chunkSize: CHUNK_BYTES });
}

async function* frames(source: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Buffer> {
  const splitter = new ZstdFrames(where);
  for await (const chunk of source) yield* splitter.push(chunk);
  splitter.end();
}

async function* through(
  source: AsyncIterable<Uint8Array>,
  decompressor: Transform,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  // A failure destroys the decompressor with it, and reading from that one throws it.
  pipeline(Readable.from(source, { objectMode: false }), decompressor).catch(() => undefined);
  try {
    for await (const chunk of decompressor) yield asBuffer(chunk as Uint8Array);
  } catch (error) {
    if (error instanceof SealtreeError || !(error instanceof Error)) throw error;
    throw new FormatError(where, 'cannot be decompressed', { got: error.message, cause: error });
  }
}

async function* throughXz(
  source: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pipe('xz', ['--decompress', '--stdout'], { input: source, timeoutMs: FOREVER_MS });
  } catch (error) {
    if (error instanceof NotFoundError)
      throw new UnsupportedError(`${where}: compressed by xz, and there is no program xz`, { cause: error });
    if (error instanceof SealtreeError && error.code === 'process')
      throw new FormatError(where, 'cannot be decompressed', { got: error.message, cause: error });
    throw error;
  }
}
