/**
 * Overlay initrds: files that ostree loads behind the initramfs, in boot/ostree/initramfs-overlays, each named by the
 * SHA-256 of its content. ostree removes those that no boot entry names (ostree-sysroot-cleanup.c).
 */
import { basename, join } from 'node:path';
import { type ByteString, bytesToString, bytesToText } from '../base/bytes.ts';
import { isHex64, nativeEngine } from '../base/digest.ts';
import { isMissing } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';
import { stagedInitrdsFolder } from '../deployment/staged.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { ADDITION_NAME } from './initramfs/extended.ts';

/** Below /boot. */
const FOLDER = 'ostree/initramfs-overlays';

/** An addition of ours among the overlay initrds. */
export interface OverlayFile {
  readonly path: string;
  /** By its name. */
  readonly sha256: string;
  /** Whether its content has that sum. */
  readonly isWhole: boolean;
}

export const overlaysFolder = (sysrootPath: string): string => join(sysrootPath, 'boot', FOLDER);

export const overlayPath = (sysrootPath: string, sha256: string): string =>
  join(overlaysFolder(sysrootPath), `${sha256}.img`);

/** What an `initrd` line of a boot entry has for it. `prefix`: with sysroot.bootprefix `/boot`, else nothing. */
export const overlayLine = (prefix: string, sha256: string): string => `${prefix}/${FOLDER}/${sha256}.img`;

/** Those that are additions of ours. */
export function readOverlays(sysrootPath: string, system: SystemReads): OverlayFile[] {
  return readFolder(overlaysFolder(sysrootPath), sumIn, system);
}

/** Those of ours that wait for the staged deployment to be finalized: there a file has the bare sum for a name. */
export function readStagedOverlays({ runDirectory }: Sysroot, system: SystemReads): OverlayFile[] {
  if (runDirectory === undefined) return [];
  return readFolder(stagedInitrdsFolder(runDirectory), (name) => (isHex64(name) ? name : undefined), system);
}

function readFolder(
  folder: string,
  sumOf: (name: string) => string | undefined,
  system: SystemReads,
): OverlayFile[] {
  return namesIn(folder, system).flatMap((name): OverlayFile[] => {
    const sum = sumOf(name);
    const path = join(folder, name);
    if (sum === undefined || !system.lstat(path).isFile()) return [];
    const bytes = system.readFile(path);
    if (!isAddition(bytes)) return [];
    return [{ path, sha256: sum, isWhole: nativeEngine.sha256(bytes).toString('hex') === sum }];
  });
}

/** Where the file name stands in a gzip header without other optional fields (RFC 1952). */
const GZIP_NAME_OFFSET = 10;

const isAddition = (bytes: Buffer): boolean =>
  bytesToString(bytes, GZIP_NAME_OFFSET, GZIP_NAME_OFFSET + ADDITION_NAME.length) === ADDITION_NAME;

/** The sum in the name `SHA256.img`; undefined for other names. */
export function sumIn(name: string): string | undefined {
  const sum = basename(name, '.img');
  return name.endsWith('.img') && isHex64(sum) ? sum : undefined;
}

/** Names in a folder, sorted; none when it does not exist. */
export function namesIn(folder: string, system: SystemReads): string[] {
  let names: ByteString[];
  try {
    names = system.readdir(folder);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return [];
  }
  return names.map(bytesToText).sort();
}
