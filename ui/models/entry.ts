/** What dirmeta, content object or inode say of an entry of a tree, in words. */
import prettyBytes from 'pretty-bytes';
import { type ByteString, displayBytes } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { isSymlink, S_IFMT, typeLetter } from '../../src/base/mode.ts';
import { NO_XATTRS, type Xattrs } from '../../src/base/xattrs.ts';

export interface EntryFacts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly target: ByteString;
  readonly xattrs: Xattrs;
  /** What it is called where it is described: checksums, the number of an inode. */
  readonly ids: readonly (readonly [label: string, value: string])[];
  /** The object with its content; of a folder and of content in an image there is none. */
  readonly object: Checksum | undefined;
  /** The object digest an image lists. */
  readonly listed: Digest | undefined;
  /** Where the object lies; of a folder its dirtree. Undefined in an image. */
  readonly objectPath: string | undefined;
  /** How many names the object's inode has; undefined where that says nothing. */
  readonly links: number | undefined;
  /** Why nothing of this is known. */
  readonly problem: string | undefined;
}

/** Nothing known yet. */
export const NO_FACTS: EntryFacts = {
  mode: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  target: '' as ByteString,
  xattrs: NO_XATTRS,
  ids: [],
  object: undefined,
  listed: undefined,
  objectPath: undefined,
  links: undefined,
  problem: undefined,
};

const PERMISSIONS = 'rwxrwxrwx';
/** Set-user-id, set-group-id and the sticky bit, each over the x of one third. */
const SPECIAL: readonly (readonly [bit: number, at: number, sign: string])[] = [
  [0o4000, 2, 's'],
  [0o2000, 5, 's'],
  [0o1000, 8, 't'],
];

/** `-rwxr-xr-x`, as `ls -l` has it. */
export function modeText(mode: number): string {
  const letters = Array.from(PERMISSIONS, (letter, i) => ((mode >> (8 - i)) & 1 ? letter : '-'));
  for (const [bit, at, sign] of SPECIAL)
    if (mode & bit) letters[at] = letters[at] === 'x' ? sign : sign.toUpperCase();
  return typeLetter(mode) + letters.join('');
}

/** `0644`. */
export const octalMode = (mode: number): string => (mode & ~S_IFMT).toString(8).padStart(4, '0');

/** `14 B`, or `1.75 MB (1752008 B)`. */
export const sizeText = (bytes: number): string =>
  bytes < 1000 ? `${bytes} B` : `${prettyBytes(bytes)} (${bytes} B)`;

/** A link's ` -> target`, else nothing. */
export function targetText({ mode, target }: EntryFacts): string {
  return isSymlink(mode) ? ` -> ${displayBytes(target)}` : '';
}

/** The value of an xattr: as text where it is some, else as hexadecimal digits. */
export function xattrText(value: ByteString): string {
  const text = value.replace(/\0$/, '') as ByteString;
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return `0x${Buffer.from(value, 'latin1').toString('hex')}`;
}
