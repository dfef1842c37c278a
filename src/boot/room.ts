/**
 * Whether /boot has room for what install writes there, at its largest: a new file is whole before the old one goes.
 *
 * A staged deployment is a case of its own. ostree puts its kernel there at shutdown, and where that does not fit it
 * drops deployments that go anyway before it (ostree-sysroot-deploy.c, auto_early_prune_old_deployments). That it does
 * not do for a kernel whose folder it finds, and by then whoever made the folder has used up the room. So the script
 * is brought into a staged deployment's initramfs only where all that ostree still writes fits beside it.
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

/** Why the script has to wait until the staged deployment is no longer staged; undefined where it need not. */
export function stagedRoomLack(state: BootState, way: InitramfsWay | undefined): Finding | undefined {
  const later = state.initramfs.find((one) => one.pending !== undefined);
  if (later === undefined || way === undefined || way === 'module') return undefined;
  const early = bytesForStaged(later, state, way);
  return early === 0 ? undefined : lackOf(spaceTaken(state, way).used + early, state, 'warning');
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

/** What install and then ostree write for a staged deployment. */
function bytesForStaged(
  { wanted, appended, originalBytes, pending }: BootInitramfs,
  { storage: { bootIsSeparate }, overlays }: BootState,
  way: 'append' | 'overlay',
): number {
  if (wanted === undefined) return 0;
  // On one file system ostree makes hard links.
  const kernelBytes = bootIsSeparate ? (pending?.bytes ?? 0) : 0;
  if (way === 'append')
    return kernelBytes + (appended?.equals(wanted.bytes) ? 0 : originalBytes + wanted.bytes.length);
  const isThere = overlays.some(({ sha256 }) => sha256 === wanted.sha256);
  return kernelBytes + (bootIsSeparate ? originalBytes : 0) + (isThere ? 0 : wanted.bytes.length);
}
