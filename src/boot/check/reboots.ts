/** What comes after a boot that fails, and reboots that go without the initramfs. */
import type { BootPolicy, OnRefusal } from '../../config/settings.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import type { Finding } from '../../image/findings.ts';
import type { EntryState } from '../entries.ts';
import { withSealPin } from '../pin.ts';
import type { BootTarget } from '../state.ts';

/** Boot counting: whether an entry is left that the loader has not given up on. */
export function checkCounters(entries: readonly EntryState[]): Finding[] {
  const ours = entries.filter(({ owner }) => owner === 'ostree');
  if (ours.length === 0 || ours.some(({ isBad }) => !isBad)) return [];
  return [
    {
      severity: 'warning',
      code: 'entries-all-bad',
      where: ours[0]?.path ?? '',
      message: 'boot counting has given up on every entry: the loader takes a bad one, or waits for a person',
      deployments: ours.flatMap(({ deployment }) => deployment?.id ?? []),
      remedy: ['systemd-bless-boot good'],
    },
  ];
}

/**
 * A refused boot that reboots comes back to the same entry, for ever, unless counting makes the loader take another.
 * @param onRefusal what the initramfs does; with `auto` only a boot that was counted restarts
 */
export function checkRefusal(
  entries: readonly EntryState[],
  policy: BootPolicy,
  onRefusal: OnRefusal,
): Finding[] {
  if (policy !== 'enforce' || onRefusal === 'emergency') return [];
  const [first, ...others] = entries.filter(({ owner, isBad }) => owner === 'ostree' && !isBad);
  if (first === undefined) return [];
  const isCounted = first.blsName?.counters !== undefined;
  if (isCounted ? others.length > 0 : onRefusal === 'auto') return [];
  const why =
    others.length === 0
      ? 'there is no other entry to take'
      : 'its entry has no boot counter that would end that';
  return [
    {
      severity: 'warning',
      code: 'refusal-loop',
      where: first.path,
      message: `a refused boot restarts the machine, and ${why}: it would restart for ever`,
      deployments: first.deployment === undefined ? [] : [first.deployment.id],
    },
  ];
}

/** ostree mounts the target of a soft reboot itself: no loader, no initramfs, and nobody who reads the seal pin. */
export function checkSoftReboot({ deployments }: Sysroot): Finding[] {
  return deployments
    .filter(({ softRebootTarget }) => softRebootTarget)
    .map(
      ({ id, path }): Finding => ({
        severity: 'warning',
        code: 'soft-reboot-unsealed',
        where: path,
        message: 'the next soft reboot goes here without the initramfs: nothing checks the seal pin',
        deployments: [id],
        remedy: ['ostree admin prepare-soft-reboot --reset'],
      }),
    );
}

/**
 * Sentences for a person, where something that worked before does not work now and nothing is wrong: ostree soft
 * reboots only between deployments with the same kernel and kernel arguments, and seal pins are arguments.
 */
export function softRebootNotes(targets: readonly BootTarget[]): string[] {
  const booted = targets.find(({ deployment }) => deployment.booted);
  if (booted === undefined) return [];
  return targets.flatMap((target) => {
    const { deployment, entry } = target;
    if (target === booted || deployment.bootcsum !== booted.deployment.bootcsum) return [];
    const [a, b] = [entry.options, booted.entry.options];
    const differ = (x: string, y: string) => withoutLink(x) !== withoutLink(y);
    if (!differ(a, b) || differ(withSealPin(a, undefined), withSealPin(b, undefined))) return [];
    return [
      `ostree refuses a soft reboot to ${deployment.id}: its seal pin, a kernel argument, differs from the running one's. A full reboot works.`,
    ];
  });
}

const withoutLink = (options: string): string =>
  options
    .split(/[ \t]+/)
    .filter((word) => word !== '' && !word.startsWith('ostree='))
    .join(' ');
