/**
 * grub.cfg as far as it concerns us: its menu entries with their `linux` and `initrd` commands, as `ostree admin
 * instutil grub2-generate` and grub-mkconfig write them, and whether it calls `blscfg`, which reads the boot entries
 * themselves. It is a program: what its variables and conditions come to is not evaluated here.
 */
import type { ByteString } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import { type MenuEntry, menuLines, withoutBlanks } from './menu.ts';

export interface GrubMenu {
  readonly entries: readonly MenuEntry[];
  /** Whether the command `blscfg` is called. */
  readonly callsBlscfg: boolean;
  /** Whether it is told where the entries are: by an option, or by a variable that it goes by. */
  readonly tellsBlsPath: boolean;
}

/** @throws FormatError for a menu entry that does not end: GRUB reads none of such a file */
export function parseGrubMenu(bytes: Uint8Array, where: string): GrubMenu {
  const lines = menuLines(bytes, where);
  const entries: MenuEntry[] = [];
  let callsBlscfg = false;
  let tellsBlsPath = false;
  for (let i = 0; i < lines.length; i++) {
    const line = withoutBlanks(lines[i] ?? '');
    if (!line.startsWith('#') && line.split(/[;&|{]/).some(isBlscfg)) callsBlscfg = true;
    if (tellsPath(line)) tellsBlsPath = true;
    if (!/^menuentry\s/.test(line)) continue;
    const start = i;
    let body = parsedBody(line);
    for (i++; ; i++) {
      const next = lines[i];
      if (next === undefined)
        throw new FormatError(`${where}:${start + 1}`, 'a menu entry that does not end');
      const command = withoutBlanks(next);
      if (command === '}') break;
      body = withCommand(body, command, i + 1);
    }
    entries.push(body);
  }
  return { entries, callsBlscfg, tellsBlsPath };
}

const isBlscfg = (command: string): boolean => /^blscfg(?:\s|$)/.test(command.trim());

/** `blscfg --path` of GRUB 2.14; `blsdir` and the device in `boot` of Fedora's. */
const tellsPath = (line: ByteString): boolean =>
  !line.startsWith('#') &&
  ((/\bblscfg\s/.test(line) && /\s(?:-p|--path)\b/.test(line)) || /\bblsdir=|--set[= ]boot\b/.test(line));

const parsedBody = (line: string): MenuEntry => ({
  title: firstWord(withoutBlanks(line.slice('menuentry'.length))),
  kernel: undefined,
  initrds: [],
  options: '' as ByteString,
  optionsLine: 0,
});

/** Commands with the suffixes that BIOS (`16`) and EFI (`efi`) builds of GRUB have had. */
function withCommand(entry: MenuEntry, line: ByteString, number: number): MenuEntry {
  const match = /^(linux|initrd)(?:16|efi)?[ \t]+(.*)$/.exec(line);
  if (match === null) return entry;
  const [, command, rest = ''] = match;
  if (command === 'initrd')
    return { ...entry, initrds: rest.split(/[ \t]+/).filter((path) => path !== '') as ByteString[] };
  const [, kernel = '', options = ''] = /^([^ \t]*)[ \t]*(.*)$/.exec(rest) ?? [];
  return {
    ...entry,
    kernel: kernel as ByteString,
    options: options as ByteString,
    optionsLine: number,
  };
}

/** The first word as GRUB's shell reads it: single quotes, double quotes, backslashes. */
function firstWord(text: string): ByteString {
  let word = '';
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (quote !== "'" && c === '\\') word += text[++i] ?? '';
    else if (quote !== '' ? c === quote : c === "'" || c === '"') quote = quote === '' ? c : '';
    else if (quote === '' && /\s/.test(c)) break;
    else word += c;
  }
  return word as ByteString;
}
