/** The files of an image, from its inodes; their content from the objects it points to. */
import { type ByteString, displayBytes } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/base/digest.ts';
import { NotFoundError, SealtreeError } from '../../src/base/errors.ts';
import { isDirectory, isRegular, isSymlink } from '../../src/base/mode.ts';
import { finish, type Steps } from '../../src/base/steps.ts';
import { NO_XATTRS } from '../../src/base/xattrs.ts';
import type { ErofsImage } from '../../src/formats/erofs/read.ts';
import { payloadObject } from '../../src/image/verify-objects.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { type EntryFacts, NO_FACTS } from '../models/entry.ts';
import { type Content, type FileNode, type FileTree, type ImageNode, STEP_ENTRIES } from './file-tree.ts';
import { objectContent } from './object-content.ts';

export class ImageTree implements FileTree {
  readonly root: ImageNode;
  readonly #image: ErofsImage;
  readonly #repository: () => Repository;

  /** `repository` is opened for the content of files only. */
  constructor(image: ErofsImage, repository: () => Repository) {
    this.#image = image;
    this.#repository = repository;
    const { rootNid: nid } = image;
    this.root = {
      kind: 'directory',
      path: '/' as ByteString,
      name: '' as ByteString,
      nid,
      parentNid: nid,
    };
  }

  *children(folder: FileNode): Steps<ImageNode[]> {
    const image = this.#image;
    const { nid, parentNid, path } = ownNode(folder);
    const inode = image.inode(nid);
    const base = path === '/' ? '/' : `${path}/`;
    const nodes: ImageNode[] = [];
    for (const entry of image.children(inode, image.inode(parentNid))) {
      const child = image.child(entry);
      if (image.isRealWhiteout(child)) continue;
      const kind = isDirectory(child.mode) ? 'directory' : 'file';
      const count = nodes.push({
        kind,
        path: (base + entry.name) as ByteString,
        name: entry.name,
        nid: entry.nid,
        parentNid: nid,
      });
      if (count % STEP_ENTRIES === 0) yield;
    }
    return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  lookup(path: ByteString): ImageNode | undefined {
    let node: ImageNode | undefined = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'directory') return undefined;
      node = finish(this.children(node)).find((child) => child.name === name);
    }
    return node;
  }

  facts(file: FileNode): EntryFacts {
    const { nid, path } = ownNode(file);
    const ids: [string, string][] = [['inode', String(nid)]];
    try {
      const fields = this.#image.node(this.#image.inode(nid));
      const { mode, uid = 0, gid = 0, size = 0, xattrs = NO_XATTRS, payload, content, digest } = fields;
      const target = isSymlink(mode) ? (payload ?? ('' as ByteString)) : ('' as ByteString);
      const isBacked = isRegular(mode) && size > 0 && content === undefined;
      const object = isBacked ? payloadObject(payload) : undefined;
      if (isBacked) ids.push(['backed by', payload === undefined ? 'nothing' : displayBytes(payload)]);
      else if (isRegular(mode)) ids.push(['content', 'in the image']);
      const listed = digest === undefined ? undefined : digestOf(digest);
      if (isBacked) ids.push(['digest', listed ?? 'none: its content is not protected']);
      const links = isDirectory(mode) ? undefined : fields.nlink;
      const common = { mode, uid, gid, xattrs, target, links, ids, object, listed };
      return { ...NO_FACTS, ...common, sizeBytes: isDirectory(mode) ? 0 : size };
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      return { ...NO_FACTS, ids, problem: `${displayBytes(path)}: ${error.message}` };
    }
  }

  async content(file: FileNode, limit: number): Promise<Content> {
    const { nid, path } = ownNode(file);
    const { mode, size = 0, content, payload } = this.#image.node(this.#image.inode(nid));
    if (!isRegular(mode) || size === 0) return { bytes: Buffer.alloc(0), isCut: false };
    if (content !== undefined) return { bytes: Buffer.from(content), isCut: false };
    const object = payloadObject(payload);
    if (object === undefined) throw new NotFoundError(`${displayBytes(path)}: its backing file is no object`);
    return objectContent(this.#repository(), object, limit);
  }
}

function ownNode(node: FileNode): ImageNode {
  if (!('nid' in node)) throw new TypeError('a node of a commit');
  return node;
}
