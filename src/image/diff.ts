/**
 * What differs between two images: entries and their fields, objects, and the first byte, with what lies there
 * ({@link ./locate.ts}).
 */
import type { ByteString } from '../base/bytes.ts';
import { isDirectory, S_IFMT } from '../base/mode.ts';
import type { Xattrs } from '../base/xattrs.ts';
import type { ErofsImage } from '../formats/erofs/read.ts';
import type { ImageTree, TreeNode } from '../formats/erofs/tree.ts';
import type { ImageObject } from './inspect.ts';

/** A field of an entry that differs. Xattrs are named `xattr NAME`. */
export interface FieldChange {
  readonly field: ByteString;
  /** Undefined where there is none. Times are `SECONDS.NANOSECONDS`, digests hex digits. */
  readonly before: FieldValue | undefined;
  readonly after: FieldValue | undefined;
}

/** Numbers as they are, names and contents as bytes. */
export type FieldValue = number | ByteString;

export type EntryChange =
  | { readonly kind: 'added' | 'removed'; readonly path: ByteString; readonly mode: number }
  | {
      readonly kind: 'modified';
      readonly path: ByteString;
      readonly mode: number;
      readonly fields: readonly FieldChange[];
    };

/** An entry to compare; -1 where a side does not have it. */
interface Pair {
  readonly a: number;
  readonly b: number;
  /** '' for the root. */
  readonly path: ByteString;
}

/** Entries that differ, in the order of the tree. Below a removed or added directory all is named. */
export function* diffTrees(treeA: ImageTree, treeB: ImageTree): Generator<EntryChange, void> {
  const sides = { a: new Side(treeA), b: new Side(treeB) };
  // A stack of its own: how deep an image's directories go is up to whoever made it.
  const pending: Pair[] = [{ a: 0, b: 0, path: '' as ByteString }];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const before = pair.a === -1 ? undefined : treeA.fields(pair.a);
    const after = pair.b === -1 ? undefined : treeB.fields(pair.b);
    if (before && after && (before.mode & S_IFMT) !== (after.mode & S_IFMT)) {
      pending.push({ ...pair, a: -1 }, { ...pair, b: -1 });
      continue;
    }
    const change = diffEntry(sides, pair, before, after);
    if (change !== undefined) yield change;
    const mode = (after ?? before)?.mode ?? 0;
    if (isDirectory(mode)) pending.push(...pairChildren(treeA, treeB, pair).reverse());
  }
}

function diffEntry(
  { a, b }: { readonly a: Side; readonly b: Side },
  pair: Pair,
  before: TreeNode | undefined,
  after: TreeNode | undefined,
): EntryChange | undefined {
  const path = pair.path === '' ? ('/' as ByteString) : pair.path;
  if (after === undefined) return before && { kind: 'removed', path, mode: before.mode };
  if (before === undefined) return { kind: 'added', path, mode: after.mode };
  const links = change('hard link to', a.linkOf(pair.a, path), b.linkOf(pair.b, path));
  const fields = [...diffFields(before, after), ...links];
  return fields.length === 0 ? undefined : { kind: 'modified', path, mode: after.mode, fields };
}

/** The entries of a directory on both sides, by name. */
function pairChildren(treeA: ImageTree, treeB: ImageTree, { a, b, path }: Pair): Pair[] {
  const byName = new Map<ByteString, { a: number; b: number }>();
  if (a !== -1) for (const child of treeA.children(a)) byName.set(treeA.name(child), { a: child, b: -1 });
  if (b !== -1) {
    for (const child of treeB.children(b)) {
      const name = treeB.name(child);
      byName.set(name, { a: byName.get(name)?.a ?? -1, b: child });
    }
  }
  return Array.from(byName, ([name, nodes]) => ({ ...nodes, path: `${path}/${name}` as ByteString })).sort(
    (x, y) => (x.path < y.path ? -1 : 1),
  );
}

/** One of two trees; knows which hard link is whose. */
class Side {
  readonly tree: ImageTree;
  /** Path of the first name of each inode that has more than one. */
  readonly #firstNames = new Map<number, ByteString>();

