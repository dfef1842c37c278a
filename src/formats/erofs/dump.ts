/**
 * composefs-dump(5), written: what `composefs-info dump` prints of an image, byte for byte, except for the
 * garbage that libcomposefs up to 1.0.8 appends to some payloads. Reading is in {@link ./dump-parse.ts}.
 */
import { asBuffer, type ByteString, bytesToString } from '../../base/bytes.ts';
import type { Xattr, Xattrs } from '../../base/xattrs.ts';
import { Overlay } from './layout.ts';
import type { ErofsImage, Inode, WalkedEntry } from './read.ts';
import type { StoredXattrs } from './read-xattrs.ts';
import { ImageTree, type NodeFields } from './tree.ts';

export { DumpParser, type ParseDumpOptions, parseDump } from './dump-parse.ts';

export interface FormatDumpOptions {
  /** Only the root and what lies in these entries of it. */
  readonly only?: ReadonlySet<ByteString>;
}

/**
 * The lines of a dump, each with its newline, in depth-first order. Of names of one inode the first is written
 * as the file and the others as hard links to it. Of a tree (rather than an image) the size of directories is 0
 * and xattrs are sorted; of an image sizes are as stored, and unshared xattrs come before shared ones.
 */
export function* formatDump(
  source: ErofsImage | ImageTree,
  options: FormatDumpOptions = {},
): Generator<ByteString, void> {
  if (source instanceof ImageTree) yield* formatTree(source, options.only);
  else yield* formatImage(source, options.only);
}

function* formatImage(image: ErofsImage, only: ReadonlySet<ByteString> | undefined): Generator<ByteString> {
  for (const { path, inode, linkOf } of only === undefined ? image.walk() : walkOnly(image, only))
    yield formatLine(path, imageNode(image, inode), linkOf);
}

/** What an inode stands for, its xattrs in the order in which a dump has them. */
export function imageNode(image: ErofsImage, inode: Inode): NodeFields {
  const stored = image.rawXattrs(inode);
  const node = image.node(inode, stored);
  if (node.xattrs !== undefined) node.xattrs = storedOrder(stored, node.xattrs);
  return node;
}

/**
 * A walk of the root and some of its entries. Of a file that also has names elsewhere the first name in here
 * counts as the first.
 */
export function* walkOnly(image: ErofsImage, only: ReadonlySet<ByteString>): Generator<WalkedEntry> {
  const firstHere = new Map<ByteString, ByteString>();
  for (const entry of image.walk()) {
    if (entry.depth > 0 && !only.has(topName(entry.path))) continue;
    const { path, linkOf } = entry;
    if (linkOf === undefined || only.has(topName(linkOf))) yield entry;
    else {
      yield { ...entry, linkOf: firstHere.get(linkOf) };
      if (!firstHere.has(linkOf)) firstHere.set(linkOf, path);
    }
  }
}

/** `a` of `/a/b`. */
function topName(path: ByteString): ByteString {
  const end = path.indexOf('/', 1);
  return path.slice(1, end === -1 ? undefined : end) as ByteString;
}

/** Xattrs as the C reader meets them: unshared ones before shared ones, each by name. */
function storedOrder({ unshared, shared }: StoredXattrs, xattrs: Xattrs): Xattrs {
  if (shared.length === 0 || unshared.length === 0) return xattrs;
  const sharedNames = new Set<string>(shared.map(([name]) => name));
  const isShared = ([name]: Xattr): boolean =>
    sharedNames.has(
      name.startsWith(Overlay.prefix) ? Overlay.escapedPrefix + name.slice(Overlay.prefix.length) : name,
    );
  return [...xattrs.filter((xattr) => !isShared(xattr)), ...xattrs.filter(isShared)];
}

function* formatTree(tree: ImageTree, only: ReadonlySet<ByteString> | undefined): Generator<ByteString> {
  /** The first path of each node that has hard links. */
  const firstPaths = new Map<number, ByteString>();
  for (let node = 0; node < tree.count; node++) {
    const target = tree.linkTarget(node);
    if (target !== -1) firstPaths.set(target, '' as ByteString);
  }
  const pending: { node: number; path: ByteString }[] = [{ node: 0, path: '' as ByteString }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, path } = next;
    const target = tree.linkTarget(node);
    const inode = target === -1 ? node : target;
    const firstPath = firstPaths.get(inode);
    if (firstPath === '') firstPaths.set(inode, path);
    yield formatLine(path, tree.fields(inode), firstPath === '' ? undefined : firstPath);

    const children = [...tree.children(node)];
    for (const child of children.reverse()) {
      const name = tree.name(child);
      if (node === 0 && only !== undefined && !only.has(name)) continue;
      pending.push({ node: child, path: `${path}/${name}` as ByteString });
    }
  }
}

/** One entry as a line, with its newline. `linkOf` is the path of the entry that this one is a hard link to. */
export function formatLine(path: ByteString, node: NodeFields, linkOf: ByteString | undefined): ByteString {
  const { mode, nlink = 1, uid = 0, gid = 0, rdev = 0, size = 0, mtimeSec = 0n, mtimeNsec = 0 } = node;
  const { content, digest, xattrs = [] } = node;
  let line = `${escapeBytes(path === '' ? '/' : path)} ${size} ${linkOf === undefined ? '' : '@'}${mode.toString(8)}`;
  line += ` ${nlink} ${uid} ${gid} ${rdev} ${mtimeSec}.${mtimeNsec}`;
  line += ` ${escapeOptional(linkOf ?? node.payload)}`;
  line += ` ${escapeOptional(content === undefined ? undefined : bytesToString(content))}`;
  line += ` ${digest === undefined ? '-' : asBuffer(digest).toString('hex')}`;
  return `${line}${formatXattrs(xattrs)}\n` as ByteString;
}

function formatXattrs(xattrs: Xattrs): string {
  let text = '';
  for (const [name, value] of xattrs) text += ` ${escapedXattr(name)}=${escapedXattr(value)}`;
  return text;
}

/** How each byte is written: printable ASCII as it is, save the backslash. */
const ESCAPES: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x5c) return '\\\\';
  if (byte === 0x0a) return '\\n';
  if (byte === 0x0d) return '\\r';
  if (byte === 0x09) return '\\t';
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
});

/** A byte as it is written; `special` is escaped, too. */
export function escapeOf(byte: number, special = 0): string {
  return byte === special ? `\\x${byte.toString(16).padStart(2, '0')}` : ESCAPES[byte]!;
}

const escapeCharacter = (c: string): string => ESCAPES[c.charCodeAt(0)]!;

const PLAIN = /^[\x21-\x5b\x5d-\x7e]*$/;

/** Escapes a path, payload or content. */
function escapeBytes(text: string): string {
  return PLAIN.test(text) ? text : text.replace(/[^\x21-\x5b\x5d-\x7e]/g, escapeCharacter);
}

/** A path for a person, as `composefs-info ls` writes it: {@link escapeBytes}, but spaces stay. */
export function escapePathForListing(path: ByteString): string {
  return path.replace(/[^\x20-\x5b\x5d-\x7e]/g, escapeCharacter);
}

/** A payload as `composefs-info ls` writes it. */
export function escapePayload(payload: ByteString): string {
  return escapeBytes(payload);
}

function escapeOptional(text: ByteString | undefined): string {
  if (text === undefined) return '-';
  return text === '-' ? '\\x2d' : escapeBytes(text);
}

/** `=` ends an xattr's name, so it is escaped in names and, likewise, in values. */
export function escapedXattr(text: ByteString): string {
  return escapeBytes(text).replaceAll('=', '\\x3d');
}
