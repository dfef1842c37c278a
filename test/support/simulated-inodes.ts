/**
 * Inode flags and fs-verity played in memory over a real folder, so that tests without root or on a file system
 * without them see both: names in an immutable folder cannot change (EPERM), a file with fs-verity cannot be opened
 * for writing (EPERM) and measures as its content says. Flushing does nothing: it would only cost time.
 */
import { dirname } from 'node:path';
import { IoError, UnsupportedError } from '../../src/base/errors.ts';
import type { Path, System } from '../../src/base/system.ts';
import { verityDigest } from '../../src/formats/verity.ts';

export interface SimulatedInodes {
  readonly system: System;
  /** Paths of immutable folders. */
  readonly immutable: Set<string>;
  /** Inode numbers of files with fs-verity. */
  readonly verity: Set<number>;
}

/** `options.verity`: whether the file system can do fs-verity. */
export function simulateInodes(base: System, options: { readonly verity: boolean }): SimulatedInodes {
  const immutable = new Set<string>();
  const verity = new Set<number>();
  const needMutable = (operation: string, ...paths: Path[]): void => {
    for (const path of paths) {
      if (immutable.has(dirname(path.toString()))) throw new IoError(operation, path.toString(), 'EPERM');
    }
  };
  /** With its last name a file is gone, and its number free for another. */
  const forget = (path: Path): void => {
    const stats = base.lstatIfExists(path);
    if (stats?.nlink === 1) verity.delete(stats.ino);
  };
  const system: System = {
    ...base,
    create(path, mode) {
      needMutable('create', path);
      return base.create(path, mode);
    },
    openWrite(path) {
      if (verity.has(base.stat(path).ino)) throw new IoError('open for writing', path.toString(), 'EPERM');
      return base.openWrite(path);
    },
    mkdir(path, mode) {
      needMutable('make the folder', path);
      base.mkdir(path, mode);
    },
    rename(from, to) {
      needMutable('rename', from, to);
      forget(to);
      base.rename(from, to);
    },
    renameIfAbsent(from, to) {
      needMutable('rename', from, to);
      if (base.lstatIfExists(to) !== undefined) forget(from);
      base.renameIfAbsent(from, to);
    },
    link(from, to) {
      needMutable('link', to);
      base.link(from, to);
    },
    symlink(target, path) {
      needMutable('make the symlink', path);
      base.symlink(target, path);
    },
    unlink(path) {
      needMutable('remove', path);
      forget(path);
      base.unlink(path);
    },
    fsync: () => undefined,
    fsyncDirectory: () => undefined,
    syncfs: () => undefined,
    checkpoint: () => undefined,
    isImmutable: (path) => immutable.has(path.toString()),
    setImmutable(path, wanted) {
      if (wanted) immutable.add(path.toString());
      else immutable.delete(path.toString());
    },
    measureVerity(fd) {
      if (!options.verity) return { state: 'unsupported', errno: 'EOPNOTSUPP' };
      const { ino, size } = base.fstat(fd);
      if (!verity.has(ino)) return { state: 'disabled' };
      const bytes = Buffer.alloc(size);
      base.read(fd, bytes, 0);
      return { state: 'enabled', algorithm: 'sha256', digest: verityDigest(bytes) };
    },
    enableVerity(fd) {
      if (!options.verity) throw new UnsupportedError('the file system has no fs-verity (EOPNOTSUPP)');
      verity.add(base.fstat(fd).ino);
    },
  };
  return { system, immutable, verity };
}