  constructor(tree: ImageTree) {
    this.tree = tree;
    const linked = new Set<number>();
    for (let node = 0; node < tree.count; node++) {
      const target = tree.linkTarget(node);
      if (target !== -1) linked.add(target);
    }
    for (let node = 0; node < tree.count; node++) {
      const inode = this.inodeOf(node);
      if (!linked.has(inode)) continue;
      const path = tree.path(node);
      const first = this.#firstNames.get(inode);
      if (first === undefined || path < first) this.#firstNames.set(inode, path);
    }
  }

  inodeOf(node: number): number {
    const target = this.tree.linkTarget(node);
    return target === -1 ? node : target;
  }

  /** What a node is a hard link to, by the first of its names; undefined for that name itself. */
  linkOf(node: number, path: ByteString): ByteString | undefined {
    const first = this.#firstNames.get(this.inodeOf(node));
    return first === path ? undefined : first;
  }
}

function diffFields(a: TreeNode, b: TreeNode): FieldChange[] {
  return [
    ...change('mode', octal(a.mode), octal(b.mode)),
    ...(isDirectory(a.mode) ? [] : change('nlink', a.nlink, b.nlink)),
    ...change('uid', a.uid, b.uid),
    ...change('gid', a.gid, b.gid),
    ...change('rdev', a.rdev, b.rdev),
    ...(isDirectory(a.mode) ? [] : change('size', a.size, b.size)),
    ...change('mtime', time(a), time(b)),
    ...change('payload', a.payload, b.payload),
    ...change('content', text(a.content), text(b.content)),
    ...change('digest', hex(a.digest), hex(b.digest)),
    ...diffXattrs(a.xattrs, b.xattrs),
  ];
}

function diffXattrs(a: Xattrs, b: Xattrs): FieldChange[] {
  if (a === b) return [];
  const before = new Map(a);
  const after = new Map(b);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => change(`xattr ${name}`, before.get(name), after.get(name)));
}

function change(field: string, before: FieldValue | undefined, after: FieldValue | undefined): FieldChange[] {
  return before === after ? [] : [{ field: field as ByteString, before, after }];
}

const octal = (mode: number): ByteString => `0${mode.toString(8)}` as ByteString;
const time = ({ mtimeSec, mtimeNsec }: TreeNode): ByteString =>
  `${mtimeSec}.${String(mtimeNsec).padStart(9, '0')}` as ByteString;
const text = (bytes: Uint8Array | undefined): ByteString | undefined =>
  bytes && (Buffer.from(bytes).toString('latin1') as ByteString);
const hex = (bytes: Uint8Array | undefined): ByteString | undefined =>
  bytes && (Buffer.from(bytes).toString('hex') as ByteString);

export interface ObjectsDifference {
  readonly onlyInA: readonly ImageObject[];
  readonly onlyInB: readonly ImageObject[];
  /** Of one path in both, but with another size or digest. */
  readonly changed: readonly { readonly a: ImageObject; readonly b: ImageObject }[];
  readonly shared: number;
}

/** Compares what two images point to; both lists sorted as {@link ./inspect.ts} has them. */
export function diffObjects(a: readonly ImageObject[], b: readonly ImageObject[]): ObjectsDifference {
  const inB = new Map(b.map((object) => [object.payload, object]));
  const inA = new Set(a.map((object) => object.payload));
  const both = a.flatMap((object) => {
    const other = inB.get(object.payload);
    return other === undefined ? [] : [{ a: object, b: other }];
  });
  const changed = both.filter(
    (pair) => pair.a.sizeBytes !== pair.b.sizeBytes || pair.a.digest !== pair.b.digest,
  );
  return {
    onlyInA: a.filter(({ payload }) => !inB.has(payload)),
    onlyInB: b.filter(({ payload }) => !inA.has(payload)),
    changed,
    shared: both.length - changed.length,
  };
}

/** Offset of the first byte that differs (or of the shorter one's end); undefined when all bytes are the same. */
export function firstDifference(a: ErofsImage, b: ErofsImage): number | undefined {
  const common = Math.min(a.bytes.length, b.bytes.length);
  const step = 1 << 16;
  for (let at = 0; at < common; at += step) {
    const end = Math.min(common, at + step);
    if (a.bytes.compare(b.bytes, at, end, at, end) === 0) continue;
    while (a.bytes[at] === b.bytes[at]) at++;
    return at;
  }
  return a.bytes.length === b.bytes.length ? undefined : common;
}
