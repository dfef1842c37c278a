/**
 * From an image to the tree it was made of, checking the image as a whole on the way: inodes are numbered
 * breadth-first and do not overlap, link counts are right, the object folders are hidden, ACLs are announced.
 */
import { type ByteString, displayBytes } from '../../base/bytes.ts';
import { isDirectory } from '../../base/mode.ts';
import { type Xattrs, xattrsEqual } from '../../base/xattrs.ts';
import {
  Overlay,
  ROOT_WHITEOUT_MODE,
  ROOT_WHITEOUTS,
  SELINUX_XATTR,
  XATTR_ACL_ACCESS,
  XATTR_ACL_DEFAULT,
} from './layout.ts';
import type { ErofsImage, Inode } from './read.ts';
import { ImageTree, type NodeFields } from './tree.ts';

/** A node's number where the inode is a whiteout of the root, which is none of the tree. */
const NO_NODE = -1;

interface Link {
  readonly parent: number;
  readonly name: ByteString;
  readonly inode: Inode;
}

/**
 * The tree of an image. Writing it again gives the same bytes: of the names of a hard-linked file, the one in
 * whose place the inode was numbered becomes the node, the others links. (Hard-linked whiteouts are the
 * exception: where two names compete for one place, nothing tells which one's directory got the marks.)
 */
export function readTree(image: ErofsImage): ImageTree {
  const { inodeCount } = image.superblock;
  const tree = new ImageTree();
  const claims = image.claims();
  const nodes = new Int32Array(inodeCount);
  const nids = new Uint32Array(inodeCount);
  const links: Link[] = [];
  let nextIno = 0;
  let hiddenFolders = 0;
  let hasAcl = false;

  const accept = (inode: Inode): void => {
    if (inode.ino !== nextIno || nextIno >= inodeCount)
      throw image.error(`inode ${inode.nid} is out of order`, inode.offset, inode.ino, nextIno);
    image.claim(claims, inode);
    nids[nextIno++] = inode.nid;
  };
  const nodeOf = (inode: Inode): NodeFields => {
    const fields = image.node(inode);
    if (fields.xattrs !== undefined && isAclHolder(fields.xattrs)) hasAcl = true;
    return fields;
  };

  const root = image.inode(image.rootNid);
  accept(root);
  tree.addRoot(nodeOf(root));
  const rootXattrs = image.xattrs(root);
  const label = rootXattrs.filter(([name]) => name === SELINUX_XATTR);
  if (!rootXattrs.some(([name, value]) => name === Overlay.opaque && value === 'y'))
    throw image.error('the root is not opaque', root.offset);

  const queue = [{ node: 0, inode: root, parent: root }];
  for (let head = 0; head < queue.length; head++) {
    const directory = queue[head] as (typeof queue)[number];
    let directoryLinks = 2;
    for (const entry of image.children(directory.inode, directory.parent)) {
      const inode = image.child(entry);
      if (head === 0 && OBJECT_FOLDER.test(entry.name)) hiddenFolders++;
      if (inode.ino !== nextIno && !isDirectory(inode.mode)) {
        links.push({ parent: directory.node, name: entry.name, inode });
        continue;
      }
      accept(inode);
      if (image.isRealWhiteout(inode)) {
        image.checkWhiteout(inode, entry.name, directory.inode.nid);
        checkRootWhiteout(image, inode, root, label);
        nodes[inode.ino] = NO_NODE;
        continue;
      }
      const node = tree.add(directory.node, entry.name, nodeOf(inode));
      nodes[inode.ino] = node;
      if (isDirectory(inode.mode)) {
        directoryLinks++;
        queue.push({ node, inode, parent: directory.inode });
      }
    }
    if (directory.inode.nlink !== directoryLinks)
      throw image.error(
        'link count of a directory',
        directory.inode.offset,
        directory.inode.nlink,
        directoryLinks,
      );
  }
  if (nextIno !== inodeCount) throw image.error('number of inodes', undefined, nextIno, inodeCount);
  if (hiddenFolders !== ROOT_WHITEOUTS)
    throw image.error('object folders are not hidden', root.offset, hiddenFolders, ROOT_WHITEOUTS);
  if (hasAcl !== image.hasAcl) throw image.error('flag for ACLs', undefined, image.hasAcl, hasAcl);

  for (const { parent, name, inode } of links) {
    const target = nodes[inode.ino] ?? NO_NODE;
    if (nids[inode.ino] !== inode.nid || target === NO_NODE)
      throw image.error(
        `${displayBytes(name)} links to an inode that is nowhere else`,
        inode.offset,
        inode.ino,
      );
    tree.addLink(parent, name, target);
  }
  return tree;
}

const OBJECT_FOLDER = /^[0-9a-f]{2}$/;

const isAclHolder = (xattrs: Xattrs): boolean =>
  xattrs.some(([name]) => name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT);

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
