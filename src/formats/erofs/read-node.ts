/** What an inode stands for in the tree: the reverse of what the writer does for overlayfs. */
import { type ByteString, bytesToString, displayBytes, stringToBytes } from '../../base/bytes.ts';
import { isRegular, isSymlink, S_IFCHR, S_IFMT } from '../../base/mode.ts';
import { sortedXattrs, type Xattr, type Xattrs } from '../../base/xattrs.ts';
import { BLOCK_SIZE, DataLayout, Limit, METACOPY_HEAD, METACOPY_SIZE, Overlay } from './layout.ts';
import type { ErofsImage } from './read.ts';
import type { Inode } from './read-inode.ts';
import type { NodeFields } from './tree.ts';

/** Marks that writing sets again where they belong. */
const DROPPED: ReadonlySet<string> = new Set([
  Overlay.whiteouts,
  Overlay.userWhiteout,
  Overlay.userWhiteouts,
]);

/**
 * The node the image was made from: overlayfs' xattrs turned back into payload and digest, escaped ones
 * unescaped, whiteouts restored. Of a whiteout's parent the opaque marks stay (writing sets them again). A
 * char device 0:0 among the inodes is one of the root's own whiteouts.
 */
export function readNode(image: ErofsImage, inode: Inode, stored: Xattrs): NodeFields {
  const { mode, size } = inode;
  const backed = inode.dataLayout === DataLayout.chunkBased;
  const fields: NodeFields = {
    mode,
    size,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    mtimeSec: inode.mtimeSec,
    mtimeNsec: inode.mtimeNsec,
  };
  if (isSymlink(mode)) fields.payload = readTarget(image, inode);
  else if (isRegular(mode) && !backed && size > 0) fields.content = readContent(image, inode);

  if (stored.length === 0) return fields;
  const xattrs: Xattr[] = [];
  for (const [name, value] of stored) {
    if (DROPPED.has(name)) continue;
    if (name === Overlay.whiteout && isRegular(mode) && size === 0) fields.mode = S_IFCHR | (mode & ~S_IFMT);
    else if (name.startsWith(Overlay.escapedPrefix))
      xattrs.push([(Overlay.prefix + name.slice(Overlay.escapedPrefix.length)) as ByteString, value]);
    else if (!name.startsWith(Overlay.prefix)) xattrs.push([name, value]);
    else if (name === Overlay.redirect && backed) fields.payload = backingPath(image, inode, value);
    else if (name === Overlay.metacopy && backed) readMetacopy(image, inode, value, fields);
    else if (name !== Overlay.opaque || inode.nid !== image.rootNid)
      throw image.error(`overlayfs' own xattr on inode ${inode.nid}`, inode.offset, displayBytes(name));
  }
  // Unescaping changes names, and so their order.
  if (xattrs.length > 0) fields.xattrs = sortedXattrs(xattrs);
  return fields;
}

function readContent(image: ErofsImage, inode: Inode): Buffer {
  if (inode.size > Limit.inlineContent)
    throw image.error('too much inline content', inode.offset, inode.size, `at most ${Limit.inlineContent}`);
  return image.data(inode);
}

function readTarget(image: ErofsImage, inode: Inode): ByteString {
  let target: ByteString;
  if (inode.size > 0) {
    target = bytesToString(image.data(inode));
  } else {
    // libostree leaves the size at 0, which shows where a target is too long to be inline: it has a block.
    const block = image.bytes.subarray(inode.dataStart, inode.dataStart + BLOCK_SIZE);
    const end = inode.dataStart === 0 ? -1 : block.indexOf(0);
    if (end < 0) throw image.error(`symlink without a target (inode ${inode.nid})`, inode.offset);
    target = bytesToString(block, 0, end);
  }
  if (target === '' || target.length > Limit.payloadLength || target.includes('\0'))
    throw image.error(`bad symlink target of inode ${inode.nid}`, inode.offset);
  return target;
}

function backingPath(image: ErofsImage, inode: Inode, value: ByteString): ByteString {
  if (
    !value.startsWith('/') ||
    value.length < 2 ||
    value.length > 1 + Limit.payloadLength ||
    value.includes('\0')
  )
    throw image.error(`bad redirect of inode ${inode.nid}`, inode.offset, displayBytes(value));
  return value.slice(1) as ByteString;
}

const HEAD = bytesToString(Uint8Array.from(METACOPY_HEAD));

function readMetacopy(image: ErofsImage, inode: Inode, value: ByteString, fields: NodeFields): void {
  if (value === '') return;
  if (value.length !== METACOPY_SIZE || !value.startsWith(HEAD))
    throw image.error(
      `metacopy without a SHA-256 digest (inode ${inode.nid})`,
      inode.offset,
      stringToBytes(value).toString('hex'),
    );
  fields.digest = stringToBytes(value.slice(HEAD.length) as ByteString);
}
