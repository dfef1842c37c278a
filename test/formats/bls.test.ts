import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteString } from '../../src/base/bytes.ts';
import { FormatError, UsageError } from '../../src/base/errors.ts';
import {
  type BlsSortable,
  blsOptions,
  blsValue,
  blsValues,
  compareBlsEntries,
  createBlsEntry,
  formatBlsEntry,
  formatBlsName,
  isBadBlsName,
  parseBlsEntry,
  parseBlsName,
  setBlsValues,
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

  it('changes only the lines of the key that is set', () => {
    const changed = setBlsValues(parse(ENTRY), bytes('options'), [bytes('root=y')]);
    assert.equal(format(changed), ENTRY.replace(/options .*/, 'options root=y'));
    assert.equal(format(setBlsValues(parse(ENTRY), bytes('title'), [bytes('Demo OS 1 (ostree:0)')])), ENTRY);
  });

  it('keeps the white space around a value that it changes', () => {
    const entry = parse('options \t a b \t\r\nlinux  /x\n');
    assert.equal(
      format(setBlsValues(entry, bytes('options'), [bytes('c')])),
      'options \t c \t\r\nlinux  /x\n',
    );
    assert.equal(format(setBlsValues(parse('k k \n'), bytes('k'), [bytes('x')])), 'k x \n');
    assert.equal(format(setBlsValues(parse('k \n'), bytes('k'), [bytes('x')])), 'k x\n');
  });

  it('adds after the last line of the key, and removes', () => {
    const overlay = bytes('/ostree/initramfs-overlays/b.img');
    const more = setBlsValues(parse(ENTRY), bytes('initrd'), [...blsValues(parse(ENTRY), 'initrd'), overlay]);
    assert.equal(format(more), ENTRY.replace('.img\n\n', `.img\ninitrd ${overlay}\n\n`));
    const none = setBlsValues(more, bytes('initrd'), []);
    assert.equal(format(none), ENTRY.replace(/initrd .*\n/g, ''));
    assert.equal(
      format(setBlsValues(none, bytes('efi'), [bytes('/x')])),
      `${ENTRY.replace(/initrd .*\n/g, '')}efi /x\n`,
    );
    assert.equal(format(setBlsValues(parse('a b'), bytes('c'), [bytes('d')])), 'a b\nc d\n');
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

describe('order of boot entries', () => {
  const entry = (name: string, text = ''): BlsSortable => ({ name: parseBlsName(name)!, entry: parse(text) });

  const ORDERS: readonly (readonly [what: string, entries: readonly BlsSortable[]])[] = [
    ['file names, newest first', [entry('os-10.conf'), entry('os-9.conf'), entry('os-1.conf')]],
    ['sort-key before none', [entry('a.conf', 'sort-key z\n'), entry('z.conf')]],
    [
      'sort-key, machine-id, then version downwards',
      [
        entry('a.conf', 'sort-key a\nmachine-id 1\nversion 2\n'),
        entry('b.conf', 'sort-key a\nmachine-id 1\nversion 1\n'),
        entry('c.conf', 'sort-key a\nmachine-id 2\nversion 9\n'),
        entry('d.conf', 'sort-key b\nversion 10\n'),
      ],
    ],
    ['bad ones last', [entry('a-1.conf'), entry('a-9+0-3.conf', 'sort-key a\n')]],
    ['more tries left first', [entry('a+3.conf'), entry('a+2-1.conf')]],
    [
      'file name where keys are equal',
      [entry('b-2.conf', 'sort-key a\n'), entry('b-1.conf', 'sort-key a\n')],
    ],
  ];
  for (const [what, expected] of ORDERS) {
    it(what, () => {
      const names = (list: readonly BlsSortable[]) => list.map(({ name }) => formatBlsName(name));
      assert.deepEqual(names([...expected].sort(compareBlsEntries)), names(expected));
      assert.deepEqual(names(expected.toReversed().sort(compareBlsEntries)), names(expected));
    });
  }

  it('knows the names that boot counting has given up on', () => {
    const isBad = (name: string) => isBadBlsName(parseBlsName(name)!);
    assert.deepEqual(['a.conf', 'a+1.conf', 'a+1-9.conf', 'a+0.conf', 'a+00-3.conf'].map(isBad), [
      false,
      false,
      false,
      true,
      true,
    ]);
  });
});
