/**
 * The tree an image is made of, before anything of EROFS or overlayfs is added to it.
 *
 * Trees have a million entries, so a node is a number and its fields are columns of typed arrays; the bytes of
 * a node (name, then payload or content, then digest) lie together in one arena; xattr sets, of which real
 * trees have few, are interned. Nothing here is one heap object per entry. Most fields of most nodes are 0, which
 * new columns are already: what is never written to takes no memory.
 */
import { type ByteString, bytesToString, displayBytes, stringToBytes } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { isDevice, isDirectory, isKnownType, isRegular, isSymlink } from '../../base/mode.ts';
import { NO_XATTRS, sortedXattrs, type Xattrs } from '../../base/xattrs.ts';
import { type BackingObjects, HASH_SIZE, objectPath } from './backing-objects.ts';
import { Limit, XATTR_AREA_COST, XATTR_COST } from './layout.ts';
import { NameIndex } from './name-index.ts';

/** What is known of a node besides its name. */
export interface NodeFields {
  /** The full st_mode: type and permissions. */
  mode: number;
  /** Default 1; of a directory it follows from the tree and is ignored here. */
  nlink?: number;
  uid?: number;
  gid?: number;
  /** Linux dev_t of a device, 32 bits. */
  rdev?: number;
  /**
   * Bytes, at most 2^53. Of a regular file: its size (that of `content` where there is some). Of a symlink: by
   * default the target's length; libostree gives 0, which shows only where the target does not fit inline. Of
   * devices, fifos and sockets: not stored, but 2^32 or more makes the inode an extended one. Of directories:
   * ignored.
   */
  size?: number;
  /** Signed 64-bit seconds. */
  mtimeSec?: bigint;
  mtimeNsec?: number;
  /** The target of a symlink; of a regular file the path of the backing file, from the objects folder. */
  payload?: ByteString;
  /** The content of a small regular file, to be stored in the image itself. */
  content?: Uint8Array;
  /** The fs-verity digest of the backing file, 32 bytes. */
  digest?: Uint8Array;
  /** Instead of payload and digest, and of a regular file only: the row of the backing file in {@link TreeOptions.objects}. */
  object?: number;
  /** Sorted by name. */
  xattrs?: Xattrs;
}

/** A node read back from a tree: the numbers are all there, and an object as its payload and digest. */
export type TreeNode = Omit<NodeFields, 'object'> &
  Required<Pick<NodeFields, 'nlink' | 'uid' | 'gid' | 'rdev' | 'size' | 'mtimeSec' | 'mtimeNsec' | 'xattrs'>>;

/**
 * A directory, a symlink or a file that is empty or has its content in an object, as numbers and as places in bytes: for
 * trees of a million entries, which are read without a string or an object for each.
 */
export interface PlainNode
  extends Required<Pick<NodeFields, 'mode' | 'nlink' | 'uid' | 'gid' | 'size' | 'mtimeNsec'>> {
  /** Where the name is, and the payload if it has a length. */
  readonly bytes: Buffer;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  /** As in {@link TreeColumns}. */
  readonly mtimeHigh: number;
  readonly mtimeLow: number;
  /** Whether a regular file has a digest, which is then in {@link digest}. */
  readonly hasDigest: boolean;
  readonly digest: Uint8Array;
}

/** `flags` of a node: which bytes it has. */
export const HAS_PAYLOAD = 1;
export const HAS_CONTENT = 2;
export const HAS_DIGEST = 4;
/** Payload, and digest if there is one, are those of a row of {@link TreeOptions.objects}. */
export const HAS_OBJECT = 8;

export const DIGEST_SIZE = 32;

/** The columns, indexed by node. Arrays are longer than the tree and are replaced when it grows. */
export interface TreeColumns {
  parent: Int32Array;
  /** The node a hard link stands for (never itself a link), or 0: nothing is a link to the root. */
  link: Int32Array;
  /** Where the node's bytes start in the arena: name, then payload or content, then digest; or name, then row of its object. */
  bytes: Uint32Array;
  nameLength: Uint8Array;
  /** Length of the payload or content in the arena. */
  dataLength: Uint16Array;
  flags: Uint8Array;
  mode: Uint32Array;
  nlink: Uint32Array;
  uid: Uint32Array;
  gid: Uint32Array;
  rdev: Uint32Array;
  size: Float64Array;
  /** Signed upper and unsigned lower half of the seconds: no bigint per node. */
  mtimeHigh: Int32Array;
  mtimeLow: Uint32Array;
  mtimeNsec: Uint32Array;
  /** Index into {@link ImageTree.xattrSets}. */
  xattrs: Uint32Array;
  arena: Buffer;
}

