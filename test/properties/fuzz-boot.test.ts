/** Mutants of what boot loaders read: menus, and command lines with seal pins. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum, Digest } from '../../src/base/digest.ts';
import { parseGrubMenu } from '../../src/boot/loaders/grub-menu.ts';
import { type MenuEntry, ostreeLink } from '../../src/boot/loaders/menu.ts';
import { parseSyslinuxMenu } from '../../src/boot/loaders/syslinux-menu.ts';
import { menuWithOptions } from '../../src/boot/loaders/text-menus.ts';
import { parseUenvMenu } from '../../src/boot/loaders/uenv-menu.ts';
import { entryWithSealPin, parseSealPin, sealPinOf, sealPinValues, withSealPin } from '../../src/boot/pin.ts';
import { formatBlsEntry, parseBlsEntry } from '../../src/formats/bls.ts';
import { fuzz } from '../support/fuzz.ts';
import { OSTREE_VERSIONS } from '../support/text-sysroot.ts';

/** The text of a menu that ostree wrote: see test/fixtures/make-menus.sh. */
function menuOf(loader: string, version: string, file: string): Buffer {
  const fixture = readFileSync(
    new URL(`../fixtures/menus/${loader}-ostree-${version}.txt`, import.meta.url),
    'latin1',
  );
  const section = fixture.split(/^== /m).find((one) => one.startsWith(`file boot/loader.0/${file}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return Buffer.from(lines.map((line) => `${line.slice(1)}\n`).join(''), 'latin1');
}

const inputsOf = (loader: string, file: string) =>
  OSTREE_VERSIONS.map((version) => ({ name: version, bytes: menuOf(loader, version, file) }));

const PIN = sealPinOf('a'.repeat(64) as Checksum, 'b'.repeat(64) as Digest);

const pinned = ({ options }: MenuEntry): ByteString =>
  ostreeLink(options) === undefined ? options : withSealPin(options, PIN);

fuzz({
  name: "GRUB's menu",
  text: true,
  inputs: inputsOf('grub', 'grub.cfg'),
  open(bytes) {
    const { entries } = parseGrubMenu(bytes, 'grub.cfg');
    return () => {
      for (const { options } of entries) assert(!options.includes('\n'));
    };
  },
});

for (const [name, format, loader, file, parse] of [
  ["syslinux' menu", 'syslinux', 'syslinux', 'syslinux.cfg', parseSyslinuxMenu],
  ["U-Boot's menu", 'uenv', 'u-boot', 'uEnv.txt', parseUenvMenu],
] as const)
  fuzz({
    name,
    text: true,
    inputs: inputsOf(loader, file),
    open(bytes) {
      const entries = parse(bytes, file);
      const menu = { path: file, format, bytes, entries };
      return () => {
        assert(
          menuWithOptions(menu, ({ options }) => options).equals(bytes),
          'the same options change nothing',
        );
        const edited = parse(menuWithOptions(menu, pinned), file);
        assert.deepEqual(
          edited.map(({ options }) => options),
          entries.map(pinned),
        );
      };
    },
  });

fuzz({
  name: 'seal pin in a boot entry',
  text: true,
  inputs: [
    {
      name: 'entry',
      bytes: Buffer.from(
        `title a\noptions root=x sealtree.pin=${'0'.repeat(12)}:${'f'.repeat(64)} dyndbg="a b" ostree=/o rw\nlinux /k\n`,
      ),
    },
  ],
  open(bytes) {
    const entry = parseBlsEntry(bytes, 'entry');
    const after = entryWithSealPin(entry, PIN, 'entry');
    return () => {
      const written = parseBlsEntry(formatBlsEntry(after), 'written');
      assert.deepEqual(written, after);
      assert.deepEqual(entryWithSealPin(after, PIN, 'entry'), after);
      const [value] = sealPinValues(after.lines.find(({ key }) => key === 'options')?.value as ByteString);
      assert.deepEqual(parseSealPin(value as ByteString, 'entry'), PIN);
    };
  },
});
