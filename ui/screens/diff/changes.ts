/**
 * What differs between two trees of files, as a tree of changes with sums. Folders whose objects are equal are not
 * opened, so among commits the cost follows the change and not the size of the trees.
 */
import type { ByteString } from '../../../src/base/bytes.ts';
import { isRegular } from '../../../src/base/mode.ts';
import { xattrsEqual } from '../../../src/base/xattrs.ts';
import type { EntryFacts } from '../../models/entry.ts';
import type { FileNode, FileTree } from '../../trees/file-tree.ts';
import { Turns } from '../../turns.ts';

export type Status = 'added' | 'removed' | 'modified' | 'same';

export interface Totals {
  /** Entries of all kinds; a folder counts too. */
  readonly added: number;
  readonly removed: number;
  readonly modified: number;
  /** How much larger all files together got. */
  readonly bytes: number;
}

export interface Change {
  readonly kind: 'directory' | 'file';
  readonly path: ByteString;
  readonly name: ByteString;
  /** Of the entry itself: a folder with changes below it may be the same. */
  readonly status: Status;
  /** Sorted by name. */
  readonly children: readonly Change[];
  /** Of the entry and all below it. */
  readonly totals: Totals;
}

export interface Comparison {
  readonly root: Change;
  /** Whether there are more changes than were looked for. */
  readonly isCut: boolean;
}

/** More changes nobody reads, and they would take all memory. */
const MAX_CHANGES = 200_000;

/** Content up to this size an image may hold itself; there is no checksum to compare then. */
const MAX_INLINE = 64;

interface Sides {
  readonly before: FileTree;
  readonly after: FileTree;
}

interface Pair {
  readonly before: FileNode | undefined;
  readonly after: FileNode | undefined;
}

/** A folder whose entries are being compared. */
interface Frame {
  readonly own: Omit<Change, 'children' | 'totals'>;
  readonly ownTotals: Totals;
  /** Undefined while a folder is being listed. */
  readonly pairs: Iterator<Pair | undefined, void>;
  readonly children: Change[];
}

export interface Watcher {
  isStale(): boolean;
  /** Called now and then. */
  onProgress(compared: number): void;
}

/** Undefined once it is stale. @throws SealtreeError where a folder cannot be read. */
export async function compareFiles(
  before: FileTree,
  after: FileTree,
  watcher: Watcher,
): Promise<Comparison | undefined> {
  const sides: Sides = { before, after };
  const turns = new Turns();
  let compared = 0;
  let changes = 0;
  const stack: Frame[] = [frameOf(sides, { before: before.root, after: after.root })];
  for (let frame = stack[0] as Frame; ; frame = stack.at(-1) as Frame) {
    const next = changes < MAX_CHANGES ? frame.pairs.next() : ({ done: true } as const);
    if (next.done) {
      const change = { ...frame.own, children: frame.children, totals: totalsOf(frame) };
      if (change.status !== 'same') changes++;
      stack.pop();
      const parent = stack.at(-1);
      if (parent === undefined) return { root: change, isCut: changes >= MAX_CHANGES };
      if (change.status !== 'same' || change.children.length > 0) parent.children.push(change);
      continue;
    }
    const pair = next.value;
    if (pair !== undefined) {
      compared++;
      if (isFolder(pair)) stack.push(frameOf(sides, pair));
      else {
        const change = await compareEntry(sides, pair);
        if (change !== undefined) frame.children.push(change);
        if (change !== undefined) changes++;
      }
    }
    if (!turns.isOver) continue;
    watcher.onProgress(compared);
    await turns.next();
    if (watcher.isStale()) return undefined;
  }
}

/** A name that was a folder and is a file now is taken for one that went and one that came. */
const isFolder = ({ before, after }: Pair): boolean => (after ?? before)?.kind === 'directory';

function frameOf(sides: Sides, pair: Pair): Frame {
  const { before, after } = pair;
  const node = (after ?? before) as FileNode;
  const isSame = before !== undefined && after !== undefined && isSameFolder(sides, before, after);
  const status = statusOf(pair, isSame);
  const own = { kind: 'directory', path: node.path, name: node.name, status } as const;
  const pairs = isUnchanged(pair) ? [].values() : pairsOf(sides, pair);
  return { own, ownTotals: oneOf(status, 0), pairs, children: [] };
}

