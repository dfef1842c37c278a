/**
 * The archives of an initramfs file, found as the kernel finds them (init/initramfs.c, unpack_to_rootfs): archives
 * in a row, with zeros between them, each either plain or compressed in a way that its first bytes tell. The first
 * one is not always microcode: initramfs-tools puts modules that are compressed already into a plain one.
 *
 * Names and sizes are read from the decompressed stream as it comes, so that what may be half a gigabyte is never in
 * memory as a whole. gzip and zstd are decompressed here, the rest by the programs that made it (see
 * {@link ./decompress.ts}).
 */
import { asBuffer } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { type CpioEntry, CpioReader, type CpioReaderOptions } from '../../formats/cpio.ts';
import { COMPRESSIONS, type Compression, compressedEnd } from './compression.ts';
import { type Decompress, GzipMember } from './decompress.ts';
import { readEndMark } from './extended.ts';

/** One archive of an initramfs file, or the archives that were compressed together. */
export interface InitramfsArchive {
  /** Of the file that it is in. */
  readonly where: string;
  /** First byte in the file. */
  readonly offset: number;
  /** Behind its last byte. */
  readonly end: number;
  readonly compression: Compression | 'none';
  /** The name in the header, where it is compressed by gzip and has one. */
  readonly gzipName: string | undefined;
  /** In the order in which they are unpacked. */
  readonly entries: readonly CpioEntry[];
}

/**
 * Reads all archives of a file. `keep` says which files' contents come with their entries.
 * @throws FormatError for what the kernel would not unpack
 */
export async function readInitramfs(
  bytes: Uint8Array,
  where: string,
  decompress: Decompress,
  keep?: CpioReaderOptions['keep'],
): Promise<InitramfsArchive[]> {
  const file = asBuffer(bytes);
  const options = keep === undefined ? {} : { keep };
  const archives: InitramfsArchive[] = [];
  for (let at = skipZeros(file, 0); at < file.length; ) {
    // Between compressed archives any offset will do.
    const besidesPlain = isPlain(file, at) || archives.at(-1)?.compression === 'none';
    if (at % 4 !== 0 && besidesPlain)
      throw new FormatError(where, 'an archive begins at an offset that is no multiple of 4', { offset: at });
    const archive = isPlain(file, at)
      ? readPlain(file, where, at, options)
      : await readCompressed(file, where, at, decompress, options);
    archives.push(archive);
    at = skipZeros(file, archive.end);
  }
  if (archives.length === 0) throw new FormatError(where, 'no archive in it');
  return archives;
}

function skipZeros(file: Buffer, from: number): number {
  let at = from;
  while (at < file.length && file[at] === 0) at++;
  return at;
}

const isPlain = (file: Buffer, at: number): boolean => file[at] === 0x30;

function readPlain(
  file: Buffer,
  where: string,
  offset: number,
  options: CpioReaderOptions,
): InitramfsArchive {
  const reader = new CpioReader(`${where}: archive at ${offset}`, { ...options, single: true });
  reader.push(file.subarray(offset));
  if (!reader.isDone) reader.finish();
  const { entries, position } = reader;
  return { where, offset, end: offset + position, compression: 'none', gzipName: undefined, entries };
}

async function readCompressed(
  file: Buffer,
  where: string,
  offset: number,
  decompress: Decompress,
  options: CpioReaderOptions,
): Promise<InitramfsArchive> {
  const compression = COMPRESSIONS.find(({ magic }) =>
    file.subarray(offset, offset + magic.length).equals(magic),
  )?.name;
  if (compression === undefined)
    throw new FormatError(where, 'neither an archive nor a known compression', {
      offset,
      got: file.toString('hex', offset, offset + 8),
    });
  const reader = new CpioReader(`${where}: ${compression} archive at ${offset}`, options);
  const read = async (pieces: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const piece of pieces) reader.push(piece);
    reader.finish();
  };
  if (compression === 'gzip') {
    const member = new GzipMember(file, offset, where);
    await read(member.pieces());
    return { where, offset, end: member.end, compression, gzipName: member.name, entries: reader.entries };
  }
  // Not every compression tells its end: in an extended initramfs it is the original's at the latest.
  const limit = Math.max(readEndMark(file, where)?.originalEnd ?? file.length, offset);
  const end = compressedEnd(compression, file.subarray(0, limit), offset, where);
  await read(decompress(compression, file.subarray(offset, end), where));
  return { where, offset, end, compression, gzipName: undefined, entries: reader.entries };
}
