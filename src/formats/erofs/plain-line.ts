/**
 * What nearly every line of a dump is: a directory, a symlink or a file with its content in an object, with each field
 * spelled as dumps are written. Of such a line everything is known by numbers and by places in its bytes, without the
 * strings that {@link ./dump-parse.ts} makes of others. What is no such line is no fault: it is for that file to read.
 */
import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts';
import { DIGEST_SIZE, type PlainNode } from './tree.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const BACKSLASH = 0x5c;

const OCTAL = 8;
const DECIMAL = 10;
/** Any number of so many digits is exact. */
const MAX_DIGITS = 15;
const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;

const NO_NUMBER = -1;

/** By byte: the value of a hex digit, or -1. */
const HEX_VALUES = Int8Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte);
  return /[0-9a-fA-F]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});

/** By byte: whether it is part of a field and stands for itself. */
const IS_TEXT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === 0 || byte === NEWLINE || byte === SPACE || byte === BACKSLASH ? 0 : 1,
);

/** Looks at one line after the other. */
export class PlainLine implements PlainNode {
  bytes: Buffer = Buffer.alloc(0);
  /** The path starts here, with a slash, */
  pathStart = 0;
  /** and its last name, after another or the same, here. */
  nameStart = 0;
  nameEnd = 0;
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  size = 0;
  mtimeHigh = 0;
  mtimeLow = 0;
  mtimeNsec = 0;
  payloadStart = 0;
  payloadEnd = 0;
  hasDigest = false;
  readonly digest: Buffer = Buffer.alloc(DIGEST_SIZE);
  /** Where the text of the xattrs starts; the line's end where there are none. */
  xattrsStart = 0;
  /** Where the newline is. */
  end = 0;
  /** What is to be read next. */
  #at = 0;

  /**
   * Fills in the fields; false for a line that is something else, or wrong: then they mean nothing.
   * @param bytes has a newline somewhere after `start`: nothing is read beyond it, as no field has one
   */
  look(bytes: Buffer, start: number): boolean {
    this.bytes = bytes;
    this.#at = start;
    return (
      this.#readPath() && this.#readNumbers() && this.#readPayload() && this.#readDigest() && this.#readEnd()
    );
  }

  #readPath(): boolean {
    const bytes = this.bytes;
    const start = this.#at;
    if (bytes[start] !== SLASH) return false;
    const end = this.#textEnd(start);
    let name = end;
    while (bytes[name - 1] !== SLASH) name--;
    this.pathStart = start;
    this.nameStart = name;
    this.nameEnd = end;
    return this.#skipSpace(end);
  }

  /** SIZE to MTIME, with a type of file that has nothing to do with RDEV. */
  #readNumbers(): boolean {
    this.size = this.#number(DECIMAL, SPACE);
    this.mode = this.#number(OCTAL, SPACE);
    this.nlink = this.#number(DECIMAL, SPACE);
    this.uid = this.#number(DECIMAL, SPACE);
    this.gid = this.#number(DECIMAL, SPACE);
    const rdev = this.#number(DECIMAL, SPACE);
    const seconds = this.#number(DECIMAL, DOT);
    this.mtimeNsec = this.#number(DECIMAL, SPACE);
    this.mtimeLow = seconds >>> 0;
    this.mtimeHigh = Math.floor(seconds / 2 ** 32);
    return (
      this.size >= 0 &&
      isUpTo(MAX_U16, this.mode) &&
      isUpTo(MAX_U32, this.nlink) &&
      isUpTo(MAX_U32, this.uid) &&
      isUpTo(MAX_U32, this.gid) &&
      rdev === 0 &&
      seconds >= 0 &&
      isUpTo(MAX_U32, this.mtimeNsec)
    );
  }

  /** The payload, and that there is no content. */
  #readPayload(): boolean {
    const start = this.#at;
    const end = this.#textEnd(start);
    this.payloadStart = start;
    this.payloadEnd = this.#isDash(start) ? start : end;
    if (!this.#skipSpace(end) || !this.#isDash(end + 1)) return false;
    this.#at = end + 2;
    const length = this.payloadEnd - start;
    if (isDirectory(this.mode)) this.size = 0;
    else if (isSymlink(this.mode)) return length > 0 && length === this.size;
    else return isRegular(this.mode);
    return length === 0;
  }

  /** The digest, which only a file that is not empty has. */
  #readDigest(): boolean {
    if (!this.#skipSpace(this.#at)) return false;
    this.hasDigest = !this.#isDash(this.#at);
    if (!this.hasDigest) {
      this.#at++;
      return true;
    }
    if (this.size === 0 || !isRegular(this.mode)) return false;
    const { bytes, digest } = this;
    let at = this.#at;
    for (let i = 0; i < DIGEST_SIZE; i++) {
      const high = HEX_VALUES[bytes[at] as number] as number;
      const low = HEX_VALUES[bytes[at + 1] as number] as number;
      if ((high | low) < 0) return false;
      digest[i] = (high << 4) | low;
      at += 2;
    }
    this.#at = at;
    return true;
  }

  #readEnd(): boolean {
    const { bytes } = this;
    let at = this.#at;
    if (bytes[at] === SPACE) at++;
    else if (bytes[at] !== NEWLINE) return false;
    this.xattrsStart = at;
    while (at < bytes.length && bytes[at] !== NEWLINE) at++;
    this.end = at;
    return true;
  }

  /** A number without a sign, and what ends it. */
  #number(base: number, end: number): number {
    const { bytes } = this;
    const start = this.#at;
    let at = start;
    let value = 0;
    for (;;) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit >= base) break;
      value = value * base + digit;
      at++;
    }
    if (at === start || at - start > MAX_DIGITS || bytes[at] !== end) return NO_NUMBER;
    this.#at = at + 1;
    return value;
  }

  /** Where bytes that stand for themselves end. */
  #textEnd(start: number): number {
    const { bytes } = this;
    let at = start;
    while (IS_TEXT[bytes[at] as number] === 1) at++;
    return at;
  }

  #skipSpace(at: number): boolean {
    this.#at = at + 1;
    return this.bytes[at] === SPACE;
  }

  /** Whether the field there is a lone dash. */
  #isDash(at: number): boolean {
    const next = this.bytes[at + 1];
    return this.bytes[at] === DASH && (next === SPACE || next === NEWLINE);
  }
}

const isUpTo = (most: number, value: number): boolean => value >= 0 && value <= most;
