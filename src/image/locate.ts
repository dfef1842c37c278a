/** What lies at an offset of an image, in words: for telling where two images part. */
import { type ByteString, roundUp } from '../base/bytes.ts';
import { isDirectory, isSymlink } from '../base/mode.ts';
import {
  BLOCK_SIZE,
  CompactInode,
  DataLayout,
  ExtendedInode,
  Header,
  INODES_START,
  SLOT_SIZE,
  SUPERBLOCK_START,
  Superblock,
} from '../formats/erofs/layout.ts';
import type { ErofsImage, Inode } from '../formats/erofs/read.ts';

/** A part of an image. */
export interface Place {
  /** Such as `composefs header`, `inode`, `xattrs`, `directory entries`, `shared xattrs`. */
  readonly part: string;
  /** The field of a header or inode. */
  readonly field?: string;
  /** The entry it belongs to, by its first path. */
  readonly path?: ByteString;
  readonly nid?: number;
}

/** Finds out what lies at `offset`. FormatError where the image is damaged. */
export function locate(image: ErofsImage, offset: number): Place {
  if (offset >= image.bytes.length) return { part: 'end of the image' };
  if (offset < Header.size) return { part: 'composefs header', field: fieldAt(Header, offset) };
  if (offset < SUPERBLOCK_START) return { part: 'padding' };
  if (offset < INODES_START)
    return { part: 'super block', field: fieldAt(Superblock, offset - SUPERBLOCK_START) };

  let inodesEnd = INODES_START;
  let dataStart = image.bytes.length;
  for (const { path, inode } of inodes(image)) {
    const place = inInode(inode, offset);
    if (place !== undefined) return { ...place, path, nid: inode.nid };
    inodesEnd = Math.max(inodesEnd, inode.tailStart + inode.tailSize);
    if (inode.dataSize > 0) dataStart = Math.min(dataStart, inode.dataStart);
  }
  return {
    part: offset >= roundUp(inodesEnd, SLOT_SIZE) && offset < dataStart ? 'shared xattrs' : 'padding',
  };
}

/** All inodes, the root's own whiteouts among them. */
function* inodes(image: ErofsImage): Generator<{ path: ByteString; inode: Inode }> {
  const seen = new Set<number>();
  for (const { path, inode, linkOf } of image.walk()) {
    if (linkOf !== undefined) continue;
    seen.add(inode.nid);
    yield { path, inode };
  }
  for (const { name, nid } of image.entries(image.inode(image.rootNid)))
    if (!seen.has(nid)) yield { path: `/${name}` as ByteString, inode: image.inode(nid) };
}

function inInode(inode: Inode, offset: number): Place | undefined {
  const { dataStart, dataSize, tailStart, tailSize, xattrStart, xattrSize } = inode;
  if (offset >= inode.offset && offset < xattrStart)
    return {
      part: 'inode',
      field: fieldAt(inode.compact ? CompactInode : ExtendedInode, offset - inode.offset),
    };
  if (offset >= xattrStart && offset < xattrStart + xattrSize) return { part: 'xattrs' };
  const inTail = offset >= tailStart && offset < tailStart + tailSize;
  const inBlocks = offset >= dataStart && offset < dataStart + roundUp(dataSize, BLOCK_SIZE);
  if (!inTail && !inBlocks) return undefined;
  if (isDirectory(inode.mode)) return { part: 'directory entries' };
  if (isSymlink(inode.mode)) return { part: 'symlink target' };
  return { part: inode.dataLayout === DataLayout.chunkBased ? 'chunks' : 'inline content' };
}

/** The field that begins at or before `offset`. */
function fieldAt(layout: Readonly<Record<string, number>>, offset: number): string {
  let found = '';
  let start = -1;
  for (const [name, at] of Object.entries(layout)) {
    if (name === 'size' || at > offset || at <= start) continue;
    found = name;
    start = at;
  }
  return found;
}
