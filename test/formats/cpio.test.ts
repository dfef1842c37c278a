import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, UsageError } from '../../src/base/errors.ts';
import { isDirectory, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/base/mode.ts';
import { type CpioFile, CpioReader, cpioPath, readCpio, writeCpio } from '../../src/formats/cpio.ts';
import fc from '../support/fast-check.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/initramfs/${name}`, import.meta.url));
const bytes = (text: string) => text as ByteString;
const file = (name: string, content: string, mode = S_IFREG | 0o644): CpioFile => ({
  name: bytes(name),
  mode,
  content: Buffer.from(content, 'latin1'),
});

/** Mode, owner, names of the inode, size, name, content or device, as in make-initramfs.sh. */
const TREE = [
  '40755 0:0 6 0 .',
  '120777 0:0 1 7 bin usr/bin',
  '40755 0:0 3 0 conf',
  '40755 0:0 2 0 conf/conf.d',
  '40755 0:0 2 0 dev',
  '20600 0:0 1 0 dev/console 5:1',
  '10644 0:0 1 0 dev/pipe',
  '40755 0:0 2 0 etc',
  '100644 0:0 1 18 etc/a b name with a space\n',
  '100644 0:0 1 7 etc/caf\xe9 latin1\n',
  '100644 0:0 1 0 etc/empty',
  '100600 0:0 1 4 etc/four four',
  '120777 0:0 1 12 etc/mtab /proc/mounts',
  '100644 1000:1001 1 4 etc/one one\n',
  '40755 0:0 4 0 usr',
  '40755 0:0 2 0 usr/bin',
  '120777 0:0 1 7 usr/bin/alias program',
  '104755 0:0 3 0 usr/bin/program',
  '104755 0:0 3 0 usr/bin/other-name',
  '104755 0:0 3 12 usr/bin/third-name the program\n',
  '40755 0:0 3 0 usr/lib',
  '40755 0:0 3 0 usr/lib/modules',
  '40755 0:0 3 0 usr/lib/modules/6.1',
  '40755 0:0 2 0 usr/lib/modules/6.1/kernel',
];

const listed = (archive: Buffer): string[] =>
  readCpio(archive, 'archive').entries.map((one) => {
    const content = one.content === undefined || one.size === 0 ? '' : ` ${one.content.toString('latin1')}`;
    const device = one.device === '0:0' ? '' : ` ${one.device}`;
    const owner = `${one.uid}:${one.gid}`;
    return `${one.mode.toString(8)} ${owner} ${one.linkCount} ${one.size} ${one.name}${content}${device}`;
  });

describe('cpio archives', () => {
  for (const name of ['tree.cpio', 'tree-crc.cpio']) {
    it(`reads what GNU cpio wrote: ${name}`, () => {
      const lines = listed(fixture(name));
      assert.deepEqual(lines.slice(0, -1), TREE);
      assert.match(lines.at(-1) ?? '', /^100644 0:0 1 20400 usr\/lib\/modules\/6.1\/kernel\/noise.ko /);
    });
  }

  it('knows the names of one inode, and the time', () => {
    const { entries } = readCpio(fixture('tree.cpio'), 'archive');
    const [first, ...others] = entries.filter(({ mode }) => (mode & 0o7777) === 0o4755);
    assert.equal(others.length, 2);
    assert(others.every(({ inode }) => inode === first?.inode));
    assert.equal(new Set(entries.map(({ inode }) => inode)).size, entries.length - 2);
    assert.equal(first?.mtime, 1700000000);
  });

  it('ends behind the trailer', () => {
    const archive = fixture('tree.cpio');
    const { end } = readCpio(archive, 'archive');
    assert(archive.subarray(end).every((byte) => byte === 0));
    assert(archive.subarray(0, end).toString('latin1').trimEnd().endsWith('TRAILER!!!\0\0\0\0'));
    const shifted = Buffer.concat([Buffer.alloc(8), archive]);
    assert.equal(readCpio(shifted, 'archive', 8).end, end + 8);
  });

  it('reads the same from pieces of any size', () => {
    const archive = Buffer.concat([fixture('tree.cpio'), fixture('tree-crc.cpio')]);
    const read = (size: number) => {
      const reader = new CpioReader('archive', { keep: () => true });
      for (let at = 0; at < archive.length; at += size) reader.push(archive.subarray(at, at + size));
      reader.finish();
      return reader.entries;
    };
    const whole = read(archive.length);
    assert.equal(whole.length, 2 * (TREE.length + 1));
    for (const size of [1, 2, 3, 7, 110, 511, 4096]) assert.deepEqual(read(size), whole, `pieces of ${size}`);
  });

  it('keeps no content that was not asked for, but links', () => {
    const reader = new CpioReader('archive', { keep: ({ name }) => name === 'etc/one' });
    reader.push(fixture('tree.cpio'));
    reader.finish();
    const kept = reader.entries.filter(({ content }) => content !== undefined).map(({ name }) => name);
    assert.deepEqual(kept, ['bin', 'etc/mtab', 'etc/one', 'usr/bin/alias']);
  });

  it('refuses an archive that is cut off, wherever', () => {
    const archive = writeCpio([file('etc/one', 'one\n'), file('usr/two', 'two\n')]);
    for (let length = 0; length < archive.length; length++) {
      assert.throws(() => readCpio(archive.subarray(0, length), 'archive'), FormatError, `cut to ${length}`);
      const reader = new CpioReader('archive');
      assert.throws(() => {
        reader.push(archive.subarray(0, length));
        reader.finish();
      }, FormatError);
    }
  });

  const valid = writeCpio([file('one', 'x')]).toString('latin1');
  const BROKEN: readonly (readonly [what: string, archive: string, message: RegExp])[] = [
    ['the old portable format', `070707${valid.slice(6)}`, /no header of a newc archive/],
    ['a field that is no number', `${valid.slice(0, 14)}0000010g${valid.slice(22)}`, /a field is no number/],
    ['a signed field', `${valid.slice(0, 14)}-0000001${valid.slice(22)}`, /a field is no number/],
    ['no name', `${valid.slice(0, 94)}00000000${valid.slice(102)}`, /size of a name/],
    ['a name longer than a path', `${valid.slice(0, 94)}00001001${valid.slice(102)}`, /size of a name/],
    ['a name that ends too early', valid.replace('one\0', 'on\0\0'), /a name does not end/],
    ['a name that does not end', valid.replace('one\0', 'ones'), /a name does not end/],
    ['what is no archive behind it', valid + 'x'.repeat(110), /no header of a newc archive/],
    ['an archive at an odd offset', `\0\0${valid}`, /no multiple of 4/],
    ['nothing but zeros', '\0'.repeat(512), /cut off/],
  ];
  for (const [what, archive, message] of BROKEN) {
    it(`refuses ${what}`, () => {
      const reader = new CpioReader('archive');
      assert.throws(
        () => {
          reader.push(Buffer.from(archive, 'latin1'));
          reader.finish();
        },
        (error: unknown) => error instanceof FormatError && message.test(error.message),
      );
    });
  }

  it('writes a folder for each parent, sorted', () => {
    const archive = writeCpio([file('usr/lib/x/y', 'y'), file('etc/a', 'a'), file('usr/lib-x', '')]);
    assert.deepEqual(
      readCpio(archive, 'archive').entries.map(({ name, mode }) => `${mode.toString(8)} ${name}`),
      [
        '40755 etc',
        '100644 etc/a',
        '40755 usr',
        '40755 usr/lib',
        '100644 usr/lib-x',
        '40755 usr/lib/x',
        '100644 usr/lib/x/y',
      ],
    );
    assert.equal(archive.length % 4, 0);
  });

  it('keeps the mode of a folder that is among the entries', () => {
    const archive = writeCpio([file('a/b', 'b'), { name: bytes('a'), mode: S_IFDIR | 0o700 }]);
    assert.equal(readCpio(archive, 'archive').entries[0]?.mode, S_IFDIR | 0o700);
  });

  const UNWRITABLE: readonly (readonly [string, readonly CpioFile[]])[] = [
    ['an absolute name', [file('/etc/a', '')]],
    ['a name with ..', [file('a/../b', '')]],
    ['a name with .', [file('./a', '')]],
    ['an empty name', [file('', '')]],
    ['a name with NUL', [file('a\0b', '')]],
    ['the trailer', [file('TRAILER!!!', '')]],
    ['a name of 4096 bytes', [file('a'.repeat(4096), '')]],
    ['a name twice', [file('a', ''), file('a', '')]],
    ['a file as a folder', [file('a', ''), file('a/b', '')]],
    ['a link as a folder', [file('a', 'b', S_IFLNK | 0o777), file('a/b', '')]],
  ];
  for (const [what, files] of UNWRITABLE) {
    it(`does not write ${what}`, () => assert.throws(() => writeCpio(files), UsageError));
  }

  it('writes what it reads again, in any order the same bytes', () => {
    const name = fc.stringMatching(/^[a-c\xe9 ]{1,3}(\/[d-f]{1,2}){0,3}$/);
    const one = fc.record({
      name,
      mode: fc.integer({ min: 0, max: 0o7777 }),
      content: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(one, { selector: (x) => x.name, maxLength: 12 }), (found) => {
        const names = found.map((x) => x.name);
        const files: CpioFile[] = found
          .filter((x) => !names.some((other) => other.startsWith(`${x.name}/`)))
          .map((x) => ({ name: bytes(x.name), mode: S_IFREG | x.mode, content: x.content }));
        const archive = writeCpio(files);
        const again = readCpio(archive, 'archive').entries.filter(({ mode }) => !isDirectory(mode));
        const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
        assert.deepEqual(
          again.map((x) => [x.name, x.mode, [...(x.content ?? [])]]),
          sorted.map((x) => [x.name, x.mode, [...(x.content ?? [])]]),
        );
        assert(writeCpio([...files].reverse()).equals(archive));
      }),
    );
  });

  for (const [name, path] of [
    ['.', ''],
    ['./usr/bin', 'usr/bin'],
    ['/usr//bin/', 'usr/bin'],
    ['usr/.hidden', 'usr/.hidden'],
  ] as const) {
    it(`takes ${name} as the path ${JSON.stringify(path)}`, () => assert.equal(cpioPath(bytes(name)), path));
  }
});
