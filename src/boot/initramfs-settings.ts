/**
 * `usr/lib/sealtree/settings` of an initramfs: the policy as the script there reads it, one `key=value` a line. It is
 * never sourced and read strictly; a file that is not exactly this makes the script go on as with `prefer`, loudly,
 * since a machine must boot.
 */
import { bytesToString } from '../base/bytes.ts';
import { FormatError } from '../base/errors.ts';
import type { OnRefusal } from '../config/settings.ts';

export interface InitramfsSettings {
  /** `enforce`: only the pinned image boots. `prefer`: else the plain deployment does. */
  readonly policy: 'enforce' | 'prefer';
  /** Under `enforce`: what becomes of an entry without a pin, or with one of another deployment. */
  readonly unpinned: 'refuse' | 'plain';
  /** What a refusal ends in; with `auto` the script looks whether the loader has counted this boot. */
  readonly onRefusal: OnRefusal;
}

/** The version of the file's format. */
const VERSION = '1';

const KEYS = [
  ['version', [VERSION]],
  ['policy', ['enforce', 'prefer']],
  ['unpinned', ['refuse', 'plain']],
  ['on-refusal', ['auto', 'emergency', 'reboot']],
] as const;

/** The file's bytes. */
export function renderSettings({ policy, unpinned, onRefusal }: InitramfsSettings): Buffer {
  return Buffer.from(
    `version=${VERSION}\npolicy=${policy}\nunpinned=${unpinned}\non-refusal=${onRefusal}\n`,
    'latin1',
  );
}

/** Reads the file as strictly as the script does: every key once, no other line. @throws FormatError */
export function parseSettings(bytes: Uint8Array, where: string): InitramfsSettings {
  const values = new Map<string, string>();
  const text = bytesToString(bytes);
  for (const line of (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')) {
    const known = KEYS.find(([key, allowed]) => allowed.some((value) => line === `${key}=${value}`));
    if (known === undefined || values.has(known[0]))
      throw new FormatError(where, 'not a settings file of the initramfs', {
        got: JSON.stringify(line.slice(0, 80)),
        want: KEYS.map(([key, allowed]) => `${key}=${allowed.join('|')}`).join(', '),
      });
    values.set(known[0], line.slice(known[0].length + 1));
  }
  const missing = KEYS.find(([key]) => !values.has(key));
  if (missing !== undefined)
    throw new FormatError(where, 'a setting of the initramfs is missing', { want: missing[0] });
  return {
    policy: values.get('policy') as InitramfsSettings['policy'],
    unpinned: values.get('unpinned') as InitramfsSettings['unpinned'],
    onRefusal: values.get('on-refusal') as InitramfsSettings['onRefusal'],
  };
}
