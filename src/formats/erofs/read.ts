/**
 * Composefs images, read by somebody who trusts nothing in them: every offset, count, name, type and id is
 * checked before it is used, unknown feature bits are refused, and a bad image ends in a FormatError, in time
 * and memory proportional to its size.
 *
 * {@link ErofsImage} gives what is stored, inode by inode; {@link ./read-tree.ts} the tree behind it.
 */
import { type ByteString, displayBytes, roundUp } from '../../base/bytes.ts';
import type { FormatError } from '../../base/errors.ts';
import { isDirectory, S_IFCHR, S_IFMT } from '../../base/mode.ts';
import { NO_XATTRS, sortedXattrs, type Xattrs } from '../../base/xattrs.ts';
import { Claims } from './claims.ts';
import { ImageBytes } from './image-bytes.ts';
import { BLOCK_SIZE, DataLayout } from './layout.ts';
import { DirectoryCursor, type DirectoryEntry, MODE_OF_TYPE } from './read-directory.ts';
import { readHeader, readSuperblock, type SuperblockFields } from './read-headers.ts';
import { type Inode, InodeReader, StoredInode } from './read-inode.ts';
import { readNode } from './read-node.ts';
import { ImageWalk } from './read-walk.ts';
import { type StoredXattrs, XattrReader } from './read-xattrs.ts';
import type { NodeFields } from './tree.ts';

export { DirectoryCursor, type DirectoryEntry } from './read-directory.ts';
export type { SuperblockFields } from './read-headers.ts';
export { type Inode, StoredInode } from './read-inode.ts';
export { readTree } from './read-tree.ts';
export { ImageWalk } from './read-walk.ts';
export type { XattrReader } from './read-xattrs.ts';

export interface WalkedEntry {
  /** `/` or `/a/b`. */
  readonly path: ByteString;
  /** Empty for the root. */
  readonly name: ByteString;
  /** 0 for the root. */
  readonly depth: number;
  readonly inode: Inode;
  /** The path where this inode was met first, for a hard link. */
  readonly linkOf: ByteString | undefined;
}

const OBJECT_FOLDER = /^[0-9a-f]{2}$/;

export class ErofsImage {
  readonly bytes: Buffer;
  /** Names the image in errors. */
  readonly where: string;
  /** 0 or 1. */
  readonly composefsVersion: 0 | 1;
  /** Whether the header says that some inode has a POSIX ACL. */
  readonly hasAcl: boolean;
  readonly superblock: SuperblockFields;
  readonly rootNid: number;
  readonly #image: ImageBytes;
  readonly #inodes: InodeReader;
  readonly #xattrs: XattrReader;

