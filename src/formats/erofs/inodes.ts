/**
 * From a tree to the inodes of its image: what composefs adds and rewrites so that overlayfs finds the data and
 * shows the tree as it was, and the order of the inodes.
 *
 * Whiteouts of the tree become marked regular files; the root gets an opaque mark and 256 real whiteouts that
 * hide the object folders. The input is left alone: those whiteouts are nodes beyond the tree's, and what
 * changes is kept in columns of its own.
 */
import { FormatError } from '../../base/errors.ts';
import { S_IFCHR, S_IFDIR, S_IFMT, S_IFREG } from '../../base/mode.ts';
import { FileType, ROOT_WHITEOUT_MODE, ROOT_WHITEOUTS } from './layout.ts';
import { HAS_CONTENT, HAS_PAYLOAD, type ImageTree, type TreeColumns } from './tree.ts';
import { Variant, XattrSets } from './xattr-sets.ts';

/** The names `00` to `ff`, one after the other. */
const WHITEOUT_NAMES = Buffer.from(
  Array.from({ length: ROOT_WHITEOUTS }, (_, i) => i.toString(16).padStart(2, '0')).join(''),
);
const WHITEOUT_NAME_LENGTH = 2;

/** Instead of a node in a list of directory entries: `.` and `..`. */
export const SELF = -1;
export const PARENT = -2;
const DOTS = Buffer.from('..');
const DOT = 0x2e;

const FILE_TYPES: readonly number[] = (() => {
  const types = new Array<number>(16).fill(0);
  types[0o01] = FileType.fifo;
  types[0o02] = FileType.characterDevice;
  types[0o04] = FileType.directory;
  types[0o06] = FileType.blockDevice;
  types[0o10] = FileType.regular;
  types[0o12] = FileType.symlink;
  types[0o14] = FileType.socket;
  return types;
})();

const isWhiteout = (columns: TreeColumns, node: number): boolean =>
  ((columns.mode[node] as number) & S_IFMT) === S_IFCHR && columns.rdev[node] === 0;

/** Whether some node, hard links aside, is a char device 0:0. */
export function hasWhiteout(tree: ImageTree): boolean {
  for (let node = 0; node < tree.count; node++) {
    if (tree.columns.link[node] === 0 && isWhiteout(tree.columns, node)) return true;
  }
  return false;
}

export class Inodes {
  readonly columns: TreeColumns;
  /** Inodes of the image in their order, as nodes. */
  readonly order: Uint32Array;
  readonly xattrs: XattrSets;
  /** By node, after rewriting: st_mode, id of the xattr set. */
  readonly mode: Uint16Array;
  readonly xattrSet: Uint32Array;
  /** The node with the smallest mtime. */
  readonly oldest: number;

  /** The entries of the directory last asked for: see {@link listEntries}. */
  entries = new Int32Array(64);
  entryCount = 0;

  readonly #count: number;
  readonly #childStart: Uint32Array;
  readonly #children: Int32Array;
  readonly #rootChildren: Int32Array;

  constructor(tree: ImageTree, version: number) {
    const count = tree.count;
    if (count === 0) throw new FormatError('tree', 'has no root');
    const columns = tree.columns;
    const { start, list } = tree.order();
    this.columns = columns;
    this.xattrs = new XattrSets(tree, version);
    this.#count = count;
    this.#childStart = start;
    this.#children = list;
    this.#rootChildren = withWhiteouts(tree, list.subarray(0, start[1]));

    const nodes = count + ROOT_WHITEOUTS;
    this.mode = new Uint16Array(nodes);
    this.xattrSet = new Uint32Array(nodes);
    this.mode.set(columns.mode.subarray(0, count));
    this.mode.fill(ROOT_WHITEOUT_MODE, count);

    const variants = this.#rewrite();
    this.order = this.#breadthFirst();
    this.xattrSet.fill(this.xattrs.setId(columns.xattrs[0] as number, Variant.rootWhiteout), count);
    for (let ino = 0; ino < this.order.length; ino++) {
      const node = this.order[ino] as number;
      if (node < count)
        this.xattrSet[node] = this.xattrs.setId(columns.xattrs[node] as number, variants[node] as number);
      this.xattrs.use(node, this.xattrSet[node] as number);
    }
    this.xattrs.share();
    this.oldest = this.#findOldest();
  }

  /** The node whose owner and times an inode has: the root's for its whiteouts. */
  source(node: number): number {
    return node < this.#count ? node : 0;
  }

  /** The size field: nothing is left of a whiteout's. */
  size(node: number): number {
    return node >= this.#count || isWhiteout(this.columns, node) ? 0 : (this.columns.size[node] as number);
  }

