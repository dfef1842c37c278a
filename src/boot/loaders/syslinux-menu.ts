/**
 * syslinux.cfg and extlinux.conf (syslinux' own format, read by U-Boot as well): labels with kernel, initrd and
 * command line. Keywords are in any case. Out of scope: `INCLUDE`, and what the menu looks like.
 */
import type { ByteString } from '../../base/bytes.ts';
import { type MenuEntry, menuLines, withoutBlanks } from './menu.ts';

/** @throws FormatError for what is no text */
export function parseSyslinuxMenu(bytes: Uint8Array, where: string): MenuEntry[] {
  const entries: MenuEntry[] = [];
  menuLines(bytes, where).forEach((line, index) => {
    const text = withoutBlanks(line);
    const keyword = /^[A-Za-z]+(?=[ \t])/.exec(text)?.[0].toUpperCase();
    if (keyword === undefined) return;
    const value = withoutBlanks(text.slice(keyword.length));
    const label = entries.length - 1;
    const entry = entries[label];
    if (keyword === 'LABEL') entries.push(emptyEntry(value));
    else if (entry !== undefined) entries[label] = withKeyword(entry, keyword, value, index + 1);
  });
  return entries;
}

const emptyEntry = (title: ByteString): MenuEntry => ({
  title,
  kernel: undefined,
  initrds: [],
  options: '' as ByteString,
  optionsLine: 0,
});

function withKeyword(entry: MenuEntry, keyword: string, value: ByteString, number: number): MenuEntry {
  switch (keyword) {
    case 'KERNEL':
    case 'LINUX':
      return { ...entry, kernel: value };
    case 'INITRD':
      return { ...entry, initrds: value.split(',') as ByteString[] };
    case 'APPEND':
      return { ...entry, options: value, optionsLine: number };
    default:
      return entry;
  }
}
