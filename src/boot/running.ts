/**
 * What the running system came up as. The script in the initramfs leaves its answer in /run/sealtree; that there is
 * none although the kernel was given a seal pin means that nothing looked at it. A root that claims to be sealed is
 * believed only if it is an overlay that demands fs-verity.
 */
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import type { SystemReads } from '../base/system.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import { sealPinValues } from './pin.ts';

export type RunningState =
  | { readonly as: 'sealed'; readonly imageDigest: string }
  /** `reason`: why, in half a sentence. */
  | { readonly as: 'unsealed'; readonly reason: string }
  /** Nobody asked for a seal. */
  | { readonly as: 'plain' };

export interface RunningPlaces {
  readonly runDirectory?: string;
  readonly commandLine?: string;
}

/** @throws IoError */
export function readRunning(
  system: SystemReads,
  { runDirectory = '/run', commandLine = '/proc/cmdline' }: RunningPlaces = {},
): RunningState {
  const read = (name: string): string | undefined =>
    readIfExists(join(runDirectory, 'sealtree', name), system)
      ?.toString('utf8')
      .trim();
  const unsealed = read('unsealed');
  if (unsealed !== undefined) return { as: 'unsealed', reason: unsealed };
  const sealed = read('sealed');
  const root = system.statfs('/').mount;
  const isVerifying = root?.type === 'overlay' && root.superOptions.includes('verity=require');
  const options = readIfExists(commandLine, system)?.toString('latin1').trimEnd() ?? '';
  // The last one, as the script takes it.
  const pin = sealPinValues(options as ByteString).at(-1);
  const isPinned = pin === undefined || pin.slice(pin.indexOf(':') + 1) === sealed;
  if (sealed !== undefined && isVerifying && isPinned) return { as: 'sealed', imageDigest: sealed };
  if (sealed !== undefined)
    return {
      as: 'unsealed',
      reason: isPinned
        ? 'it was mounted sealed, and its root is no overlay with verity=require'
        : 'it was mounted from another image than the kernel was given the seal pin of',
    };
  if (pin === undefined) return { as: 'plain' };
  return {
    as: 'unsealed',
    reason: 'the kernel was given a seal pin, and nothing in the initramfs looked at it',
  };
}
