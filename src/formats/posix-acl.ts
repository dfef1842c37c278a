/**
 * POSIX ACLs: the text that archives hold (acl(5), long and short form, and star's form with the number as a fourth
 * field), and the value of `system.posix_acl_access` and `system.posix_acl_default` (linux/posix_acl_xattr.h): version
 * 2, then entries of tag, permissions and id, little-endian, in the kernel's order.
 */
import { type ByteString, bytesToString, displayBytes } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';

const VERSION = 2;
const NO_ID = 0xffff_ffff;

const Tag = { userObj: 0x01, user: 0x02, groupObj: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/**
 * The xattr value of an ACL in text; undefined for one that says no more than the mode does.
 * @throws FormatError, also for names without a number: whose they are only the machine knows that wrote them
 */
export function parseAcl(text: ByteString, where: string): ByteString | undefined {
  const entries = text
    .split(/[,\n]/)
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => parseEntry(line, where));
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  const named = count(Tag.user) + count(Tag.group);
  const isWhole =
    [Tag.userObj, Tag.groupObj, Tag.other].every((tag) => count(tag) === 1) &&
    count(Tag.mask) <= 1 &&
    (named === 0 || count(Tag.mask) === 1) &&
    entries.every(({ tag, id }, i) => i === 0 || entries[i - 1]?.tag !== tag || entries[i - 1]?.id !== id);
  if (!isWhole)
    throw new FormatError(where, 'ACL lacks an entry or has one twice', { got: displayBytes(text) });
  if (named === 0 && count(Tag.mask) === 0) return undefined;
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(VERSION, 0);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * i);
    value.writeUInt16LE(permissions, 6 + 8 * i);
    value.writeUInt32LE(id, 8 + 8 * i);
  }
  return bytesToString(value);
}

function parseEntry(line: string, where: string): AclEntry {
  const [type = '', name = '', permissions = '', number] = line.split(':').map((field) => field.trim());
  const bits = /^([r-])([w-])([x-])$/.exec(permissions);
  const isUser = /^u(ser)?$/.test(type);
  const isGroup = /^g(roup)?$/.test(type);
  const isMask = /^m(ask)?$/.test(type);
  if (bits === null || !(isUser || isGroup || isMask || /^o(ther)?$/.test(type)))
    throw new FormatError(where, 'not an entry of an ACL', { got: JSON.stringify(line) });
  const common = {
    permissions: (bits[1] === 'r' ? 4 : 0) | (bits[2] === 'w' ? 2 : 0) | (bits[3] === 'x' ? 1 : 0),
    id: NO_ID,
  };
  if (isMask) return { ...common, tag: Tag.mask };
  if (!isUser && !isGroup) return { ...common, tag: Tag.other };
  if (name === '') return { ...common, tag: isUser ? Tag.userObj : Tag.groupObj };
  const id = number ?? name;
  if (!/^\d{1,10}$/.test(id) || Number(id) >= NO_ID)
    throw new FormatError(where, 'ACL names somebody without a number', {
      got: JSON.stringify(line),
      hint: 'pack the archive with tar --numeric-owner',
    });
  return { ...common, tag: isUser ? Tag.user : Tag.group, id: Number(id) };
}
