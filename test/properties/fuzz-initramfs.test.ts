/** Mutants of what an initramfs is made of: archives, their compression, programs, lists of modules. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ByteString } from '../../src/base/bytes.ts';
import { S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import { compressedEnd } from '../../src/boot/initramfs/compression.ts';
import { decompress } from '../../src/boot/initramfs/decompress.ts';
import { extendInitramfs, packAddition, splitAddition } from '../../src/boot/initramfs/extended.ts';
import { describeInitramfs, keepForFacts } from '../../src/boot/initramfs/facts.ts';
import { loadingOrder, parseDependencies } from '../../src/boot/initramfs/modules.ts';
import { readInitramfs } from '../../src/boot/initramfs/read.ts';
import { readCpio, writeCpio } from '../../src/formats/cpio.ts';
import { readElf } from '../../src/formats/elf.ts';
import { makeElf } from '../support/elf.ts';
import { fuzz } from '../support/fuzz.ts';

const fixture = (name: string) => ({
  name,
  bytes: readFileSync(new URL(`../fixtures/initramfs/${name}`, import.meta.url)),
});

const file = (name: string, content: Uint8Array | string) => ({
  name: name as ByteString,
  mode: S_IFREG | 0o755,
  content: Buffer.from(content as string),
});
const link = (name: string, target: string) => ({ ...file(name, target), mode: S_IFLNK | 0o777 });

const MOUNT = makeElf({
  interpreter: '/lib/ld.so',
  needed: ['libmount.so.1', 'libc.so.6'],
  runpath: '$ORIGIN/a:/b',
});

/** A small one that has all that its facts are drawn from. */
const SMALL = writeCpio([
  link('bin', 'usr/bin'),
  link('init', 'usr/lib/systemd/systemd'),
  link('usr/bin/mkdir', 'busybox'),
  file('usr/bin/mount', MOUNT),
  file('usr/lib/systemd/systemd', ''),
  file('usr/lib/ostree/ostree-prepare-root', MOUNT),
  file('etc/initrd-release', ''),
  file('usr/lib/modules/6.1/kernel/erofs.ko', ''),
  file('usr/lib/sealtree/seal-root', '#!/bin/sh\n'),
  file('usr/lib/sealtree/settings', 'version=1\npolicy=prefer\nunpinned=refuse\non-refusal=reboot\n'),
  file('usr/lib/sealtree/first-files', 'a\nb\n'),
]);

fuzz({
  name: 'a cpio archive',
  inputs: [fixture('tree.cpio'), fixture('tree-crc.cpio'), { name: 'small', bytes: SMALL }],
  open(bytes) {
    const { entries, end } = readCpio(bytes, 'archive');
    return () => {
      assert(end <= bytes.length);
      for (const { content, size } of entries) assert.equal(content?.length, size);
    };
  },
});

const extended = Buffer.concat(extendInitramfs(fixture('tree.cpio.gz').bytes, packAddition(SMALL)));

fuzz({
  name: 'an initramfs',
  inputs: [
    { name: 'small', bytes: SMALL },
    { name: 'extended', bytes: extended },
    fixture('tree.cpio.gz'),
    fixture('tree.cpio.zst'),
  ],
  open(bytes) {
    return async () => {
      const archives = await readInitramfs(bytes, 'initramfs', decompress, keepForFacts);
      for (const { offset, end } of archives) assert(offset < end && end <= bytes.length);
      describeInitramfs(archives);
    };
  },
});

fuzz({
  name: 'an extended initramfs',
  inputs: [{ name: 'extended', bytes: extended }],
  open(bytes) {
    const parts = splitAddition(bytes, 'initramfs');
    return () => {
      if (parts === undefined) return;
      assert(parts.originalEnd < parts.additionStart && parts.additionStart < parts.additionEnd);
      assert(parts.additionEnd < bytes.length);
    };
  },
});

for (const [compression, names] of [
  ['zstd', ['tree.cpio.zst', 'tree-plain.cpio.zst']],
  ['xz', ['tree.cpio.xz', 'tree-blocks.cpio.xz', 'tree-x86.cpio.xz']],
  ['lz4', ['tree.cpio.lz4']],
] as const)
  fuzz({
    name: `what is compressed by ${compression}`,
    inputs: names.map(fixture),
    open(bytes) {
      const end = compressedEnd(compression, bytes, 0, 'archive');
      return () => assert(end <= bytes.length);
    },
  });

fuzz({
  name: 'a program',
  inputs: [
    { name: 'little-endian', bytes: MOUNT },
    {
      name: 'of 32 bits',
      bytes: makeElf({ bits: 32, isLittleEndian: false, rpath: '/a', needed: ['libc.so'] }),
    },
    { name: 'static', bytes: makeElf({ isStatic: true }) },
  ],
  open(bytes) {
    const { needed, interpreter } = readElf(bytes, 'program');
    return () => {
      for (const name of [...needed, interpreter ?? '']) assert(!name.includes('\0'));
    };
  },
});

const DEPENDENCIES = `kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz kernel/lib/base.ko
kernel/lib/libcrc32c.ko.xz: kernel/lib/base.ko
kernel/lib/base.ko:
kernel/fs/overlayfs/overlay.ko.xz:
`;

fuzz({
  name: 'a list of modules',
  text: true,
  inputs: [{ name: 'modules.dep', bytes: Buffer.from(DEPENDENCIES) }],
  open(bytes) {
    const loadable = parseDependencies(bytes, 'modules.dep');
    const folder = '' as ByteString;
    return () => {
      const wanted = ['erofs', 'overlay', 'loop'];
      const { modules } = loadingOrder(wanted, { release: '6.1', folder, builtin: new Set(), loadable });
      assert.equal(new Set(modules).size, modules.length);
    };
  },
});
