/**
 * A tree under construction: entries come by path and in any order, as archives have them, with the checksums of
 * objects that are written already. Where two readers could see two different trees it is refused by name.
 */
import { type ByteString, displayBytes, isText } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import { S_IFDIR, S_IFREG } from '../base/mode.ts';
import { NO_XATTRS } from '../base/xattrs.ts';
import type { Dirmeta, DirtreeDirectory } from '../formats/objects.ts';
import type { Content } from './source.ts';
import type { RepositoryWriter } from './write.ts';

/** A regular file or symlink: its content object. */
export interface NewFile {
  readonly kind: 'file' | 'symlink';
  readonly checksum: Checksum;
}

export interface NewFolder {
  readonly kind: 'folder';
  /** Undefined for one that is there only because something is in it. */
  meta: Dirmeta | undefined;
  readonly entries: Map<ByteString, NewNode>;
}

/** Says of a layer of a container image that a name is gone, or all that was in a folder. */
export interface NewWhiteout {
  readonly kind: 'whiteout';
}

export type NewNode = NewFile | NewFolder | NewWhiteout;

/** What a folder gets that no entry describes. */
const IMPLIED: Dirmeta = { uid: 0, gid: 0, mode: S_IFDIR | 0o755, xattrs: NO_XATTRS };

export const newFolder = (meta?: Dirmeta): NewFolder => ({ kind: 'folder', meta, entries: new Map() });

interface Link {
  readonly path: ByteString;
  readonly target: ByteString;
}

/** Builds a tree from the entries of one archive, which errors call `where`. */
export class TreeBuilder {
  readonly root = newFolder();
  readonly #where: string;
  /** Hard links to what has not come yet. */
  readonly #links: Link[] = [];
  readonly #whiteouts: ByteString[][] = [];
  #needsLower = false;

  constructor(where: string) {
    this.#where = where;
  }

  /**
   * The names on the way to a path. The root of the archive is the root of the tree, be it `./` or `/`.
   * @throws FormatError for `..` and for names ostree cannot hold
   */
  names(path: ByteString): ByteString[] {
    const names = (path.split('/') as ByteString[]).filter((name) => name !== '' && name !== '.');
    for (const name of names) {
      if (name === '..') throw this.#error(path, 'leads out of where it is, by ".."');
      if (!isText(name)) throw this.#error(path, 'name is not UTF-8, which ostree requires');
    }
    return names;
  }

  /** A folder; one that is there already gets these attributes. */
  addFolder(path: ByteString, meta: Dirmeta): void {
    this.#folder(this.names(path), path).meta = meta;
  }

  /** A file or symlink; one that is there already is replaced, as unpacking in order would. */
  addFile(path: ByteString, file: NewFile): void {
    const names = this.names(path);
    const name = names.pop();
    if (name === undefined) throw this.#error(path, `a ${file.kind} in the place of the root`);
    const folder = this.#folder(names, path);
    if (folder.entries.get(name)?.kind === 'folder')
      throw this.#error(path, `a ${file.kind}, after it was a folder`);
    folder.entries.set(name, file);
  }

  /** A hard link: the same file by another name, whether its target came before or comes later. */
  addLink(path: ByteString, target: ByteString): void {
    const found = this.#find(this.root, target);
    if (found === undefined) this.#links.push({ path, target });
    else this.#addLink({ path, target }, found);
  }

  /** A whiteout, which says nothing of this tree itself. */
  addWhiteout(path: ByteString): void {
    this.#whiteouts.push(this.names(path));
  }

  /** Whether a hard link was found in the lower tree only. */
  get needsLower(): boolean {
    return this.#needsLower;
  }

  /**
   * The tree, with all hard links in it.
   * @param lower looked into for what a hard link names and this tree does not have
   */
  finish(lower?: NewFolder): NewFolder {
    // A link may name another one.
    for (let left = this.#links.splice(0); left.length > 0; ) {
      const open = left.filter((link) => {
        const own = this.#find(this.root, link.target);
        const found = own ?? (lower && this.#find(lower, link.target));
        if (found !== undefined) this.#addLink(link, found);
        if (found !== own) this.#needsLower = true;
        return found === undefined;
      });
      const [first] = open;
      if (first !== undefined && open.length === left.length)
        throw this.#error(first.path, `hard link to ${displayBytes(first.target)}, which is not there`);
      left = open;
    }
    for (const names of this.#whiteouts.splice(0)) this.#putWhiteout(names);
    return this.root;
  }

  /** Below what is a file here the whiteout has no meaning left: umoci writes such where a folder became a file. */
  #putWhiteout(names: readonly ByteString[]): void {
    let folder = this.root;
    for (const name of names.slice(0, -1)) {
      const next = folder.entries.get(name) ?? newFolder();
      if (next.kind !== 'folder') return;
      folder.entries.set(name, next);
      folder = next;
    }
    folder.entries.set(names.at(-1) as ByteString, { kind: 'whiteout' });
  }

  #addLink({ path, target }: Link, found: NewNode): void {
    if (found.kind === 'folder' || found.kind === 'whiteout')
      throw this.#error(path, `hard link to the ${found.kind} ${displayBytes(target)}`);
    this.addFile(path, found);
  }

  #find(root: NewFolder, path: ByteString): NewNode | undefined {
    let node: NewNode = root;
    for (const name of this.names(path)) {
      if (node.kind !== 'folder') throw this.#error(path, `is looked for below a ${node.kind}`);
      const next: NewNode | undefined = node.entries.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  #folder(names: readonly ByteString[], path: ByteString): NewFolder {
    let folder = this.root;
    for (const name of names) {
      let next = folder.entries.get(name);
      if (next === undefined) {
        next = newFolder();
        folder.entries.set(name, next);
      }
      // Through a symlink it would depend on where one unpacks.
      if (next.kind !== 'folder')
        throw this.#error(path, `${displayBytes(name)} in its path is a ${next.kind}`);
      folder = next;
    }
    return folder;
  }

  #error(path: ByteString, what: string): FormatError {
    return new FormatError(`${this.#where}: ${displayBytes(path)}`, what);
  }
}

/** Writes the dirtrees and dirmetas of a tree. */
export function writeNewTree(
  writer: RepositoryWriter,
  root: NewFolder,
): { readonly rootTree: Checksum; readonly rootMeta: Checksum } {
  const { tree, meta } = writeFolder(writer, '' as ByteString, root);
  return { rootTree: tree, rootMeta: meta };
}

/** A whiteout in a tree that is one layer only is what it is in an archive: an empty file. */
function checksumOf(writer: RepositoryWriter, node: NewFile | NewWhiteout): Checksum {
  if (node.kind !== 'whiteout') return node.checksum;
  return writer.writeFile({ uid: 0, gid: 0, mode: S_IFREG, xattrs: NO_XATTRS }, EMPTY);
}

const EMPTY: Content = { size: 0, chunks: () => [], isFixed: true };

function writeFolder(writer: RepositoryWriter, name: ByteString, folder: NewFolder): DirtreeDirectory {
  const sorted = [...folder.entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const tree = writer.writeDirtree({
    files: sorted.flatMap(([name, node]) =>
      node.kind === 'folder' ? [] : [{ name, checksum: checksumOf(writer, node) }],
    ),
    dirs: sorted.flatMap(([name, node]) => (node.kind === 'folder' ? [writeFolder(writer, name, node)] : [])),
  });
  return { name, tree, meta: writer.writeDirmeta(folder.meta ?? IMPLIED) };
}
