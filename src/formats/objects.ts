/**
 * ostree's objects: commit, dirtree, dirmeta and the header of a content object, and the two other shapes a
 * header takes on disk (`.filez`, xattr `user.ostreemeta`).
 *
 * Facts from libostree 2026.4, ostree-core.h (type strings) and ostree-core.c (validation, checksums). An object
 * that is accepted here serialises to the same bytes again. Where libostree only documents an order and relies on
 * it (entries of a dirtree), it is enforced: a tree with two readings has no place under a seal.
 */
import { asBuffer, type ByteString, bytesToString, stringToBytes } from '../base/bytes.ts';
import { type Checksum, checksumOf, type DigestEngine, type Hasher, nativeEngine } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import { isDirectory, isRegular, isSymlink, S_IFMT } from '../base/mode.ts';
import type { Steps } from '../base/steps.ts';
import { NO_XATTRS, type Xattr, type Xattrs } from '../base/xattrs.ts';
import { type DirtreeSink, readDirtree, readDirtreeSteps } from './dirtree.ts';
import { readVariant, type Value, type Variant, writeVariant } from './gvariant.ts';

/** Type strings of the serialised objects. */
export const OBJECT_TYPES = {
  commit: '(a{sv}aya(say)sstayay)',
  dirtree: '(a(say)a(sayay))',
  dirmeta: '(uuua(ayay))',
  contentHeader: '(uuuusa(ayay))',
  filezHeader: '(tuuuusa(ayay))',
  ostreemeta: '(uuua(ayay))',
  xattrs: 'a(ayay)',
  commitmeta: 'a{sv}',
} as const;

/** The largest metadata object libostree loads, in bytes (OSTREE_MAX_METADATA_SIZE). */
export const MAX_METADATA_SIZE = 128 * 1024 * 1024;

/** An `a{sv}`: by key, in stored order. */
export type VariantMap = ReadonlyMap<string, Variant>;

export interface Commit {
  readonly metadata: VariantMap;
  readonly parent: Checksum | undefined;
  /** Unused by ostree, kept for the round trip. */
  readonly related: readonly { readonly name: ByteString; readonly checksum: Uint8Array }[];
  readonly subject: ByteString;
  readonly body: ByteString;
  /** Seconds since 1970, UTC. */
  readonly timestamp: number;
  readonly rootTree: Checksum;
  readonly rootMeta: Checksum;
}

export interface DirtreeFile {
  readonly name: ByteString;
  readonly checksum: Checksum;
}

export interface DirtreeDirectory {
  readonly name: ByteString;
  readonly tree: Checksum;
  readonly meta: Checksum;
}

/** Both lists are sorted by name as unsigned bytes; no name occurs twice, in one list or across both. */
export interface Dirtree {
  readonly files: readonly DirtreeFile[];
  readonly dirs: readonly DirtreeDirectory[];
}

export interface Dirmeta {
  readonly uid: number;
  readonly gid: number;
  /** Full st_mode of a directory. */
  readonly mode: number;
  readonly xattrs: Xattrs;
}

/** What a content object says of its file besides the content. */
export interface FileHeader {
  readonly uid: number;
  readonly gid: number;
  /** Full st_mode of a regular file or symlink. */
  readonly mode: number;
  /** Link target; empty unless a symlink. */
  readonly target: ByteString;
  readonly xattrs: Xattrs;
}

/** @throws FormatError */
export function parseCommit(bytes: Uint8Array, where: string): Commit {
  const [metadata, parent, related, subject, body, timestamp, tree, meta] = readVariant(
    OBJECT_TYPES.commit,
    bytes,
    where,
  ) as [VariantMap, Buffer, [ByteString, Buffer][], ByteString, ByteString, bigint, Buffer, Buffer];
  if (metadata.has('')) throw new FormatError(where, 'metadata key is empty');
  const seconds = swap64(timestamp);
  if (seconds > BigInt(Number.MAX_SAFE_INTEGER))
    throw new FormatError(where, 'timestamp is too large', { got: seconds, want: '< 2^53' });
  return {
    metadata,
    parent: parent.length === 0 ? undefined : checksum(parent, where, 'parent'),
    related: related.map(([name, bytes]) => ({ name, checksum: bytes })),
    subject,
    body,
    timestamp: Number(seconds),
    rootTree: checksum(tree, where, 'root dirtree'),
    rootMeta: checksum(meta, where, 'root dirmeta'),
  };
}

