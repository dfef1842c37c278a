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

/** The type bits of st_mode that an entry's type stands for, by {@link FileType}; 0 for what is none. */
export const MODE_OF_TYPE = Uint16Array.of(0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK);

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Goes through the entries of a directory in stored order. Names are checked to be names, sorted and unique; `.` and
 * `..` to be there, and the first to mean the directory. Nothing is made per entry: what is asked for is that of the
 * entry at hand.
 */
export class DirectoryCursor implements DirectoryEntry {
  nid = 0;
  type = 0;
  /** The name's bytes in the image. */
  nameStart = 0;
  nameEnd = 0;
  readonly #image: ImageBytes;
  // The directory.
  #nid = 0;
  #offset = 0;
  #size = 0;
  #dataSize = 0;
  #dataStart = 0;
  #tailStart = 0;
  #parent: number | undefined;
  // The block at hand: its entries, how many are done, where the next name starts and the last one ends.
  #done = 0;
  #start = 0;
  #entry = 0;
  #count = 0;
  #nextName = 0;
  #lastEnd = 0;
  #dots = 0;

  constructor(image: ImageBytes) {
    this.#image = image;
  }

  /**
   * Begins with a directory.
   * @param parent what `..` must mean; then neither is among the entries
   */
  open(directory: Inode, parent: number | undefined): this {
    if (!isDirectory(directory.mode))
      throw this.#image.error(`inode ${directory.nid} is not a directory`, directory.offset);
    this.#nid = directory.nid;
    this.#offset = directory.offset;
    this.#size = directory.size;
    this.#dataSize = directory.dataSize;
    this.#dataStart = directory.dataStart;
    this.#tailStart = directory.tailStart;
    this.#parent = parent;
    this.#done = 0;
    this.#entry = 0;
    this.#count = 0;
    this.#dots = 0;
    this.nameStart = 0;
    this.nameEnd = 0;
    return this;
  }

  get name(): ByteString {
    return bytesToString(this.#image.bytes, this.nameStart, this.nameEnd);
  }

  /** Goes to the next entry; false where there is none left. */
  next(): boolean {
    const { bytes, view } = this.#image;
    for (;;) {
      if (this.#entry === this.#count && !this.#nextBlock()) return false;
      const at = this.#start + this.#entry++ * Dirent.size;
      const nameStart = this.#nextName;
      const nameEnd =
        this.#entry === this.#count
          ? this.#lastEnd
          : this.#start + view.getUint16(at + Dirent.size + Dirent.nameOffset, true);
      const length = nameEnd - nameStart;
      if (
        length < 1 ||
        length > Limit.nameLength ||
        nameEnd > this.#start + BLOCK_SIZE ||
        nameEnd > bytes.length
      )
        throw this.#image.error('bad length of a name', at, length, `1 to ${Limit.nameLength}`);
      const order = this.#checkName(nameStart, nameEnd, at);
      this.nameStart = nameStart;
      this.nameEnd = nameEnd;
      this.#nextName = nameEnd;
      this.nid = view.getUint32(at + Dirent.nid, true);
      this.type = bytes[at + Dirent.fileType] as number;
      if (this.type >= MODE_OF_TYPE.length || this.type === 0)
        throw this.#image.error('unknown type of an entry', at, this.type);
      if (bytes[at + Dirent.reserved] !== 0 || view.getUint32(at + Dirent.nid + 4, true) !== 0)
        throw this.#image.error('bad entry', at, displayBytes(this.name));
      if (order <= 0) throw this.#image.error('names are not sorted', at, displayBytes(this.name));
      const isDots =
        bytes[nameStart] === DOT && (length === 1 || (length === 2 && bytes[nameStart + 1] === DOT));
      if (!isDots) return true;
      this.#checkDots(at);
      if (this.#parent === undefined) return true;
    }
  }

  /** Checks that a name's bytes can be one; returns how it compares with the name before. */
  #checkName(start: number, end: number, at: number): number {
    const { bytes } = this.#image;
    const last = this.nameStart;
    const lastLength = this.nameEnd - last;
    let order = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      if (byte === 0 || byte === SLASH)
        throw this.#image.error('bad name', at, displayBytes(bytesToString(bytes, start, end)));
      if (order === 0 && i - start < lastLength) order = byte - (bytes[last + i - start] as number);
    }
    return order === 0 ? end - start - lastLength : order;
  }

  #checkDots(at: number): void {
    this.#dots++;
    const isParent = this.nameEnd - this.nameStart === 2;
    if (this.type !== FileType.directory || (!isParent && this.nid !== this.#nid))
      throw this.#image.error(`bad "${this.name}" of directory ${this.#nid}`, at, this.nid);
    if (isParent && this.#parent !== undefined && this.nid !== this.#parent)
      throw this.#image.error('".." is not the parent', this.#offset, this.nid, this.#parent);
  }

  #nextBlock(): boolean {
    if (this.#done >= this.#size) {
      if (this.#dots !== 2) throw this.#image.error(`directory ${this.#nid} lacks "." or ".."`, this.#offset);
      return false;
    }
    const inTail = this.#done >= this.#dataSize;
    this.#start = inTail ? this.#tailStart : this.#dataStart + this.#done;
    const size = Math.min(BLOCK_SIZE, this.#size - this.#done);
    this.#done += BLOCK_SIZE;
    this.#count = this.#entryCount(size);
    this.#entry = 0;
    this.#nextName = this.#start + this.#count * Dirent.size;
    this.#lastEnd = this.#namesEnd(size);
    return true;
  }

  /** The number of entries in a block: where the first name starts tells. */
  #entryCount(size: number): number {
    const first = size < Dirent.size ? 0 : this.#image.view.getUint16(this.#start + Dirent.nameOffset, true);
    if (first < Dirent.size || first % Dirent.size !== 0 || first >= size)
      throw this.#image.error(`bad block of directory ${this.#nid}`, this.#start, first);
    return first / Dirent.size;
  }

  /** Where the last name of a block ends: at zeros, of which the rest consists, or with the block. */
  #namesEnd(size: number): number {
    const { bytes, view } = this.#image;
    const last = view.getUint16(this.#start + (this.#count - 1) * Dirent.size + Dirent.nameOffset, true);
    const end = this.#start + size;
    let at = Math.min(this.#start + last, end);
    while (at < end && bytes[at] !== 0) at++;
    for (let i = at; i < end; i++) {
      if (bytes[i] !== 0) throw this.#image.error('padding of a directory block', i, bytes[i], 0);
    }
    return at;
  }
}
