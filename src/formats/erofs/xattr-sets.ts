/**
 * The xattrs of an image's inodes: overlayfs' own added, the tree's own overlay xattrs escaped, and equal
 * (name, value) pairs of different inodes stored once in a shared table.
 *
 * Nearly every inode's set is one of a few, so sets and their pairs are interned. The exceptions are the two
 * values of each backed file, `trusted.overlay.metacopy` and `.redirect`: a set only says that they are there,
 * and the values are compared where they lie, in the tree's arena or its table of objects.
 */
import { type ByteString, roundUp } from '../../base/bytes.ts';
import type { Xattrs } from '../../base/xattrs.ts';
import { FileValues } from './file-values.ts';
import {
  Limit,
  METACOPY_HEAD,
  METACOPY_SIZE,
  Overlay,
  SELINUX_XATTR,
  XATTR_ACL_ACCESS,
  XATTR_ACL_DEFAULT,
  XATTR_UNIT,
  XattrArea,
  XattrEntry,
} from './layout.ts';
import type { ImageTree } from './tree.ts';
import { filterBit, type StoredName, splitName } from './xattr-names.ts';

/** What an inode's xattrs gain over the tree's; bits. */
export const Variant = {
  metacopy: 1,
  redirect: 2,
  whiteout: 4,
  whiteoutParent: 8,
  root: 16,
  /** One of the root's own whiteouts: it has the root's SELinux label and nothing else. */
  rootWhiteout: 32,
} as const;

const VARIANTS = 64;

/** In place of a pair's number: the value that belongs to the file. */
const METACOPY = -1;
const REDIRECT = -2;

const EMPTY = '' as ByteString;

interface Name extends StoredName {
  readonly filterBit: number;
}

interface Pair {
  readonly name: ByteString;
  readonly value: ByteString;
  readonly encoded: Buffer;
  uses: number;
  /** Where it is in the shared table, or -1. */
  offset: number;
}

interface XattrSet {
  /** Sorted by name: numbers of pairs, {@link METACOPY}, {@link REDIRECT}. */
  readonly pairs: readonly number[];
  readonly filter: number;
  readonly hasAcl: boolean;
}

const entrySize = (suffixLength: number, valueLength: number): number =>
  roundUp(XattrEntry.size + suffixLength + valueLength, XATTR_UNIT);

/** An entry without the value's bytes (which follow where `value` is shorter than `valueLength`). */
function encodeEntry({ index, suffix }: Name, value: ByteString, valueLength = value.length): Buffer {
  const bytes = Buffer.alloc(entrySize(suffix.length, valueLength));
  bytes[XattrEntry.nameLength] = suffix.length;
  bytes[XattrEntry.nameIndex] = index;
  bytes.writeUInt16LE(valueLength, XattrEntry.valueSize);
  bytes.write(suffix, XattrEntry.size, 'latin1');
  bytes.write(value, XattrEntry.size + suffix.length, 'latin1');
  return bytes;
}

function nameOf(name: ByteString): Name {
  const stored = splitName(name);
  return { ...stored, filterBit: filterBit(stored) };
}

const METACOPY_NAME = nameOf(Overlay.metacopy as ByteString);
const REDIRECT_NAME = nameOf(Overlay.redirect as ByteString);
/** Entries of the two, up to the part that differs from file to file. */
const METACOPY_ENTRY = encodeEntry(
  METACOPY_NAME,
  String.fromCharCode(...METACOPY_HEAD) as ByteString,
  METACOPY_SIZE,
);
const METACOPY_DIGEST = XattrEntry.size + METACOPY_NAME.suffix.length + METACOPY_HEAD.length;
const EMPTY_METACOPY_ENTRY = encodeEntry(METACOPY_NAME, EMPTY);
const REDIRECT_ENTRY = encodeEntry(REDIRECT_NAME, '/' as ByteString);
const REDIRECT_PATH = XattrEntry.size + REDIRECT_NAME.suffix.length + 1;

export class XattrSets {
  /** Size of the shared table in bytes. */
  sharedSize = 0;
  /** Whether some inode has a POSIX ACL. */
  hasAcl = false;

  readonly #treeSets: readonly Xattrs[];
  readonly #version: number;
  readonly #sets: XattrSet[] = [];
  readonly #setUses: number[] = [];
  /** Tree set and variant → set. */
  readonly #setIds = new Map<number, number>();
  #lastKey = -1;
  #lastId = -1;
  readonly #pairs: Pair[] = [];
  readonly #pairIds = new Map<string, number>();
  readonly #names = new Map<ByteString, Name>();
  readonly #metacopies: FileValues;
  readonly #redirects: FileValues;
  /** The shared table's parts in order: numbers of pairs, or first files with a value. */
  #shared: readonly { kind: 'pair' | 'metacopy' | 'redirect'; ids: readonly number[] }[] = [];