export function serializeCommit(commit: Commit): Buffer {
  return writeVariant(OBJECT_TYPES.commit, [
    commit.metadata as ReadonlyMap<ByteString, Value>,
    commit.parent === undefined ? Buffer.alloc(0) : Buffer.from(commit.parent, 'hex'),
    commit.related.map(({ name, checksum }) => [name, checksum]),
    commit.subject,
    commit.body,
    swap64(BigInt(commit.timestamp)),
    Buffer.from(commit.rootTree, 'hex'),
    Buffer.from(commit.rootMeta, 'hex'),
  ]);
}

/** @throws FormatError */
export function parseDirtree(bytes: Uint8Array, where: string): Dirtree {
  const { tree, sink } = dirtreeSink();
  readDirtree(bytes, where, sink);
  validateDirtree(tree, where);
  return tree;
}

/** The same in steps. */
export function* parseDirtreeSteps(bytes: Uint8Array, where: string): Steps<Dirtree> {
  const { tree, sink } = dirtreeSink();
  yield* readDirtreeSteps(bytes, where, sink);
  validateDirtree(tree, where);
  return tree;
}

function dirtreeSink(): { readonly tree: Dirtree; readonly sink: DirtreeSink } {
  const files: DirtreeFile[] = [];
  const dirs: DirtreeDirectory[] = [];
  return {
    tree: { files, dirs },
    sink: {
      file: (name, checksum) => files.push({ name, checksum }),
      directory: (name, tree, meta) => dirs.push({ name, tree, meta }),
    },
  };
}

export function serializeDirtree(tree: Dirtree): Buffer {
  validateDirtree(tree, 'dirtree');
  return writeVariant(OBJECT_TYPES.dirtree, [
    tree.files.map(({ name, checksum }) => [name, Buffer.from(checksum, 'hex')]),
    tree.dirs.map(({ name, tree, meta }) => [name, Buffer.from(tree, 'hex'), Buffer.from(meta, 'hex')]),
  ]);
}

function validateDirtree({ files, dirs }: Dirtree, where: string): void {
  validateNames(files, where);
  validateNames(dirs, where);
  // Both lists are sorted: one pass finds a name that is in both.
  for (let f = 0, d = 0; f < files.length && d < dirs.length; ) {
    const file = files[f]!.name;
    const directory = dirs[d]!.name;
    if (file === directory)
      throw new FormatError(where, 'name is both a file and a directory', { got: JSON.stringify(file) });
    if (file < directory) f++;
    else d++;
  }
}

function validateNames(entries: readonly { readonly name: ByteString }[], where: string): void {
  let previous: ByteString | undefined;
  for (const { name } of entries) {
    if (name === '' || name === '.' || name === '..' || name.includes('/'))
      throw new FormatError(where, 'not a file name', { got: JSON.stringify(name) });
    if (previous !== undefined && previous >= name)
      throw new FormatError(where, previous === name ? 'name occurs twice' : 'names are not sorted', {
        got: JSON.stringify(name),
        want: `a name after ${JSON.stringify(previous)}`,
      });
    previous = name;
  }
}

/** @throws FormatError */
export function parseDirmeta(bytes: Uint8Array, where: string): Dirmeta {
  const [uid, gid, mode, xattrs] = readVariant(OBJECT_TYPES.dirmeta, bytes, where) as MetaTuple;
  const dirmeta = {
    uid: swap32(uid),
    gid: swap32(gid),
    mode: swap32(mode),
    xattrs: checkXattrs(xattrs, where),
  };
  validateDirectoryMode(dirmeta.mode, where);
  return dirmeta;
}

export function serializeDirmeta({ uid, gid, mode, xattrs }: Dirmeta): Buffer {
  validateDirectoryMode(mode, 'dirmeta');
  return writeVariant(OBJECT_TYPES.dirmeta, [
    swap32(uid),
    swap32(gid),
    swap32(mode),
    xattrValues(xattrs, 'dirmeta'),
  ]);
}

/**
 * What is hashed before the content of a content object: the framed `(uuuusa(ayay))`.
 * The object's checksum is SHA-256 over this and the content (nothing for symlinks).
 */
export function contentHeader(header: FileHeader): Buffer {
  return framed(writeVariant(OBJECT_TYPES.contentHeader, headerValues(header)));
}

