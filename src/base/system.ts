/**
 * The one door to the kernel: the port. Whatever changes the disk, and every call Node lacks, goes through a
 * {@link System}, so that tests can count the steps, fail one, or stop the world between two of them.
 * {@link ./system-linux.ts} is the implementation.
 *
 * All calls are synchronous and throw {@link IoError} with the kernel's errno name; what a kernel or file
 * system cannot do at all ends in {@link UnsupportedError}. Paths are strings (UTF-8) or bytes.
 */
import type { Stats } from 'node:fs';
import type { ByteString } from './bytes.ts';
import type { Mount } from './mountinfo.ts';

export type Path = string | Buffer;

/** What can be known of a file system before anything is tried on it. */
export interface FileSystemFacts {
  /** The kernel's name: `ext4`, `btrfs`, `xfs`, `tmpfs`, `overlay`, `vfat`, … */
  readonly type: string;
  /** Bytes per block, as statfs(2) says. */
  readonly blockSize: number;
  /** Bytes a non-root user may still write. */
  readonly availableBytes: number;
  readonly totalBytes: number;
  readonly readOnly: boolean;
  /** '' where the mount cannot be seen. */
  readonly mountPoint: string;
  /** The device, or what the mount says instead. */
  readonly source: string;
  /** From /proc/self/mountinfo; undefined where the mount cannot be seen from here. */
  readonly mount: Mount | undefined;
}

/** What FS_IOC_MEASURE_VERITY says of an open file. */
export type VerityMeasurement =
  | { readonly state: 'enabled'; readonly algorithm: 'sha256' | 'sha512' | number; readonly digest: Buffer }
  /** The file system knows fs-verity; this file has none (ENODATA). */
  | { readonly state: 'disabled' }
  /** The kernel or the file system does not know fs-verity (ENOTTY, EOPNOTSUPP), or it cannot be asked here (ENOSYS). */
  | { readonly state: 'unsupported'; readonly errno: string };

export interface Lock {
  readonly path: string;
  /** Releases the lock; a second call does nothing. */
  release(): void;
}

export interface LockOptions {
  readonly exclusive: boolean;
  /**
   * Whether whoever releases the lock unlinks its file, as ostree does with SYSROOT/ostree/lock: after the lock is
   * taken the file must still be linked, else taking it starts again; an exclusive holder unlinks it likewise.
   */
  readonly mayBeUnlinked?: boolean;
}

/** Reads: no step of a transaction. */
export interface SystemReads {
  stat(path: Path): Stats;
  lstat(path: Path): Stats;
  fstat(fd: number): Stats;
  /** {@link lstat}, or undefined where nothing has that name (ENOENT, ENOTDIR, ELOOP): cheaper than catching. */
  lstatIfExists(path: Path): Stats | undefined;
  /** The absolute path without symlinks. */
  realpath(path: Path): string;
  /** Names, unsorted. */
  readdir(path: Path): ByteString[];
  readlink(path: Path): ByteString;
  /** The whole of a regular file of less than 2 GiB; EINVAL for a FIFO or a device, EFBIG for a larger one. */
  readFile(path: Path): Buffer;
  /** Opens for reading; `noFollow` refuses a symlink at the end (ELOOP). */
  openRead(path: Path, options?: { noFollow?: boolean }): number;
  /** {@link openRead}, but undefined where the path names a symlink, or nothing: cheaper than catching, where there are many. */
  openUnlessLink(path: Path): number | undefined;
  /** Fills as much of `into` as the file has from `position`; returns the count. `null` = the current position. */
  read(fd: number, into: Uint8Array, position: number | null): number;
  close(fd: number): void;
  statfs(path: Path): FileSystemFacts;
  /**
   * All names, sorted as bytes, of the file itself (never of a symlink's target); none where the file system has no
   * xattrs. What the caller may not see the kernel leaves out: see {@link seesTrustedXattrs}.
   * @param file its path, or the descriptor of an open one
   */
  listxattr(file: Path | number): ByteString[];
  getxattr(file: Path | number, name: ByteString): ByteString | undefined;
  /** Whether {@link listxattr} shows `trusted.*`, too: all xattrs there are (see ./trusted-xattrs.ts). */
  seesTrustedXattrs(): boolean;
  measureVerity(fd: number): VerityMeasurement;
  /** FS_IMMUTABLE_FL of a file or folder; undefined when the file system has no such flag or it cannot be asked. */
  isImmutable(path: Path): boolean | undefined;
}

/** Writes: each call is one step of a transaction. */
export interface SystemWrites {
  /** Creates a file that must not exist (O_CREAT|O_EXCL, read-write). The umask applies to `mode`. */
  create(path: Path, mode: number): number;
  /** Opens an existing file for writing. */
  openWrite(path: Path): number;
  /** Writes all of `bytes` at the current position. */
  write(fd: number, bytes: Uint8Array): void;
  ftruncate(fd: number, size: number): void;
  fchmod(fd: number, mode: number): void;
  fchown(fd: number, uid: number, gid: number): void;
  lchown(path: Path, uid: number, gid: number): void;
  utimes(path: Path, seconds: number): void;
  futimes(fd: number, seconds: number): void;
  fsync(fd: number): void;
  /** Opens a folder, fsyncs it and closes it: makes the names in it durable. */
  fsyncDirectory(path: Path): void;
  syncfs(path: Path): void;
  /**
   * {@link syncfs}, and where the file system has a journal, all of it written to its place: boot loaders read ext4
   * and XFS without looking at the journal, so what is only in there does not exist for them. As far as the kernel lets the caller: it asks for
   * CAP_SYS_ADMIN, and knows the request from Linux 5.14 on (ext4).
   */
  checkpoint(path: Path): void;
  /** One level. The umask applies to `mode` (default 0755). */
  mkdir(path: Path, mode?: number): void;
  rmdir(path: Path): void;
  rename(from: Path, to: Path): void;
  /**
   * Renames unless something has the name `to` already: then `from` is removed, and what is there stays. In one step
   * where the file system can (RENAME_NOREPLACE), else a hard link comes first.
   */
  renameIfAbsent(from: Path, to: Path): void;
  link(from: Path, to: Path): void;
  symlink(target: ByteString, path: Path): void;
  unlink(path: Path): void;
  setxattr(path: Path, name: ByteString, value: ByteString): void;
  removexattr(path: Path, name: ByteString): void;
  setImmutable(path: Path, immutable: boolean): void;
  /**
   * FS_IOC_ENABLE_VERITY, SHA-256, 4096-byte blocks, no salt. `fd` must be open for reading only, and no one may have
   * the file open for writing (ETXTBSY). Already on: nothing happens. Durable only after fsync.
   */
  enableVerity(fd: number): void;
}

export interface System extends SystemReads, SystemWrites {
  /**
   * Takes an OFD lock (fcntl F_OFD_SETLK on the whole file), creating the file where needed; the lock excludes
   * libostree's. Waits up to `timeoutMs` (0 = one try), then throws {@link BusyError}, which names the holder where
   * it can be found. An aborted `signal` ends the wait in {@link InterruptedError}.
   */
  lock(path: string, options: LockOptions, timeoutMs: number, signal?: AbortSignal): Promise<Lock>;
}
