/**
 * What differs between two boot configurations: in words a person knows from `boot status`, and file by file. The
 * `ostree=` links flip with each deployment, so a difference of files alone would show much and say little.
 */
import { type ByteString, displayBytes } from '../../base/bytes.ts';
import type { BOOT_KEYS } from '../../config/settings.ts';
import { splitKargs } from '../../formats/kargs.ts';
import { unifiedDiff } from '../diffs.ts';
import type { BootConfiguration, ConfiguredDeployment, KeptConfiguration } from './configuration.ts';
import { digestOf } from './history.ts';

/** One thing that is another, as half sentences: `what` says of what, `from` and `to` what it was and is. */
export interface ConfigurationChange {
  /** Id of the deployment it is of; undefined for what is of the whole system. */
  readonly deployment: string | undefined;
  readonly what: string;
  readonly from: string;
  readonly to: string;
}

/** The changes that lead from `a` to `b`. */
export function compareConfigurations(a: BootConfiguration, b: BootConfiguration): ConfigurationChange[] {
  const changes: ConfigurationChange[] = [];
  const note = (what: string, from: string, to: string, deployment?: string): void => {
    if (from !== to) changes.push({ deployment, what, from, to });
  };
  note('installed', yesOrNo(a.isInstalled), yesOrNo(b.isInstalled));
  for (const name of Object.keys(b.settings) as (keyof typeof BOOT_KEYS)[])
    note(SETTING_NAMES[name], a.settings[name], b.settings[name]);
  note('boot loader', a.loader, b.loader);
  const [first, firstNow] = [a.deployments[0], b.deployments[0]];
  note('boots first', first?.id ?? NONE, firstNow?.id ?? NONE);
  const before = new Map(a.deployments.map((one) => [one.id, one]));
  for (const now of b.deployments) {
    const then = before.get(now.id);
    if (then === undefined) note('deployment', NONE, 'there', now.id);
    compareDeployments(then, now, (what, from, to) => note(what, from, to, now.id));
  }
  for (const { id } of a.deployments)
    if (!b.deployments.some((one) => one.id === id)) note('deployment', 'there', 'gone', id);
  return changes;
}

const NONE = 'none';

const SETTING_NAMES: Readonly<Record<keyof typeof BOOT_KEYS, string>> = {
  policy: 'policy',
  unpinned: 'unpinned',
  onRefusal: 'on-refusal',
  initramfs: 'initramfs',
};

const yesOrNo = (is: boolean): string => (is ? 'yes' : 'no');

function compareDeployments(
  then: ConfiguredDeployment | undefined,
  now: ConfiguredDeployment,
  note: (what: string, from: string, to: string) => void,
): void {
  const text = (value: string | null | undefined): string => value ?? NONE;
  note('sealed image', text(then?.imageDigest), text(now.imageDigest));
  const pin = (one: ConfiguredDeployment | undefined): string =>
    one?.sealPin == null ? NONE : displayBytes(digestOf(one.sealPin));
  note('seal pin', pin(then), pin(now));
  note('mount script', text(then?.addition), text(now.addition));
  if (then === undefined) return;
  const { removed, added } = compareKargs(then.kargs, now.kargs);
  note('kernel arguments', removed.join(' ') || NONE, added.join(' ') || NONE);
}

/** Words that only one of two command lines has, as they can be shown. */
export function compareKargs(a: ByteString, b: ByteString): { removed: string[]; added: string[] } {
  const [then, now] = [splitKargs(a), splitKargs(b)];
  const only = (these: readonly ByteString[], those: readonly ByteString[]): string[] => {
    const left = [...those];
    return these
      .filter((word) => {
        const at = left.indexOf(word);
        if (at >= 0) left.splice(at, 1);
        return at < 0;
      })
      .map(displayBytes);
  };
  return { removed: only(then, now), added: only(now, then) };
}

/** The changes of files that lead from `a` to `b`, as one unified diff. */
export function diffFiles(a: KeptConfiguration, b: KeptConfiguration): ByteString {
  const paths = [...new Set([...a.files.keys(), ...b.files.keys()])].sort();
  return paths.map((path) => unifiedDiff(path, a.files.get(path), b.files.get(path))).join('') as ByteString;
}

/** A change in one line. */
export function changeText({ deployment, what, from, to }: ConfigurationChange): string {
  const subject = deployment === undefined ? what : `${deployment}: ${what}`;
  return `${subject}: ${from} → ${to}`;
}
