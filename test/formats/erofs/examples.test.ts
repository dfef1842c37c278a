/** Reference images made by mkcomposefs 1.0.8: their digests, and the parts of them worth looking at. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDump } from '../../../src/formats/erofs/dump-parse.ts';
import { ErofsImage, readTree } from '../../../src/formats/erofs/read.ts';
import { type WriteOptions, writeImage } from '../../../src/formats/erofs/write.ts';
import { verityDigest } from '../../../src/formats/verity.ts';

interface Example {
  readonly root?: string;
  readonly lines: readonly string[];
  readonly options?: WriteOptions;
  readonly size: number;
  readonly digest: string;
}

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -';
const OBJECT = '35d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408';
const OBJECT_PATH = '35/d02f81325122d77ec1d11baba655bc9bf8a891ab26119a41c50fa03ddfb408';
const LABEL = 'security.selinux=system_u:object_r:';

export const EXAMPLES: Readonly<Record<string, Example>> = {
  empty: {
    lines: [],
    size: 16384,
    digest: '8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682',
  },
  inline: {
    lines: ['/f 6 100644 1 0 0 0 0.0 - hello\\n -'],
    size: 16384,
    digest: '9497d7611a787f39adfc624df13d117db8203f4ddcc7f1e62473dad3b409450a',
  },
  external: {
    lines: [`/f 1000 100644 1 0 0 0 0.0 ${OBJECT_PATH} - ${OBJECT}`],
    size: 16384,
    digest: '2caa67dbb768be4e21d0762e3758b792c9d342ab3d83aeb49cebfc97fd927943',
  },
  symlink: {
    lines: ['/l 6 120777 1 0 0 0 0.0 target - -'],
    size: 16384,
    digest: '12ca27fc6b42cf61e5288ddb8e1a5a0eb595a206259f3e0f784111e4cea2f24c',
  },
  'devices, fifo, socket': {
    lines: [
      '/blk 0 60660 1 0 6 2049 0.0 - - -',
      '/chr 0 20666 1 0 0 259 0.0 - - -',
      '/fifo 0 10644 1 0 0 0 0.0 - - -',
      '/sock 0 140755 1 0 0 0 0.0 - - -',
    ],
    size: 16384,
    digest: 'b9d021d873661cda24e5f4a979d122e8effe1025d040a202d31fb9759ccaa341',
  },
  'whiteout, version 1': {
    lines: ['/d 0 40755 2 0 0 0 0.0 - - -', '/d/wh 0 20644 1 0 0 0 0.0 - - -'],
    size: 16384,
    digest: '2f91bf1d2478326cab41509256d3699762b4c06616b4762d68da256050b47d01',
  },
  'whiteout, version 0': {
    lines: ['/d 0 40755 2 0 0 0 0.0 - - -', '/d/wh 0 20644 1 0 0 0 0.0 - - -'],
    options: { minVersion: 0, maxVersion: 0 },
    size: 16384,
    digest: 'c7fc53701b00231ec7330db3033a31bc27ebe8df1b78f73f3b021dd49e6e73bd',
  },
  'hard link': {
    lines: ['/a 3 100644 2 0 0 0 0.0 - abc -', '/b 3 @100644 2 0 0 0 0.0 /a - -'],
    size: 16384,
    digest: 'd85b9a943b5487414a2aa20877159b691f55fb32db1bf81bb615a21f38a2d89f',
  },
  'shared xattrs': {
    root: `${ROOT} ${LABEL}root_t:s0\\x00`,
    lines: [
      `/a 0 100644 1 0 0 0 0.0 - - - ${LABEL}usr_t:s0\\x00 user.one=1`,
      `/b 0 100644 1 0 0 0 0.0 - - - ${LABEL}usr_t:s0\\x00 user.two=22`,
    ],
    size: 24576,
    digest: '6e3f5cd90ac48092fae596100f7db0c887160cee4f64ae5eedfab51bcf48adc5',
  },
  acl: {
    lines: ['/a 0 100644 1 0 0 0 0.0 - - - system.posix_acl_access=\\x02\\x00\\x00\\x00'],
    size: 16384,
    digest: 'c7b23f1a0c6fda32f1bff737c5b9ffd1d0930c69fc18771c8446fb206f943d72',
  },
  mtime: {
    root: '/ 0 40755 2 0 0 0 10.5 - - -',
    lines: ['/a 0 100644 1 0 0 0 20.7 - - -'],
    size: 16384,
    digest: 'cc00070cda3b4f3d792b4fcf486cb2e007940aaa2f8b88780793b3f1fa7f884d',
  },
  'big file': {
    lines: [`/big 5000000000 100644 1 0 0 0 0.0 aa/bb - ${OBJECT}`],
    size: 16384,
    digest: '8b7ac3d38da0e81699fceffd65458954b36486d1a1eef95880f9b0e13429445c',
  },
  'huge file': {
    lines: [`/big 17592186044417 100644 1 0 0 0 0.0 aa/bb - ${OBJECT}`],
    size: 16384,
    digest: '76197171060894d0c3402e21d8cf6791c3995fa69bbd9324d402f9c060771a26',
  },
  'overlay xattrs': {
    root: `${ROOT} trusted.overlay.opaque=y`,
    lines: ['/d 0 40755 2 0 0 0 0.0 - - - trusted.overlay.opaque=y trusted.overlay.overlay.opaque=z'],
    size: 16384,
    digest: '7f38d63decab8e5389d7e5bac6a96de91961750dd37d846b40f7cecaf8775e62',
  },
  'big directory': {
    lines: [
      '/d 0 40755 2 0 0 0 0.0 - - -',
      ...Array.from(
        { length: 40 },
        (_, i) => `/d/${String(i).padStart(3, '0')}${'x'.repeat(252)} 0 100644 1 0 0 0 0.0 - - -`,
      ),
    ],
    size: 28672,
    digest: '2f102de654eed0c5d3643930ec1c00ffea155245b78f07541db93dd930820e5e',
  },
  'link target that does not fit inline': {
    lines: [`/l 4090 120777 1 0 0 0 0.0 ${'t'.repeat(4090)} - -`],
    size: 24576,
    digest: '64ed101b3169768a7e278089d32a6bf571f7bad0d104ed3b1f507261694adac3',
  },
  'most inline content': {
    lines: [`/f 5000 100644 1 0 0 0 0.0 - ${'t'.repeat(5000)} -`],
    size: 20480,
    digest: 'efe81e288fad8bf7fe40571832b00af421c1d2cd0a80f00c271b4ccf45182580',
  },
};

function imageOf(name: string): Buffer {
  const example = EXAMPLES[name] as Example;
  const dump = [example.root ?? ROOT, ...example.lines].map((line) => `${line}\n`).join('');
  return writeImage(parseDump(Buffer.from(dump, 'latin1'), name), example.options).bytes;
}

describe('reference images of mkcomposefs', () => {
  for (const [name, { size, digest }] of Object.entries(EXAMPLES)) {
    it(`${name} has the reference digest`, () => {
      const image = imageOf(name);
      assert.equal(image.length, size);
      assert.equal(verityDigest(image).toString('hex'), digest);
    });

    it(`${name} is the same after reading and writing it again`, () => {
      const image = imageOf(name);
      const read = new ErofsImage(image, name);
      const version = read.composefsVersion as 0 | 1;
      const again = writeImage(readTree(read), { minVersion: version, maxVersion: version });
      assert.ok(again.bytes.equals(image));
    });
  }

  const parts: readonly (readonly [example: string, offset: number, hex: string, what: string])[] = [
    ['empty', 0x0, '9a6278d0 01000000 00000000 00000000', 'header'],
    ['empty', 0x400, 'e2e1f5e0 00000000 06000000 0c002400', 'super block'],
    ['empty', 0x410, '01010000 00000000 00000000 00000000', '257 inodes'],
    ['empty', 0x420, '00000000 04000000 00000000 02000000', '4 blocks, xattrs in block 2'],
    ['empty', 0x480, '00000600 ed410200 00100000 00000000 03000000 00000000', 'root inode'],
    ['empty', 0x4a0, 'ffffefff 00000000 00000000 0e040100', 'filter, entry'],
    ['empty', 0x4c0, '00000000 a4210100 00000000', 'first whiteout'],
    ['empty', 0x3000, '24000000 00000000 180c0200 24000000 00000000 190c0200', '"." and ".."'],
    ['empty', 0x3018, '26000000 00000000 1b0c0300', '"00"'],
    ['empty', 0x3c18, '2e2e2e30 30303130 32', 'names'],
    ['external', 0x22c0, '08002500 a4810100 e8030000 00000000 00000000 f1000000', 'inode'],
    ['external', 0x22e0, 'fffffd7f 00000000 00000000 10042400', 'filter, metacopy'],
    ['external', 0x2324, '10044200', 'redirect'],
    ['external', 0x237c, 'ffffffff', 'chunk'],
    ['mtime', 0x418, '0a000000 00000000 05000000', 'build time'],
  ];
  for (const [example, offset, hex, what] of parts) {
    it(`${example}: ${what} at 0x${offset.toString(16)}`, () => {
      const want = hex.replaceAll(' ', '');
      assert.equal(imageOf(example).toString('hex', offset, offset + want.length / 2), want);
    });
  }
});
