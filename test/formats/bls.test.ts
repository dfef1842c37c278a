import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, UsageError } from '../../src/base/errors.ts';
import {
  blsOptions,
  blsValue,
  blsValues,
  createBlsEntry,
  formatBlsEntry,
  formatBlsName,
  parseBlsEntry,
  parseBlsName,
} from '../../src/formats/bls.ts';
import fc from '../support/fast-check.ts';

const bytes = (text: string) => text as ByteString;
const parse = (text: string) => parseBlsEntry(Buffer.from(text, 'latin1'), 'entry');
const format = (entry: ReturnType<typeof parse>) => formatBlsEntry(entry).toString('latin1');

const ENTRY = `# written by hand
title Demo OS 1 (ostree:0)
version 2
options root=LABEL=x quiet ostree=/ostree/boot.1/demo/abc/0
linux /ostree/demo-abc/vmlinuz-6.1
initrd /ostree/demo-abc/initramfs-6.1.img
initrd /ostree/initramfs-overlays/${'a'.repeat(64)}.img

x-unknown\tsome  value
fdtdir /dtbs
`;

describe('boot entries', () => {
  it('gives values by key, repeated ones in order', () => {
    const entry = parse(ENTRY);
    assert.equal(blsValue(entry, 'title'), 'Demo OS 1 (ostree:0)');
    assert.deepEqual(blsValues(entry, 'initrd'), [
      '/ostree/demo-abc/initramfs-6.1.img',
      `/ostree/initramfs-overlays/${'a'.repeat(64)}.img`,
    ]);
    assert.equal(blsValue(entry, 'x-unknown'), 'some  value');
    assert.equal(blsValue(entry, 'efi'), undefined);
    assert.deepEqual(blsValues(entry, '#'), []);
  });

  it('joins several options lines', () => {
    assert.equal(blsOptions(parse('options a b\nlinux /x\noptions c\n')), 'a b c');
    assert.equal(blsOptions(parse('linux /x\n')), '');
  });

  const ODD = [
    '',
    '\n',
    'title',
    'title ',
    'a b',
    ' indented x\n',
    '# only\n#comments',
    'a\tb\r\nc d\r\n',
    'k \xff\xfe\n',
    '\n\n\n',
  ];
  for (const text of [ENTRY, ...ODD]) {
    it(`writes ${JSON.stringify(text.slice(0, 24))} back as it was`, () =>
      assert.equal(format(parse(text)), text));
  }

  it('writes any bytes back as they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab \t\r\n#\xff='), maxLength: 40 }), (text) => {
        assert.equal(format(parse(text)), text);
      }),
    );
  });

  it('skips lines that are no pairs', () => {
    const entry = parse('title\n title x\n#title y\n-title z\n1title z\n');
    assert.deepEqual(blsValues(entry, 'title'), []);
  });

  it('refuses NUL bytes and files that cannot be entries', () => {
    assert.throws(() => parse('title a\0b\n'), FormatError);
    assert.throws(() => parseBlsEntry(Buffer.alloc((1 << 20) + 1, 'a'), 'entry'), FormatError);
  });

  it('stays quick on a line made of blanks', () => {
    const started = performance.now();
    parse(`title ${' '.repeat(1_000_000)}x`);
    assert.ok(performance.now() - started < 1000);
  });

  it('makes an entry of pairs and refuses what would break it', () => {
    assert.equal(format(createBlsEntry([[bytes('title'), bytes('x y')]])), 'title x y\n');
    for (const [key, value] of [
      ['', 'x'],
      ['a b', 'x'],
      ['#a', 'x'],
      ['a', 'x\ny'],
      ['a', '\0'],
    ])
      assert.throws(() => createBlsEntry([[bytes(key!), bytes(value!)]]), UsageError);
  });
});

describe('names of boot entries', () => {
  const NAMES: readonly (readonly [string, string, string | undefined])[] = [
    ['ostree-1.conf', 'ostree-1', undefined],
    ['ostree-1-fedora.conf', 'ostree-1-fedora', undefined],
    ['ostree-2+3.conf', 'ostree-2', '3,0'],
    ['ostree-2+3-1.conf', 'ostree-2', '3,1'],
    ['ostree-2+03-001.conf', 'ostree-2', '3,1'],
    ['a+b+0-7.conf', 'a+b', '0,7'],
    ['a+.conf', 'a+', undefined],
    ['a+x.conf', 'a+x', undefined],
    ['+3.conf', '+3', undefined],
  ];
  for (const [name, stem, counters] of NAMES) {
    it(`reads ${name} and writes it back`, () => {
      const parsed = parseBlsName(name);
      assert.equal(parsed?.stem, stem);
      const found = parsed?.counters;
      assert.equal(found && `${found.left},${found.done}`, counters);
      assert.equal(parsed && formatBlsName(parsed), name);
    });
  }

  it('refuses other names', () => {
    for (const name of ['', '.conf', 'a.txt', 'a b.conf', 'a/b.conf', 'é.conf', `${'a'.repeat(251)}.conf`])
      assert.equal(parseBlsName(name), undefined, name);
  });
});
