/**
 * The {@link System} of a Linux kernel: node:fs where it has the call, the C library (see {@link ./libc.ts}) for
 * xattrs, fs-verity, inode flags, OFD locks and syncfs. Where the C library cannot be reached everything else
 * still works, and those calls end in {@link UnsupportedError}.
 *
 * Calls are synchronous: for the many small files of a repository that is several times cheaper than promises, and
 * a step that has returned has happened.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  type Stats,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { ByteString } from './bytes.ts';
import { bytesToString, stringToBytes } from './bytes.ts';
import { errnoOf, IoError, UnsupportedError } from './errors.ts';
import {
  AT_FDCWD,
  type CPath,
  FS_IMMUTABLE_FL,
  Ioctl,
  type Libc,
  libc,
  libcProblem,
  O_CLOEXEC,
  RENAME_NOREPLACE,
  verityEnableArgument,
} from './libc.ts';
import { isReadOnlyMount, type Mount, mountOf, parseMountinfo } from './mountinfo.ts';
import { takeLock } from './ofd-lock.ts';
import type { FileSystemFacts, Path, System, VerityMeasurement } from './system.ts';
import { seesTrustedXattrs } from './trusted-xattrs.ts';

export const linuxSystem: System = {
  stat: (path) => attempt('stat', path, () => statSync(path)),
  lstat: (path) => attempt('lstat', path, () => lstatSync(path)),
  lstatIfExists,
  fstat: (fd) => attempt('fstat', fd, () => fstatSync(fd)),
  realpath: (path) => attempt('find', path, () => realpathSync(path)),
  readdir: (path) => attempt('read the folder', path, () => readdirSync(path, 'latin1') as ByteString[]),
  readlink: (path) => attempt('read the link', path, () => readlinkSync(path, 'latin1') as ByteString),
  readFile,
  openRead: (path, options) =>
    attempt('open', path, () => openSync(path, READING | (options?.noFollow ? constants.O_NOFOLLOW : 0))),
  openUnlessLink,
  read,
  close: (fd) => attempt('close', fd, () => closeSync(fd)),
  statfs,
  listxattr,
  getxattr,
  seesTrustedXattrs,
  measureVerity,
  isImmutable,

  create: (path, mode) => attempt('create', path, () => openSync(path, 'wx+', mode)),
  openWrite: (path) => attempt('open for writing', path, () => openSync(path, 'r+')),
  write,
  ftruncate: (fd, size) => attempt('truncate', fd, () => ftruncateSync(fd, size)),
  fchmod: (fd, mode) => attempt('chmod', fd, () => fchmodSync(fd, mode)),
  fchown: (fd, uid, gid) => attempt('chown', fd, () => fchownSync(fd, uid, gid)),
  lchown: (path, uid, gid) => attempt('chown', path, () => lchownSync(path, uid, gid)),
  utimes: (path, seconds) => attempt('set the times', path, () => utimesSync(path, seconds, seconds)),
  futimes: (fd, seconds) => attempt('set the times', fd, () => futimesSync(fd, seconds, seconds)),
  fsync: (fd) => attempt('fsync', fd, () => fsyncSync(fd)),
  fsyncDirectory: (path) =>
    withOpen(path, constants.O_DIRECTORY, (fd) => attempt('fsync', path, () => fsyncSync(fd))),
  syncfs,
  checkpoint,
  mkdir: (path, mode = 0o755) => attempt('make the folder', path, () => void mkdirSync(path, mode)),
  rmdir: (path) => attempt('remove the folder', path, () => rmdirSync(path)),
  rename: (from, to) => attempt(`rename to ${showPath(to)}`, from, () => renameSync(from, to)),
  renameIfAbsent,
  link: (from, to) => attempt(`link to ${showPath(to)}`, from, () => linkSync(from, to)),
  symlink: (target, path) =>
    attempt('make the symlink', path, () => symlinkSync(stringToBytes(target), path)),
  unlink: (path) => attempt('remove', path, () => unlinkSync(path)),
  setxattr,
  removexattr,
  setImmutable,
  enableVerity,

  lock: takeLock,
};

/** O_NONBLOCK: a FIFO in a file's place must not hold us; of regular files it changes nothing. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK;

function openUnlessLink(path: Path): number | undefined {
  // Node throws, which takes four times as long as opening.
  const c = libcProblem() === undefined ? libc('open') : undefined;
  if (c !== undefined) {
    const fd = c.open(cPath(path, 'open'), READING | constants.O_NOFOLLOW | O_CLOEXEC);
    if (fd !== -1) return fd;
    const errno = c.errno();
    if (NO_FILE.has(errno)) return undefined;
    throw new IoError('open', showPath(path), errno);
  }
  try {
    return linuxSystem.openRead(path, { noFollow: true });
  } catch (error) {
    if (NO_FILE.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

const NO_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ELOOP']);

const MISSING_IS_FINE = { throwIfNoEntry: false } as const;

function lstatIfExists(path: Path): Stats | undefined {
  try {
    return lstatSync(path, MISSING_IS_FINE);
  } catch (error) {
    // A file, or a link that leads nowhere, where a folder is expected: Node reports these all the same.
    if (['ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw asIoError('lstat', path, error);
  }
}

/** Runs one of Node's calls; its failure becomes an {@link IoError}. */
function attempt<T>(operation: string, subject: Path | number, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asIoError(operation, subject, error);
  }
}

