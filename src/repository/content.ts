/**
 * Content objects in the five modes of a repository: metadata without the content, and the content as a stream.
 *
 * | mode | owner and mode | xattrs | link target |
 * |---|---|---|---|
 * | bare | inode | inode | symlink |
 * | bare-split-xattrs | inode | `.file-xattrs-link` object | symlink |
 * | bare-user | xattr user.ostreemeta | xattr user.ostreemeta | content of a regular file |
 * | bare-user-only | 0:0, inode's mode | none | symlink |
 * | archive | `.filez` header | `.filez` header | `.filez` header |
 *
 * As in libostree's ostree-repo.c (`_ostree_repo_load_file_bare`, `repo_load_file_archive`).
 */
import type { Stats } from 'node:fs';
import { type ByteString, bytesToString, stringToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { FormatError, IoError } from '../base/errors.ts';
import { fileChunks } from '../base/file-chunks.ts';
import { isRegular, isSymlink } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import { NO_XATTRS, type Xattr, type Xattrs } from '../base/xattrs.ts';
import {
  FILEZ_PREFIX,
  type FileHeader,
  type FilezHeader,
  filezHeaderLength,
  parseFilezHeader,
  parseOstreemeta,
  parseXattrs,
  validateFileMode,
} from '../formats/objects.ts';
import { type ObjectStore, openIfExists, readable } from './objects.ts';

export interface ContentInfo extends FileHeader {
  /** Bytes of content; 0 for symlinks. */
  readonly size: number;
}

/** What a content object says of its file, xattrs left out. */
export type ContentAttributes = Omit<ContentInfo, 'xattrs'>;

/** Gets the content piece by piece; the memory of a piece is reused after the call. */
export type ContentSink = (chunk: Buffer) => void;

/** Where {@link ContentReader.load} puts the content of a regular file that is not empty. */
export interface ContentTarget {
  /** Whether the content is wanted. `fd` is the open file; undefined where that does not hold the bytes as they are. */
  wants(info: ContentInfo, fd: number | undefined): boolean;
  /** Room for all of it, `info.size` bytes; undefined to have it piece by piece. */
  room(info: ContentInfo): Buffer | undefined;
  readonly sink: ContentSink;
}

const OSTREEMETA = 'user.ostreemeta' as ByteString;

/** Longest link target the kernel makes, in bytes (PATH_MAX). */
const MAX_TARGET = 4096;

/** Of a large file; so much stays in the processor's cache until it is hashed. */
const CHUNK_SIZE = 256 * 1024;

/** Up to this size content is inflated by one call, without a turn of the event loop. */
const INFLATE_AT_ONCE = 4 * 1024 * 1024;

/** The smallest piece that zlib hands out (Z_MIN_CHUNK). */
const LEAST_CHUNK = 64;

/** What the first look at a file of an archive shows. */
interface FoundHeader extends FilezHeader {
  /** Where the content begins. */
  readonly end: number;
  /** All of it, compressed, in memory that is reused; undefined where there is more than was read. */
  readonly compressed: Buffer | undefined;
}

/** Loaded by the first content of an archive: bare repositories do without. */
const zlib = () => process.getBuiltinModule('node:zlib');

/** The content of a symlink. */
async function* nothing(): AsyncGenerator<Buffer> {}

export class ContentReader {
  readonly #store: ObjectStore;
  readonly #system: System;
  readonly #ignoresXattrs: boolean;
  #spare: Buffer | undefined;
  readonly #small = Buffer.allocUnsafeSlow(MAX_TARGET + 1);
  #lastOstreemeta: { readonly value: ByteString; readonly meta: Omit<FileHeader, 'target'> } | undefined;

  /** @param ignoresXattrs - repository setting core.disable-xattrs */
  constructor(store: ObjectStore, ignoresXattrs: boolean) {
    this.#store = store;
    this.#system = store.system;
    this.#ignoresXattrs = ignoresXattrs;
  }

  /** Metadata of a content object without reading its content; undefined when it is missing. */
  info(checksum: Checksum): ContentInfo | undefined {
    return this.#info(checksum, true);
  }

  /** As {@link info}, but without xattrs: where these are an inode's own they take as long to read as all the rest. */
  attributes(checksum: Checksum): ContentAttributes | undefined {
    return this.#info(checksum, false);
  }

  #info(checksum: Checksum, withXattrs: boolean): ContentInfo | undefined {
    const path = this.#store.path(checksum, 'file');
    try {
      return this.#store.mode === 'archive'
        ? this.#archiveInfo(path)
        : this.#bareInfo(checksum, path, withXattrs);
    } catch (error) {
      // lstat(2) works on an object that must not be read, getxattr(2) does not.
      throw readable(error, path);
    }
  }

  /**
   * Streams the content (nothing for symlinks); false when the object is missing. A promise only where content is
   * too large to be inflated at once.
   */
  read(checksum: Checksum, sink: ContentSink): boolean | Promise<boolean> {
    const path = this.#store.path(checksum, 'file');
    if (this.#store.mode === 'archive') return this.#readArchive(path, sink);
    const stat = this.#system.lstatIfExists(path);
    if (stat === undefined) return false;
    if (stat.isSymbolicLink()) return true;
    if (this.#store.mode === 'bare-user' && isSymlink(this.#ostreemeta(path).mode)) return true;
    const fd = openIfExists(this.#system, path);
    if (fd === undefined) return false;
    try {
      this.#pump(fd, sink);
      return true;
    } finally {
      this.#system.close(fd);
    }
  }

  /** The content as it is asked for, each piece with memory of its own; nothing of a symlink, undefined when it is missing. */
  stream(checksum: Checksum): AsyncIterable<Buffer> | undefined {
    const info = this.info(checksum);
    if (info === undefined) return undefined;
    const path = this.#store.path(checksum, 'file');
    if (isSymlink(info.mode)) return nothing();
    return this.#store.mode === 'archive' ? this.#inflated(path) : fileChunks(path, this.#system);
  }

  /**
   * Metadata and content by one opening, for who wants both of many objects; undefined when it is missing. A promise
   * only where content is too large to be inflated at once.
   * @throws FormatError when the content is not as long as its header says
   */
  load(
    checksum: Checksum,
    target: ContentTarget,
  ): ContentInfo | undefined | Promise<ContentInfo | undefined> {
    const path = this.#store.path(checksum, 'file');
    if (this.#store.mode === 'archive') return this.#loadArchive(path, target);
    let fd: number | undefined;
    try {
      fd = this.#system.openUnlessLink(path);
    } catch (error) {
      throw readable(error, path);
    }
    if (fd === undefined) return this.info(checksum);
    try {
      const info = this.#openInfo(checksum, fd, path);
      if (info.size === 0 || !target.wants(info, fd)) return info;
      const room = target.room(info);
      if (room === undefined) this.#pump(fd, target.sink);
      else if (this.#system.read(fd, room, 0) !== info.size)
        throw new FormatError(path, 'file changed while it was read');
      return info;
    } finally {
      this.#system.close(fd);
    }
  }

  #loadArchive(path: string, target: ContentTarget): ContentInfo | undefined | Promise<ContentInfo> {
    const fd = openIfExists(this.#system, path);
    if (fd === undefined) return undefined;
    try {
      const found = this.#filezHeader(fd, path);
      const info: ContentInfo = { ...found.header, size: found.size };
      // Compressed, nothing takes bytes too, and ostree reads them.
      const isEmpty = info.size === 0;
      if (isSymlink(info.mode) || (!isEmpty && !target.wants(info, undefined))) return info;
      const room = isEmpty ? undefined : target.room(info);
      let filled = 0;
      const reading = this.#inflate(fd, path, found, (chunk) => {
        if (room === undefined) target.sink(chunk);
        else filled += chunk.copy(room, filled);
      });
      return reading === undefined ? info : reading.then(() => info);
    } finally {
      this.#system.close(fd);
    }
  }

  /** What {@link info} says, of a file of a bare repository that is open. */
  #openInfo(checksum: Checksum, fd: number, path: string): ContentInfo {
    const stat = this.#system.fstat(fd);
    if (!isRegular(stat.mode)) throw new FormatError(path, 'neither a regular file nor a symlink');
    return this.#statInfo(checksum, path, stat, fd, true);
  }

  async *#inflated(path: string): AsyncGenerator<Buffer> {
    const fd = this.#system.openRead(path);
    try {
      const { size, end } = this.#filezHeader(fd, path);
      let total = 0;
      const { Readable } = process.getBuiltinModule('node:stream');
      const { pipeline } = process.getBuiltinModule('node:stream/promises');
      const inflate = zlib().createInflateRaw({ chunkSize: CHUNK_SIZE });
      // A failure destroys the inflater with it, and reading from that one throws it.
      pipeline(Readable.from(this.#chunks(fd, end), { objectMode: false }), inflate).catch(() => undefined);
      try {
        for await (const chunk of inflate as AsyncIterable<Buffer>) {
          total += chunk.length;
          if (total > size) throw wrongSize(path, `more than ${size}`, size);
          yield chunk;
        }
      } catch (error) {
        throw inflateError(error, path);
      }
      if (total !== size) throw wrongSize(path, total, size);
    } finally {
      this.#system.close(fd);
    }
  }

  #bareInfo(checksum: Checksum, path: string, withXattrs: boolean): ContentInfo | undefined {
    const stat = this.#system.lstatIfExists(path);
    if (stat === undefined) return undefined;
    if (!isRegular(stat.mode) && !isSymlink(stat.mode))
      throw new FormatError(path, 'neither a regular file nor a symlink');
    return this.#statInfo(checksum, path, stat, path, withXattrs);
  }

  /** @param file its path, or the descriptor where it is open */
  #statInfo(
    checksum: Checksum,
    path: string,
    stat: Stats,
    file: string | number,
    withXattrs: boolean,
  ): ContentInfo {
    switch (this.#store.mode) {
      case 'bare-user':
        return this.#bareUserInfo(path, stat, file);
      case 'bare-user-only':
        return this.#inodeInfo(path, stat, 0, 0, NO_XATTRS);
      case 'bare-split-xattrs': {
        const xattrs = withXattrs ? this.#splitXattrs(checksum) : NO_XATTRS;
        return this.#inodeInfo(path, stat, stat.uid, stat.gid, xattrs);
      }
      default: {
        const xattrs = withXattrs ? this.#inodeXattrs(file) : NO_XATTRS;
        return this.#inodeInfo(path, stat, stat.uid, stat.gid, xattrs);
      }
    }
  }

  #inodeInfo(path: string, stat: Stats, uid: number, gid: number, xattrs: Xattrs): ContentInfo {
    const { mode } = stat;
    validateFileMode(mode, path);
    if (isSymlink(mode)) return { uid, gid, mode, target: this.#system.readlink(path), xattrs, size: 0 };
    return { uid, gid, mode, target: '' as ByteString, xattrs, size: stat.size };
  }

  /** @param file its path, or a descriptor */
  #inodeXattrs(file: string | number): Xattrs {
    if (this.#ignoresXattrs) return NO_XATTRS;
    const names = this.#system.listxattr(file);
    if (names.length === 0) return NO_XATTRS;
    const xattrs: Xattr[] = [];
    for (const name of names) {
      // One without a value does not exist for ostree (libglnx, glnx-xattrs.c).
      const value = this.#system.getxattr(file, name);
      if (value !== undefined && value !== '') xattrs.push([name, value]);
    }
    return xattrs;
  }

  #splitXattrs(checksum: Checksum): Xattrs {
    const xattrs = this.#store.read(checksum, 'file-xattrs-link', parseXattrs);
    if (xattrs === undefined)
      throw new FormatError(
        this.#store.path(checksum, 'file-xattrs-link'),
        'xattrs of a content object are missing',
      );
    return xattrs;
  }

  #ostreemeta(path: string, file: string | number = path): Omit<FileHeader, 'target'> {
    const value = this.#system.getxattr(file, OSTREEMETA);
    if (value === undefined) throw new FormatError(path, 'xattr user.ostreemeta is missing');
    // The same few for all files of a repository.
    if (value === this.#lastOstreemeta?.value) return this.#lastOstreemeta.meta;
    const meta = parseOstreemeta(stringToBytes(value), `${path}: user.ostreemeta`);
    this.#lastOstreemeta = { value, meta };
    return meta;
  }

  /** @param file its path, or the descriptor where it is open */
  #bareUserInfo(path: string, stat: Stats, file: string | number): ContentInfo {
    const meta = this.#ostreemeta(path, file);
    if (isRegular(meta.mode)) return { ...meta, target: '' as ByteString, size: stat.size };
    const fd = typeof file === 'number' ? file : this.#system.openRead(path, { noFollow: true });
    try {
      const length = this.#system.read(fd, this.#small, 0);
      return { ...meta, target: storedTarget(this.#small.subarray(0, length), path), size: 0 };
    } finally {
      if (fd !== file) this.#system.close(fd);
    }
  }

  #archiveInfo(path: string): ContentInfo | undefined {
    const fd = openIfExists(this.#system, path);
    if (fd === undefined) return undefined;
    try {
      const { header, size } = this.#filezHeader(fd, path);
      return { ...header, size };
    } finally {
      this.#system.close(fd);
    }
  }

  #filezHeader(fd: number, path: string): FoundHeader {
    const first = this.#small.subarray(0, this.#system.read(fd, this.#small, 0));
    const end = FILEZ_PREFIX + filezHeaderLength(first, path);
    let bytes = first;
    if (end > first.length) {
      const { size } = this.#system.fstat(fd);
      if (end > size)
        throw new FormatError(path, 'header runs past the end', { got: size, want: `at least ${end}` });
      bytes = Buffer.allocUnsafe(end);
      if (this.#system.read(fd, bytes, 0) !== end)
        throw new FormatError(path, 'file changed while it was read');
    }
    const parsed = parseFilezHeader(bytes.subarray(FILEZ_PREFIX, end), path);
    const isWhole = end <= first.length && first.length < this.#small.length;
    return { ...parsed, end, compressed: isWhole ? first.subarray(end) : undefined };
  }

  #readArchive(path: string, sink: ContentSink): boolean | Promise<boolean> {
    const fd = openIfExists(this.#system, path);
    if (fd === undefined) return false;
    try {
      const found = this.#filezHeader(fd, path);
      if (isSymlink(found.header.mode)) return true;
      const reading = this.#inflate(fd, path, found, sink);
      return reading === undefined ? true : reading.then(() => true);
    } finally {
      this.#system.close(fd);
    }
  }

  /** A promise where content is too large to be inflated at once; the file may be closed meanwhile. */
  #inflate(fd: number, path: string, found: FoundHeader, sink: ContentSink): void | Promise<void> {
    const { size, end } = found;
    if (found.compressed !== undefined && size <= INFLATE_AT_ONCE)
      return inflateAtOnce(found.compressed, size, path, sink);
    const length = Math.max(0, this.#system.fstat(fd).size - end);
    if (size > INFLATE_AT_ONCE || length > INFLATE_AT_ONCE) return this.#inflateInto(path, sink);
    const input = Buffer.allocUnsafe(length);
    inflateAtOnce(input.subarray(0, this.#system.read(fd, input, end)), size, path, sink);
  }

  async #inflateInto(path: string, sink: ContentSink): Promise<void> {
    for await (const chunk of this.#inflated(path)) sink(chunk);
  }

  *#chunks(fd: number, start: number): Generator<Buffer> {
    for (let position = start; ; ) {
      const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
      const length = this.#system.read(fd, chunk, position);
      if (length === 0) return;
      yield chunk.subarray(0, length);
      position += length;
    }
  }

  /** Reads a file through one reused buffer; a sink that reads another object meanwhile gets its own. */
  #pump(fd: number, sink: ContentSink): void {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_SIZE);
    this.#spare = undefined;
    try {
      for (let position = 0; ; ) {
        const length = this.#system.read(fd, buffer, position);
        if (length === 0) return;
        sink(buffer.subarray(0, length));
        if (length < buffer.length) return;
        position += length;
      }
    } finally {
      this.#spare = buffer;
    }
  }
}

/** A link target as bare-user stores it: with a final NUL, which readers have never insisted on. */
function storedTarget(bytes: Buffer, path: string): ByteString {
  const nul = bytes.indexOf(0);
  const length = nul === bytes.length - 1 ? nul : bytes.length;
  if (length < 1 || length >= MAX_TARGET || (nul !== -1 && nul < length))
    throw new FormatError(path, 'not a link target', { got: `${bytes.length} bytes` });
  return bytesToString(bytes, 0, length);
}

function inflateAtOnce(input: Buffer, size: number, path: string, sink: ContentSink): void {
  let content: Buffer;
  try {
    // All of it in one piece: zlib's own are of 16 KiB, for the smallest file and the largest.
    content = zlib().inflateRawSync(input, {
      maxOutputLength: size + 1,
      chunkSize: Math.max(LEAST_CHUNK, size + 1),
    });
  } catch (error) {
    throw inflateError(error, path);
  }
  if (content.length !== size) throw wrongSize(path, content.length, size);
  if (size > 0) sink(content);
}

function wrongSize(path: string, got: unknown, want: number): FormatError {
  return new FormatError(path, 'content does not have the size its header says', { got, want });
}

/** zlib's own errors become typed ones; all others pass. */
function inflateError(error: unknown, path: string): unknown {
  if (
    error instanceof FormatError ||
    error instanceof IoError ||
    !(error instanceof Error) ||
    !('code' in error)
  )
    return error;
  if (error.code === 'ERR_BUFFER_TOO_LARGE')
    return new FormatError(path, 'content is larger than its header says', { cause: error });
  if (typeof error.code === 'string' && error.code.startsWith('Z_'))
    return new FormatError(path, 'content cannot be inflated', { got: error.message, cause: error });
  return error;
}
