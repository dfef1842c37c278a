/**
 * uEnv.txt as ostree's U-Boot back end writes it (ostree-bootloader-uboot.c): variables of the first entry without a
 * number (`kernel_image`, `ramdisk_image`, `bootargs`), of the following ones with 2, 3, …; then the deployment's own
 * `usr/lib/ostree-boot/uEnv.txt`. Of a variable that is set twice the last value holds.
 */
import type { ByteString } from '../../base/bytes.ts';
import { type MenuEntry, menuLines } from './menu.ts';

/** @throws FormatError for what is no text */
export function parseUenvMenu(bytes: Uint8Array, where: string): MenuEntry[] {
  const entries = new Map<number, MenuEntry>();
  menuLines(bytes, where).forEach((line, index) => {
    const match = /^(kernel_image|ramdisk_image|bootargs)([2-9]|[1-9][0-9]{1,3})?=(.*)$/.exec(line);
    if (match === null) return;
    const [, name, number = '1', value = ''] = match;
    const entry = entries.get(Number(number)) ?? EMPTY;
    entries.set(Number(number), withVariable(entry, name as string, value as ByteString, index + 1));
  });
  return [...entries].sort(([a], [b]) => a - b).map(([, entry]) => entry);
}

const EMPTY: MenuEntry = {
  title: '' as ByteString,
  kernel: undefined,
  initrds: [],
  options: '' as ByteString,
  optionsLine: 0,
};

function withVariable(entry: MenuEntry, name: string, value: ByteString, line: number): MenuEntry {
  if (name === 'kernel_image') return { ...entry, kernel: value };
  if (name === 'ramdisk_image') return { ...entry, initrds: [value] };
  return { ...entry, options: value, optionsLine: line };
}
