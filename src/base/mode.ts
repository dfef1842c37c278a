/** File modes as in <sys/stat.h>. */

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

export const isRegular = (mode: number): boolean => (mode & S_IFMT) === S_IFREG;
export const isDirectory = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR;
export const isSymlink = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK;
export const isDevice = (mode: number): boolean => (mode & S_IFMT) === S_IFCHR || (mode & S_IFMT) === S_IFBLK;

const TYPES: ReadonlyMap<number, readonly [letter: string, name: string]> = new Map([
  [S_IFREG, ['-', 'file']],
  [S_IFDIR, ['d', 'directory']],
  [S_IFLNK, ['l', 'symlink']],
  [S_IFCHR, ['c', 'character device']],
  [S_IFBLK, ['b', 'block device']],
  [S_IFIFO, ['p', 'fifo']],
  [S_IFSOCK, ['s', 'socket']],
]);

/** One bit for each of them. */
const KNOWN_TYPES = [...TYPES.keys()].reduce((bits, type) => bits | (1 << (type >>> 12)), 0);

/** Whether the type bits are one of the seven known types. */
export const isKnownType = (mode: number): boolean => (KNOWN_TYPES & (1 << ((mode & S_IFMT) >>> 12))) !== 0;

/** `-`, `d`, `l`, `c`, `b`, `p`, `s`, or `?`: the first column of `ls -l`. */
export const typeLetter = (mode: number): string => TYPES.get(mode & S_IFMT)?.[0] ?? '?';

export const typeName = (mode: number): string => TYPES.get(mode & S_IFMT)?.[1] ?? 'unknown';