function statusOf({ before, after }: Pair, isSame: boolean): Status {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  return isSame ? 'same' : 'modified';
}

/** Whether nothing below it can differ. */
function isUnchanged({ before, after }: Pair): boolean {
  if (before === undefined || after === undefined) return false;
  return 'tree' in before && 'tree' in after && before.tree === after.tree;
}

function isSameFolder(sides: Sides, before: FileNode, after: FileNode): boolean {
  if ('meta' in before && 'meta' in after) return before.meta === after.meta;
  return isSameMeta(sides.before.facts(before), sides.after.facts(after));
}

/** The entries of both by name; folders and files of one name apart. */
function* pairsOf({ before, after }: Sides, pair: Pair): Generator<Pair | undefined, void, undefined> {
  const old = pair.before === undefined ? [] : yield* before.children(pair.before);
  const now = pair.after === undefined ? [] : yield* after.children(pair.after);
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const [a, b] = [old[i], now[j]];
    if (a !== undefined && (b === undefined || a.name < b.name)) {
      yield { before: a, after: undefined };
      i++;
    } else if (b !== undefined && (a === undefined || b.name < a.name)) {
      yield { before: undefined, after: b };
      j++;
    } else if (a !== undefined && b !== undefined) {
      if (a.kind === b.kind) yield { before: a, after: b };
      else {
        yield { before: a, after: undefined };
        yield { before: undefined, after: b };
      }
      i++;
      j++;
    }
  }
}

/** Undefined where nothing differs. */
async function compareEntry(sides: Sides, pair: Pair): Promise<Change | undefined> {
  const { before, after } = pair;
  const node = (after ?? before) as FileNode;
  if (before !== undefined && after !== undefined && isSameObject(before, after)) return undefined;
  const old = before === undefined ? undefined : sides.before.facts(before);
  const now = after === undefined ? undefined : sides.after.facts(after);
  const isSame =
    old !== undefined &&
    now !== undefined &&
    !bothCommits(pair) &&
    (await isSameEntry(sides, pair, old, now));
  const status = statusOf(pair, isSame);
  if (status === 'same') return undefined;
  const bytes = sizeOf(now) - sizeOf(old);
  const { path, name } = node;
  return { kind: 'file', path, name, status, children: [], totals: oneOf(status, bytes) };
}

const bothCommits = ({ before, after }: Pair): boolean =>
  before !== undefined && after !== undefined && 'checksum' in before && 'checksum' in after;

function isSameObject(before: FileNode, after: FileNode): boolean {
  return 'checksum' in before && 'checksum' in after && before.checksum === after.checksum;
}

const sizeOf = (facts: EntryFacts | undefined): number =>
  facts !== undefined && isRegular(facts.mode) ? facts.sizeBytes : 0;

function isSameMeta(a: EntryFacts, b: EntryFacts): boolean {
  return (
    a.problem === b.problem &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    xattrsEqual(a.xattrs, b.xattrs)
  );
}

/** Where an image is concerned: what it says of the entry itself, and of its content. */
async function isSameEntry(sides: Sides, pair: Pair, a: EntryFacts, b: EntryFacts): Promise<boolean> {
  if (!isSameMeta(a, b) || sizeOf(a) !== sizeOf(b) || a.target !== b.target) return false;
  if (!isRegular(a.mode) || a.sizeBytes === 0) return true;
  if (a.object !== undefined && b.object !== undefined)
    return (
      a.object === b.object && (a.listed === undefined || b.listed === undefined || a.listed === b.listed)
    );
  if (a.sizeBytes > MAX_INLINE || pair.before === undefined || pair.after === undefined) return false;
  const [old, now] = await Promise.all([
    sides.before.content(pair.before, MAX_INLINE),
    sides.after.content(pair.after, MAX_INLINE),
  ]);
  return old.bytes.equals(now.bytes);
}

const NOTHING: Totals = { added: 0, removed: 0, modified: 0, bytes: 0 };

const oneOf = (status: Status, bytes: number): Totals =>
  status === 'same' ? NOTHING : { ...NOTHING, [status]: 1, bytes };

function totalsOf({ ownTotals, children }: Frame): Totals {
  let { added, removed, modified, bytes } = ownTotals;
  for (const { totals } of children) {
    added += totals.added;
    removed += totals.removed;
    modified += totals.modified;
    bytes += totals.bytes;
  }
  return { added, removed, modified, bytes };
}
