/**
 * The image tree of a directory, as `mkcomposefs DIR` 1.0.8 makes it: files of up to 64 bytes inline, others
 * pointing to `ab/cdef…` by their fs-verity digest, names of one inode as separate files (a link count of 1
 * each), the root's own mtime and xattrs like everybody's. Names are bytes throughout.
 */
import { lstatSync } from 'node:fs';
import { type ByteString, stringToBytes, textToBytes } from '../base/bytes.ts';
import { digestOf } from '../base/digest.ts';
import { errnoOf, FormatError, IoError } from '../base/errors.ts';
import { isDevice, isDirectory, isRegular, isSymlink } from '../base/mode.ts';
import { type Progress, silent } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import { sortedXattrs, type Xattr, type Xattrs } from '../base/xattrs.ts';
import { ImageTree, type NodeFields } from '../formats/erofs/tree.ts';
import { VerityHasher, verityDigest } from '../formats/verity.ts';
import { type DigestStore, digestPath } from './digest-store.ts';

/** Files up to this many bytes are stored in the image. */
const INLINE_BYTES = 64;

export interface DirectoryOptions {
  /** Which xattrs to take; default all. */
  readonly xattrs?: 'all' | 'user' | 'none';
  /** Leave block and character devices out (whiteouts are such). */
  readonly skipDevices?: boolean;
  /** All times 0. */
  readonly useEpoch?: boolean;
  /** Where to copy the content of files that are not inline. */
  readonly store?: DigestStore;
  readonly progress?: Progress;
}

const BUFFER_BYTES = 1 << 20;

/**
 * Reads a directory.
 * @throws IoError when something cannot be read, FormatError when a file changes while it is read, or when the
 *   tree goes beyond what an image can hold.
 */
export async function treeFromDirectory(
  path: string,
  system: System,
  options: DirectoryOptions = {},
): Promise<ImageTree> {
  const progress = options.progress ?? silent();
  const reader = new DirectoryReader(system, options);
  progress.begin('reading files');
  for (const bytes of reader.read(textToBytes(path))) {
    progress.advance(1, bytes);
    await progress.breathe();
  }
  options.store?.sync();
  return reader.tree;
}

class DirectoryReader {
  readonly tree = new ImageTree();
  readonly #system: System;
  readonly #options: DirectoryOptions;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);

  constructor(system: System, options: DirectoryOptions) {
    this.#system = system;
    this.#options = options;
  }

  /** Reads entry by entry; yields the bytes of content read for each. */
  *read(root: ByteString): Generator<number, void> {
    this.tree.addRoot(this.#fields(root));
    yield 0;
    const pending: { path: ByteString; node: number }[] = [{ path: root, node: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const prefix = next.path.endsWith('/') ? next.path : `${next.path}/`;
      for (const name of this.#system.readdir(stringToBytes(next.path))) {
        const path = `${prefix}${name}` as ByteString;
        const fields = this.#fields(path);
        if (this.#options.skipDevices && isDevice(fields.mode)) continue;
        const node = this.tree.add(next.node, name, fields);
        if (isDirectory(fields.mode)) pending.push({ path, node });
        yield isRegular(fields.mode) ? (fields.size ?? 0) : 0;
      }
    }
  }

  #fields(text: ByteString): NodeFields {
    const path = stringToBytes(text);
    const stats = lstatExact(path);
    const mode = Number(stats.mode);
    const fields: NodeFields = {
      mode,
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      xattrs: this.#xattrs(path),
    };
    if (!this.#options.useEpoch) {
      fields.mtimeSec = floorDivide(stats.mtimeNs, NS_PER_S);
      fields.mtimeNsec = Number(stats.mtimeNs - fields.mtimeSec * NS_PER_S);
    }
    if (isDevice(mode)) fields.rdev = Number(BigInt.asUintN(32, stats.rdev));
    if (isSymlink(mode)) fields.payload = this.#system.readlink(path);
    if (isRegular(mode)) {
      fields.size = Number(stats.size);
      if (fields.size > 0) this.#readContent(path, fields, fields.size);
    }
    return fields;
  }

  #readContent(path: Buffer, fields: NodeFields, size: number): void {
    const { store } = this.#options;
    const first = this.#readFile(path, size);
    if (size <= INLINE_BYTES) {
      fields.content = first.whole!;
      return;
    }
    fields.digest = first.digest;
    const digest = digestOf(first.digest);
    fields.payload = digestPath(digest) as ByteString;
    if (store === undefined || store.has(digest)) return;
    if (first.whole !== undefined) store.addBytes(digest, first.whole);
    else store.addFile(digest, path);
  }

  /** The digest of a file; and its bytes, valid until the next call, where they fit the buffer. */
  #readFile(path: Buffer, size: number): { digest: Buffer; whole: Buffer | undefined } {
    const fd = this.#system.openRead(path, { noFollow: true });
    try {
      let count = this.#system.read(fd, this.#buffer, null);
      let total = count;
      if (count < this.#buffer.length) {
        const whole = this.#buffer.subarray(0, count);
        checkSize(path, total, size);
        return { digest: verityDigest(whole), whole };
      }
      const hasher = new VerityHasher();
      while (count > 0) {
        hasher.update(this.#buffer.subarray(0, count));
        count = this.#system.read(fd, this.#buffer, null);
        total += count;
      }
      checkSize(path, total, size);
      return { digest: hasher.digest(), whole: undefined };
    } finally {
      this.#system.close(fd);
    }
  }

  #xattrs(path: Buffer): Xattrs {
    const { xattrs = 'all' } = this.#options;
    if (xattrs === 'none') return [];
    const list: Xattr[] = [];
    for (const name of this.#system.listxattr(path)) {
      if (xattrs === 'user' && !name.startsWith('user.')) continue;
      const value = this.#system.getxattr(path, name);
      if (value !== undefined) list.push([name, value]);
    }
    return sortedXattrs(list);
  }
}

const NS_PER_S = 1_000_000_000n;

/** Rounds down: a time before 1970 has a negative second and positive nanoseconds. */
function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** Nanoseconds need the bigint form, which only Node's own call has. */
function lstatExact(path: Buffer): ReturnType<typeof lstatBig> {
  try {
    return lstatBig(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new IoError('lstat', path.toString('utf8'), errno, { cause: error });
  }
}

const lstatBig = (path: Buffer) => lstatSync(path, { bigint: true });

function checkSize(path: Buffer, got: number, want: number): void {
  if (got !== want)
    throw new FormatError(path.toString('utf8'), 'the file changed while it was read', { got, want });
}
