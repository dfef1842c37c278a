/**
 * The settings of ostree-prepare-root(1), which mounts composefs images by itself where it was built with composefs and
 * is told to. Then that is what mounts the root, and sealtree only has it mount the image that is pinned: a second mount
 * of the same kind over it would only be in the way.
 */
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import type { SystemReads } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import { parseKarg, splitKargs } from '../formats/kargs.ts';
import { Keyfile } from '../formats/keyfile.ts';

/** The file, below /etc or /usr/lib: in the initramfs at boot, in the tree when ostree deploys it. */
export const PREPARE_ROOT_CONF = 'ostree/prepare-root.conf';

const KARG = 'ostree.prepare-root.composefs';

/** The words that say no, of a tri-state of ostree's. */
const NO = ['no', 'false', '0'];

/**
 * Half a sentence that says where, such as `PATH has composefs.enabled = yes`; undefined where ostree is not told to.
 * The file in /etc takes the place of the one in /usr as a whole, and the kernel argument that of both.
 * @throws FormatError for a file that is no keyfile
 */
export function composefsOfOstree(
  deployment: Deployment,
  options: ByteString,
  system: SystemReads,
): string | undefined {
  const karg = splitKargs(options)
    .map(parseKarg)
    .findLast(({ key }) => key === KARG);
  if (karg !== undefined)
    return NO.includes(karg.value ?? '') ? undefined : `the boot entry has ${KARG}=${karg.value ?? ''}`;
  for (const folder of ['etc', 'usr/lib']) {
    const path = join(deployment.path, folder, PREPARE_ROOT_CONF);
    const bytes = readIfExists(path, system);
    if (bytes === undefined) continue;
    const value = Keyfile.parse(bytes, path).getRaw('composefs', 'enabled')?.trim();
    if (value === undefined || NO.includes(value)) return undefined;
    return `${path} has composefs.enabled = ${value}`;
  }
  return undefined;
}

/**
 * The settings with which it mounts the image and has the kernel check all that is read of it; all else as it was.
 * @param existing the file that it would read; undefined where there is none
 * @param sysrootReadOnly `sysroot.readonly` of the repository's configuration, which it goes by as long as it mounts no
 *   image; undefined where that is not known
 * @throws FormatError for a file that is no keyfile
 */
export function mountingPrepareRootConf(
  existing: Uint8Array | undefined,
  where: string,
  sysrootReadOnly: boolean | undefined,
): Buffer {
  const file = Keyfile.parse(existing ?? '', where);
  const enabled = file.getRaw('composefs', 'enabled')?.trim();
  // That one checks the image as `verity` does, and its signature besides.
  if (enabled !== 'signed') file.setString('composefs', 'enabled', 'verity');
  // With composefs it is on unless something is said (otcore-prepare-root.c).
  const wasByRepository = enabled === undefined || enabled === 'maybe' || NO.includes(enabled);
  if (wasByRepository && sysrootReadOnly !== undefined && !file.has('sysroot', 'readonly'))
    file.setBoolean('sysroot', 'readonly', sysrootReadOnly);
  return file.toBytes();
}
