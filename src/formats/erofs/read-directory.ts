/** Entries of directories as they are stored: blocks, names and their order checked. */
import { type ByteString, bytesToString, displayBytes } from '../../base/bytes.ts';
import {
  isDirectory,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from '../../base/mode.ts';
import type { ImageBytes } from './image-bytes.ts';
import { BLOCK_SIZE, Dirent, FileType, Limit } from './layout.ts';
import type { Inode } from './read-inode.ts';

export interface DirectoryEntry {
  readonly name: ByteString;
  readonly nid: number;
  /** {@link FileType} */
  readonly type: number;
}

/** The type bits of st_mode that an entry's type stands for. */
export const MODE_OF_TYPE: ReadonlyMap<number, number> = new Map([
  [FileType.regular, S_IFREG],
  [FileType.directory, S_IFDIR],
  [FileType.characterDevice, S_IFCHR],
  [FileType.blockDevice, S_IFBLK],
  [FileType.fifo, S_IFIFO],
  [FileType.socket, S_IFSOCK],
  [FileType.symlink, S_IFLNK],
]);

/**
 * The entries of a directory in stored order. Names are checked to be names, sorted and unique; `.` and `..` to be
 * there, and the first to mean the directory.
 * @param parent what `..` must mean; then neither is among the entries
 */
export function* readDirectory(
  image: ImageBytes,
  directory: Inode,
  parent: number | undefined,
): Generator<DirectoryEntry, void> {
  if (!isDirectory(directory.mode))
    throw image.error(`inode ${directory.nid} is not a directory`, directory.offset);
  let last = '' as ByteString;
  let dots = 0;
  for (let done = 0; done < directory.size; done += BLOCK_SIZE) {
    const inTail = done >= directory.dataSize;
    const start = inTail ? directory.tailStart : directory.dataStart + done;
    const size = Math.min(BLOCK_SIZE, directory.size - done);
    const count = entryCount(image, directory, start, size);
    const lastEnd = namesEnd(image, start, size, count);
    for (let i = 0; i < count; i++) {
      const at = start + i * Dirent.size;
      const entry = readEntry(image, at, start, i + 1 < count ? undefined : lastEnd);
      if (entry.name <= last) throw image.error('names are not sorted', at, displayBytes(entry.name));
      last = entry.name;
      if (entry.name === '.' || entry.name === '..') {
        dots++;
        if (entry.type !== FileType.directory || (entry.name === '.' && entry.nid !== directory.nid))
          throw image.error(`bad "${entry.name}" of directory ${directory.nid}`, at, entry.nid);
        if (parent !== undefined) {
          if (entry.name === '..' && entry.nid !== parent)
            throw image.error('".." is not the parent', directory.offset, entry.nid, parent);
          continue;
        }
      }
      yield entry;
    }
  }
  if (dots !== 2) throw image.error(`directory ${directory.nid} lacks "." or ".."`, directory.offset);
}

/** The number of entries in a block: where the first name starts tells. */
function entryCount(image: ImageBytes, directory: Inode, start: number, size: number): number {
  const first = size < Dirent.size ? 0 : image.bytes.readUInt16LE(start + Dirent.nameOffset);
  if (first < Dirent.size || first % Dirent.size !== 0 || first >= size)
    throw image.error(`bad block of directory ${directory.nid}`, start, first);
  return first / Dirent.size;
}

/** Where the last name of a block ends: at zeros, of which the rest consists, or with the block. */
function namesEnd(image: ImageBytes, start: number, size: number, count: number): number {
  const last = image.bytes.readUInt16LE(start + (count - 1) * Dirent.size + Dirent.nameOffset);
  const end = start + size;
  let at = Math.min(start + last, end);
  while (at < end && image.bytes[at] !== 0) at++;
  for (let i = at; i < end; i++) {
    if (image.bytes[i] !== 0) throw image.error('padding of a directory block', i, image.bytes[i], 0);
  }
  return at;
}

/** Reads the entry at `at`; its name ends where the next one's starts, or at `lastEnd`. */
function readEntry(
  image: ImageBytes,
  at: number,
  blockStart: number,
  lastEnd: number | undefined,
): DirectoryEntry {
  const bytes = image.bytes;
  const nameStart = blockStart + bytes.readUInt16LE(at + Dirent.nameOffset);
  const nameEnd = lastEnd ?? blockStart + bytes.readUInt16LE(at + Dirent.size + Dirent.nameOffset);
  const length = nameEnd - nameStart;
  if (length < 1 || length > Limit.nameLength || nameEnd > blockStart + BLOCK_SIZE || nameEnd > bytes.length)
    throw image.error('bad length of a name', at, length, `1 to ${Limit.nameLength}`);
  const name = bytesToString(bytes, nameStart, nameEnd);
  if (name.includes('/') || name.includes('\0')) throw image.error('bad name', at, displayBytes(name));
  const type = bytes[at + Dirent.fileType] as number;
  if (!MODE_OF_TYPE.has(type)) throw image.error('unknown type of an entry', at, type);
  if (bytes[at + Dirent.reserved] !== 0 || bytes.readUInt32LE(at + Dirent.nid + 4) !== 0)
    throw image.error('bad entry', at, displayBytes(name));
  return { name, nid: bytes.readUInt32LE(at + Dirent.nid), type };
}