/** The children of all directories: those of node n are `list[start[n]] .. list[start[n + 1] - 1]`, by name. */
export interface ChildOrder {
  readonly start: Uint32Array;
  readonly list: Int32Array;
}

export interface TreeOptions {
  /** So many nodes are expected: room is made for them at once. */
  readonly capacity?: number;
  /** Where the payloads and digests of regular files lie already; all that have some are given by {@link NodeFields.object}. */
  readonly objects?: BackingObjects;
}

const FIRST_CAPACITY = 1024;
/** What columns grow by: most of the new ones is never written to and takes no memory, and the old ones are copied seldom. */
const GROWTH = 4;
/** Bytes of the arena for a node: more than it is likely to have. */
const ARENA_EACH = 64;
const ROW_BYTES = 4;
const MAX_U32 = 0xffffffff;
const DOT = 0x2e;
const SLASH = 0x2f;

/** In {@link ImageTree}'s list of last children: the root is nobody's. */
const NO_CHILD = 0;

type Column = Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

function grown<T extends Column>(old: T, capacity: number): T {
  const array = new (old.constructor as new (length: number) => T)(capacity);
  array.set(old);
  return array;
}

/**
 * A tree under construction, then the input of `writeImage`. Node 0 is the root. Bad input (names, duplicates,
 * limits of the format) is refused with a FormatError that names the path.
 */
export class ImageTree {
  /** For the writer, which reads columns instead of objects. */
  readonly columns: TreeColumns;
  /** The distinct xattr sets; set 0 is the empty one. */
  readonly xattrSets: Xattrs[] = [NO_XATTRS];
  readonly objects: BackingObjects | undefined;
  readonly #xattrSetIds = new Map<string, number>([['', 0]]);
  readonly #xattrIds = new Map<ByteString, Map<ByteString, number>>();
  #xattrCount = 0;
  #lastXattrs: Xattrs = NO_XATTRS;
  #lastXattrsId = 0;
  #count = 0;
  #capacity: number;
  #arenaUsed = 0;
  /** By directory: the child added last. While names come in ascending order, no other can be a duplicate. */
  #lastChild: Int32Array;
  /** From when they did not, or somebody looks for a name. */
  #index: NameIndex | undefined;
  #order: ChildOrder | undefined;
  readonly #seconds = new BigInt64Array(1);
  readonly #halves = new Int32Array(this.#seconds.buffer);

  constructor({ capacity = 0, objects }: TreeOptions = {}) {
    const n = Math.max(capacity, FIRST_CAPACITY);
    this.objects = objects;
    this.#capacity = n;
    this.#lastChild = new Int32Array(n);
    this.columns = {
      parent: new Int32Array(n),
      link: new Int32Array(n),
      bytes: new Uint32Array(n),
      nameLength: new Uint8Array(n),
      dataLength: new Uint16Array(n),
      flags: new Uint8Array(n),
      mode: new Uint32Array(n),
      nlink: new Uint32Array(n),
      uid: new Uint32Array(n),
      gid: new Uint32Array(n),
      rdev: new Uint32Array(n),
      size: new Float64Array(n),
      mtimeHigh: new Int32Array(n),
      mtimeLow: new Uint32Array(n),
      mtimeNsec: new Uint32Array(n),
      xattrs: new Uint32Array(n),
      arena: Buffer.alloc(Math.min(MAX_U32, ARENA_EACH * n)),
    };
  }

  /** Nodes and hard links. */
  get count(): number {
    return this.#count;
  }

