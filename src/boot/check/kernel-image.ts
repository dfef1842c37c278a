/**
 * Is a kernel file whole? Judged by what its own headers say of its length: a file that was cut, or of which only
 * zeros were written, is what a full /boot or a power cut leaves.
 *
 * Forms: x86 boot protocol (Documentation/arch/x86/boot.rst), arm64 and RISC-V Image (Documentation/arch/arm64/
 * booting.rst, arch/riscv/boot-image-header.rst), ARM zImage, PE/COFF for all kernels with an EFI stub, ELF, and
 * gzip. Out of scope: whether a signature in it is good, and whether its code is.
 */
import { gunzipSync } from 'node:zlib';
import { errnoOf, FormatError } from '../../base/errors.ts';

/** How the kernel presents itself to a loader. */
export type KernelForm = 'bzImage' | 'EFI' | 'Image' | 'zImage' | 'ELF' | 'gzip';

/** A gzipped kernel becomes no larger than this. */
const MOST_UNPACKED = 512 * 1024 * 1024;

/**
 * Tells the form of a kernel and makes sure that all of it is there; undefined for a form that is not known here.
 * @throws FormatError for an empty or cut file
 */
export function checkKernelImage(bytes: Buffer, where: string): KernelForm | undefined {
  if (bytes.length === 0) throw new FormatError(where, 'the kernel is empty');
  if (bytes.subarray(0, 4096).every((byte) => byte === 0))
    throw new FormatError(where, 'the kernel begins with zeros: it was never written');
  const isPe = checkPe(bytes, where);
  if (checkBzImage(bytes, where)) return 'bzImage';
  if (isPe) return 'EFI';
  if (at(bytes, 0x38, 'ARM\x64') || at(bytes, 0x38, 'RSC\x05')) return 'Image';
  if (checkZImage(bytes, where)) return 'zImage';
  if (checkElf(bytes, where)) return 'ELF';
  if (checkGzip(bytes, where)) return 'gzip';
  return undefined;
}

function at(bytes: Buffer, offset: number, text: string): boolean {
  return bytes.toString('latin1', offset, offset + text.length) === text;
}

/** @throws FormatError when the file ends before `end` */
function need(bytes: Buffer, end: number, what: string, where: string): void {
  if (end > bytes.length)
    throw new FormatError(where, `the kernel is cut short: ${what}`, { got: bytes.length, want: end });
}

function checkBzImage(bytes: Buffer, where: string): boolean {
  if (!at(bytes, 0x202, 'HdrS')) return false;
  need(bytes, 0x268, 'its setup header', where);
  // 0 stands for 4, from the days of the first boot protocol.
  const setupSectors = bytes.readUInt8(0x1f1) || 4;
  need(bytes, (setupSectors + 1) * 512 + bytes.readUInt32LE(0x1f4) * 16, 'the protected-mode code', where);
  return true;
}

/** PE/COFF: all sections have to be in the file. */
function checkPe(bytes: Buffer, where: string): boolean {
  if (!at(bytes, 0, 'MZ') || bytes.length < 0x40) return false;
  const header = bytes.readUInt32LE(0x3c);
  if (header < 0x40 || header > 0x10000) return false;
  need(bytes, header + 24, 'its PE header', where);
  if (!at(bytes, header, 'PE\0\0')) return false;
  const count = bytes.readUInt16LE(header + 6);
  const table = header + 24 + bytes.readUInt16LE(header + 20);
  need(bytes, table + count * 40, 'its section table', where);
  for (let i = 0; i < count; i++) {
    const section = table + i * 40;
    const name = bytes.toString('latin1', section, section + 8).replace(/\0.*$/s, '');
    const size = bytes.readUInt32LE(section + 16);
    if (size > 0) need(bytes, bytes.readUInt32LE(section + 20) + size, `its section ${name}`, where);
  }
  checkSignature(bytes, header + 24, table, where);
  return true;
}

/** The certificates of Secure Boot lie behind all sections: the fifth data directory says where. */
function checkSignature(bytes: Buffer, optionalHeader: number, end: number, where: string): void {
  const CERTIFICATES = 4;
  const isWide = optionalHeader + 2 <= end && bytes.readUInt16LE(optionalHeader) === 0x20b;
  const directories = optionalHeader + (isWide ? 112 : 96);
  const directory = directories + CERTIFICATES * 8;
  if (directory + 8 > end || bytes.readUInt32LE(directories - 4) <= CERTIFICATES) return;
  const size = bytes.readUInt32LE(directory + 4);
  if (size > 0) need(bytes, bytes.readUInt32LE(directory) + size, 'its signature', where);
}

function checkZImage(bytes: Buffer, where: string): boolean {
  if (bytes.length < 0x30 || bytes.readUInt32LE(0x24) !== 0x016f2818) return false;
  need(bytes, bytes.readUInt32LE(0x2c) - bytes.readUInt32LE(0x28), 'its code', where);
  return true;
}

/** ELF64 and ELF32, either byte order: all segments have to be in the file. */
function checkElf(bytes: Buffer, where: string): boolean {
  if (!at(bytes, 0, '\x7fELF')) return false;
  need(bytes, 64, 'its ELF header', where);
  const isWide = bytes[4] === 2;
  const isLittle = bytes[5] === 1;
  const u16 = (offset: number) => (isLittle ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset));
  const u32 = (offset: number) => (isLittle ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset));
  const u64 = (offset: number) =>
    Number(isLittle ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset));
  const word = isWide ? u64 : u32;
  const table = word(isWide ? 0x20 : 0x1c);
  const size = u16(isWide ? 0x36 : 0x2a);
  const count = u16(isWide ? 0x38 : 0x2c);
  need(bytes, table + count * size, 'its program headers', where);
  if (size < (isWide ? 56 : 32)) return count === 0;
  for (let i = 0; i < count; i++) {
    const segment = table + i * size;
    const offset = word(segment + (isWide ? 8 : 4));
    need(bytes, offset + word(segment + (isWide ? 32 : 16)), `its segment ${i}`, where);
  }
  return true;
}

/** Image.gz: unpacked to its end, where its checksum is. */
function checkGzip(bytes: Buffer, where: string): boolean {
  if (!at(bytes, 0, '\x1f\x8b\x08')) return false;
  try {
    gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    // ERR_BUFFER_TOO_LARGE is our limit; zlib's own are Z_…_ERROR.
    throw new FormatError(
      where,
      `the compressed kernel does not unpack (${errnoOf(cause) ?? cause.message})`,
      {
        cause,
      },
    );
  }
  return true;
}
