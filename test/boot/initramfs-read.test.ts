import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { S_IFREG } from '../../src/base/mode.ts';
import { COMPRESSIONS, type Compression, compressedEnd } from '../../src/boot/initramfs/compression.ts';
import { type Decompress, decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs, packAddition } from '../../src/boot/initramfs/extended.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import { readCpio, writeCpio } from '../../src/formats/cpio.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/initramfs/${name}`, import.meta.url));
const PLAIN = fixture('tree.cpio');
const NAMES = readCpio(PLAIN, 'tree').entries.map(({ name }) => name);
const archive = (name: string): Buffer =>
  writeCpio([{ name: name as ByteString, mode: S_IFREG | 0o644, content: Buffer.from(name) }]);

/** By name: how it is compressed. */
const COMPRESSED: Readonly<Record<string, Compression>> = {
  'tree.cpio.gz': 'gzip',
  'tree.cpio.zst': 'zstd',
  'tree-plain.cpio.zst': 'zstd',
  'tree.cpio.xz': 'xz',
  'tree-blocks.cpio.xz': 'xz',
  'tree-x86.cpio.xz': 'xz',
  'tree.cpio.lz4': 'lz4',
  'tree.cpio.bz2': 'bzip2',
  'tree.cpio.lzma': 'lzma',
};
/** Those whose framing says where they end. */
const SELF_ENDING = ['zstd', 'xz', 'lz4'] as const;

/** Stands for the host's programs: checks that it gets exactly the compressed bytes, and gives the tree in pieces. */
const standIn: Decompress = async function* (compression, compressed) {
  const original = Object.entries(COMPRESSED).some(
    ([name, by]) => by === compression && fixture(name).equals(compressed),
  );
  assert(original, `${compression}: ${compressed.length} bytes are not those of any original`);
  for (let at = 0; at < PLAIN.length; at += 1000) yield PLAIN.subarray(at, at + 1000);
};

const briefly = (archives: Awaited<ReturnType<typeof readInitramfs>>) =>
  archives.map(({ offset, end, compression, entries }) => [offset, end, compression, entries.length]);

describe('initramfs files', () => {
  for (const [name, compression] of Object.entries(COMPRESSED)) {
    it(`reads an archive compressed by ${compression}: ${name}`, async () => {
      const bytes = fixture(name);
      const [one, ...others] = await readInitramfs(bytes, name, standIn);
      assert.deepEqual([one?.offset, one?.end, one?.compression], [0, bytes.length, compression]);
      assert.deepEqual(
        one?.entries.map((entry) => entry.name),
        NAMES,
      );
      assert.equal(others.length, 0);
    });

    it(`reads it between two others, with zeros: ${name}`, async () => {
      const early = archive('kernel/x86/microcode/GenuineIntel.bin');
      const parts = [early, Buffer.alloc(4096 - (early.length % 4096)), fixture(name)];
      const end = Buffer.concat(parts).length;
      const bytes = Buffer.concat(extendInitramfs(Buffer.concat(parts), packAddition(archive('usr/ours'))));
      const archives = await readInitramfs(bytes, name, standIn);
      assert.deepEqual(briefly(archives).slice(0, 2), [
        [0, readCpio(early, 'early').end, 'none', 4],
        [end - fixture(name).length, end, compression, NAMES.length],
      ]);
      assert.deepEqual(
        archives.slice(2).map(({ compression, entries }) => [compression, entries.at(-1)?.name]),
        [
          ['gzip', 'usr/ours'],
          ['gzip', undefined],
        ],
      );
    });
  }

  for (const compression of SELF_ENDING) {
    it(`finds the end of ${compression} whatever follows, and misses it in one that is cut off`, () => {
      for (const [name, by] of Object.entries(COMPRESSED)) {
        if (by !== compression) continue;
        const bytes = fixture(name);
        const behind = Buffer.concat([
          Buffer.alloc(3),
          bytes,
          Buffer.alloc(4),
          Buffer.from('\x1f\x8b\x08more'),
        ]);
        assert.equal(compressedEnd(compression, behind, 3, name), 3 + bytes.length);
        const lengths = [...bytes.keys()].filter((length) => length < 64 || length % 97 === 0);
        for (const length of lengths.filter((length) => by !== 'lz4' && length > 0))
          assert.throws(
            () => compressedEnd(compression, bytes.subarray(0, length), 0, name),
            FormatError,
            `${length}`,
          );
      }
    });
  }

  it('decompresses gzip and zstd without any program', async () => {
    for (const name of ['tree.cpio.gz', 'tree.cpio.zst', 'tree-plain.cpio.zst']) {
      const [one] = await readInitramfs(fixture(name), name, decompress, () => true);
      assert.deepEqual(one?.entries, readCpio(PLAIN, 'tree').entries);
    }
  });

  it('reads several archives that were compressed together', async () => {
    const bytes = gzipSync(Buffer.concat([archive('one'), Buffer.alloc(512), archive('two')]));
    const [one] = await readInitramfs(bytes, 'initramfs', decompress);
    assert.deepEqual(
      one?.entries.map(({ name }) => name),
      ['one', 'two'],
    );
  });

  it('reads gzips that follow each other at once, as archives of their own', async () => {
    const [one, two] = [gzipSync(archive('one')), gzipSync(archive('two'))];
    assert.deepEqual(briefly(await readInitramfs(Buffer.concat([one, two]), 'initramfs', decompress)), [
      [0, one.length, 'gzip', 1],
      [one.length, one.length + two.length, 'gzip', 1],
    ]);
  });

  const gz = gzipSync(archive('one'));
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(gz);
    copy.writeUInt8(value, at < 0 ? copy.length + at : at);
    return copy;
  };
  const BROKEN: readonly (readonly [what: string, bytes: Buffer, message: RegExp])[] = [
    ['an empty file', Buffer.alloc(0), /no archive in it/],
    ['nothing but zeros', Buffer.alloc(512), /no archive in it/],
    ['what is neither archive nor compressed', Buffer.from('hello world'), /neither an archive nor a known/],
    [
      'what follows an archive and is neither',
      Buffer.concat([archive('a'), Buffer.from('hello')]),
      /neither an/,
    ],
    [
      'a plain archive at an odd offset',
      Buffer.concat([gz, Buffer.alloc(1 + ((2 - gz.length) & 3)), archive('a')]),
      /no multiple of 4/,
    ],
    [
      'a gzip at an odd offset behind a plain archive',
      Buffer.concat([archive('a'), Buffer.alloc(2), gz]),
      /no multiple of 4/,
    ],
    ['a gzip that is cut off', gz.subarray(0, gz.length - 9), /unexpected end of file|cut off/],
    ['a gzip without its trailer', gz.subarray(0, gz.length - 1), /cut off/],
    ['a gzip with a wrong checksum', changed(-5, 0xff), /checksum or length/],
    ['a gzip with a wrong length', changed(-1, 0xff), /checksum or length/],
    ['a gzip that is damaged', changed(12, 0xff), /gzip/],
    ['a gzip with header fields that the kernel does not skip', changed(3, 4), /header flags/],
    ['a gzip of what is no archive', gzipSync(Buffer.from('x'.repeat(200))), /no header of a newc archive/],
    ['a gzip of half an archive', gzipSync(archive('one').subarray(0, 120)), /cut off/],
    ['a gzip of nothing', gzipSync(Buffer.alloc(0)), /cut off/],
    ['a zstd that is damaged', Buffer.concat([fixture('tree.cpio.zst').fill(0x55, 300, 400)]), /zstd/],
  ];
  for (const [what, bytes, message] of BROKEN) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(
        readInitramfs(bytes, 'initramfs', decompress),
        (error: unknown) => error instanceof FormatError && message.test(error.message),
      );
    });
  }

  it('knows each compression by its first bytes', () => {
    for (const [name, compression] of Object.entries(COMPRESSED))
      assert.deepEqual(
        COMPRESSIONS.filter(({ magic }) => fixture(name).subarray(0, magic.length).equals(magic)).map(
          ({ name }) => name,
        ),
        [compression],
      );
  });
});