  /** Adds the root, which must come first and be a directory. */
  addRoot(fields: NodeFields): 0 {
    if (this.#count !== 0) throw new FormatError('/', 'a tree has one root');
    if (!isDirectory(fields.mode))
      throw new FormatError('/', 'the root must be a directory', { got: octal(fields.mode) });
    this.#start(-1, '' as ByteString);
    this.#setFields(0, fields);
    this.#count = 1;
    return 0;
  }

  /** Adds a node to the directory `parent` and returns its number. */
  add(parent: number, name: ByteString, fields: NodeFields): number {
    this.#startChild(parent, name);
    this.#setFields(this.#count, fields);
    return this.#commit();
  }

  /**
   * Adds a node as {@link add} does, or gives -1 and adds none: then `add` knows what is wrong, if anything.
   * @param xattrSet one of {@link xattrSets}
   */
  addPlain(parent: number, plain: PlainNode, xattrSet: number): number {
    const { bytes, nameStart, nameEnd, payloadStart, payloadEnd, mode, size } = plain;
    const nameLength = nameEnd - nameStart;
    const dataLength = payloadEnd - payloadStart;
    if (
      this.objects !== undefined ||
      !(parent >= 0 && parent < this.#count && this.#isDirectory(parent)) ||
      !isName(bytes, nameStart, nameLength) ||
      dataLength > Limit.payloadLength ||
      this.#arenaUsed + nameLength + dataLength + DIGEST_SIZE > MAX_U32
    )
      return -1;
    this.#reserve(nameLength + dataLength + DIGEST_SIZE);
    if (this.#count === this.#capacity) this.#grow();
    const node = this.#count;
    const start = this.#arenaUsed;
    const c = this.columns;
    const data = start + nameLength;
    let end = data + dataLength;
    copyBytes(bytes, nameStart, nameLength, c.arena, start);
    c.parent[node] = parent;
    c.bytes[node] = start;
    c.nameLength[node] = nameLength;
    if (this.#isDuplicate(node)) return -1;

    bytes.copy(c.arena, data, payloadStart, payloadEnd);
    let flags = dataLength > 0 ? HAS_PAYLOAD : 0;
    if (plain.hasDigest) {
      c.arena.set(plain.digest, end);
      end += DIGEST_SIZE;
      flags |= HAS_DIGEST;
    }
    this.#arenaUsed = end;
    // What is 0 there stays untouched.
    c.mode[node] = mode;
    c.nlink[node] = plain.nlink;
    if (plain.uid !== 0) c.uid[node] = plain.uid;
    if (plain.gid !== 0) c.gid[node] = plain.gid;
    if (size !== 0) c.size[node] = size;
    if (xattrSet !== 0) c.xattrs[node] = xattrSet;
    if (plain.mtimeNsec !== 0) c.mtimeNsec[node] = plain.mtimeNsec;
    if (plain.mtimeLow !== 0) c.mtimeLow[node] = plain.mtimeLow;
    if (plain.mtimeHigh !== 0) c.mtimeHigh[node] = plain.mtimeHigh;
    if (dataLength !== 0) c.dataLength[node] = dataLength;
    if (flags !== 0) c.flags[node] = flags;
    return this.#commit();
  }

  /** Adds a hard link to `target`, which is not a directory; a link to a link is one to what that stands for. */
  addLink(parent: number, name: ByteString, target: number): number {
    const final = this.#resolve(target);
    this.#startChild(parent, name);
    if (isDirectory(this.columns.mode[final] as number)) {
      throw new FormatError(this.#where(parent, name), 'hard link to a directory', {
        got: this.displayPath(final),
      });
    }
    this.columns.link[this.#count] = final;
    return this.#commit();
  }

  /** The fields of a node; of a hard link those of its target. */
  fields(node: number): TreeNode {
    const at = this.#resolve(node);
    const c = this.columns;
    const flags = c.flags[at] as number;
    const kinds = flags & HAS_OBJECT ? HAS_OBJECT : flags;
    const data = (c.bytes[at] as number) + (c.nameLength[at] as number);
    const dataEnd = data + (c.dataLength[at] as number);
    this.#halves[0] = c.mtimeLow[at] as number;
    this.#halves[1] = c.mtimeHigh[at] as number;
    return {
      mode: c.mode[at] as number,
      nlink: c.nlink[at] as number,
      uid: c.uid[at] as number,
      gid: c.gid[at] as number,
      rdev: c.rdev[at] as number,
      size: c.size[at] as number,
      mtimeSec: this.#seconds[0] as bigint,
      mtimeNsec: c.mtimeNsec[at] as number,
      xattrs: this.xattrSets[c.xattrs[at] as number] as Xattrs,
      ...(kinds & HAS_PAYLOAD ? { payload: bytesToString(c.arena, data, dataEnd) } : {}),
      ...(kinds & HAS_CONTENT ? { content: c.arena.subarray(data, dataEnd) } : {}),
      ...(kinds & HAS_DIGEST ? { digest: c.arena.subarray(dataEnd, dataEnd + DIGEST_SIZE) } : {}),
      ...(kinds & HAS_OBJECT ? this.#objectFields(at) : {}),
    };
  }

  #objectFields(node: number): Pick<TreeNode, 'payload' | 'digest'> {
    const objects = this.objects as BackingObjects;
    const row = objectOf(this.columns, node);
    const payload = objectPath(objects, row);
    if (((this.columns.flags[node] as number) & HAS_DIGEST) === 0) return { payload };
    return { payload, digest: objects.digests.subarray(row * HASH_SIZE, (row + 1) * HASH_SIZE) };
  }

  /** The name in its directory; empty for the root. */
  name(node: number): ByteString {
    this.#check(node);
    const start = this.columns.bytes[node] as number;
    return bytesToString(this.columns.arena, start, start + (this.columns.nameLength[node] as number));
  }

  /** The directory a node is in; -1 for the root. */
  parent(node: number): number {
    this.#check(node);
    return this.columns.parent[node] as number;
  }

  /** The node a hard link stands for, or -1. */
  linkTarget(node: number): number {
    this.#check(node);
    return (this.columns.link[node] as number) || -1;
  }

  /** `/` or `/a/b`. */
  path(node: number): ByteString {
    const names: ByteString[] = [];
    for (let at = node; at > 0; at = this.parent(at)) names.push(this.name(at));
    return `/${names.reverse().join('/')}` as ByteString;
  }

  displayPath(node: number): string {
    return displayBytes(this.path(node));
  }

  /** The node of that name in a directory, or -1. */
  childByName(node: number, name: ByteString): number {
    this.#check(node);
    this.#index ??= new NameIndex(this.columns, this.#count);
    return this.#index.find(node, stringToBytes(name), 0, name.length);
  }

  /** The children in the order of their names as bytes. Add all nodes first: adding discards the order. */
  *children(node: number): Generator<number, void> {
    this.#check(node);
    const { start, list } = this.order();
    for (let i = start[node] as number; i < (start[node + 1] as number); i++) yield list[i] as number;
  }

  /** The sorted children of all directories; made once, until something is added. */
  order(): ChildOrder {
    this.#order ??= orderChildren(this.columns, this.#count);
    return this.#order;
  }

  #check(node: number): void {
    if (!(node >= 0 && node < this.#count)) throw new FormatError('tree', 'no such node', { got: node });
  }

  #resolve(node: number): number {
    this.#check(node);
    return (this.columns.link[node] as number) || node;
  }

  #where(parent: number, name: ByteString): string {
    return `${parent === 0 ? '' : this.displayPath(parent)}/${displayBytes(name)}`;
  }

  /** Opens row `count`: capacity, parent and name. */
  #start(parent: number, name: ByteString): void {
    if (this.#count === this.#capacity) this.#grow();
    const node = this.#count;
    const length = name.length;
    this.#reserve(length);
    const { arena } = this.columns;
    const start = this.#arenaUsed;
    for (let i = 0; i < length; i++) {
      const c = name.charCodeAt(i);
      if (c === 0 || c === SLASH || c > 0xff) throw new FormatError(this.#where(parent, name), 'bad name');
      arena[start + i] = c;
    }
    this.columns.parent[node] = parent;
    this.columns.bytes[node] = start;
    this.columns.nameLength[node] = length;
    this.#arenaUsed = start + length;
  }

  /** Opens a row for a child. */
  #startChild(parent: number, name: ByteString): void {
    this.#check(parent);
    const length = name.length;
    if (length === 0 || length > Limit.nameLength)
      throw new FormatError(this.#where(parent, name), 'bad length of a name', {
        got: length,
        want: '1 to 255',
      });
    if (name === '.' || name === '..') throw new FormatError(this.#where(parent, name), 'bad name');
    if (!this.#isDirectory(parent))
      throw new FormatError(this.#where(parent, name), 'its parent is not a directory');
    // A refused row leaves bytes in the arena; the next one starts behind them.
    this.#start(parent, name);
    if (this.#isDuplicate(this.#count)) throw new FormatError(this.#where(parent, name), 'duplicate name');
  }

  #isDirectory(node: number): boolean {
    return isDirectory(this.columns.mode[node] as number) && this.columns.link[node] === 0;
  }

  /** Whether the row being opened has a name that its directory has already. */
  #isDuplicate(node: number): boolean {
    const { parent, arena, bytes, nameLength } = this.columns;
    const directory = parent[node] as number;
    if (this.#index === undefined) {
      const last = this.#lastChild[directory] as number;
      if (last === NO_CHILD || compareNames(this.columns, last, node) < 0) return false;
      this.#index = new NameIndex(this.columns, node);
    }
    return this.#index.find(directory, arena, bytes[node] as number, nameLength[node] as number) >= 0;
  }

  #commit(): number {
    const node = this.#count++;
    this.#index?.add(node);
    this.#lastChild[this.columns.parent[node] as number] = node;
    this.#order = undefined;
    return node;
  }

  #setFields(node: number, fields: NodeFields): void {
    const { mode } = fields;
    const c = this.columns;
    const fail = (what: string, got?: unknown, want?: unknown): never => {
      const parent = c.parent[node] as number;
      const start = c.bytes[node] as number;
      const name = bytesToString(c.arena, start, start + (c.nameLength[node] as number));
      const facts = { ...(got === undefined ? {} : { got }), ...(want === undefined ? {} : { want }) };
      throw new FormatError(parent < 0 ? '/' : this.#where(parent, name), what, facts);
    };
    const u32 = (value: number | undefined, what: string, byDefault = 0): number => {
      if (value === undefined) return byDefault;
      if (!(Number.isInteger(value) && value >= 0 && value <= MAX_U32))
        fail(`bad ${what}`, value, 'a 32-bit number');
      return value;
    };

    if (!isKnownType(u32(mode, 'mode'))) fail('unknown file type', octal(mode));
    const regular = isRegular(mode);
    const symlink = isSymlink(mode);

    const content = fields.content?.length ? fields.content : undefined;
    if (fields.content !== undefined && !regular) fail('content outside a regular file');
    if (content !== undefined && content.length > Limit.inlineContent)
      fail('too much inline content', content.length, `at most ${Limit.inlineContent} bytes`);

    const payload = regular || symlink ? (fields.payload ?? '') : '';
    if (symlink && payload === '') fail('symlink without a target');
    if (payload.length > Limit.payloadLength)
      fail('path too long', payload.length, `at most ${Limit.payloadLength} bytes`);
    if (payload.includes('\0')) fail('NUL in a path');
    const digest = fields.digest;
    if (digest !== undefined && digest.length !== DIGEST_SIZE)
      fail('bad digest', digest.length, `${DIGEST_SIZE} bytes`);

    const sizeByDefault = symlink ? payload.length : (content?.length ?? 0);
    const size = isDirectory(mode) ? 0 : (fields.size ?? sizeByDefault);
    if (!(Number.isInteger(size) && size >= 0 && size <= Limit.fileSize)) fail('bad size', size, '0 to 2^53');
    if (fields.content !== undefined && size !== fields.content.length)
      fail('size differs from the content', size, fields.content.length);

    const object = fields.object;
    if (object !== undefined) this.#checkObject(object, fields, regular, fail);
    else if (regular && this.objects !== undefined && (payload !== '' || digest !== undefined))
      fail('a backing file that is none of the objects');

    const nlink = u32(fields.nlink, 'nlink', 1);
    const uid = u32(fields.uid, 'uid');
    const gid = u32(fields.gid, 'gid');
    const rdev = isDevice(mode) ? u32(fields.rdev, 'rdev') : 0;
    const nanoseconds = u32(fields.mtimeNsec, 'mtime nanoseconds');
    const seconds = fields.mtimeSec ?? 0n;
    this.#seconds[0] = seconds;
    if (this.#seconds[0] !== seconds) fail('bad mtime', seconds, 'signed 64-bit seconds');
    const xattrs = this.#xattrSet(fields.xattrs ?? NO_XATTRS, fail);
    this.#reserve((content?.length ?? payload.length) + DIGEST_SIZE);

    // Nothing is refused from here on: a row is filled once, and what is 0 there stays untouched.
    c.mode[node] = mode;
    c.nlink[node] = nlink;
    if (uid !== 0) c.uid[node] = uid;
    if (gid !== 0) c.gid[node] = gid;
    if (rdev !== 0) c.rdev[node] = rdev;
    if (size !== 0) c.size[node] = size;
    if (xattrs !== 0) c.xattrs[node] = xattrs;
    if (nanoseconds !== 0) c.mtimeNsec[node] = nanoseconds;
    if (seconds !== 0n) {
      c.mtimeLow[node] = this.#halves[0] as number;
      c.mtimeHigh[node] = this.#halves[1] as number;
    }
    let flags = 0;
    let dataLength = 0;
    if (object !== undefined) {
      c.arena.writeUInt32LE(object, this.#arenaUsed);
      this.#arenaUsed += ROW_BYTES;
      flags |= HAS_OBJECT | HAS_PAYLOAD;
      if (this.objects?.hasDigest(object)) flags |= HAS_DIGEST;
    } else if (content !== undefined) {
      c.arena.set(content, this.#arenaUsed);
      dataLength = content.length;
      flags |= HAS_CONTENT;
    } else if (payload !== '') {
      c.arena.write(payload, this.#arenaUsed, 'latin1');
      dataLength = payload.length;
      flags |= HAS_PAYLOAD;
    }
    if (dataLength !== 0) c.dataLength[node] = dataLength;
    this.#arenaUsed += dataLength;
    if (digest !== undefined && regular) {
      c.arena.set(digest, this.#arenaUsed);
      this.#arenaUsed += DIGEST_SIZE;
      flags |= HAS_DIGEST;
    }
    if (flags !== 0) c.flags[node] = flags;
  }

  #checkObject(
    object: number,
    { payload, content, digest }: NodeFields,
    isFile: boolean,
    fail: (what: string, got?: unknown, want?: unknown) => never,
  ): void {
    if (!isFile || payload !== undefined || content !== undefined || digest !== undefined)
      fail('an object is all that a regular file points to');
    const rows = (this.objects?.checksums.length ?? 0) / HASH_SIZE;
    if (!(Number.isInteger(object) && object >= 0 && object < rows))
      fail('no such object', object, `below ${rows}`);
  }

  #xattrSet(xattrs: Xattrs, fail: (what: string, got?: unknown, want?: unknown) => never): number {
    if (xattrs.length === 0) return 0;
    if (xattrs === this.#lastXattrs) return this.#lastXattrsId;
    let cost: number = XATTR_AREA_COST;
    for (const [name, value] of xattrs) {
      if (name.length === 0 || name.length > Limit.xattrNameLength || name.includes('\0'))
        fail('bad xattr name', displayBytes(name));
      if (value.length > Limit.xattrValueLength)
        fail(
          `xattr ${displayBytes(name)} is too long`,
          value.length,
          `at most ${Limit.xattrValueLength} bytes`,
        );
      cost += XATTR_COST + name.length + value.length;
    }
    if (cost > Limit.xattrBudget) fail('too many xattrs', cost, `at most ${Limit.xattrBudget} bytes`);
    let key = '';
    for (const [name, value] of xattrs) key += `${this.#xattrId(name, value)} `;
    let id = this.#xattrSetIds.get(key);
    if (id === undefined) {
      id = this.xattrSets.length;
      this.xattrSets.push(sortedXattrs(xattrs));
      this.#xattrSetIds.set(key, id);
    }
    this.#lastXattrs = xattrs;
    this.#lastXattrsId = id;
    return id;
  }

  /** A number for a name and value. Two maps: no key has to be made of what may be 64 KiB. */
  #xattrId(name: ByteString, value: ByteString): number {
    let values = this.#xattrIds.get(name);
    if (values === undefined) {
      values = new Map();
      this.#xattrIds.set(name, values);
    }
    let id = values.get(value);
    if (id === undefined) {
      id = this.#xattrCount++;
      values.set(value, id);
    }
    return id;
  }

  #reserve(bytes: number): void {
    const want = this.#arenaUsed + bytes;
    if (want <= this.columns.arena.length) return;
    if (want > MAX_U32) throw new FormatError('tree', 'names, targets and contents exceed 4 GiB');
    const arena = Buffer.alloc(Math.min(MAX_U32, Math.max(want, this.columns.arena.length * 2)));
    arena.set(this.columns.arena.subarray(0, this.#arenaUsed));
    this.columns.arena = arena;
  }

  #grow(): void {
    const capacity = GROWTH * this.#capacity;
    this.#capacity = capacity;
    const c = this.columns;
    c.parent = grown(c.parent, capacity);
    c.link = grown(c.link, capacity);
    c.bytes = grown(c.bytes, capacity);
    c.nameLength = grown(c.nameLength, capacity);
    c.dataLength = grown(c.dataLength, capacity);
    c.flags = grown(c.flags, capacity);
    c.mode = grown(c.mode, capacity);
    c.nlink = grown(c.nlink, capacity);
    c.uid = grown(c.uid, capacity);
    c.gid = grown(c.gid, capacity);
    c.rdev = grown(c.rdev, capacity);
    c.size = grown(c.size, capacity);
    c.mtimeHigh = grown(c.mtimeHigh, capacity);
    c.mtimeLow = grown(c.mtimeLow, capacity);
    c.mtimeNsec = grown(c.mtimeNsec, capacity);
    c.xattrs = grown(c.xattrs, capacity);
    this.#lastChild = grown(this.#lastChild, capacity);
  }
}

/** The row of a node that has an object. */
export function objectOf({ arena, bytes, nameLength }: TreeColumns, node: number): number {
  return arena.readUInt32LE((bytes[node] as number) + (nameLength[node] as number));
}

const octal = (mode: number): string => `0${mode.toString(8)}`;

/** Whether the bytes are a name that an entry can have. */
function isName(bytes: Uint8Array, start: number, length: number): boolean {
  if (length === 0 || length > Limit.nameLength) return false;
  for (let i = start; i < start + length; i++) if (bytes[i] === 0 || bytes[i] === SLASH) return false;
  const isDots = bytes[start] === DOT && (length === 1 || (length === 2 && bytes[start + 1] === DOT));
  return !isDots;
}

/** Of short ones: a loop beats a call into the runtime. */
function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number;
}

/** Orders two nodes by the bytes of their names. */
function compareNames({ bytes, nameLength, arena }: TreeColumns, a: number, b: number): number {
  const startA = bytes[a] as number;
  const startB = bytes[b] as number;
  const lengthA = nameLength[a] as number;
  const lengthB = nameLength[b] as number;
  const common = Math.min(lengthA, lengthB);
  for (let i = 0; i < common; i++) {
    const difference = (arena[startA + i] as number) - (arena[startB + i] as number);
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}

/** Counting sort by parent, then each directory by name. */
function orderChildren(columns: TreeColumns, count: number): ChildOrder {
  const { parent } = columns;
  const starts = new Uint32Array(count + 2);
  const list = new Int32Array(Math.max(0, count - 1));
  for (let node = 1; node < count; node++) starts[(parent[node] as number) + 2]!++;
  for (let node = 0; node < count; node++) starts[node + 2]! += starts[node + 1] as number;
  // Each start moves to its end, which is the next one's start.
  for (let node = 1; node < count; node++) list[starts[(parent[node] as number) + 1]!++] = node;
  const start = starts.subarray(0, count + 1);

  const compare = (a: number, b: number): number => compareNames(columns, a, b);
  for (let node = 0; node < count; node++) {
    const from = start[node] as number;
    const to = start[node + 1] as number;
    for (let i = from + 1; i < to; i++) {
      if (compare(list[i - 1] as number, list[i] as number) > 0) {
        list.subarray(from, to).sort(compare);
        break;
      }
    }
  }
  return { start, list };
}
