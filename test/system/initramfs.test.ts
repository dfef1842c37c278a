/** The kernel unpacks what we write: an initramfs of each compression, extended by an addition. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { isDirectory, isRegular, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import type { Compression } from '../../src/boot/initramfs/compression.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs, packAddition, splitAddition } from '../../src/boot/initramfs/extended.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import { type CpioFile, writeCpio } from '../../src/formats/cpio.ts';
import { bootGuest, GUEST_ROOT } from '../support/guest.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';

/** Lists what was unpacked, and ends. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox stty -F /dev/ttyS1 raw
cd /
/bin/busybox find base usr etc lib conf -exec /bin/busybox stat -c '%f %s %n' {} ';' >/dev/ttyS1
/bin/busybox find base usr etc conf -type f -exec /bin/busybox sha256sum {} ';' >/dev/ttyS1
echo "lib -> $(/bin/busybox readlink lib)" >/dev/ttyS1
echo end >/dev/ttyS1
/bin/busybox poweroff -f
`;

const file = (name: string, content: string | Uint8Array, mode = 0o644): CpioFile => ({
  name: name as ByteString,
  mode: S_IFREG | mode,
  content: Buffer.from(content as string),
});
const folder = (name: string, mode = 0o755): CpioFile => ({ name: name as ByteString, mode: S_IFDIR | mode });
const link = (name: string, target: string): CpioFile => ({
  name: name as ByteString,
  mode: S_IFLNK | 0o777,
  content: Buffer.from(target),
});

const random = new Random(3);

/** What the addition brings; one file takes the place of one of the base's. */
const ADDED: readonly CpioFile[] = [
  file('usr/lib/added/program', random.bytes(70_001), 0o755),
  file('usr/lib/added/private', 'one\n', 0o600),
  file('usr/lib/added/empty', ''),
  file('base/replaced', 'by the addition\n'),
  link('usr/lib/added/link', '/usr/lib/added/program'),
  folder('etc/added', 0o700),
];

/** The base: enough to run busybox; `noise` gives its size the last bits. */
function baseArchive(noise: number): Buffer {
  return writeCpio([
    file('init', INIT, 0o755),
    file('bin/busybox', readFileSync(join(GUEST_ROOT, 'usr/bin/busybox')), 0o755),
    folder('dev'),
    folder('usr/lib'),
    folder('etc'),
    folder('conf'),
    link('lib', 'usr/lib'),
    file('base/replaced', 'of the base\n'),
    file('base/kept', 'kept\n', 0o640),
    file('noise', random.bytes(noise)),
  ]);
}

const compress: Readonly<Record<Exclude<Compression, 'lzop'>, readonly string[]>> = {
  gzip: ['gzip', '-1c'],
  zstd: ['zstd', '-1cq'],
  // The kernel knows no other check than CRC32.
  xz: ['xz', '-1c', '--check=crc32'],
  lz4: ['lz4', '-lcq', '-'],
  bzip2: ['bzip2', '-1c'],
  lzma: ['xz', '-1c', '--format=lzma'],
};

/** An original of a size that is no multiple of 4, where the compression makes one. */
function compressed(by: keyof typeof compress): Buffer {
  for (let noise = 0; noise < 16; noise++) {
    const { bytes } = runHost(compress[by], { input: baseArchive(noise) });
    if (bytes.length % 4 !== 0 || by === 'xz') return bytes;
  }
  return assert.fail(`${by} makes no size that is odd`);
}

const early = (): Buffer => writeCpio([file('base/early', 'early\n')]);

const ORIGINALS: Readonly<Record<string, () => Buffer>> = {
  'a plain archive': () => baseArchive(0),
  'an early plain archive and a gzip': () => Buffer.concat([early(), Buffer.alloc(508), compressed('gzip')]),
  'two gzips, of which the second follows at once': () =>
    Buffer.concat([runHost(compress.gzip, { input: early() }).bytes, compressed('gzip')]),
  'a gzip with zeros behind it': () => Buffer.concat([compressed('gzip'), Buffer.alloc(1021)]),
  ...Object.fromEntries(
    (Object.keys(compress) as (keyof typeof compress)[]).map((by) => [by, () => compressed(by)]),
  ),
};

describeSystem('an extended initramfs', ['guest'], () => {
  for (const [name, make] of Object.entries(ORIGINALS)) {
    it(`is unpacked by the kernel: ${name}`, async () => {
      using work = new Sandbox();
      const original = make();
      const bytes = Buffer.concat(extendInitramfs(original, packAddition(writeCpio(ADDED))));
      const initramfs = work.join('initramfs');
      writeFileSync(initramfs, bytes);

      const { console, report, failure } = await bootGuest(work.path, {
        initramfs,
        disks: [],
        append: 'rdinit=/init',
        timeoutMs: 120_000,
      });
      const lines = report.toString('latin1').replaceAll('\r', '').trimEnd().split('\n');
      assert.equal(lines.at(-1), 'end', `${failure ?? ''}\n${console.slice(-3000)}`);
      assert.doesNotMatch(console, /Initramfs unpacking failed|junk|broken padding/);

      const listed = new Set(lines);
      for (const { name, mode, content = Buffer.alloc(0) } of ADDED) {
        // A folder's size is the file system's own business.
        const isFolder = isDirectory(mode);
        const line = isFolder
          ? lines.find((one) => one.startsWith(`${mode.toString(16)} `) && one.endsWith(` ${name}`))
          : `${mode.toString(16)} ${content.length} ${name}`;
        assert(line !== undefined && listed.has(line), `${name} in\n${lines.join('\n')}`);
        if (isRegular(mode))
          assert(listed.has(`${createHash('sha256').update(content).digest('hex')}  ${name}`), name);
      }
      assert(listed.has('81a0 5 base/kept'), 'what only the base has stays');
      assert(listed.has('lib -> usr/lib'), 'its links stay');

      const parts = splitAddition(bytes, 'extended');
      assert.equal(parts?.originalEnd, original.length);
      const archives = await readInitramfs(bytes, 'extended', decompress);
      const names = archives.flatMap(({ entries }) => entries.map((entry) => `${entry.name}`));
      assert(names.includes('base/kept') && names.includes('usr/lib/added/program'));
      assert.equal(archives.at(-2)?.gzipName, 'sealtree-addition');
    });
  }
});