/** Starts the checksum of a content object; feed it the content, then take its digest. */
export function contentHasher(header: FileHeader, engine: DigestEngine = nativeEngine): Hasher {
  const hasher = engine.create();
  hasher.update(contentHeader(header));
  return hasher;
}

/** Checksum of a content object whose content is at hand. */
export function contentChecksum(
  header: FileHeader,
  content: Uint8Array,
  engine: DigestEngine = nativeEngine,
): Checksum {
  const hasher = contentHasher(header, engine);
  hasher.update(content);
  return checksumOf(hasher.digest());
}

/** Checksum of a metadata object: SHA-256 of its bytes. */
export function metadataChecksum(bytes: Uint8Array, engine: DigestEngine = nativeEngine): Checksum {
  return engine.sha256Hex(bytes) as Checksum;
}

/** Bytes before the header of a `.filez`: its length (big-endian) and four zero bytes. */
export const FILEZ_PREFIX = 8;

export interface FilezHeader {
  readonly header: FileHeader;
  /** Bytes of content once inflated. */
  readonly size: number;
}

/** Length in bytes of the header variant that follows the 8 bytes of `prefix`. */
export function filezHeaderLength(prefix: Uint8Array, where: string): number {
  const bytes = asBuffer(prefix);
  if (bytes.length < FILEZ_PREFIX)
    throw new FormatError(where, 'ends before its header', { got: bytes.length, want: FILEZ_PREFIX });
  const length = bytes.readUInt32BE(0);
  if (bytes.readUInt32BE(4) !== 0)
    throw new FormatError(where, 'padding is not zero', { offset: 4, got: bytes.readUInt32BE(4), want: 0 });
  if (length > MAX_METADATA_SIZE)
    throw new FormatError(where, 'header is too large', { offset: 0, got: length, want: MAX_METADATA_SIZE });
  return length;
}

/** Reads the header variant of a `.filez` (without its 8-byte prefix). */
export function parseFilezHeader(variant: Uint8Array, where: string): FilezHeader {
  const [size, ...rest] = readVariant(OBJECT_TYPES.filezHeader, variant, where) as [bigint, ...HeaderTuple];
  const header = headerOf(rest, where);
  const bytes = swap64(size);
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER))
    throw new FormatError(where, 'size is too large', { got: bytes, want: '< 2^53' });
  if (bytes !== 0n && isSymlink(header.mode))
    throw new FormatError(where, 'symlink has content', { got: bytes, want: 0 });
  return { header, size: Number(bytes) };
}

/** Prefix and header of a `.filez`; the content follows as raw deflate (nothing for symlinks). */
export function filezHeader({ header, size }: FilezHeader): Buffer {
  return framed(writeVariant(OBJECT_TYPES.filezHeader, [swap64(BigInt(size)), ...headerValues(header)]));
}

/** Owner, mode and xattrs from the value of xattr `user.ostreemeta` (bare-user). */
export function parseOstreemeta(bytes: Uint8Array, where: string): Omit<FileHeader, 'target'> {
  const [uid, gid, mode, xattrs] = readVariant(OBJECT_TYPES.ostreemeta, bytes, where) as MetaTuple;
  // Older ostree left the xattrs unsorted here; libostree sorts them when it reads.
  const sorted = [...xattrs].sort((a, b) => Buffer.compare(a[0], b[0]));
  const meta = { uid: swap32(uid), gid: swap32(gid), mode: swap32(mode), xattrs: checkXattrs(sorted, where) };
  validateFileMode(meta.mode, where);
  return meta;
}

export function serializeOstreemeta({ uid, gid, mode, xattrs }: Omit<FileHeader, 'target'>): Buffer {
  validateFileMode(mode, 'user.ostreemeta');
  return writeVariant(OBJECT_TYPES.ostreemeta, [
    swap32(uid),
    swap32(gid),
    swap32(mode),
    xattrValues(xattrs, 'user.ostreemeta'),
  ]);
}

/** The content of a `.file-xattrs` object (bare-split-xattrs). */
export function parseXattrs(bytes: Uint8Array, where: string): Xattrs {
  return checkXattrs(readVariant(OBJECT_TYPES.xattrs, bytes, where) as XattrTuple[], where);
}

export function serializeXattrs(xattrs: Xattrs): Buffer {
  return writeVariant(OBJECT_TYPES.xattrs, xattrValues(xattrs, 'xattrs'));
}

