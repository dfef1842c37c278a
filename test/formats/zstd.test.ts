/** Frames of a zstd stream, however it is cut into pieces. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { ZstdFrames } from '../../src/formats/zstd.ts';

const frame = (text: string, checksum = 0): Buffer =>
  zlib.zstdCompressSync(Buffer.from(text), { params: { [zlib.constants.ZSTD_c_checksumFlag]: checksum } });
const SKIPPABLE = Buffer.concat([Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')]);

function pieces(bytes: Buffer, size: number): Buffer[] {
  const frames = new ZstdFrames('a stream');
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size)
    for (const piece of frames.push(bytes.subarray(at, at + size))) out.push(Buffer.from(piece));
  frames.end();
  return out;
}

describe('frames of zstd', () => {
  const long = frame('long '.repeat(60_000), 1);
  const data = [frame('one'), frame(''), long];
  const stream = Buffer.concat([SKIPPABLE, data[0]!, SKIPPABLE, SKIPPABLE, data[1]!, long, SKIPPABLE]);

  it('end where pieces end, without the skippable ones', () => {
    for (const size of [1, 2, 3, 5, 17, 64, stream.length]) {
      const out = pieces(stream, size);
      assert(Buffer.concat(out).equals(Buffer.concat(data)), `pieces of ${size}`);
      let end = 0;
      const ends = new Set(out.map((piece) => (end += piece.length)));
      for (const border of [data[0]!.length, data[0]!.length + data[1]!.length]) assert(ends.has(border));
    }
  });

  it('are refused when they are cut off, or are none', () => {
    assert.throws(() => pieces(stream.subarray(0, -1), 64), /cut off/);
    assert.throws(() => pieces(Buffer.concat([data[0]!, Buffer.from('garbage')]), 64), /no frame of zstd/);
  });
});
