/**
 * A file tree to be committed: what a commit holds of each file, wherever it comes from. Trees in memory are built
 * with the functions here; {@link ./source-directory.ts} reads one from disk. Folders are read only when their turn
 * comes, contents in pieces.
 */
import { type ByteString, displayBytes, isText, textToBytes } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../base/mode.ts';
import { NO_XATTRS, sortedXattrs, type Xattr, type Xattrs } from '../base/xattrs.ts';

/** The bytes of a regular file. */
export interface Content {
  /** Bytes that {@link chunks} gives in all. */
  readonly size: number;
  /** The bytes in order; memory may be used again for the next piece. Can be called more than once. */
  chunks(): Iterable<Uint8Array>;
  /** Puts all the bytes into `target`, which has {@link size}: a copy less, where there is this. */
  readInto?(target: Uint8Array): void;
  /** Where it lies, when that is on this machine's disks: a thread can read it then. */
  readonly path?: ByteString;
  /** The bytes are in memory and cannot change meanwhile: what was hashed need not be hashed as it is written. */
  readonly isFixed?: boolean;
}

interface Attributes {
  readonly uid: number;
  readonly gid: number;
  /** Full st_mode. */
  readonly mode: number;
  readonly xattrs: Xattrs;
}

export interface SourceFile extends Attributes {
  readonly kind: 'file';
  readonly content: Content;
}

export interface SourceSymlink extends Attributes {
  readonly kind: 'symlink';
  readonly target: ByteString;
}

export interface SourceDirectory extends Attributes {
  readonly kind: 'directory';
  /** In any order; each name once. */
  entries(): Iterable<readonly [name: ByteString, node: SourceNode]>;
}

export type SourceNode = SourceFile | SourceSymlink | SourceDirectory;

/** What can be said of a file in memory; left out: owner 0:0, no xattrs, the permissions ls(1) shows most often. */
export interface SourceOptions {
  readonly uid?: number;
  readonly gid?: number;
  /** Permission bits with set-id and sticky bits, such as 0o755. */
  readonly permissions?: number;
  readonly xattrs?: Iterable<Xattr>;
}

function attributes(type: number, permissions: number, options: SourceOptions): Attributes {
  return {
    uid: options.uid ?? 0,
    gid: options.gid ?? 0,
    mode: type | (options.permissions ?? permissions),
    xattrs: options.xattrs === undefined ? NO_XATTRS : sortedXattrs(options.xattrs),
  };
}

/** A regular file; text is taken as UTF-8. */
export function sourceFile(content: Uint8Array | string | Content, options: SourceOptions = {}): SourceFile {
  return {
    kind: 'file',
    ...attributes(S_IFREG, 0o644, options),
    content: typeof content === 'string' || content instanceof Uint8Array ? bytesContent(content) : content,
  };
}

function bytesContent(content: Uint8Array | string): Content {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  return { size: bytes.length, chunks: () => (bytes.length === 0 ? [] : [bytes]), isFixed: true };
}

export function sourceSymlink(target: string, options: SourceOptions = {}): SourceSymlink {
  return { kind: 'symlink', ...attributes(S_IFLNK, 0o777, options), target: textToBytes(target) };
}

export function sourceDirectory(
  children: Readonly<Record<string, SourceNode>> | ReadonlyMap<ByteString, SourceNode>,
  options: SourceOptions = {},
): SourceDirectory {
  const list: (readonly [ByteString, SourceNode])[] =
    children instanceof Map
      ? [...(children as ReadonlyMap<ByteString, SourceNode>)]
      : Object.entries(children as Readonly<Record<string, SourceNode>>).map(([name, node]) => [
          textToBytes(name),
          node,
        ]);
  return { kind: 'directory', ...attributes(S_IFDIR, 0o755, options), entries: () => list };
}

/** Names are strings in a dirtree, and GVariant's strings are UTF-8. @throws FormatError */
export function requireText(name: ByteString, folder: string): void {
  if (!isText(name))
    throw new FormatError(
      displayBytes(`${folder}/${name}` as ByteString),
      'name is not UTF-8, which ostree requires',
    );
}
