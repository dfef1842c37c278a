/**
 * The C library's calls Node has no binding for, through koffi.
 *
 * koffi is loaded by the first call that needs it, never at start. Where it cannot be loaded (no binary for this
 * processor or C library) {@link libc} throws {@link UnsupportedError}. Numbers and layouts below are those of
 * asm-generic, which x86_64, arm64, riscv64 and loong64 share; other processors number ioctls differently and are
 * refused.
 */
import os from 'node:os';
import { UnsupportedError } from './errors.ts';
import { type Koffi, loadKoffi } from './koffi.ts';

/** What {@link libc} offers: the C functions as they are, -1 on failure, then {@link Libc.errno} says why. */
export interface Libc {
  open(path: CPath, flags: number): number;
  llistxattr(path: CPath, list: Uint8Array | null, size: number): number;
  lgetxattr(path: CPath, name: CPath, value: Uint8Array | null, size: number): number;
  flistxattr(fd: number, list: Uint8Array | null, size: number): number;
  fgetxattr(fd: number, name: CPath, value: Uint8Array | null, size: number): number;
  lsetxattr(path: CPath, name: CPath, value: Uint8Array, size: number, flags: number): number;
  lremovexattr(path: CPath, name: CPath): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  fcntl(fd: number, command: number, argument: Uint8Array): number;
  syncfs(fd: number): number;
  /** Undefined in C libraries from before it. */
  renameat2?(fromFolder: number, from: CPath, toFolder: number, to: CPath, flags: number): number;
  /** Name of the last failure, such as `ENODATA`. */
  errno(): string;
}

/** A C string: text without NUL (passed as UTF-8), or bytes that end in NUL. */
export type CPath = string | Uint8Array;

/** Requests of include/uapi/linux/fs.h and fsverity.h, and of fs/ext4/ext4.h. */
export const Ioctl = {
  /** FS_IOC_GETFLAGS, _IOR('f', 1, long); the kernel reads and writes 32 bits. */
  getFlags: 0x80086601,
  /** FS_IOC_SETFLAGS, _IOW('f', 2, long). */
  setFlags: 0x40086602,
  /** FS_IOC_ENABLE_VERITY, _IOW('f', 133, struct fsverity_enable_arg). */
  enableVerity: 0x40806685,
  /** FS_IOC_MEASURE_VERITY, _IOWR('f', 134, struct fsverity_digest). */
  measureVerity: 0xc0046686,
  /** EXT4_IOC_CHECKPOINT, _IOW('f', 43, __u32): flags, of which none is ours. */
  ext4Checkpoint: 0x4004662b,
  /** FIFREEZE, _IOWR('X', 119, int); the argument is not looked at. */
  freeze: 0xc0045877,
  /** FITHAW, _IOWR('X', 120, int). */
  thaw: 0xc0045878,
} as const;

/** O_CLOEXEC of include/uapi/asm-generic/fcntl.h; Node has no name for it, and sets it in all it opens. */
export const O_CLOEXEC = 0o2000000;

/** FS_IMMUTABLE_FL of include/uapi/linux/fs.h. */
export const FS_IMMUTABLE_FL = 0x10;

/** Of include/uapi/linux/fcntl.h and fs.h: paths are those of the process; nothing is replaced. */
export const AT_FDCWD = -100;
export const RENAME_NOREPLACE = 1;

/** F_OFD_SETLK of include/uapi/asm-generic/fcntl.h. */
export const F_OFD_SETLK = 37;

/** `struct flock` for the whole file: l_type at 0, l_whence at 2, l_start at 8, l_len at 16, l_pid at 24 (must be 0). */
export function wholeFileLock(exclusive: boolean): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeInt16LE(exclusive ? 1 : 0, 0);
  return bytes;
}

/** `struct fsverity_enable_arg` (128 bytes): version 1, SHA-256, 4096-byte blocks, no salt, no signature. */
export function verityEnableArgument(): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.writeUInt32LE(1, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(4096, 8);
  return bytes;
}

