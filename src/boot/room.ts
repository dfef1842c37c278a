/**
 * Whether /boot has room for what install writes there, at its largest: a new file is whole before the old one goes.
 *
 * A staged deployment is a case of its own: ostree puts its kernel there at shutdown. Where /boot is on the file system
 * of the repository it keeps an initramfs that it finds there. On a file system of its own it first removes all folders
 * of kernels that no boot entry names, and where the new one does not fit then, deployments that go anyway
 * (ostree-sysroot-deploy.c, auto_early_prune_old_deployments): there the script comes after it, at shutdown.
 */
import type { Finding } from '../image/findings.ts';
import type { InitramfsWay } from './loaders/loader.ts';
import type { BootInitramfs, BootState } from './state.ts';

/** Bytes that stay free: for what else is written there meanwhile. */
const RESERVE_BYTES = 1 << 20;

/** Why install writes nothing at all; undefined where there is room. */
export function roomRefusal(state: BootState, way: InitramfsWay): Finding | undefined {
  const { peak } = spaceTaken(state, way);
  return lackOf(peak, state, 'error');
}

/** How the script gets into what a staged deployment boots with. */
export interface StagedScript {
  /** `now`: ostree takes it along when it finalizes; `at-shutdown`: `mend-entries` brings it after that. */
  readonly when: 'now' | 'at-shutdown';
  /** Why there may be no room for it then, by what is in /boot now. */
  readonly lack: Finding | undefined;
}

export function stagedScript(state: BootState, way: InitramfsWay | undefined): StagedScript {
  const pending = state.initramfs.find((one) => one.pending !== undefined);
  if (pending === undefined || way === undefined || way === 'module') return { when: 'now', lack: undefined };
  const bytes = bytesForStaged(pending, state, way);
  const lack = bytes === 0 ? undefined : lackOf(spaceTaken(state, way).used + bytes, state, 'warning');
  const isLate = lack !== undefined || (way === 'append' && state.storage.bootIsSeparate);
  return { when: isLate ? 'at-shutdown' : 'now', lack };
}

function lackOf(bytes: number, { boot }: BootState, severity: 'error' | 'warning'): Finding | undefined {
  const need = bytes + RESERVE_BYTES;
  if (bytes === 0 || need <= boot.availableBytes) return undefined;
  const message = `not enough space: ${need} bytes are needed and ${boot.availableBytes} are free`;
  return { severity, code: 'boot-full', where: boot.path, message };
}

/** Bytes that are taken in the end, and at most meanwhile, without what waits for ostree. */
function spaceTaken({ initramfs, overlays }: BootState, way: InitramfsWay): { used: number; peak: number } {
  let used = 0;
  let peak = 0;
  for (const { wanted, appended, originalBytes, freedBytes, pending } of initramfs) {
    if (wanted === undefined || pending !== undefined) continue;
    if (way === 'append' && !appended?.equals(wanted.bytes)) {
      used += originalBytes + wanted.bytes.length;
      peak = Math.max(peak, used);
      used -= freedBytes;
    }
    if (way === 'overlay' && !overlays.some(({ sha256 }) => sha256 === wanted.sha256)) {
      used += wanted.bytes.length;
      peak = Math.max(peak, used);
    }
  }
  return { used, peak };
}

/** What is still written for a staged deployment until it boots. */
function bytesForStaged(
  { wanted, appended, originalBytes, pending }: BootInitramfs,
  { storage: { bootIsSeparate }, overlays }: BootState,
  way: 'append' | 'overlay',
): number {
  if (wanted === undefined || pending === undefined) return 0;
  // On one file system ostree makes hard links.
  const byOstree = bootIsSeparate ? pending.bytes + originalBytes : 0;
  if (way === 'append')
    return byOstree + (appended?.equals(wanted.bytes) ? 0 : originalBytes + wanted.bytes.length);
  const isThere = overlays.some(({ sha256 }) => sha256 === wanted.sha256);
  return byOstree + (isThere ? 0 : wanted.bytes.length);
}
