/** A folder on disk as a tree to be committed: owners, modes and xattrs as they are, hard links as separate files. */
import type { Stats } from 'node:fs';
import { type ByteString, stringToBytes } from '../base/bytes.ts';
import { FormatError, OperationError, UsageError } from '../base/errors.ts';
import { isDirectory, isRegular, isSymlink, typeName } from '../base/mode.ts';
import type { SystemReads } from '../base/system.ts';
import { NO_XATTRS, type Xattr, type Xattrs } from '../base/xattrs.ts';
import type { Content, SourceDirectory, SourceNode } from './source.ts';

/** How much of a file is in memory at a time. */
const CHUNK_BYTES = 1 << 20;

/**
 * The tree below `path`. Reading happens as the tree is walked and ends in IoError; a file that is neither regular,
 * a symlink nor a folder ends in OperationError, as ostree refuses it.
 */
export function directorySource(path: string | Buffer, system: SystemReads): SourceDirectory {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const node = readNode(bytes, system);
  if (node.kind !== 'directory') throw new UsageError(`${bytes.toString()} is not a folder`);
  return node;
}

function readNode(path: Buffer, system: SystemReads): SourceNode {
  const stats = system.lstat(path);
  const attributes = {
    uid: stats.uid,
    gid: stats.gid,
    mode: stats.mode,
    xattrs: readXattrs(path, system),
  };
  if (isDirectory(stats.mode)) {
    return { kind: 'directory', ...attributes, entries: () => readEntries(path, system) };
  }
  if (isSymlink(stats.mode)) return { kind: 'symlink', ...attributes, target: system.readlink(path) };
  if (isRegular(stats.mode))
    return { kind: 'file', ...attributes, content: fileContent(path, stats, system) };
  throw new OperationError(
    'file-type',
    `${path.toString()}: a commit cannot hold a ${typeName(stats.mode)}`,
    { details: { path: path.toString() } },
  );
}

function* readEntries(path: Buffer, system: SystemReads): Generator<readonly [ByteString, SourceNode]> {
  for (const name of system.readdir(path))
    yield [name, readNode(Buffer.concat([path, Buffer.from('/'), stringToBytes(name)]), system)];
}

function readXattrs(path: Buffer, system: SystemReads): Xattrs {
  const names = system.listxattr(path);
  if (names.length === 0) return NO_XATTRS;
  return names.flatMap((name): Xattr[] => {
    // One that went away since it was listed is as if it had never been; one without a value does not exist for
    // ostree (libglnx, glnx-xattrs.c), so that committing it would give a bare repository that fails its check.
    const value = system.getxattr(path, name);
    return value === undefined || value === '' ? [] : [[name, value]];
  });
}

function fileContent(path: Buffer, { size }: Stats, system: SystemReads): Content {
  return {
    size,
    *chunks() {
      const fd = system.openRead(path, { noFollow: true });
      try {
        const chunk = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
        let left = size;
        while (left > 0) {
          const part = left < chunk.length ? chunk.subarray(0, left) : chunk;
          const count = system.read(fd, part, null);
          if (count !== part.length)
            throw new FormatError(path.toString(), 'changed while it was read', {
              got: `${size - left + count} bytes`,
              want: `${size}`,
            });
          yield part;
          left -= count;
        }
      } finally {
        system.close(fd);
      }
    },
  };
}