  /**
   * Checks the headers. FormatError where they are wrong, UnsupportedError for format versions other than 0
   * and 1 (composefs-rs' own version 2 is laid out and escaped differently).
   */
  constructor(bytes: Uint8Array, where: string) {
    this.#image = new ImageBytes(bytes, where);
    this.bytes = this.#image.bytes;
    this.where = where;
    const { composefsVersion, hasAcl } = readHeader(this.#image);
    this.composefsVersion = composefsVersion;
    this.hasAcl = hasAcl;
    this.superblock = readSuperblock(this.#image);
    this.rootNid = this.superblock.rootNid;
    this.#inodes = new InodeReader(this.#image, this.superblock);
    this.#xattrs = new XattrReader(this.#image, this.superblock.xattrBlock * BLOCK_SIZE);
    const root = this.inode(this.rootNid);
    if (!isDirectory(root.mode)) throw this.error('the root is not a directory', root.offset);
  }

  /** The inode of a number; its data and xattrs lie inside the image, its type and layout go together. */
  inode(nid: number): Inode {
    return this.#inodes.read(nid);
  }

  /** The same, filled into one that is there already. */
  readInode(nid: number, into: StoredInode): void {
    this.#inodes.read(nid, into);
  }

  /** For who goes through many directories and makes nothing per entry: {@link DirectoryCursor.open} begins with one. */
  cursor(): DirectoryCursor {
    return new DirectoryCursor(this.#image);
  }

  /**
   * The entries of a directory in stored order, `.` and `..` among them. Names are checked to be names, sorted
   * and unique; `.` to be there and to mean the directory.
   */
  entries(directory: Inode): Generator<DirectoryEntry, void> {
    return this.#entries(directory, undefined);
  }

  /** The entries without `.` and `..`, of which the latter is checked to be `parent`. */
  children(directory: Inode, parent: Inode): Generator<DirectoryEntry, void> {
    return this.#entries(directory, parent.nid);
  }

  *#entries(directory: Inode, parent: number | undefined): Generator<DirectoryEntry, void> {
    const cursor = this.cursor().open(directory, parent);
    while (cursor.next()) yield { name: cursor.name, nid: cursor.nid, type: cursor.type };
  }

  /** The inode of an entry, which must be of the type that the entry says. */
  child(entry: DirectoryEntry): Inode {
    const inode = this.inode(entry.nid);
    this.#checkType(entry, inode);
    return inode;
  }

  /** The same, filled into one that is there already. */
  readChild(entry: DirectoryEntry, into: StoredInode): void {
    this.readInode(entry.nid, into);
    this.#checkType(entry, into);
  }

  #checkType(entry: DirectoryEntry, inode: Inode): void {
    if ((inode.mode & S_IFMT) === MODE_OF_TYPE[entry.type]) return;
    throw this.error(
      `${displayBytes(entry.name)} is of another type than its entry says`,
      inode.offset,
      entry.type,
    );
  }

  /** The xattrs as they lie in the image, until those of another inode are asked for. */
  xattrPlaces(inode: Inode): XattrReader {
    return this.#xattrs.read(inode.xattrStart, inode.xattrSize);
  }

  /** The xattrs in stored order: unshared and shared ones apart. */
  rawXattrs(inode: Inode): StoredXattrs {
    if (inode.xattrSize === 0) return { unshared: NO_XATTRS, shared: NO_XATTRS };
    return this.xattrPlaces(inode).stored();
  }

  /** All xattrs as stored, by name: overlayfs' own and escaped ones as they are. */
  xattrs(inode: Inode): Xattrs {
    if (inode.xattrSize === 0) return NO_XATTRS;
    return inOrder(this.rawXattrs(inode));
  }

  /** The data of a directory, a symlink or a file with its content in the image; may share memory with it. */
  data(inode: Inode): Buffer {
    if (inode.dataLayout === DataLayout.chunkBased)
      throw this.error(`the data of inode ${inode.nid} is in a backing file`, inode.offset);
    const { dataStart, dataSize, tailStart, tailSize } = inode;
    if (dataSize === 0) return this.bytes.subarray(tailStart, tailStart + tailSize);
    const blocks = this.bytes.subarray(dataStart, dataStart + dataSize);
    if (tailSize === 0) return blocks;
    return Buffer.concat([blocks, this.bytes.subarray(tailStart, tailStart + tailSize)]);
  }

  /**
   * The node the image was made from: overlayfs' xattrs turned back into payload and digest, escaped ones
   * unescaped, whiteouts restored. Of a whiteout's parent the opaque marks stay (writing sets them again). A
   * char device 0:0 among the inodes is one of the root's own whiteouts.
   * @param stored the inode's {@link rawXattrs}, where they are at hand
   */
  node(inode: Inode, stored?: StoredXattrs): NodeFields {
    return readNode(this, inode, stored === undefined ? this.xattrs(inode) : inOrder(stored));
  }

  /** All entries: see {@link ImageWalk}. */
  walk(): Generator<WalkedEntry, void> {
    return entriesOf(new ImageWalk(this));
  }

  /** The image's parts, of which the headers are taken. */
  claims(): Claims {
    return new Claims(this.#image);
  }

  /** Takes what an inode occupies. */
  claim(claims: Claims, inode: Inode): void {
    claims.take(inode.offset, inode.tailStart + inode.tailSize, 'inode', inode.nid);
    if (inode.dataSize === 0) return;
    const end = inode.dataStart + roundUp(inode.dataSize, BLOCK_SIZE);
    claims.take(inode.dataStart, end, 'data of inode', inode.nid);
  }

  /** Whether an inode is a real whiteout: one of the root's, which hide the object folders. */
  isRealWhiteout(inode: Inode): boolean {
    return (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === 0;
  }

  /** A real whiteout belongs into the root, to hide one of the object folders. */
  checkWhiteout(inode: Inode, name: ByteString, parentNid: number): void {
    if (parentNid !== this.rootNid || !OBJECT_FOLDER.test(name))
      throw this.error('whiteout of something other than an object folder', inode.offset, displayBytes(name));
  }

  /** A FormatError of this image. */
  error(what: string, offset?: number, got?: unknown, want?: unknown): FormatError {
    return this.#image.error(what, offset, got, want);
  }
}

/** The entries of a walk, each an object of its own. */
function* entriesOf(walk: ImageWalk): Generator<WalkedEntry, void> {
  while (walk.next()) {
    const { path, name, depth, inode, linkOf } = walk;
    walk.inode = new StoredInode();
    yield { path, name, depth, inode, linkOf };
  }
}

/** Unshared and shared ones together, by name. */
function inOrder({ unshared, shared }: StoredXattrs): Xattrs {
  if (shared.length === 0) return sortedXattrs(unshared);
  return sortedXattrs(unshared.length === 0 ? shared : [...unshared, ...shared]);
}