  /** The link count: of a directory 2 and one for each in it, of the root's whiteouts 1. */
  nlink(node: number): number {
    if (node >= this.#count) return 1;
    if (((this.mode[node] as number) & S_IFMT) !== S_IFDIR) return this.columns.nlink[node] as number;
    // No whiteout is a directory: the root has no other list for this.
    let links = 2;
    const end = this.#childStart[node + 1] as number;
    for (let i = this.#childStart[node] as number; i < end; i++)
      if (((this.mode[this.#children[i] as number] as number) & S_IFMT) === S_IFDIR) links++;
    return links;
  }

  /** Whether the node is a regular file whose data is in a backing file. */
  isBacked(node: number): boolean {
    return (
      ((this.mode[node] as number) & S_IFMT) === S_IFREG &&
      node < this.#count &&
      ((this.columns.flags[node] as number) & HAS_CONTENT) === 0 &&
      this.size(node) > 0
    );
  }

  /** The inode an entry of a directory leads to. */
  target(entry: number, directory: number): number {
    if (entry === SELF) return directory;
    if (entry === PARENT) return directory === 0 ? 0 : (this.columns.parent[directory] as number);
    if (entry >= this.#count) return entry;
    return (this.columns.link[entry] as number) || entry;
  }

  /** The EROFS file type of an inode. */
  fileType(node: number): number {
    return FILE_TYPES[(this.mode[node] as number) >> 12] as number;
  }

  /** Where the name of an entry is: `nameBytes(entry)` from `nameStart(entry)`, `nameLength(entry)` long. */
  nameBytes(entry: number): Buffer {
    if (entry < 0) return DOTS;
    return entry < this.#count ? this.columns.arena : WHITEOUT_NAMES;
  }

  nameStart(entry: number): number {
    if (entry < 0) return 0;
    return entry < this.#count
      ? (this.columns.bytes[entry] as number)
      : WHITEOUT_NAME_LENGTH * (entry - this.#count);
  }

  nameLength(entry: number): number {
    if (entry < 0) return -entry;
    return entry < this.#count ? (this.columns.nameLength[entry] as number) : WHITEOUT_NAME_LENGTH;
  }

  /** Puts the entries of a directory, `.` and `..` among them, into {@link entries} in the order of their names. */
  listEntries(directory: number): void {
    const list = directory === 0 ? this.#rootChildren : this.#children;
    let at = directory === 0 ? 0 : (this.#childStart[directory] as number);
    const end = directory === 0 ? list.length : (this.#childStart[directory + 1] as number);
    const count = end - at + 2;
    if (this.entries.length < count) this.entries = new Int32Array(2 * count);
    const entries = this.entries;
    let to = 0;
    while (at < end && this.#isBeforeDots(list[at] as number, 1)) entries[to++] = list[at++] as number;
    entries[to++] = SELF;
    while (at < end && this.#isBeforeDots(list[at] as number, 2)) entries[to++] = list[at++] as number;
    entries[to++] = PARENT;
    while (at < end) entries[to++] = list[at++] as number;
    this.entryCount = to;
  }

  /** Whether a child's name sorts before a name of `dots` dots. */
  #isBeforeDots(node: number, dots: number): boolean {
    const bytes = this.nameBytes(node);
    const start = this.nameStart(node);
    const length = this.nameLength(node);
    for (let i = 0; i < dots; i++) {
      if (i >= length) return true;
      const c = bytes[start + i] as number;
      if (c !== DOT) return c < DOT;
    }
    return false;
  }

  /** Turns the tree's whiteouts into files; returns what each node's xattrs have to gain. */
  #rewrite(): Uint8Array {
    const columns = this.columns;
    const variants = new Uint8Array(this.#count);
    variants[0]! |= Variant.root;
    for (let node = 0; node < this.#count; node++) {
      if (columns.link[node] !== 0) continue;
      if (isWhiteout(columns, node)) {
        this.mode[node] = S_IFREG | ((this.mode[node] as number) & ~S_IFMT);
        variants[node]! |= Variant.whiteout;
        variants[columns.parent[node] as number]! |= Variant.whiteoutParent;
      } else if (this.isBacked(node)) {
        variants[node]! |= Variant.metacopy;
        if ((columns.flags[node] as number) & HAS_PAYLOAD) variants[node]! |= Variant.redirect;
      }
    }
    return variants;
  }

  /** Orders the inodes. */
  #breadthFirst(): Uint32Array {
    const { link } = this.columns;
    const order = new Uint32Array(this.#count + ROOT_WHITEOUTS);
    let end = 1;
    for (let head = 0; head < end; head++) {
      const directory = order[head] as number;
      if (((this.mode[directory] as number) & S_IFMT) !== S_IFDIR) continue;
      const list = directory === 0 ? this.#rootChildren : this.#children;
      const from = directory === 0 ? 0 : (this.#childStart[directory] as number);
      const to = directory === 0 ? list.length : (this.#childStart[directory + 1] as number);
      for (let i = from; i < to; i++) {
        const child = list[i] as number;
        if (child < this.#count && link[child] !== 0) continue;
        order[end++] = child;
      }
    }
    return order.subarray(0, end);
  }

  #findOldest(): number {
    const { link, mtimeHigh, mtimeLow, mtimeNsec } = this.columns;
    let oldest = 0;
    for (let node = 1; node < this.#count; node++) {
      if (link[node] !== 0) continue;
      const difference =
        (mtimeHigh[node] as number) - (mtimeHigh[oldest] as number) ||
        (mtimeLow[node] as number) - (mtimeLow[oldest] as number) ||
        (mtimeNsec[node] as number) - (mtimeNsec[oldest] as number);
      if (difference < 0) oldest = node;
    }
    return oldest;
  }
}

/** The root's children and the whiteouts of the names it lacks, by name. */
function withWhiteouts(tree: ImageTree, children: Int32Array): Int32Array {
  const { bytes, nameLength, arena } = tree.columns;
  const merged = new Int32Array(children.length + ROOT_WHITEOUTS);
  let to = 0;
  let at = 0;
  for (let i = 0; i < ROOT_WHITEOUTS; i++) {
    const start = WHITEOUT_NAME_LENGTH * i;
    let order = 1;
    for (; at < children.length; at++) {
      const child = children[at] as number;
      const from = bytes[child] as number;
      order = arena.compare(
        WHITEOUT_NAMES,
        start,
        start + WHITEOUT_NAME_LENGTH,
        from,
        from + (nameLength[child] as number),
      );
      if (order >= 0) break;
      merged[to++] = child;
    }
    if (at === children.length || order !== 0) merged[to++] = tree.count + i;
  }
  while (at < children.length) merged[to++] = children[at++] as number;
  return merged.subarray(0, to);
}
