/**
 * How a content object lies on disk, by repository mode (ostree-repo-commit.c, `write_content_object` and
 * `commit_loose_regfile_object`): written to a path of its own, complete with owner, mode, xattrs and times, ready to
 * be linked into `objects`. What is written is hashed on the way.
 */
import { constants, deflateRawSync } from 'node:zlib';
import { type ByteString, bytesToString, displayBytes, stringToBytes } from '../base/bytes.ts';
import { type Checksum, checksumOf, type Hasher } from '../base/digest.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { isSymlink } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import { NO_XATTRS, type Xattrs } from '../base/xattrs.ts';
import {
  contentChecksum,
  contentHasher,
  type FileHeader,
  filezHeader,
  serializeOstreemeta,
} from '../formats/objects.ts';
import type { RepositoryMode } from './repository.ts';
import type { Content } from './source.ts';

/** The compression ostree uses (`archive.zlib-level`). */
const DEFLATE_LEVEL = 6;

/** The bits of a file's mode that a bare-user object itself carries: those without set-id bits, readable. */
const bareUserMode = (mode: number): number => (mode & 0o775) | 0o400;

const OSTREEMETA = 'user.ostreemeta' as ByteString;

/** The modes that can be written: bare-split-xattrs is experimental in ostree, and only read. */
export type WritableMode = Exclude<RepositoryMode, 'bare-split-xattrs'>;

/** @throws UnsupportedError for a mode that is only read */
export function writableMode(mode: RepositoryMode): WritableMode {
  if (mode === 'bare-split-xattrs')
    throw new UnsupportedError('a repository of mode bare-split-xattrs can be read, not written');
  return mode;
}

/**
 * What of owner, mode and xattrs a repository keeps: all, but in bare-user-only, where the object's own permissions
 * are all there is, and `ostree commit` takes the rest away as well.
 */
export function keptHeader<T extends Omit<FileHeader, 'target'>>(mode: WritableMode, header: T): T {
  if (mode === 'bare') refuseEmptyXattrs(header.xattrs);
  if (mode !== 'bare-user-only') return header;
  const kept = isSymlink(header.mode) ? header.mode : header.mode & ~0o7022;
  return { ...header, uid: 0, gid: 0, mode: kept, xattrs: NO_XATTRS };
}

/** In a bare repository xattrs are read from the file, where ostree does not see those without a value. */
function refuseEmptyXattrs(xattrs: Xattrs): void {
  const empty = xattrs.find(([, value]) => value === '');
  if (empty !== undefined)
    throw new UnsupportedError(
      `a bare repository cannot keep xattr ${displayBytes(empty[0])}: it has no value`,
    );
}

/** Checksum of a symlink's object. */
export function symlinkChecksum(header: FileHeader): Checksum {
  return contentChecksum(header, new Uint8Array());
}

/** Writes a symlink's object to `path`. */
export function writeSymlinkObject(
  system: System,
  mode: WritableMode,
  path: string,
  header: FileHeader,
): void {
  if (mode === 'bare' || mode === 'bare-user-only') {
    system.symlink(header.target, path);
    if (mode === 'bare-user-only') return;
    system.lchown(path, header.uid, header.gid);
    for (const [name, value] of header.xattrs) system.setxattr(path, name, value);
    return;
  }
  const fd = system.create(path, 0o644);
  try {
    // In bare-user the target ends in NUL, so that a mapped file is a C string.
    system.write(
      fd,
      mode === 'archive'
        ? filezHeader({ header, size: 0 })
        : stringToBytes(`${header.target}\0` as ByteString),
    );
    system.fchmod(fd, 0o644);
    if (mode === 'archive') return;
    system.setxattr(path, OSTREEMETA, bytesToString(serializeOstreemeta(header)));
    system.futimes(fd, 0);
  } finally {
    system.close(fd);
  }
}

/**
 * Writes a regular file's object to `path`.
 * @param known its checksum, where that needs no proof
 * @returns its checksum
 * @throws FormatError when the content is not as long as it said
 */
