/** From an image to the tree it was made of. */
import type { ByteString } from '../../base/bytes.ts';
import { finish } from '../../base/steps.ts';
import type { Xattrs } from '../../base/xattrs.ts';
import { checkTree, type TreeVisitor } from './check-tree.ts';
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from './layout.ts';
import type { DirectoryCursor, ErofsImage, Inode } from './read.ts';
import { ImageTree, type NodeFields } from './tree.ts';

/**
 * The tree of an image. Writing it again gives the same bytes: of the names of a hard-linked file, the one in
 * whose place the inode was numbered becomes the node, the others links. (Hard-linked whiteouts are the
 * exception: where two names compete for one place, nothing tells which one's directory got the marks.)
 */
export function readTree(image: ErofsImage): ImageTree {
  const tree = new ImageTree();
  finish(checkTree(image, new TreeBuilder(image, tree)));
  return tree;
}

class TreeBuilder implements TreeVisitor {
  hasAcl = false;
  readonly #image: ErofsImage;
  readonly #tree: ImageTree;

  constructor(image: ErofsImage, tree: ImageTree) {
    this.#image = image;
    this.#tree = tree;
  }

  root(inode: Inode): number {
    return this.#tree.addRoot(this.#fieldsOf(inode));
  }

  node(parent: number, { name }: DirectoryCursor, inode: Inode): number {
    return this.#tree.add(parent, name, this.#fieldsOf(inode));
  }

  link(parent: number, name: ByteString, target: number): void {
    this.#tree.addLink(parent, name, target);
  }

  #fieldsOf(inode: Inode): NodeFields {
    const fields = this.#image.node(inode);
    if (fields.xattrs !== undefined && isAclHolder(fields.xattrs)) this.hasAcl = true;
    return fields;
  }
}

const isAclHolder = (xattrs: Xattrs): boolean =>
  xattrs.some(([name]) => name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT);
