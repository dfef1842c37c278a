/** A folder on disk as a tree to be committed: owners, modes and xattrs as they are, hard links as separate files. */
import { type ByteString, bytesToString, displayBytes, stringToBytes } from '../base/bytes.ts';
import { FormatError, OperationError, UsageError } from '../base/errors.ts';
import { isDirectory, isRegular, isSymlink, typeName } from '../base/mode.ts';
import type { SystemReads } from '../base/system.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { NO_XATTRS, type Xattr, type Xattrs } from '../base/xattrs.ts';
import type { Content, SourceDirectory, SourceNode } from './source.ts';

/** How much of a file is in memory at a time. */
const CHUNK_BYTES = 1 << 20;

/** What the tree has otherwise than the folder. */
export interface DirectoryOptions {
  /** Take this owner instead of the files' own. */
  readonly uid?: number;
  readonly gid?: number;
  readonly ignoreXattrs?: boolean;
  /** Told of what a commit cannot hold, which is left out then; by default it is refused. */
  readonly onSpecial?: (path: string) => void;
}

/**
 * The tree below `path`. Reading happens as the tree is walked and ends in IoError; a file that is neither regular,
 * a symlink nor a folder ends in OperationError, as ostree refuses it.
 */
export function directorySource(
  path: string | Buffer,
  system: SystemReads,
  options: DirectoryOptions = {},
): SourceDirectory {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const node = new DirectoryReader(system, options).node(bytes);
  if (node?.kind !== 'directory') throw new UsageError(`${bytes.toString()} is not a folder`);
  return node;
}

class DirectoryReader {
  readonly #system: SystemReads;
  readonly #options: DirectoryOptions;

  constructor(system: SystemReads, options: DirectoryOptions) {
    this.#system = system;
    this.#options = options;
  }

  /** What lies at `path`; undefined for what is to be left out. */
  node(path: Buffer): SourceNode | undefined {
    const { uid, gid, mode, size } = this.#system.lstat(path);
    const kind = isRegular(mode)
      ? 'file'
      : isDirectory(mode)
        ? 'directory'
        : isSymlink(mode)
          ? 'symlink'
          : undefined;
    if (kind === undefined) return this.#special(path, mode);
    const attributes = {
      uid: this.#options.uid ?? uid,
      gid: this.#options.gid ?? gid,
      mode,
      xattrs: this.#options.ignoreXattrs ? NO_XATTRS : this.#xattrs(path),
    };
    switch (kind) {
      case 'file':
        return { kind, ...attributes, content: new FileContent(bytesToString(path), size, this.#system) };
      case 'directory':
        return { kind, ...attributes, entries: () => this.#entries(path) };
      case 'symlink':
        return { kind, ...attributes, target: this.#system.readlink(path) };
    }
  }

  *#entries(path: Buffer): Generator<readonly [ByteString, SourceNode]> {
    for (const name of this.#system.readdir(path)) {
      const node = this.node(Buffer.concat([path, SLASH, stringToBytes(name)]));
      if (node !== undefined) yield [name, node];
    }
  }

  #xattrs(path: Buffer): Xattrs {
    const names = this.#system.listxattr(path);
    if (names.length === 0) return NO_XATTRS;
    return names.flatMap((name): Xattr[] => {
      // One that went away since it was listed is as if it had never been; one without a value does not exist for
      // ostree (libglnx, glnx-xattrs.c), so that committing it would give a bare repository that fails its check.
      const value = this.#system.getxattr(path, name);
      return value === undefined || value === '' ? [] : [[name, value]];
    });
  }

  #special(path: Buffer, mode: number): undefined {
    const shown = displayBytes(bytesToString(path));
    if (this.#options.onSpecial === undefined)
      throw new OperationError('file-type', `${shown}: a commit cannot hold a ${typeName(mode)}`, {
        details: { path: shown },
      });
    this.#options.onSpecial(shown);
  }
}

const SLASH = Buffer.from('/');

/** What a file on the disk has as it is read, as long as it was found to be; it is opened when it is read. */
export class FileContent implements Content {
  readonly size: number;
  readonly path?: ByteString;
  readonly #path: ByteString;
  readonly #system: SystemReads;

  constructor(path: ByteString, size: number, system: SystemReads) {
    if (system === linuxSystem) this.path = path;
    this.#path = path;
    this.size = size;
    this.#system = system;
  }

  *chunks(): Generator<Uint8Array> {
    const fd = this.#open();
    try {
      const chunk = Buffer.allocUnsafe(Math.min(this.size, CHUNK_BYTES));
      for (let done = 0; done < this.size; ) {
        const part = chunk.subarray(0, this.size - done);
        this.#read(fd, part, done);
        yield part;
        done += part.length;
      }
    } finally {
      this.#system.close(fd);
    }
  }

  readInto(target: Uint8Array): void {
    const fd = this.#open();
    try {
      this.#read(fd, target, 0);
    } finally {
      this.#system.close(fd);
    }
  }

  #open(): number {
    return this.#system.openRead(stringToBytes(this.#path), { noFollow: true });
  }

  #read(fd: number, into: Uint8Array, done: number): void {
    const count = this.#system.read(fd, into, null);
    if (count !== into.length)
      throw new FormatError(displayBytes(this.#path), 'changed while it was read', {
        got: `${done + count} bytes`,
        want: `${this.size}`,
      });
  }
}
