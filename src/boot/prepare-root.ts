/**
 * Whether ostree is told to mount a composefs image by itself (ostree-prepare-root(1)): then that is what mounts the
 * root, and a second mount of the same kind over it would only be in the way.
 */
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import type { SystemReads } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import { parseKarg, splitKargs } from '../formats/kargs.ts';
import { Keyfile } from '../formats/keyfile.ts';

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
    const path = join(deployment.path, folder, 'ostree/prepare-root.conf');
    const bytes = readIfExists(path, system);
    if (bytes === undefined) continue;
    const value = Keyfile.parse(bytes, path).getRaw('composefs', 'enabled')?.trim();
    if (value === undefined || NO.includes(value)) return undefined;
    return `${path} has composefs.enabled = ${value}`;
  }
  return undefined;
}