function asIoError(operation: string, subject: Path | number, error: unknown): unknown {
  const errno = errnoOf(error);
  if (error instanceof IoError) return error;
  // Node refuses a NUL in a path before the kernel could.
  if (error instanceof TypeError && 'code' in error && error.code === 'ERR_INVALID_ARG_VALUE')
    return new IoError(operation, showPath(subject), 'EINVAL', { cause: error });
  return errno === undefined ? error : new IoError(operation, showPath(subject), errno, { cause: error });
}

/** The path for a message; that of a descriptor is asked of the kernel. */
function showPath(subject: Path | number): string {
  if (typeof subject === 'string') return subject;
  if (typeof subject !== 'number') return subject.toString('utf8');
  try {
    return readlinkSync(`/proc/self/fd/${subject}`);
  } catch {
    // Only the wording of another error suffers.
    return `file descriptor ${subject}`;
  }
}

/** Node returns no longer file in one piece. */
const MAX_FILE_SIZE = 2 ** 31 - 1;

function readFile(path: Path): Buffer {
  // As in openRead: opening a FIFO would wait for its writer, deaf to signals.
  const fd = attempt('read', path, () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    const stats = attempt('read', path, () => fstatSync(fd));
    // A device such as /dev/zero has no end.
    if (!stats.isFile() && !stats.isDirectory())
      throw new IoError('read', showPath(path), 'EINVAL', { hint: 'it is not a regular file' });
    if (stats.size > MAX_FILE_SIZE) throw new IoError('read', showPath(path), 'EFBIG');
    return attempt('read', path, () => readFileSync(fd));
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, into: Uint8Array, position: number | null): number {
  return attempt('read', fd, () => {
    let done = readSync(fd, into, 0, into.length, position);
    // Nearly always the first call brings all there is; a short count is not yet the end of the file.
    while (done > 0 && done < into.length) {
      const count = readSync(fd, into, done, into.length - done, position === null ? null : position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  });
}

/**
 * Bytes written at a time. For many megabytes at once the kernel looks for large pages, where pages that it has at hand
 * would do: on a virtual machine the host may have to find each first, which takes ten times as long.
 */
const WRITE_BYTES = 256 * 1024;

function write(fd: number, bytes: Uint8Array): void {
  attempt('write', fd, () => {
    for (let done = 0; done < bytes.length; )
      done += writeSync(fd, bytes, done, Math.min(WRITE_BYTES, bytes.length - done));
  });
}

function renameIfAbsent(from: Path, to: Path): void {
  const c = libcProblem() === undefined ? libc('rename') : undefined;
  if (c?.renameat2 !== undefined) {
    const [source, target] = [cPath(from, 'rename'), cPath(to, 'rename')];
    if (c.renameat2(AT_FDCWD, source, AT_FDCWD, target, RENAME_NOREPLACE) === 0) return;
    const errno = c.errno();
    if (!['EEXIST', 'EINVAL', 'ENOSYS'].includes(errno))
      throw new IoError(`rename to ${showPath(to)}`, showPath(from), errno);
  }
  try {
    linkSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw asIoError(`link to ${showPath(to)}`, from, error);
  }
  attempt('remove', from, () => unlinkSync(from));
}

function withOpen<T>(path: Path, flags: number, use: (fd: number) => T): T {
  const fd = attempt('open', path, () => openSync(path, constants.O_RDONLY | flags));
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function syncfs(path: Path): void {
  const c = libc('flush a file system');
  withOpen(path, 0, (fd) => {
    if (c.syncfs(fd) === -1) throw new IoError('flush the file system of', showPath(path), c.errno());
  });
}

function checkpoint(path: Path): void {
  syncfs(path);
  const { type } = statfs(path);
  const requests = JOURNALS.get(type) ?? [];
  if (requests.length === 0) return;
  const c = libc('write a journal to its place');
  withOpen(path, 0, (fd) => {
    // One directly after the other: a file system must not stay frozen. One that somebody else froze is not thawed.
    for (const request of requests) {
      if (c.ioctl(fd, request, NO_FLAGS) !== -1) continue;
      const errno = c.errno();
      if (NOTHING_TO_EMPTY.has(errno) || lacksFeature(errno)) return;
      throw new IoError('write the journal to its place of', showPath(path), errno);
    }
  });
}

/** How a file system with a journal is told to empty it; of the others, what syncfs writes is where loaders look. */
const JOURNALS: ReadonlyMap<string, readonly number[]> = new Map([
  ['ext3', [Ioctl.ext4Checkpoint]],
  ['ext4', [Ioctl.ext4Checkpoint]],
  ['xfs', [Ioctl.freeze, Ioctl.thaw]],
]);

/** Not for this caller; an ext4 that was made without a journal. */
const NOTHING_TO_EMPTY: ReadonlySet<string> = new Set(['EPERM', 'ENODEV']);

const NO_FLAGS = Buffer.alloc(8);

function statfs(path: Path): FileSystemFacts {
  const facts = attempt('statfs', path, () => statfsSync(path));
  const mount = findMount(path);
  return {
    type: mount?.type ?? `0x${facts.type.toString(16)}`,
    blockSize: facts.bsize,
    availableBytes: facts.bavail * facts.bsize,
    totalBytes: facts.blocks * facts.bsize,
    readOnly: mount !== undefined && isReadOnlyMount(mount),
    mountPoint: mount?.mountPoint ?? '',
    source: mount?.source ?? '',
    mount,
  };
}

/** O_PATH of include/uapi/asm-generic/fcntl.h; Node has no name for it. */
const O_PATH = 0o10000000;

/** The mount a path is on, by the kernel's mount id; undefined where /proc or that mount cannot be seen. */
function findMount(path: Path): Mount | undefined {
  try {
    const mounts = parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
    const id = withOpen(path, O_PATH, (fd) =>
      /^mnt_id:\s*([0-9]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')),
    );
    return id === null
      ? mountOf(mounts, realpathSync(path.toString()))
      : mounts.find((mount) => mount.id === Number(id[1]));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

// xattrs. The kernel's limits (XATTR_LIST_MAX, XATTR_SIZE_MAX) let one buffer serve every call.
const XATTR_MAX = 65536;
const NO_NAMES: ByteString[] = [];
let xattrBuffer: Buffer | undefined;

function listxattr(file: Path | number): ByteString[] {
  const c = libc('read extended attributes');
  xattrBuffer ??= Buffer.allocUnsafeSlow(XATTR_MAX);
  const length =
    typeof file === 'number'
      ? c.flistxattr(file, xattrBuffer, XATTR_MAX)
      : c.llistxattr(cPath(file, 'list the xattrs'), xattrBuffer, XATTR_MAX);
  if (length === 0) return NO_NAMES;
  if (length === -1) {
    const errno = c.errno();
    if (errno === 'EOPNOTSUPP') return NO_NAMES;
    throw new IoError('list the xattrs', showPath(file), errno);
  }
  // The list is name NUL name NUL.
  const names = bytesToString(xattrBuffer, 0, length - 1).split('\0') as ByteString[];
  return names.length === 1 ? names : names.sort((a, b) => (a < b ? -1 : 1));
}

function getxattr(file: Path | number, name: ByteString): ByteString | undefined {
  const c = libc('read extended attributes');
  xattrBuffer ??= Buffer.allocUnsafeSlow(XATTR_MAX);
  const length =
    typeof file === 'number'
      ? c.fgetxattr(file, cName(name), xattrBuffer, XATTR_MAX)
      : c.lgetxattr(cPath(file, 'read an xattr'), cName(name), xattrBuffer, XATTR_MAX);
  if (length !== -1) return bytesToString(xattrBuffer, 0, length);
  const errno = c.errno();
  if (errno === 'ENODATA' || errno === 'EOPNOTSUPP') return undefined;
  throw new IoError(`read the xattr ${name}`, showPath(file), errno);
}

function setxattr(path: Path, name: ByteString, value: ByteString): void {
  const c = libc('write extended attributes');
  const bytes = stringToBytes(value);
  if (c.lsetxattr(cPath(path, 'set an xattr'), cName(name), bytes, bytes.length, 0) === -1)
    throw new IoError(`set the xattr ${name}`, showPath(path), c.errno());
}

function removexattr(path: Path, name: ByteString): void {
  const c = libc('write extended attributes');
  if (c.lremovexattr(cPath(path, 'remove an xattr'), cName(name)) === -1)
    throw new IoError(`remove the xattr ${name}`, showPath(path), c.errno());
}

/** A path as the C library takes it; one that holds a NUL byte would be cut short there. */
function cPath(path: Path, operation: string): CPath {
  if (typeof path === 'string') {
    if (!path.includes('\0')) return path;
  } else if (!path.includes(0)) {
    return Buffer.concat([path, NUL]);
  }
  throw new IoError(operation, showPath(path), 'EINVAL');
}

const NUL = Buffer.alloc(1);

function cName(name: ByteString): CPath {
  if (/^[\x01-\x7f]*$/.test(name)) return name;
  return cPath(stringToBytes(name), 'name an xattr');
}

// fs-verity and inode flags.

/** No algorithm of the kernel's has a digest longer than 64 bytes (FS_VERITY_MAX_DIGEST_SIZE). */
const MAX_DIGEST = 64;
const ALGORITHMS: Readonly<Record<number, 'sha256' | 'sha512'>> = { 1: 'sha256', 2: 'sha512' };
const measureBuffer = Buffer.alloc(4 + MAX_DIGEST);

function measureVerity(fd: number): VerityMeasurement {
  if (libcProblem() !== undefined) return { state: 'unsupported', errno: 'ENOSYS' };
  const c = libc('measure fs-verity');
  // struct fsverity_digest: __u16 digest_algorithm; __u16 digest_size (in: room, out: length); __u8 digest[].
  measureBuffer.writeUInt16LE(MAX_DIGEST, 2);
  if (c.ioctl(fd, Ioctl.measureVerity, measureBuffer) === -1) {
    const errno = c.errno();
    if (errno === 'ENODATA') return { state: 'disabled' };
    if (lacksFeature(errno)) return { state: 'unsupported', errno };
    throw new IoError('measure the fs-verity digest', showPath(fd), errno);
  }
  const algorithm = measureBuffer.readUInt16LE(0);
  const size = measureBuffer.readUInt16LE(2);
  return {
    state: 'enabled',
    algorithm: ALGORITHMS[algorithm] ?? algorithm,
    digest: Buffer.from(measureBuffer.subarray(4, 4 + size)),
  };
}

function enableVerity(fd: number): void {
  const c = libc('enable fs-verity');
  if (c.ioctl(fd, Ioctl.enableVerity, verityEnableArgument()) !== -1) return;
  const errno = c.errno();
  if (errno === 'EEXIST') return;
  const path = showPath(fd);
  if (lacksFeature(errno)) {
    throw new UnsupportedError(`${path}: the kernel or the file system has no fs-verity (${errno})`, {
      hint: 'ext4 needs its verity feature (tune2fs -O verity), and the kernel CONFIG_FS_VERITY',
      details: { path, errno },
    });
  }
  throw new IoError('enable fs-verity', path, errno);
}

function isImmutable(path: Path): boolean | undefined {
  if (libcProblem() !== undefined) return undefined;
  const c = libc('read inode flags');
  return withOpen(path, constants.O_NOFOLLOW | constants.O_NONBLOCK, (fd) => {
    const flags = getFlags(c, fd);
    return flags === undefined ? undefined : (flags & FS_IMMUTABLE_FL) !== 0;
  });
}

function setImmutable(path: Path, immutable: boolean): void {
  const c = libc('change inode flags');
  withOpen(path, constants.O_NOFOLLOW | constants.O_NONBLOCK, (fd) => {
    const flags = getFlags(c, fd);
    if (flags === undefined) {
      throw new UnsupportedError(`${showPath(path)}: the file system has no immutable flag`);
    }
    const wanted = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    if (wanted === flags) return;
    flagBuffer.writeInt32LE(wanted, 0);
    if (c.ioctl(fd, Ioctl.setFlags, flagBuffer) === -1)
      throw new IoError(`${immutable ? 'set' : 'clear'} the immutable flag`, showPath(path), c.errno());
  });
}

/** The ioctl's type is long, what the kernel copies is an int. */
const flagBuffer = Buffer.alloc(8);

function getFlags(c: Libc, fd: number): number | undefined {
  if (c.ioctl(fd, Ioctl.getFlags, flagBuffer) !== -1) return flagBuffer.readInt32LE(0);
  const errno = c.errno();
  if (lacksFeature(errno)) return undefined;
  throw new IoError('read the inode flags', showPath(fd), errno);
}

/** What an ioctl says where kernel or file system do not know it. */
function lacksFeature(errno: string): boolean {
  return errno === 'ENOTTY' || errno === 'EOPNOTSUPP' || errno === 'ENOSYS';
}