const ARCHITECTURES = new Set(['x64', 'arm64', 'riscv64', 'loong64']);

let loaded: Libc | UnsupportedError | undefined;

/** The C library. Throws {@link UnsupportedError} saying that `purpose` is what cannot be done without it. */
export function libc(purpose: string): Libc {
  loaded ??= load();
  if (!(loaded instanceof UnsupportedError)) return loaded;
  throw new UnsupportedError(`cannot ${purpose}: ${loaded.message}`, { cause: loaded.cause });
}

/** Whether {@link libc} can be had, and if not, why. */
export function libcProblem(): string | undefined {
  loaded ??= load();
  return loaded instanceof UnsupportedError ? loaded.message : undefined;
}

function load(): Libc | UnsupportedError {
  if (process.platform !== 'linux' || !ARCHITECTURES.has(process.arch)) {
    return new UnsupportedError(`system calls are not known for ${process.platform} on ${process.arch}`);
  }
  try {
    return bind(loadKoffi());
  } catch (cause) {
    return new UnsupportedError('the koffi module cannot be loaded', { cause });
  }
}

function bind(koffi: Koffi): Libc {
  // The program itself: its symbols include those of whichever C library it runs on.
  const program = koffi.load(null);
  let names: ReadonlyMap<number, string> | undefined;
  // open, ioctl and fcntl are variadic in C; with the arguments given here the calling conventions of these processors
  // agree.
  return {
    open: program.func('open', 'int', ['void *', 'int']) as Libc['open'],
    llistxattr: program.func('llistxattr', 'long', ['void *', 'void *', 'size_t']) as Libc['llistxattr'],
    lgetxattr: program.func('lgetxattr', 'long', [
      'void *',
      'void *',
      'void *',
      'size_t',
    ]) as Libc['lgetxattr'],
    flistxattr: program.func('flistxattr', 'long', ['int', 'void *', 'size_t']) as Libc['flistxattr'],
    fgetxattr: program.func('fgetxattr', 'long', ['int', 'void *', 'void *', 'size_t']) as Libc['fgetxattr'],
    lsetxattr: program.func('lsetxattr', 'int', [
      'void *',
      'void *',
      'void *',
      'size_t',
      'int',
    ]) as Libc['lsetxattr'],
    lremovexattr: program.func('lremovexattr', 'int', ['void *', 'void *']) as Libc['lremovexattr'],
    ioctl: program.func('ioctl', 'int', ['int', 'unsigned long', 'void *']) as Libc['ioctl'],
    fcntl: program.func('fcntl', 'int', ['int', 'int', 'void *']) as Libc['fcntl'],
    syncfs: program.func('syncfs', 'int', ['int']) as Libc['syncfs'],
    ...renameat2Of(program),
    errno: () => {
      const number = koffi.errno();
      names ??= errnoNames();
      return names.get(number) ?? `errno ${number}`;
    },
  };
}

/** In glibc since 2.28. */
function renameat2Of(program: ReturnType<typeof import('koffi')['load']>): Pick<Libc, 'renameat2'> {
  try {
    const types = ['int', 'void *', 'int', 'void *', 'unsigned int'];
    return { renameat2: program.func('renameat2', 'int', types) as NonNullable<Libc['renameat2']> };
  } catch {
    // Whoever wants it has another way.
    return {};
  }
}

/** errno(3) by number; of two names for one number the one the kernel's documents use. */
function errnoNames(): ReadonlyMap<number, string> {
  const names = new Map<number, string>([
    [126, 'ENOKEY'],
    [127, 'EKEYEXPIRED'],
    [129, 'EKEYREJECTED'],
    [117, 'EUCLEAN'],
  ]);
  for (const [name, number] of Object.entries(os.constants.errno)) {
    if (name !== 'EWOULDBLOCK' && name !== 'ENOTSUP') names.set(number, name);
  }
  return names;
}
