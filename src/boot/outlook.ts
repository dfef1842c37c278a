/**
 * What each deployment would come up as if it were booted now: what {@link ../../contrib/boot/seal-root} will decide,
 * as far as that can be told from what lies there. Nothing is tried and no image is read: `boot check` does that.
 */
import type { InitramfsSettings } from './initramfs-settings.ts';
import { findObstacles } from './refusals.ts';
import type { BootState, BootTarget } from './state.ts';

/** `unknown`: the script is of an earlier install, and what it was told is not known here; or it is still to come. */
export interface BootOutlook {
  readonly as: 'sealed' | 'plain' | 'refused' | 'unknown';
  /** Why it is not sealed, as half a sentence; '' where it is. */
  readonly reason: string;
}

export function bootOutlook(target: BootTarget, state: BootState): BootOutlook {
  const script = scriptOf(target, state);
  if (script === undefined && isForShutdown(target, state))
    return {
      as: 'unknown',
      reason: 'its initramfs gets the mount script at shutdown, if /boot has room then',
    };
  if (script === undefined) return { as: 'plain', reason: 'the mount script is not in its initramfs' };
  const { pin } = target.entry;
  const isUnpinned = pin === 'none' || pin === 'stale';
  const reason = isUnpinned ? UNPINNED[pin] : pin === 'right' ? obstacleOf(target, state) : PINS[pin];
  if (reason === undefined) return { as: 'sealed', reason: '' };
  if (script === 'unknown')
    return { as: 'unknown', reason: `${reason}; the mount script is of an earlier install` };
  const mayBePlain = script.policy === 'prefer' || (isUnpinned && script.unpinned === 'plain');
  return { as: mayBePlain ? 'plain' : 'refused', reason };
}

const UNPINNED = { none: 'its boot entry has no seal pin', stale: 'its seal pin is of another commit' };

const PINS = {
  wrong: 'its seal pin demands another image than the one that was sealed',
  unknown: 'no image is recorded that its seal pin could be compared with',
  malformed: 'its seal pin cannot be read',
};

function obstacleOf(target: BootTarget, state: BootState): string | undefined {
  // What a generator left out is no obstacle to a script that is there.
  const [obstacle] = findObstacles(target, state).filter(({ code }) => code !== 'initramfs-without-module');
  return obstacle?.message;
}

/** Whether it was written down that the script is to come once ostree has finalized: there is nothing to do until then. */
export function isForShutdown(
  { deployment: { id, staged }, entry }: BootTarget,
  { keep }: BootState,
): boolean {
  const lines = keep.keepers.get('values')?.toString('latin1').split('\n') ?? [];
  const isToCome = lines.some((line) => line.startsWith(`${id} `) && /\s(tail|[0-9a-f]{64})$/.test(line));
  return staged && entry.pin === 'right' && isToCome;
}

/** What the script in the initramfs was told; undefined where there is none. */
function scriptOf(
  { initramfsPath, entry, deployment }: BootTarget,
  { initramfs, overlays, stagedOverlays, wanted, loader }: BootState,
): InitramfsSettings | 'unknown' | undefined {
  const file = initramfs.find(({ path }) => path === initramfsPath);
  if (file === undefined) return undefined;
  if (file.appended !== undefined)
    return file.wanted !== undefined && file.appended.equals(file.wanted.bytes) ? wanted : 'unknown';
  const overlay =
    loader.initrds === 'all' &&
    (deployment.staged ? [...stagedOverlays, ...overlays] : overlays).find(({ sha256 }) =>
      entry.initrds.some((initrd) => initrd.endsWith(`/${sha256}.img`)),
    );
  if (overlay) return overlay.isWhole && overlay.sha256 === file.wanted?.sha256 ? wanted : 'unknown';
  const generated = file.facts?.sealtree;
  if (generated?.by !== 'generator') return undefined;
  // A damaged file makes the script go on as with prefer.
  return generated.settings ?? { ...wanted, policy: 'prefer' };
}
