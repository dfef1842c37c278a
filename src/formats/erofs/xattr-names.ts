/** How names of xattrs are stored: the index of a prefix, the rest, and a bit of the filter. */
import { type ByteString, stringToBytes } from '../../base/bytes.ts';
import { xxh32 } from '../xxh32.ts';
import { XATTR_FILTER_SEED, XATTR_PREFIXES } from './layout.ts';

export interface StoredName {
  readonly index: number;
  /** The name without its prefix. */
  readonly suffix: ByteString;
}

/** How a name is stored: by the first prefix that it has, else whole. */
export function splitName(name: ByteString): StoredName {
  for (const [index, prefix] of XATTR_PREFIXES) {
    if (name.startsWith(prefix)) return { index, suffix: name.slice(prefix.length) as ByteString };
  }
  return { index: 0, suffix: name };
}

/** The bit, 0 to 31, that a name clears in the filter of its inode. */
export const filterBit = ({ index, suffix }: StoredName): number =>
  xxh32(stringToBytes(suffix), (XATTR_FILTER_SEED + index) >>> 0) & 31;
