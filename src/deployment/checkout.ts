/**
 * Checks a commit out into a folder: files are hard links of the repository's objects, as in a deployment. Owners,
 * modes and xattrs are what the objects themselves have, so in bare-user repositories all belongs to the user.
 */
import { type ByteString, stringToBytes } from '../base/bytes.ts';
import type { Checksum } from '../base/digest.ts';
import { UnsupportedError } from '../base/errors.ts';
import { isSymlink } from '../base/mode.ts';
import type { System } from '../base/system.ts';
import type { Dirmeta } from '../formats/objects.ts';
import type { Repository } from '../repository/repository.ts';

/**
 * @param path - must not exist, on the repository's file system
 * @throws UnsupportedError for an archive repository, whose objects are compressed
 */
export function checkOut(repository: Repository, commit: Checksum, path: string): void {
  if (repository.mode === 'archive')
    throw new UnsupportedError(`${repository.path}: objects of an archive repository cannot be linked`);
  const { rootTree, rootMeta } = repository.commit(commit);
  checkOutDirectory(repository, rootTree, repository.dirmeta(rootMeta), Buffer.from(path));
}

function checkOutDirectory(repository: Repository, tree: Checksum, meta: Dirmeta, path: Buffer): void {
  const { system } = repository;
  system.mkdir(path, 0o700);
  const { files, dirs } = repository.dirtree(tree);
  for (const { name, checksum } of files) {
    const target = child(path, name);
    const { mode, target: linkTarget } = repository.content(checksum);
    // In bare-user a symlink's object is a regular file.
    if (isSymlink(mode)) system.symlink(linkTarget, target);
    else system.link(repository.objectPath(checksum, 'file'), target);
  }
  for (const { name, tree, meta } of dirs)
    checkOutDirectory(repository, tree, repository.dirmeta(meta), child(path, name));
  dress(system, path, meta, repository.mode === 'bare');
}

/** Last of all, since a folder may be one that not even its owner can write to. */
function dress(
  system: System,
  path: Buffer,
  { uid, gid, mode, xattrs }: Dirmeta,
  asCommitted: boolean,
): void {
  if (asCommitted) {
    system.lchown(path, uid, gid);
    for (const [name, value] of xattrs) system.setxattr(path, name, value);
  }
  const fd = system.openRead(path, { noFollow: true });
  try {
    system.fchmod(fd, asCommitted ? mode & 0o7777 : (mode & 0o777) | 0o700);
  } finally {
    system.close(fd);
  }
}

/** A copy of a tree of files, folders and symlinks with their modes and owners: /etc of /usr/etc. */
export function copyTree(system: System, from: Buffer, to: Buffer): void {
  const stats = system.lstat(from);
  if (stats.isSymbolicLink()) {
    system.symlink(system.readlink(from), to);
    return;
  }
  const fd = stats.isDirectory() ? makeFolder(system, to) : system.create(to, 0o600);
  try {
    if (!stats.isDirectory()) system.write(fd, system.readFile(from));
    system.fchown(fd, stats.uid, stats.gid);
    system.fchmod(fd, stats.mode & 0o7777);
  } finally {
    system.close(fd);
  }
  if (stats.isDirectory())
    for (const name of system.readdir(from)) copyTree(system, child(from, name), child(to, name));
}

function makeFolder(system: System, path: Buffer): number {
  system.mkdir(path, 0o700);
  return system.openRead(path);
}

/** The path of a name in a folder. */
export function child(folder: Buffer, name: ByteString): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), stringToBytes(name)]);
}
