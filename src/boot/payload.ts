/**
 * The files of `contrib/` that sealtree puts on machines as they are: the script that mounts the root, its unit, what
 * makes initramfs generators take them along, and what keeps a sealed machine sealed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OperationError } from '../base/errors.ts';

/** Names of payload files, and where they lie below `contrib/`. */
const PAYLOAD = {
  'seal-root': 'boot/seal-root',
  'sealtree-root.service': 'boot/sealtree-root.service',
  'sealtree-prepare.service': 'boot/sealtree-prepare.service',
  remove: 'boot/remove',
  'check-root': 'boot/check-root',
  'mend-entries': 'boot/mend-entries',
  'app/sealtree': 'app/sealtree',
  'systemd/sealtree-booted.service': 'systemd/sealtree-booted.service',
  'systemd/sealtree-deploy.path': 'systemd/sealtree-deploy.path',
  'systemd/sealtree-deploy.service': 'systemd/sealtree-deploy.service',
  'systemd/sealtree-finalized.service': 'systemd/sealtree-finalized.service',
  'systemd/sealtree-verify.service': 'systemd/sealtree-verify.service',
  'systemd/sealtree-verify.timer': 'systemd/sealtree-verify.timer',
  'dracut/module-setup.sh': 'dracut/50sealtree/module-setup.sh',
  'dracut/50-sealtree.conf': 'dracut/50-sealtree.conf',
  'mkinitcpio/sealtree': 'mkinitcpio/sealtree',
  'kernel-install/45-sealtree.install': 'kernel-install/45-sealtree.install',
  'apt/90sealtree': 'apt/90sealtree',
  'apt/apt-hook': 'apt/apt-hook',
  'initramfs-tools/hooks/sealtree': 'initramfs-tools/hooks/sealtree',
  'initramfs-tools/scripts/init-bottom/sealtree': 'initramfs-tools/scripts/init-bottom/sealtree',
  /** For an addition to a finished initramfs of initramfs-tools: `conf/conf.d/zz-sealtree` and `scripts/sealtree`. */
  'initramfs-tools/overlay/conf': 'initramfs-tools/overlay/conf',
  'initramfs-tools/overlay/script': 'initramfs-tools/overlay/script',
} as const;

export type PayloadName = keyof typeof PAYLOAD;

/** The names of all payload files. */
export const PAYLOAD_NAMES = Object.keys(PAYLOAD) as readonly PayloadName[];

/** The bytes of a payload file. @throws OperationError where this installation of sealtree has lost it */
export function payloadFile(name: PayloadName): Buffer {
  return readFileSync(payloadPath(name));
}

/** Its absolute path. @throws OperationError as {@link payloadFile} */
export function payloadPath(name: PayloadName): string {
  // From src/boot, dist or dist/chunks: `contrib` lies beside the first or above it.
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'contrib', PAYLOAD[name]);
    if (existsSync(path)) return path;
    if (folder === dirname(folder))
      throw new OperationError('payload', `this installation of sealtree lacks contrib/${PAYLOAD[name]}`, {
        hint: 'install it again',
      });
  }
}
