/**
 * Whether what install did is there for all that can boot, told quickly: hooks ask this at each boot and after each
 * deployment, and nearly always it is. No image, no object and of no initramfs more than its end is read. A no may be
 * one too many: the plan that is then made says what there is to do.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ByteString } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { bootFilePath } from '../check/boot-files.ts';
import { type EntryState, readBootEntries } from '../entries.ts';
import { END_MARK_SIZE, startsEndMark } from '../initramfs/extended.ts';
import { type Installed, journalPath, readInstalled } from '../journal.ts';
import { deploymentKernel } from '../kernel.ts';
import { ostreeLink } from '../loaders/menu.ts';
import { sealPinValues } from '../pin.ts';
import { asEntryState, readStagedEntry } from '../staged.ts';

/** True also where nothing is installed: then there is nothing to be behind with. @throws FormatError for a damaged record */
export function isBootCurrent(sysroot: Sysroot, system: SystemReads): boolean {
  const installed = readInstalled(sysroot.repositoryPath, system);
  if (installed === undefined) return true;
  if (system.lstatIfExists(journalPath(sysroot.repositoryPath)) !== undefined) return false;
  const entries = readBootEntries(sysroot, system).filter(({ deployment }) => deployment !== undefined);
  const staged = readStagedEntry(sysroot, (deployment) => deploymentKernel(deployment, system), system);
  const all = staged === undefined ? entries : [asEntryState(staged, sysroot, system), ...entries];
  return (
    all.every((entry) => isCurrent(entry, installed, sysroot, system)) &&
    menusFollow(entries, sysroot, system)
  );
}

/** Menus that ostree's back ends make beside the entries. */
const MENUS = ['grub.cfg', 'syslinux.cfg', 'uEnv.txt'];

/** An entry that was mended at shutdown is ahead of the menu that was made of it before. */
function menusFollow(entries: readonly EntryState[], { path }: Sysroot, system: SystemReads): boolean {
  return MENUS.every((name) => {
    const lines =
      readIfExists(join(path, 'boot/loader', name), system)
        ?.toString('latin1')
        .split('\n') ?? [];
    return entries.every(({ options }) => {
      const link = ostreeLink(options);
      const shown = lines.filter((line) => link !== undefined && ostreeLink(line as ByteString) === link);
      return shown.every((line) =>
        isDeepStrictEqual(sealPinValues(line as ByteString), sealPinValues(options)),
      );
    });
  });
}

function isCurrent(
  { pin, initrds, deployment }: EntryState,
  { way, additions }: Installed,
  sysroot: Sysroot,
  system: SystemReads,
): boolean {
  // What was unlocked is left alone.
  if (deployment?.unlocked !== undefined) return true;
  if (pin !== 'right') return false;
  const [initramfs] = initrds;
  switch (way) {
    case 'module':
      return true;
    case 'overlay':
      return initrds.some((initrd) => additions.some((sha256) => initrd.endsWith(`/${sha256}.img`)));
    case 'append':
      return initramfs !== undefined && isExtended(bootFilePath(sysroot.path, initramfs), system);
  }
}

function isExtended(path: string, system: SystemReads): boolean {
  if (system.lstatIfExists(path)?.isFile() !== true) return false;
  const fd = system.openRead(path, { noFollow: true });
  try {
    const { size } = system.fstat(fd);
    if (size < END_MARK_SIZE) return false;
    const end = Buffer.alloc(END_MARK_SIZE);
    system.read(fd, end, size - END_MARK_SIZE);
    return startsEndMark(end);
  } finally {
    system.close(fd);
  }
}
