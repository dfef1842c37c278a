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
  } finally {
    system.close(fd);
  }
  if (mode === 'archive') return;
  system.setxattr(path, OSTREEMETA, bytesToString(serializeOstreemeta(header)));
  system.utimes(path, 0);
}

/**
 * Writes a regular file's object to `path`.
 * @returns its checksum
 * @throws FormatError when the content is not as long as it said
 */
export function writeFileObject(
  system: System,
  mode: WritableMode,
  path: string,
  header: FileHeader,
  content: Content,
): Checksum {
  const hasher = contentHasher(header);
  // Nobody else may open the file while it has not its owner yet.
  const fd = system.create(path, 0o600);
  try {
    if (mode === 'archive') writeCompressed(system, fd, header, content, hasher);
    else writePlain(system, fd, content, hasher);
    // The order matters: chown clears set-id bits and capabilities; a user xattr needs the write permission.
    if (mode === 'bare') {
      system.fchown(fd, header.uid, header.gid);
      system.fchmod(fd, header.mode & 0o7777);
      for (const [name, value] of header.xattrs) system.setxattr(path, name, value);
    } else if (mode === 'bare-user') {
      system.setxattr(path, OSTREEMETA, bytesToString(serializeOstreemeta(header)));
      system.fchmod(fd, bareUserMode(header.mode));
    } else {
      system.fchmod(fd, mode === 'archive' ? 0o644 : header.mode & 0o7777);
    }
  } finally {
    system.close(fd);
  }
  if (mode !== 'archive') system.utimes(path, 0);
  return checksumOf(hasher.digest());
}

function writePlain(system: System, fd: number, content: Content, hasher: Hasher): void {
  for (const { chunk } of measured(content)) {
    hasher.update(chunk);
    system.write(fd, chunk);
  }
}

/**
 * Header and raw deflate. Each piece is deflated by itself and ends at a byte border (Z_SYNC_FLUSH), the last one
 * ends the stream: together they are one stream as RFC 1951 defines it, made in constant memory.
 */
function writeCompressed(
  system: System,
  fd: number,
  header: FileHeader,
  content: Content,
  hasher: Hasher,
): void {
  system.write(fd, filezHeader({ header, size: content.size }));
  if (content.size === 0) system.write(fd, deflateRawSync(Buffer.alloc(0)));
  for (const { chunk, isLast } of measured(content)) {
    hasher.update(chunk);
    const finishFlush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    system.write(fd, deflateRawSync(chunk, { level: DEFLATE_LEVEL, finishFlush }));
  }
}

/** The pieces of a content, checked against the size it announced. */
export function* measured(content: Content): Generator<{ chunk: Uint8Array; isLast: boolean }> {
  let done = 0;
  for (const chunk of content.chunks()) {
    if (chunk.length === 0) continue;
    done += chunk.length;
    if (done > content.size) throw wrongSize(`more than ${content.size}`, content.size);
    yield { chunk, isLast: done === content.size };
  }
  if (done < content.size) throw wrongSize(done, content.size);
}

function wrongSize(got: number | string, want: number): FormatError {
  return new FormatError('file content', 'not as long as announced', { got, want });
}
