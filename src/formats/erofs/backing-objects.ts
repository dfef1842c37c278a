/**
 * Backing files that are named by a checksum, as ostree names its objects: `xx/yyyy….file`. An image of a commit points
 * to a million of them, which are in a table already when its tree is made: there the number of a row stands for 70 bytes
 * of path and 32 of digest.
 */
import { type ByteString, bytesToString } from '../../base/bytes.ts';

/** By row. */
export interface BackingObjects {
  /** 32 bytes each. */
  readonly checksums: Uint8Array;
  /** fs-verity digests of the files, 32 bytes each. */
  readonly digests: Uint8Array;
  /** Whether there is a digest. */
  hasDigest(row: number): boolean;
}

/** Bytes of a checksum, and of a digest. */
export const HASH_SIZE = 32;
const FOLDER_SIZE = 1;
const SLASH = 0x2f;
const SUFFIX = Buffer.from('.file');

export const OBJECT_PATH_LENGTH = 2 * HASH_SIZE + 1 + SUFFIX.length;

const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** Writes the path of a row's file at `at`, {@link OBJECT_PATH_LENGTH} bytes. */
export function writeObjectPath(
  out: Uint8Array,
  at: number,
  { checksums }: BackingObjects,
  row: number,
): void {
  let to = at;
  const start = row * HASH_SIZE;
  for (let i = 0; i < HASH_SIZE; i++) {
    if (i === FOLDER_SIZE) out[to++] = SLASH;
    const byte = checksums[start + i] as number;
    out[to++] = HEX_DIGITS[byte >> 4] as number;
    out[to++] = HEX_DIGITS[byte & 15] as number;
  }
  for (let i = 0; i < SUFFIX.length; i++) out[to++] = SUFFIX[i] as number;
}

/** The path of a row's file, from the objects folder. */
export function objectPath(objects: BackingObjects, row: number): ByteString {
  const path = Buffer.alloc(OBJECT_PATH_LENGTH);
  writeObjectPath(path, 0, objects, row);
  return bytesToString(path, 0, path.length);
}
