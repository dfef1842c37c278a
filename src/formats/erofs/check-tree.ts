/**
 * An image as a whole: inodes are numbered breadth-first and do not overlap, link counts are right, the object folders
 * are hidden, ACLs are announced.
 */
import { type ByteString, displayBytes } from '../../base/bytes.ts';
import { isDirectory } from '../../base/mode.ts';
import type { Steps } from '../../base/steps.ts';
import { type Xattrs, xattrsEqual } from '../../base/xattrs.ts';
import { Overlay, ROOT_WHITEOUT_MODE, ROOT_WHITEOUTS, SELINUX_XATTR } from './layout.ts';
import { type DirectoryCursor, type ErofsImage, type Inode, StoredInode } from './read.ts';

/** Who is told of the nodes of the tree behind an image, directories before what is in them. */
export interface TreeVisitor {
  /** Each is given a number, by which others say that they are in it. @throws FormatError for what no tree can have */
  root(inode: Inode): number;
  /** Inode and entry are valid during the call. */
  node(parent: number, entry: DirectoryCursor, inode: Inode): number;
  /** Another name of a node; after all nodes. */
  link(parent: number, name: ByteString, target: number): void;
  /** Whether a node has had a POSIX ACL. */
  readonly hasAcl: boolean;
}

/** A node's number where the inode is a whiteout of the root, which is none of the tree. */
const NO_NODE = -1;

const INODES_A_STEP = 512;

interface Link {
  readonly parent: number;
  readonly name: ByteString;
  readonly inode: Inode;
}

/** A directory that is still to be gone through. */
interface Folder {
  readonly node: number;
  readonly nid: number;
  readonly parentNid: number;
}

/** Goes through the image breadth-first and checks it, some inodes a step. @throws FormatError */
export function* checkTree(image: ErofsImage, visitor: TreeVisitor): Steps<void> {
  const { inodeCount } = image.superblock;
  const claims = image.claims();
  const nodes = new Int32Array(inodeCount);
  const nids = new Uint32Array(inodeCount);
  const links: Link[] = [];
  let nextIno = 0;
  let hiddenFolders = 0;

  const accept = (inode: Inode): void => {
    if (inode.ino !== nextIno || nextIno >= inodeCount)
      throw image.error(`inode ${inode.nid} is out of order`, inode.offset, inode.ino, nextIno);
    image.claim(claims, inode);
    nids[nextIno++] = inode.nid;
  };

  const root = image.inode(image.rootNid);
  accept(root);
  const queue: Folder[] = [{ node: visitor.root(root), nid: root.nid, parentNid: root.nid }];
  const rootXattrs = image.xattrs(root);
  const label = rootXattrs.filter(([name]) => name === SELINUX_XATTR);
  if (!rootXattrs.some(([name, value]) => name === Overlay.opaque && value === 'y'))
    throw image.error('the root is not opaque', root.offset);

  const entry = image.cursor();
  const directory = new StoredInode();
  const inode = new StoredInode();
  for (let head = 0; head < queue.length; head++) {
    const { node: parent, nid, parentNid } = queue[head] as Folder;
    image.readInode(nid, directory);
    let directoryLinks = 2;
    entry.open(directory, parentNid);
    while (entry.next()) {
      image.readChild(entry, inode);
      if (head === 0 && OBJECT_FOLDER.test(entry.name)) hiddenFolders++;
      if (inode.ino !== nextIno && !isDirectory(inode.mode)) {
        links.push({ parent, name: entry.name, inode: image.inode(inode.nid) });
        continue;
      }
      accept(inode);
      if (nextIno % INODES_A_STEP === 0) yield;
      if (image.isRealWhiteout(inode)) {
        image.checkWhiteout(inode, entry.name, nid);
        checkRootWhiteout(image, inode, root, label);
        nodes[inode.ino] = NO_NODE;
        continue;
      }
      const node = visitor.node(parent, entry, inode);
      nodes[inode.ino] = node;
      if (isDirectory(inode.mode)) {
        directoryLinks++;
        queue.push({ node, nid: inode.nid, parentNid: nid });
      }
    }
    if (directory.nlink !== directoryLinks)
      throw image.error('link count of a directory', directory.offset, directory.nlink, directoryLinks);
  }
  if (nextIno !== inodeCount) throw image.error('number of inodes', undefined, nextIno, inodeCount);
  if (hiddenFolders !== ROOT_WHITEOUTS)
    throw image.error('object folders are not hidden', root.offset, hiddenFolders, ROOT_WHITEOUTS);
  if (visitor.hasAcl !== image.hasAcl)
    throw image.error('flag for ACLs', undefined, image.hasAcl, visitor.hasAcl);

  for (const { parent, name, inode } of links) {
    const target = nodes[inode.ino] ?? NO_NODE;
    if (nids[inode.ino] !== inode.nid || target === NO_NODE)
      throw image.error(
        `${displayBytes(name)} links to an inode that is nowhere else`,
        inode.offset,
        inode.ino,
      );
    visitor.link(parent, name, target);
  }
}

const OBJECT_FOLDER = /^[0-9a-f]{2}$/;

/** The root's whiteouts are its own: owner, time and label. */
function checkRootWhiteout(image: ErofsImage, inode: Inode, root: Inode, label: Xattrs): void {
  const same =
    inode.mode === ROOT_WHITEOUT_MODE &&
    inode.nlink === 1 &&
    inode.uid === root.uid &&
    inode.gid === root.gid &&
    inode.mtimeSec === root.mtimeSec &&
    inode.mtimeNsec === root.mtimeNsec &&
    xattrsEqual(image.xattrs(inode), label);
  if (!same) throw image.error(`whiteout ${inode.nid} is not as the root`, inode.offset);
}
