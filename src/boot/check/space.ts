/**
 * Is there room for the next update? ostree puts a new kernel and initramfs beside the old ones before it takes those
 * away, and stops writing objects where too little would stay free.
 */
import { ConfigError, SealtreeError } from '../../base/errors.ts';
import { shellWord } from '../../base/shell.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { Keyfile } from '../../formats/keyfile.ts';
import type { Finding } from '../../image/findings.ts';
import type { StorageState } from '../storage.ts';

/** Bytes that one entry's files take on the file system of /boot. */
export interface BootFilesSize {
  readonly kernelBytes: number;
  readonly initrdBytes: number;
}

/** What the next update needs of /boot, judged by the largest that is there. */
export function checkSpace(
  storage: StorageState,
  sizes: readonly BootFilesSize[],
  sysroot: Sysroot,
  system: SystemReads,
): Finding[] {
  const findings: Finding[] = [];
  const cleanup = `ostree admin cleanup --sysroot=${shellWord(sysroot.path)}`;
  // On one file system the kernel and the initramfs as committed are links; ours is a file of its own.
  const needed = Math.max(
    0,
    ...sizes.map(({ kernelBytes, initrdBytes }) => (storage.bootIsSeparate ? kernelBytes : 0) + initrdBytes),
  );
  const { boot } = storage;
  if (needed > boot.availableBytes)
    findings.push({
      severity: 'warning',
      code: 'boot-space',
      where: boot.mountPoint || boot.path,
      message: `${boot.availableBytes} bytes are free, and the kernel and initramfs of an update need about ${needed}`,
      remedy: [cleanup],
    });
  const reserve = reservedBytes(sysroot.repositoryPath, system);
  if (typeof reserve !== 'number') return [...findings, reserve];
  if (storage.sysroot.availableBytes < reserve)
    findings.push({
      severity: 'warning',
      code: 'sysroot-space',
      where: storage.sysroot.mountPoint || storage.sysroot.path,
      message: `${storage.sysroot.availableBytes} bytes are free, and ostree writes no object that would leave less than ${reserve}`,
      remedy: [cleanup],
    });
  return findings;
}

/** What `core.min-free-space-size` or `-percent` (3 by default) keeps free, as ostree.repo-config(5) says. */
function reservedBytes(repositoryPath: string, system: SystemReads): number | Finding {
  const path = `${repositoryPath}/config`;
  try {
    const bytes = readIfExists(path, system);
    const config = Keyfile.parse(bytes ?? '', path);
    const { totalBytes } = system.statfs(repositoryPath);
    const size = config.getRaw('core', 'min-free-space-size');
    if (size !== undefined) return parseSize(size, path);
    return Math.floor((totalBytes * (config.getInteger('core', 'min-free-space-percent') ?? 3)) / 100);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return { severity: 'unchecked', code: 'sysroot-space', where: path, message: error.message };
  }
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['MB', 2 ** 20],
  ['GB', 2 ** 30],
  ['TB', 2 ** 40],
]);

function parseSize(text: string, where: string): number {
  const match = /^([0-9]{1,12})(MB|GB|TB)$/.exec(text.trim());
  if (match === null)
    throw new ConfigError(
      `${where}: core.min-free-space-size: got ${JSON.stringify(text)}, want a number with MB, GB or TB`,
    );
  return Number(match[1]) * (UNITS.get(match[2] as string) as number);
}
