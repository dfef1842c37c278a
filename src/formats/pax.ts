/**
 * PAX extended header records as bytes (POSIX.1-2017, pax, "pax Extended Header"): `LENGTH KEY=VALUE\n`, where LENGTH
 * counts the whole record. Values are kept as they are: the value of an xattr is no text, and decoding it as UTF-8, as
 * tar libraries do, destroys it.
 */
import { asBuffer, type ByteString, bytesToString, displayBytes, stringToBytes } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import { NO_XATTRS, sortedXattrs, type Xattr, type Xattrs } from '../base/xattrs.ts';
import { parseAcl } from './posix-acl.ts';

/** In stored order: sparse maps repeat their keys. */
export type PaxRecords = readonly (readonly [key: ByteString, value: ByteString])[];

/** The longest xattr value and name the kernel takes, in bytes (limits.h). */
const XATTR_SIZE_MAX = 65_536;
const XATTR_NAME_MAX = 255;

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** @throws FormatError for anything but a sequence of whole records */
export function parsePax(bytes: Uint8Array, where: string): PaxRecords {
  const buffer = asBuffer(bytes);
  const records: (readonly [ByteString, ByteString])[] = [];
  for (let at = 0; at < buffer.length; ) {
    const space = buffer.indexOf(SPACE, at);
    const digits = buffer.toString('latin1', at, space === -1 ? Math.min(at + 16, buffer.length) : space);
    const length = /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : 0;
    const equals = buffer.indexOf(EQUALS, at);
    const end = at + length;
    if (space === -1 || length === 0 || end > buffer.length || buffer[end - 1] !== NEWLINE)
      throw new FormatError(where, 'PAX record with a wrong length', {
        offset: at,
        got: JSON.stringify(digits),
      });
    if (equals <= space + 1 || equals >= end)
      throw new FormatError(where, 'PAX record without a key', { offset: at });
    records.push([bytesToString(buffer, space + 1, equals), bytesToString(buffer, equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

export function formatPax(records: PaxRecords): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return stringToBytes(`${length}${rest}` as ByteString);
    }),
  );
}

/** The last value of a key, as the standard has it; an empty one takes back what was said before, like none. */
export function paxValue(records: PaxRecords, key: string): ByteString | undefined {
  const value = records.findLast(([name]) => name === key)?.[1];
  return value === '' ? undefined : value;
}

const SCHILY = 'SCHILY.xattr.';
const LIBARCHIVE = 'LIBARCHIVE.xattr.';
const SELINUX = 'RHT.security.selinux';
const ACLS: readonly (readonly [record: string, xattr: string])[] = [
  ['SCHILY.acl.access', 'system.posix_acl_access'],
  ['SCHILY.acl.default', 'system.posix_acl_default'],
];

/**
 * The xattrs that records tell: raw (`SCHILY.xattr.NAME`), in base64 (`LIBARCHIVE.xattr.NAME`), SELinux's label, and
 * ACLs as text, which become the xattrs the kernel keeps them in. One without a value is left out, as ostree does.
 * @throws FormatError where two records differ, and for what the kernel could not hold
 */
export function xattrsOf(records: PaxRecords, where: string): Xattrs {
  const found = new Map<ByteString, ByteString>();
  const add = (name: ByteString, value: ByteString): void => {
    const before = found.get(name);
    if (before !== undefined && before !== value)
      throw new FormatError(where, `two records of xattr ${displayBytes(name)} differ`);
    if (name === '' || name.includes('\0') || name.length > XATTR_NAME_MAX || value.length > XATTR_SIZE_MAX)
      throw new FormatError(where, `xattr ${displayBytes(name)} is more than a file can have`, {
        got: `${name.length} bytes of name, ${value.length} of value`,
        want: `at most ${XATTR_NAME_MAX} and ${XATTR_SIZE_MAX}`,
      });
    found.set(name, value);
  };
  // GNU tar, which writes no base64, replaces what would end a key.
  const isGnu = !records.some(([key]) => key.startsWith(LIBARCHIVE));
  for (const [key, value] of lastOfEach(records)) {
    if (key.startsWith(SCHILY)) {
      const name = key.slice(SCHILY.length);
      const plain = isGnu ? name.replace(/%(3D|25)/gi, (code) => (code === '%25' ? '%' : '=')) : name;
      add(plain as ByteString, value);
    } else if (key.startsWith(LIBARCHIVE)) {
      add(percentDecoded(key.slice(LIBARCHIVE.length), where), fromBase64(value, where));
    } else if (key === SELINUX && !records.some(([other]) => other === `${SCHILY}security.selinux`)) {
      add('security.selinux' as ByteString, value);
    }
  }
  for (const [record, xattr] of ACLS) {
    const text = paxValue(records, record);
    // GNU tar can write an ACL as an xattr as well; that one is exact.
    if (text === undefined || found.has(xattr as ByteString)) continue;
    const value = parseAcl(text, where);
    if (value !== undefined) found.set(xattr as ByteString, value);
  }
  const list = [...found].filter((xattr): xattr is [ByteString, ByteString] => xattr[1] !== '');
  return list.length === 0 ? NO_XATTRS : sortedXattrs(list);
}

function lastOfEach(records: PaxRecords): Iterable<readonly [ByteString, ByteString]> {
  return new Map(records);
}

/**
 * The records of xattrs: raw, which GNU tar, libarchive, Go and star read as they are; in base64 where a name has what
 * one of them reads in its own way. Not both of one xattr: libarchive gives it twice then, which ostree refuses.
 */
export function xattrRecords(xattrs: Xattrs): PaxRecords {
  return xattrs.map(([name, value]: Xattr) =>
    /[=%]/.test(name)
      ? [
          `${LIBARCHIVE}${percentEncoded(name)}` as ByteString,
          stringToBytes(value).toString('base64').replace(/=+$/, '') as ByteString,
        ]
      : [`${SCHILY}${name}` as ByteString, value],
  );
}

function percentDecoded(text: string, where: string): ByteString {
  if (/%(?![0-9a-f]{2})/i.test(text))
    throw new FormatError(where, 'name of an xattr is not percent-encoded', { got: JSON.stringify(text) });
  return text.replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  ) as ByteString;
}

function percentEncoded(name: ByteString): string {
  return name.replace(
    /[^\x21-\x24\x26-\x3c\x3e-\x7e]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function fromBase64(text: ByteString, where: string): ByteString {
  // Buffer.from skips what is no base64.
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw new FormatError(where, 'value of an xattr is not base64');
  return bytesToString(Buffer.from(text, 'base64'));
}