  constructor(tree: ImageTree, version: number) {
    this.#treeSets = tree.xattrSets;
    this.#version = version;
    this.#metacopies = new FileValues(tree, 'digest');
    this.#redirects = new FileValues(tree, 'payload');
  }

  /** The set an inode gets from its set in the tree and its {@link Variant}s. */
  setId(treeSet: number, variant: number): number {
    const key = treeSet * VARIANTS + variant;
    if (key === this.#lastKey) return this.#lastId;
    let id = this.#setIds.get(key);
    if (id === undefined) {
      id = this.#sets.length;
      this.#sets.push(this.#makeSet(this.#treeSets[treeSet] as Xattrs, variant));
      this.#setUses.push(0);
      this.#setIds.set(key, id);
    }
    this.#lastKey = key;
    this.#lastId = id;
    return id;
  }

  /** Counts an inode that has a set. */
  use(node: number, setId: number): void {
    this.#setUses[setId]!++;
    for (const pair of (this.#sets[setId] as XattrSet).pairs) {
      if (pair === METACOPY) this.#metacopies.add(node);
      else if (pair === REDIRECT) this.#redirects.add(node);
    }
  }

  /** After all uses: lays out the table of what more than one inode has, by descending name, length, value. */
  share(): void {
    this.#sets.forEach((set, id) => {
      const uses = this.#setUses[id] as number;
      if (uses > 0 && set.hasAcl) this.hasAcl = true;
      for (const pair of set.pairs) if (pair >= 0) (this.#pairs[pair] as Pair).uses += uses;
    });
    const pairs = [...this.#pairs.keys()].filter((id) => (this.#pairs[id] as Pair).uses > 1);
    pairs.sort((a, b) => comparePairs(this.#pairs[b] as Pair, this.#pairs[a] as Pair));
    const above = (name: string) => pairs.findIndex((id) => (this.#pairs[id] as Pair).name < name);
    const split = (at: number) => (at < 0 ? pairs.length : at);
    // The tree's own pairs never have these two names, which are escaped.
    const redirects = split(above(Overlay.redirect));
    const metacopies = split(above(Overlay.metacopy));
    this.#shared = [
      { kind: 'pair', ids: pairs.slice(0, redirects) },
      { kind: 'redirect', ids: this.#redirects.sharedDescending() },
      { kind: 'pair', ids: pairs.slice(redirects, metacopies) },
      { kind: 'metacopy', ids: this.#metacopies.sharedDescending() },
      { kind: 'pair', ids: pairs.slice(metacopies) },
    ];
    let offset = 0;
    for (const { kind, ids } of this.#shared) {
      for (const id of ids) {
        if (kind === 'pair') {
          const pair = this.#pairs[id] as Pair;
          pair.offset = offset;
          offset += pair.encoded.length;
        } else if (kind === 'redirect') {
          this.#redirects.setOffset(id, offset);
          offset += this.#entrySize(REDIRECT, id);
        } else {
          this.#metacopies.setOffset(id, offset);
          offset += this.#entrySize(METACOPY, id);
        }
      }
    }
    this.sharedSize = offset;
  }

  /** Bytes of an inode's xattr area. */
  areaSize(node: number, setId: number): number {
    const { pairs } = this.#sets[setId] as XattrSet;
    if (pairs.length === 0) return 0;
    let size: number = XattrArea.size;
    let shared = 0;
    for (const pair of pairs) {
      if (shared < Limit.sharedXattrs && this.#offset(pair, node) >= 0) {
        shared++;
        size += XATTR_UNIT;
      } else {
        size += this.#entrySize(pair, node);
      }
    }
    return size;
  }

  /** Writes an inode's xattr area at `at`; ids of shared xattrs count from `idBase`. */
  writeArea(out: Buffer, at: number, node: number, setId: number, idBase: number): void {
    const { pairs, filter } = this.#sets[setId] as XattrSet;
    if (pairs.length === 0) return;
    out.writeUInt32LE(filter, at + XattrArea.filter);
    let to = at + XattrArea.size;
    let shared = 0;
    for (const pair of pairs) {
      const offset = this.#offset(pair, node);
      if (offset < 0) continue;
      if (shared === Limit.sharedXattrs) break;
      shared++;
      out.writeUInt32LE(idBase + offset / XATTR_UNIT, to);
      to += XATTR_UNIT;
    }
    out[at + XattrArea.sharedCount] = shared;
    for (const pair of pairs) {
      if (shared > 0 && this.#offset(pair, node) >= 0) shared--;
      else to += this.#writeEntry(out, to, pair, node);
    }
  }

  /** Writes the table of shared xattrs. */
  writeShared(out: Buffer, at: number): void {
    let to = at;
    for (const { kind, ids } of this.#shared) {
      for (const id of ids) {
        if (kind === 'pair') to += this.#writeEntry(out, to, id, 0);
        else to += this.#writeEntry(out, to, kind === 'redirect' ? REDIRECT : METACOPY, id);
      }
    }
  }

  /** The place in the shared table of a node's pair, or -1. */
  #offset(pair: number, node: number): number {
    if (pair >= 0) return (this.#pairs[pair] as Pair).offset;
    return pair === METACOPY ? this.#metacopies.offset(node) : this.#redirects.offset(node);
  }

  #entrySize(pair: number, node: number): number {
    if (pair >= 0) return (this.#pairs[pair] as Pair).encoded.length;
    if (pair === REDIRECT) return roundUp(REDIRECT_PATH + this.#redirects.length(node), XATTR_UNIT);
    return this.#metacopies.length(node) > 0 ? METACOPY_ENTRY.length : EMPTY_METACOPY_ENTRY.length;
  }

  /** Writes one entry and returns its size. */
  #writeEntry(out: Buffer, to: number, pair: number, node: number): number {
    if (pair >= 0) {
      out.set((this.#pairs[pair] as Pair).encoded, to);
    } else if (pair === REDIRECT) {
      out.set(REDIRECT_ENTRY, to);
      out.writeUInt16LE(1 + this.#redirects.length(node), to + XattrEntry.valueSize);
      this.#redirects.write(out, to + REDIRECT_PATH, node);
    } else if (this.#metacopies.length(node) > 0) {
      out.set(METACOPY_ENTRY, to);
      this.#metacopies.write(out, to + METACOPY_DIGEST, node);
    } else {
      out.set(EMPTY_METACOPY_ENTRY, to);
    }
    return this.#entrySize(pair, node);
  }

  #makeSet(xattrs: Xattrs, variant: number): XattrSet {
    const values = new Map<string, ByteString>();
    if (variant & Variant.rootWhiteout) {
      for (const [name, value] of xattrs) if (name === SELINUX_XATTR) values.set(name, value);
    } else {
      for (const [name, value] of xattrs) values.set(escapeOverlay(name), value);
    }
    // The two values of backed files are looked up per file.
    if (variant & Variant.metacopy) values.set(Overlay.metacopy, EMPTY);
    if (variant & Variant.redirect) values.set(Overlay.redirect, EMPTY);
    if (variant & Variant.whiteout) {
      values.set(Overlay.whiteout, EMPTY);
      values.set(Overlay.userWhiteout, EMPTY);
    }
    if (variant & Variant.whiteoutParent) {
      values.set(Overlay.whiteouts, EMPTY);
      values.set(Overlay.userWhiteouts, EMPTY);
      if (this.#version >= 1) {
        values.set(Overlay.escapedOpaque, 'x' as ByteString);
        values.set(Overlay.userOpaque, 'x' as ByteString);
      }
    }
    if (variant & Variant.root) values.set(Overlay.opaque, 'y' as ByteString);

    let filter = -1;
    const pairs: number[] = [];
    const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1)) as [ByteString, ByteString][];
    for (const [name, value] of sorted) {
      filter &= ~(1 << this.#name(name).filterBit);
      if (name === Overlay.metacopy) pairs.push(METACOPY);
      else if (name === Overlay.redirect) pairs.push(REDIRECT);
      else pairs.push(this.#pair(name, value));
    }
    const hasAcl = values.has(XATTR_ACL_ACCESS) || values.has(XATTR_ACL_DEFAULT);
    return { pairs, filter: filter >>> 0, hasAcl };
  }

  #pair(name: ByteString, value: ByteString): number {
    const key = `${name}\0${value}`;
    let id = this.#pairIds.get(key);
    if (id === undefined) {
      id = this.#pairs.length;
      this.#pairs.push({ name, value, encoded: encodeEntry(this.#name(name), value), uses: 0, offset: -1 });
      this.#pairIds.set(key, id);
    }
    return id;
  }

  #name(name: ByteString): Name {
    let known = this.#names.get(name);
    if (known === undefined) {
      known = nameOf(name);
      this.#names.set(name, known);
    }
    return known;
  }
}

/** A tree's own overlay xattr, hidden from overlayfs by one more level of prefix. */
const escapeOverlay = (name: ByteString): ByteString =>
  name.startsWith(Overlay.prefix)
    ? ((Overlay.escapedPrefix + name.slice(Overlay.prefix.length)) as ByteString)
    : name;

function comparePairs(a: Pair, b: Pair): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.value.length !== b.value.length) return a.value.length - b.value.length;
  return a.value < b.value ? -1 : 1;
}
