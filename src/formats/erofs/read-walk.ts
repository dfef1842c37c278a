/** All entries of an image, one after the other, without an object for each. */
import { type ByteString, bytesToString, MAX_PATH_BYTES } from '../../base/bytes.ts';
import { isDirectory } from '../../base/mode.ts';
import type { Claims } from './claims.ts';
import { SLOT_SIZE } from './layout.ts';
import type { ErofsImage } from './read.ts';
import type { DirectoryCursor } from './read-directory.ts';
import { StoredInode } from './read-inode.ts';

const SLASH = 0x2f;
const FIRST_PATH_BYTES = 4096;

/** A directory on the way to the entry at hand. */
interface Level {
  readonly entries: DirectoryCursor;
  nid: number;
  /** Bytes of its path. */
  pathLength: number;
}

/**
 * Goes depth-first in stored order, the root first; `.`, `..` and the root's real whiteouts are left out. An inode met
 * again is a hard link to where it was met first; a directory met again is refused, and so are inodes that overlap,
 * and directories whose path is longer than {@link MAX_PATH_BYTES}.
 */
export class ImageWalk {
  /** The inode of the entry at hand, filled in again by {@link next}: whoever keeps it puts another one here. */
  inode = new StoredInode();
  /** 0 for the root. */
  depth = 0;
  /** The path where the inode was met first, for a hard link. */
  linkOf: ByteString | undefined;
  /** The path of the entry at hand: `/a/b`, and nothing for the root. */
  pathBytes = Buffer.allocUnsafe(FIRST_PATH_BYTES);
  pathLength = 0;
  readonly #image: ErofsImage;
  readonly #claims: Claims;
  // By inode number, where the inode was met first: the directory's number + 1, or 0; where its name is.
  readonly #folders: Uint32Array;
  readonly #nameStarts: Float64Array;
  readonly #nameLengths: Uint8Array;
  /** By depth; they are used again for other directories. */
  readonly #levels: Level[] = [];
  /** The level that is being read; -1 before the root was. */
  #top = -1;
  /** The entry at hand where it is a directory: what is in it comes next. */
  #entered: StoredInode | undefined;
  #isOver = false;

  constructor(image: ErofsImage) {
    const numbers = Math.ceil(image.bytes.length / SLOT_SIZE);
    this.#image = image;
    this.#claims = image.claims();
    this.#folders = new Uint32Array(numbers);
    this.#nameStarts = new Float64Array(numbers);
    this.#nameLengths = new Uint8Array(numbers);
  }

  /** `/` or `/a/b`. */
  get path(): ByteString {
    return this.pathLength === 0 ? ('/' as ByteString) : bytesToString(this.pathBytes, 0, this.pathLength);
  }

  /** Empty for the root. */
  get name(): ByteString {
    return this.depth === 0 ? ('' as ByteString) : (this.#levels[this.#top] as Level).entries.name;
  }

  /** Goes to the next entry; false where there is none left. @throws FormatError */
  next(): boolean {
    const image = this.#image;
    if (this.#top === -1 && this.#entered === undefined) {
      if (this.#isOver) return false;
      image.readInode(image.rootNid, this.inode);
      image.claim(this.#claims, this.inode);
      this.#entered = this.inode;
      return true;
    }
    if (this.#entered !== undefined) this.#enter(this.#entered);
    while (this.#top >= 0) {
      const level = this.#levels[this.#top] as Level;
      const { entries } = level;
      if (!entries.next()) {
        this.#top--;
        continue;
      }
      const { inode } = this;
      image.readChild(entries, inode);
      const isFolder = isDirectory(inode.mode);
      const isWhiteout = image.isRealWhiteout(inode);
      const isLink = !isFolder && !isWhiteout && this.#folders[inode.nid] !== 0;
      if (!isLink) image.claim(this.#claims, inode);
      if (isWhiteout) {
        image.checkWhiteout(inode, entries.name, level.nid);
        continue;
      }
      this.depth = this.#top + 1;
      this.#setPath(level.pathLength, entries);
      this.linkOf = isLink ? this.#firstPath(inode.nid) : undefined;
      if (!isLink) this.#remember(inode.nid, level.nid, entries);
      this.#entered = isFolder ? inode : undefined;
      return true;
    }
    this.#isOver = true;
    return false;
  }

  #enter(directory: StoredInode): void {
    const image = this.#image;
    if (this.pathLength > MAX_PATH_BYTES)
      throw image.error('path is too long', directory.offset, this.pathLength, `at most ${MAX_PATH_BYTES}`);
    const parent = this.#levels[this.#top]?.nid ?? directory.nid;
    this.#top++;
    this.#levels[this.#top] ??= { entries: image.cursor(), nid: 0, pathLength: 0 };
    const level = this.#levels[this.#top] as Level;
    level.entries.open(directory, parent);
    level.nid = directory.nid;
    level.pathLength = this.pathLength;
    this.#entered = undefined;
  }

  #remember(nid: number, folder: number, { nameStart, nameEnd }: DirectoryCursor): void {
    this.#folders[nid] = folder + 1;
    this.#nameStarts[nid] = nameStart;
    this.#nameLengths[nid] = nameEnd - nameStart;
  }

  /** The path by which an inode was met first: from its end, name by name. */
  #firstPath(nid: number): ByteString {
    const { rootNid, bytes } = this.#image;
    const folderOf = (at: number): number => (this.#folders[at] as number) - 1;
    let length = 0;
    for (let at = nid; at !== rootNid; at = folderOf(at)) length += 1 + (this.#nameLengths[at] as number);
    const path = Buffer.allocUnsafe(length);
    for (let at = nid; at !== rootNid; at = folderOf(at)) {
      const start = this.#nameStarts[at] as number;
      const nameLength = this.#nameLengths[at] as number;
      length -= nameLength;
      for (let i = 0; i < nameLength; i++) path[length + i] = bytes[start + i] as number;
      path[--length] = SLASH;
    }
    return bytesToString(path);
  }

  /** Puts the entry's name behind the path of its directory. */
  #setPath(folderLength: number, { nameStart, nameEnd }: DirectoryCursor): void {
    const length = folderLength + 1 + nameEnd - nameStart;
    if (length > this.pathBytes.length) {
      const path = Buffer.allocUnsafe(2 * length);
      this.pathBytes.copy(path, 0, 0, folderLength);
      this.pathBytes = path;
    }
    const { pathBytes } = this;
    const { bytes } = this.#image;
    let at = folderLength;
    pathBytes[at++] = SLASH;
    for (let i = nameStart; i < nameEnd; i++) pathBytes[at++] = bytes[i] as number;
    this.pathLength = length;
  }
}
