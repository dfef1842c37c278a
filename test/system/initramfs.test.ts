/**
 * Others agree on what an initramfs is: GNU cpio reads our archives, the host's programs decompress, ldd finds the
 * same libraries, dracut and initramfs-tools make what we describe, and the kernel unpacks what we extend.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError } from '../../src/base/errors.ts';
import { isDirectory, isRegular, isSymlink, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import { linuxSystem } from '../../src/base/system-linux.ts';
import { buildAddition } from '../../src/boot/initramfs/addition.ts';
import type { Compression } from '../../src/boot/initramfs/compression.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs, packAddition, splitAddition } from '../../src/boot/initramfs/extended.ts';
import { describeInitramfs, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { firstFiles } from '../../src/boot/initramfs/first-files.ts';
import { programFiles } from '../../src/boot/initramfs/programs.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import { TreeRoot } from '../../src/boot/initramfs/tree-root.ts';
import { type CpioFile, readCpio, writeCpio } from '../../src/formats/cpio.ts';
import { bootGuest, GUEST_ROOT } from '../support/guest.ts';
import { MACHINE_ROOT, machineKernelRelease, makeMachineTree } from '../support/machine-tree.ts';
import { describeSystem, runHost } from '../support/oracle.ts';
import { Random } from '../support/random.ts';
import { Sandbox } from '../support/sandbox.ts';
import { PROJECT } from '../support/sealtree.ts';

const FIXTURES = join(PROJECT, 'test/fixtures/initramfs');

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

describeSystem('archives and compression', ['trixie'], () => {
  it('are read by GNU cpio as they were written', () => {
    using work = new Sandbox();
    const out = work.mkdir('out');
    runHost(['cpio', '--quiet', '--extract', '--preserve-modification-time'], {
      cwd: out,
      input: writeCpio(ADDED),
    });
    for (const { name, mode, content } of ADDED) {
      const path = join(out, name);
      const stats = lstatSync(path);
      assert.equal(stats.mode, mode, name);
      assert.deepEqual([stats.uid, stats.gid], [0, 0], name);
      if (isRegular(mode)) {
        assert.equal(stats.mtimeMs, 0, name);
        assert(readFileSync(path).equals(content as Buffer), name);
      }
      if (isSymlink(mode)) assert.equal(readlinkSync(path), content?.toString());
    }
    for (const parent of ['usr', 'usr/lib', 'usr/lib/added', 'base', 'etc'])
      assert.equal(lstatSync(join(out, parent)).mode, S_IFDIR | 0o755, parent);
  });

  it("are decompressed by the host's programs", async () => {
    const plain = readCpio(readFileSync(join(FIXTURES, 'tree.cpio')), 'tree.cpio').entries;
    for (const name of readdirSync(FIXTURES)) {
      const [archive] = await readInitramfs(readFileSync(join(FIXTURES, name)), name, decompress, () => true);
      assert.deepEqual(archive?.entries.length, plain.length, name);
      // The inode numbers and checksums of the other format are its own.
      if (name !== 'tree-crc.cpio') assert.deepEqual(archive?.entries, plain, name);
    }
  });

  it('are refused by a typed error where such a program finds damage', async () => {
    for (const name of ['tree.cpio.bz2', 'tree.cpio.lzma', 'tree.cpio.xz', 'tree.cpio.lz4']) {
      const bytes = readFileSync(join(FIXTURES, name));
      bytes.fill(0x55, 2000, 2100);
      await assert.rejects(readInitramfs(bytes, name, decompress), FormatError, name);
    }
  });
});

describeSystem('what programs need', ['machine'], () => {
  it('is what ldd finds', () => {
    const root = new TreeRoot(MACHINE_ROOT, linuxSystem);
    const programs = ['usr/bin', 'usr/sbin', 'usr/lib/systemd', 'usr/lib/ostree']
      .flatMap((folder) => readdirSync(join(MACHINE_ROOT, folder)).map((name) => `${folder}/${name}`))
      .filter((path) => lstatSync(join(MACHINE_ROOT, path)).isFile());
    // One process for all: `PROGRAM` and its libraries below it.
    const { stdout } = runHost(
      [
        'chroot',
        MACHINE_ROOT,
        'sh',
        '-c',
        'for p; do echo "/$p:"; ldd "/$p" 2>&1; done; true',
        'x',
        ...programs,
      ],
      { timeoutMs: 300_000 },
    );
    const blocks = stdout.split(/^\/(.*):$/m).slice(1);
    let compared = 0;
    for (let i = 0; i < blocks.length; i += 2) {
      const [path = '', output = ''] = blocks.slice(i, i + 2);
      if (!output.includes('=>')) continue;
      const wanted = [...output.matchAll(/^\t(\S+) => (\/\S+) /gm)].map(
        ([, name, found]) => `${name} = ${root.resolve(found as ByteString)}`,
      );
      const files = programFiles(path as ByteString, root) ?? assert.fail(path);
      const got = files.libraries
        .filter((library) => library.path !== files.loader)
        .map(({ name, path: found }) => `${name} = ${found}`);
      assert.deepEqual(got.sort(), wanted.sort(), path);
      compared++;
    }
    assert(compared > 200, `only ${compared} programs`);
  });
});

describeSystem("a generator's initramfs", ['machine'], () => {
  for (const generator of ['dracut', 'initramfs-tools'] as const) {
    it(`is described, extended and had back: ${generator}`, async () => {
      using work = new Sandbox();
      const tree = work.join('tree');
      makeMachineTree(tree, { generator });
      const kernelRelease = machineKernelRelease();
      const original = readFileSync(join(tree, `usr/lib/modules/${kernelRelease}/initramfs.img`));
      const archives = await readInitramfs(original, 'initramfs', decompress, keepForFacts);
      // Every byte belongs to an archive, or is zero between two.
      const ends = [0, ...archives.map(({ end }) => end)];
      for (const [i, { offset }] of [...archives, { offset: original.length }].entries())
        assert(original.subarray(ends[i], offset).every((byte) => byte === 0));

      const facts = describeInitramfs(archives);
      const isDracut = generator === 'dracut';
      assert.equal(facts.kind, isDracut ? 'systemd' : 'initramfs-tools');
      assert.equal(facts.prepareRoot, isDracut ? 'plain' : 'none');
      assert.equal(facts.hasUtilLinuxMount, isDracut);
      assert.equal(facts.sealtree, undefined);

      const settings = { policy: 'enforce', unpinned: 'plain', onRefusal: 'emergency' } as const;
      const list = firstFiles([tree], linuxSystem);
      assert(
        list.some((path) => path.includes('libsystemd-shared')) &&
          list.every((path) => existsSync(join(tree, path))),
      );
      const addition = buildAddition(
        { deployment: tree, kernelRelease, facts, settings, firstFiles: list },
        linuxSystem,
      );
      assert.deepEqual(addition.lacks, []);
      assert.equal(addition.kernelRelease, isDracut ? undefined : kernelRelease);
      assert(addition.bytes.length < (isDracut ? 64 * 1024 : 8 << 20), `${addition.bytes.length} bytes`);

      if (!isDracut) runPrivatePrograms(work.mkdir('unpacked'), addition.bytes);

      const extended = Buffer.concat(extendInitramfs(original, addition.bytes));
      const parts = splitAddition(extended, 'extended');
      assert(extended.subarray(0, parts?.originalEnd).equals(original));
      const { sealtree } = describeInitramfs(
        await readInitramfs(extended, 'extended', decompress, keepForFacts),
      );
      assert.deepEqual([sealtree?.by, sealtree?.isHooked, sealtree?.settings], ['addition', true, settings]);
    });
  }
});

/** They run by their own loader and libraries, where there is nothing else. */
function runPrivatePrograms(folder: string, addition: Uint8Array): void {
  runHost(['cpio', '--quiet', '--extract'], { cwd: folder, input: gunzipSync(addition) });
  const own = '/usr/lib/sealtree';
  const run = (...argv: string[]) =>
    runHost(['chroot', folder, `${own}/lib/ld.so`, '--library-path', `${own}/lib`, ...argv]).stdout;
  for (const program of ['mount', 'umount'])
    assert.match(run(`${own}/bin/${program}`, '--version'), /util-linux/);
  const libraries = run('--list', `${own}/bin/ostree-prepare-root`).trimEnd().split('\n');
  assert(libraries.length > 5);
  for (const line of libraries) assert.match(line, /linux-vdso|\/usr\/lib\/sealtree\/lib\//);
}