export function writeFileObject(
  system: System,
  mode: WritableMode,
  path: string,
  header: FileHeader,
  content: Content,
  known?: Checksum,
): Checksum {
  using object = new FileObject(system, mode, path, header, content.size, known);
  for (const chunk of content.chunks()) object.write(chunk);
  return object.finish();
}

/** A regular file's object at `path` whose content comes in pieces. */
export class FileObject {
  readonly #system: System;
  readonly #mode: WritableMode;
  readonly #path: string;
  readonly #header: FileHeader;
  readonly #size: number;
  readonly #hasher: Hasher | undefined;
  readonly #known: Checksum | undefined;
  #fd: number | undefined;
  #done = 0;

  constructor(
    system: System,
    mode: WritableMode,
    path: string,
    header: FileHeader,
    size: number,
    known?: Checksum,
  ) {
    this.#system = system;
    this.#mode = mode;
    this.#path = path;
    this.#header = header;
    this.#size = size;
    this.#known = known;
    this.#hasher = known === undefined ? contentHasher(header) : undefined;
    // Nobody else may open the file while it has not its owner yet.
    this.#fd = system.create(path, 0o600);
    if (mode === 'archive') this.#begin(this.#fd);
  }

  /** What stands before the content of an archive's object, and an empty content's stream. */
  #begin(fd: number): void {
    try {
      this.#system.write(fd, filezHeader({ header: this.#header, size: this.#size }));
      if (this.#size === 0) this.#system.write(fd, deflateRawSync(Buffer.alloc(0)));
    } catch (error) {
      // Nobody has the object yet who could close it.
      this.close();
      throw error;
    }
  }

  /** @throws FormatError when that is more than was announced */
  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#done += chunk.length;
    if (this.#done > this.#size) throw wrongSize(`more than ${this.#size}`, this.#size);
    this.#hasher?.update(chunk);
    const fd = this.#fd as number;
    if (this.#mode !== 'archive') {
      this.#system.write(fd, chunk);
      return;
    }
    // Each piece is deflated by itself and ends at a byte border (Z_SYNC_FLUSH), the last one ends the stream:
    // together they are one stream as RFC 1951 defines it, made in constant memory.
    const finishFlush = this.#done === this.#size ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    this.#system.write(fd, deflateRawSync(chunk, { level: DEFLATE_LEVEL, finishFlush }));
  }

  /** Gives the object owner, mode, xattrs and times. @returns its checksum @throws FormatError when content is missing */
  finish(): Checksum {
    if (this.#done < this.#size) throw wrongSize(this.#done, this.#size);
    const system = this.#system;
    const header = this.#header;
    const fd = this.#fd as number;
    // The order matters: chown clears set-id bits and capabilities; a user xattr needs the write permission.
    if (this.#mode === 'bare') {
      system.fchown(fd, header.uid, header.gid);
      system.fchmod(fd, header.mode & 0o7777);
      for (const [name, value] of header.xattrs) system.setxattr(this.#path, name, value);
    } else if (this.#mode === 'bare-user') {
      system.setxattr(this.#path, OSTREEMETA, bytesToString(serializeOstreemeta(header)));
      system.fchmod(fd, bareUserMode(header.mode));
    } else {
      system.fchmod(fd, this.#mode === 'archive' ? 0o644 : header.mode & 0o7777);
    }
    if (this.#mode !== 'archive') system.futimes(fd, 0);
    this.close();
    return this.#known ?? checksumOf((this.#hasher as Hasher).digest());
  }

  /** Lets go of the file, finished or not; the file itself stays. */
  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) this.#system.close(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The pieces of a content, checked against the size it announced. */
export function* measured(content: Content): Generator<Uint8Array> {
  let done = 0;
  for (const chunk of content.chunks()) {
    done += chunk.length;
    if (done > content.size) throw wrongSize(`more than ${content.size}`, content.size);
    yield chunk;
  }
  if (done < content.size) throw wrongSize(done, content.size);
}

function wrongSize(got: number | string, want: number): FormatError {
  return new FormatError('file content', 'not as long as announced', { got, want });
}
