/** Archives made block by block, so that a test can make any, right or wrong. */

import type { ByteString } from '../../src/base/bytes.ts';
import { formatPax, type PaxRecords } from '../../src/formats/pax.ts';

export interface TarEntry {
  readonly name: string;
  /** The type flag; default `0`, a file. */
  readonly type?: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly link?: string;
  /** What the size field says instead of the length of the data. */
  readonly size?: number;
  /** Records of a PAX header before it; characters are bytes. */
  readonly pax?: Readonly<Record<string, string>>;
  /** Bytes put over the header, by offset. */
  readonly patch?: Readonly<Record<number, string | Uint8Array>>;
}

const BLOCK = 512;

/** An archive of these entries; without `end` it lacks the blocks of zeros. */
export function tarOf(entries: readonly TarEntry[], { end = true } = {}): Buffer {
  return Buffer.concat([...entries.map(member), ...(end ? [Buffer.alloc(2 * BLOCK)] : [])]);
}

/** One member with its PAX header, padded. */
export function member(entry: TarEntry): Buffer {
  const data =
    typeof entry.data === 'string' ? Buffer.from(entry.data, 'latin1') : (entry.data ?? Buffer.alloc(0));
  const records = Object.entries(entry.pax ?? {}) as unknown as PaxRecords;
  const pax = records.length === 0 ? [] : [member({ name: 'pax', type: 'x', data: formatPax(records) })];
  return Buffer.concat([...pax, header(entry, data.length), data, Buffer.alloc(-data.length & (BLOCK - 1))]);
}

function header(entry: TarEntry, length: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, digits: number): void =>
    void block.write(`${value.toString(8).padStart(digits, '0')}\0`, offset, 'latin1');
  block.write(entry.name, 0, 100, 'latin1');
  octal(entry.mode ?? 0o644, 100, 7);
  octal(entry.uid ?? 0, 108, 7);
  octal(0, 116, 7);
  octal(entry.size ?? length, 124, 11);
  octal(0, 136, 11);
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  for (const [offset, bytes] of Object.entries(entry.patch ?? {}))
    Buffer.from(bytes as string, 'latin1').copy(block, Number(offset));
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Bytes as an archive comes from a disk or a pipe: in pieces of this size. */
export async function* inPieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const latin1 = (text: string): ByteString => text as ByteString;