/** Detached metadata (`.commitmeta`) and other bare `a{sv}` files. */
export function parseVariantMap(bytes: Uint8Array, where: string): VariantMap {
  return readVariant(OBJECT_TYPES.commitmeta, bytes, where) as VariantMap;
}

/** A directory's mode: S_IFDIR, permissions and the set-id and sticky bits, nothing else. */
function validateDirectoryMode(mode: number, where: string): void {
  if (!isDirectory(mode) || (mode & ~(S_IFMT | 0o7777)) !== 0)
    throw new FormatError(where, 'not the mode of a directory', { got: octal(mode) });
}

/** A content object's mode: regular file or symlink. @throws FormatError */
export function validateFileMode(mode: number, where: string): void {
  if (!(isRegular(mode) || isSymlink(mode)) || (mode & ~(S_IFMT | 0o7777)) !== 0)
    throw new FormatError(where, 'not the mode of a regular file or symlink', { got: octal(mode) });
}

type XattrTuple = readonly [name: Buffer, value: Buffer];
type MetaTuple = readonly [uid: number, gid: number, mode: number, xattrs: readonly XattrTuple[]];
type HeaderTuple = [
  uid: number,
  gid: number,
  mode: number,
  rdev: number,
  target: ByteString,
  xattrs: readonly XattrTuple[],
];

function headerOf([uid, gid, mode, rdev, target, xattrs]: HeaderTuple, where: string): FileHeader {
  const header = {
    uid: swap32(uid),
    gid: swap32(gid),
    mode: swap32(mode),
    target,
    xattrs: checkXattrs(xattrs, where),
  };
  validateHeader(header, where);
  if (rdev !== 0)
    throw new FormatError(where, 'device number of a content object is not zero', {
      got: swap32(rdev),
      want: 0,
    });
  return header;
}

function headerValues(header: FileHeader): Value[] {
  validateHeader(header, 'content object');
  const { uid, gid, mode, target, xattrs } = header;
  return [swap32(uid), swap32(gid), swap32(mode), 0, target, xattrValues(xattrs, 'content object')];
}

function validateHeader({ mode, target }: FileHeader, where: string): void {
  validateFileMode(mode, where);
  if (isSymlink(mode) !== (target !== ''))
    throw new FormatError(
      where,
      isSymlink(mode) ? 'symlink without a target' : 'regular file with a link target',
    );
}

function checkXattrs(list: readonly XattrTuple[], where: string): Xattrs {
  if (list.length === 0) return NO_XATTRS;
  const xattrs = list.map(([name, value]): Xattr => {
    if (name.length < 2 || name.indexOf(0) !== name.length - 1)
      throw new FormatError(where, 'xattr name does not end in NUL or is empty', {
        got: JSON.stringify(bytesToString(name)),
      });
    return [bytesToString(name, 0, name.length - 1), bytesToString(value)];
  });
  validateXattrOrder(xattrs, where);
  return xattrs;
}

function validateXattrOrder(xattrs: Xattrs, where: string): void {
  for (let i = 1; i < xattrs.length; i++) {
    if (xattrs[i - 1]![0] >= xattrs[i]![0])
      throw new FormatError(where, 'xattrs are not sorted or a name occurs twice', {
        got: JSON.stringify(xattrs[i]![0]),
      });
  }
}

function xattrValues(xattrs: Xattrs, where: string): Value[] {
  validateXattrOrder(xattrs, where);
  return xattrs.map(([name, value]) => {
    if (name === '' || name.includes('\0'))
      throw new FormatError(where, 'not an xattr name', { got: JSON.stringify(name) });
    return [stringToBytes(`${name}\0` as ByteString), stringToBytes(value)];
  });
}

function checksum(bytes: Buffer, where: string, what: string): Checksum {
  if (bytes.length !== 32)
    throw new FormatError(where, `checksum of ${what} has a wrong length`, { got: bytes.length, want: 32 });
  return bytes.toString('hex') as Checksum;
}

function framed(variant: Buffer): Buffer {
  const out = Buffer.alloc(FILEZ_PREFIX + variant.length);
  out.writeUInt32BE(variant.length, 0);
  variant.copy(out, FILEZ_PREFIX);
  return out;
}

/** ostree stores these integers big-endian inside a little-endian serialisation. */
function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

const swapBuffer = Buffer.alloc(8);

function swap64(value: bigint): bigint {
  swapBuffer.writeBigUInt64LE(value);
  return swapBuffer.readBigUInt64BE();
}

const octal = (mode: number): string => `0${mode.toString(8)}`;
