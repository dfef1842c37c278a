/**
 * The dump of a whole image, from its bytes to the text's bytes: an image has a million entries, and nearly all of them
 * are directories, symlinks and backed files of which every field can be written as it lies there. What takes more
 * than that, or is wrong, is left to the line of {@link ./dump.ts}.
 */
import { escapedXattr, escapeOf, formatLine, imageNode } from './dump.ts';
import { PlainInode } from './plain-inode.ts';
import { type ErofsImage, ImageWalk, type Inode, type XattrReader } from './read.ts';
import { DIGEST_SIZE } from './tree.ts';

/** The lines of a dump in pieces of about this size. */
const PIECE_BYTES = 1 << 17;

/**
 * What `formatDump` gives of the image, in pieces whose memory is used again for the next; what comes before a fault is
 * given, too.
 * @throws FormatError
 */
export function* dumpImage(image: ErofsImage): Generator<Buffer, void> {
  const dump = new ImageDump(image);
  const walk = new ImageWalk(image);
  try {
    while (walk.next()) {
      dump.add(walk);
      if (dump.length >= PIECE_BYTES) yield dump.take();
    }
  } catch (error) {
    yield dump.take();
    throw error;
  }
  yield dump.take();
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const DASH = 0x2d;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const ZERO = 0x30;

/** The longest escape of a byte: `\x00`. */
const ESCAPE_LENGTH = 4;

/** Which bytes are written as they are. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => (escapeOf(byte).length === 1 ? 1 : 0));
const HEX_DIGITS = Buffer.from('0123456789abcdef');

/** More than all numbers of a line, a digest and what separates the fields. */
const FIXED_FIELDS = 512;

/** Fields that most inodes of an image have alike, and their text. */
type Attributes = Pick<Inode, 'nlink' | 'uid' | 'gid' | 'rdev' | 'mtimeHigh' | 'mtimeLow' | 'mtimeNsec'> & {
  readonly text: string;
};

class ImageDump {
  /** Bytes of text so far. */
  length = 0;
  readonly #image: ErofsImage;
  #text = Buffer.allocUnsafe(2 * PIECE_BYTES);
  readonly #plain: PlainInode;
  /** What was written last, by mode, of which an image has few. */
  readonly #attributes = new Map<number, Attributes>();

  constructor(image: ErofsImage) {
    this.#image = image;
    this.#plain = new PlainInode(image);
  }

  /** Adds the line of the entry at hand. */
  add(walk: ImageWalk): void {
    const { inode } = walk;
    if (walk.linkOf === undefined && this.#isPlain(inode)) this.#addPlain(walk);
    else this.#addText(formatLine(walk.path, imageNode(this.#image, inode), walk.linkOf));
  }

  /** The text so far, valid until the next line; it is begun anew. */
  take(): Buffer {
    const text = this.#text.subarray(0, this.length);
    this.length = 0;
    return text;
  }

  /** Whether all fields can be written as they are stored. Xattrs are written by name, unshared ones first. */
  #isPlain(inode: Inode): boolean {
    const plain = this.#plain;
    if (!plain.look(inode) || plain.isInline || plain.unshared > 1 || plain.shared > 1) return false;
    // A path that is written as none is.
    return plain.payloadEnd - plain.payloadStart !== 1 || this.#image.bytes[plain.payloadStart] !== DASH;
  }

  /** Adds a line of fields as they are stored. */
  #addPlain({ inode, pathBytes, pathLength }: ImageWalk): void {
    const { xattrs, payloadStart, payloadEnd, digestStart } = this.#plain;
    this.#reserve(FIXED_FIELDS);
    if (pathLength === 0) this.#addByte(SLASH);
    else this.#addEscaped(pathBytes, 0, pathLength);
    this.#addByte(SPACE);
    this.#addNumber(inode.size);
    this.#addString(this.#attributesOf(inode));
    if (payloadStart === 0) this.#addByte(DASH);
    else this.#addEscaped(this.#image.bytes, payloadStart, payloadEnd);
    // No content.
    this.#addString(' - ');
    if (digestStart === 0) this.#addByte(DASH);
    else this.#addDigest(digestStart);
    if (xattrs !== undefined) this.#addXattrs(xattrs);
    this.#addByte(NEWLINE);
  }

  /** Mode, link count, owner, device and time, as the last inode of that mode has had them or written anew. */
  #attributesOf(inode: Inode): string {
    const { mode, nlink, uid, gid, rdev, mtimeHigh, mtimeLow, mtimeNsec } = inode;
    const last = this.#attributes.get(mode);
    if (
      last !== undefined &&
      nlink === last.nlink &&
      uid === last.uid &&
      gid === last.gid &&
      rdev === last.rdev &&
      mtimeLow === last.mtimeLow &&
      mtimeHigh === last.mtimeHigh &&
      mtimeNsec === last.mtimeNsec
    )
      return last.text;
    const text = ` ${mode.toString(8)} ${nlink} ${uid} ${gid} ${rdev} ${inode.mtimeSec}.${mtimeNsec} `;
    this.#attributes.set(mode, { nlink, uid, gid, rdev, mtimeHigh, mtimeLow, mtimeNsec, text });
    return text;
  }

  #addXattrs(xattrs: XattrReader): void {
    const { count, sharedCount } = xattrs;
    for (let i = 0; i < count; i++) {
      const place = (i + sharedCount) % count;
      if (!this.#plain.isOwn(xattrs, place)) continue;
      this.#addString(` ${escapedXattr(xattrs.name(xattrs.names[place] as number))}=`);
      const start = xattrs.valueStarts[place] as number;
      this.#addEscaped(this.#image.bytes, start, xattrs.valueEnds[place] as number, EQUALS);
    }
  }

  #addDigest(start: number): void {
    const { bytes } = this.#image;
    const text = this.#text;
    let to = this.length;
    for (let i = start; i < start + DIGEST_SIZE; i++) {
      const byte = bytes[i] as number;
      text[to++] = HEX_DIGITS[byte >>> 4] as number;
      text[to++] = HEX_DIGITS[byte & 15] as number;
    }
    this.length = to;
  }

  #addNumber(value: number): void {
    if (value > 0x7fffffff) {
      this.#addString(String(value));
      return;
    }
    let digits = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits++;
    const text = this.#text;
    const start = this.length;
    let rest = value | 0;
    for (let at = start + digits - 1; at >= start; at--) {
      const tens = (rest / 10) | 0;
      text[at] = ZERO + rest - 10 * tens;
      rest = tens;
    }
    this.length = start + digits;
  }

  #addByte(byte: number): void {
    this.#text[this.length++] = byte;
  }

  /** A short one, of ASCII. */
  #addString(text: string): void {
    const to = this.#text;
    const start = this.length;
    for (let i = 0; i < text.length; i++) to[start + i] = text.charCodeAt(i);
    this.length = start + text.length;
  }

  /** One of any length, of bytes. */
  #addText(text: string): void {
    this.#reserve(text.length);
    this.length += this.#text.write(text, this.length, 'latin1');
  }

  /** Bytes as they are written in a dump. @param special is escaped, too */
  #addEscaped(bytes: Buffer, start: number, end: number, special = 0): void {
    this.#reserve(ESCAPE_LENGTH * (end - start) + FIXED_FIELDS);
    const text = this.#text;
    let to = this.length;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      if (PLAIN[byte] === 1 && byte !== special) text[to++] = byte;
      else to += text.write(escapeOf(byte, special), to, 'latin1');
    }
    this.length = to;
  }

  /** Makes room for so many bytes. */
  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#text.length) return;
    const text = Buffer.allocUnsafe(2 * (this.length + bytes));
    this.#text.copy(text, 0, 0, this.length);
    this.#text = text;
  }
}
