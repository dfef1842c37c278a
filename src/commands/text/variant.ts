/** Serialised GVariants as text. */
import type { ByteString } from '../../base/bytes.ts';
import type { Xattrs } from '../../base/xattrs.ts';
import { readVariant } from '../../formats/gvariant.ts';
import { formatVariant } from '../../formats/gvariant-text.ts';
import { OBJECT_TYPES, serializeXattrs } from '../../formats/objects.ts';

/**
 * A serialised value as `ostree show --raw` prints it: every integer byte-swapped, which is right for what ostree
 * stores big-endian.
 */
export function rawText(type: string, bytes: Uint8Array, byteswap = true): ByteString {
  return formatVariant(type, readVariant(type, bytes, 'value'), { byteswap });
}

/** Xattrs as `ostree ls -X` and `ostree show` print them, without the braces around. */
export function xattrsText(xattrs: Xattrs): ByteString {
  return rawText(OBJECT_TYPES.xattrs, serializeXattrs(xattrs), false);
}
