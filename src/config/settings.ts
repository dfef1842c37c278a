/**
 * sealtree.conf: what a machine wants from its boot, and who sits at it from the interface (sealtree.conf(5)). A
 * GKeyFile found by UAPI.6 (`search.ts`); every value knows which file it comes from.
 *
 * A key or group that is not known is a finding and no error: a file that a later version wrote must not keep this
 * one from running. A value that is not one of a key's words is a ConfigError, since no default can be known to be
 * what was meant.
 */
import { ConfigError } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import { type ConfigFiles, findConfigFiles } from './search.ts';

/** What a boot does that cannot be sealed: refuse, or come up plain and say so. */
export type BootPolicy = 'enforce' | 'prefer';
/** What `enforce` does with an entry that has no seal pin of its commit. */
export type Unpinned = 'refuse' | 'plain';
/** Where a refused boot ends; `auto`: reboot where boot counting will then take another entry, else emergency. */
export type OnRefusal = 'auto' | 'emergency' | 'reboot';
/**
 * The way our script gets into the initramfs: appended to the initramfs file, as an overlay initrd of the entry, or by
 * a module of the program that generates the initramfs; `auto`: chosen by what the boot loader reads.
 */
export type InitramfsSetting = 'auto' | 'append' | 'overlay' | 'module';

export interface Setting<T> {
  readonly value: T;
  /** The file it stands in, as seen from inside the root; undefined for the built-in default. */
  readonly origin: string | undefined;
}

/** Something in a file that has no effect. */
export interface SettingsProblem {
  readonly path: string;
  readonly message: string;
}

export interface Settings {
  readonly policy: Setting<BootPolicy>;
  readonly unpinned: Setting<Unpinned>;
  readonly onRefusal: Setting<OnRefusal>;
  readonly initramfs: Setting<InitramfsSetting>;
  /** Whether the interface is lines for a screen reader instead of a screen. */
  readonly screenReader: Setting<'no' | 'yes'>;
  readonly files: ConfigFiles;
  readonly problems: readonly SettingsProblem[];
}

/** A key of sealtree.conf: what `config show`, the man page and the reader know of it. */
export interface SettingKey {
  readonly group: string;
  readonly key: string;
  /** The words it takes, the default first. */
  readonly words: readonly [string, ...string[]];
}

/** What the boot goes by, by its name in {@link Settings}: what its history keeps. */
export const BOOT_KEYS = {
  policy: { group: 'boot', key: 'policy', words: ['prefer', 'enforce'] },
  unpinned: { group: 'boot', key: 'unpinned', words: ['refuse', 'plain'] },
  onRefusal: { group: 'boot', key: 'on-refusal', words: ['auto', 'emergency', 'reboot'] },
  initramfs: { group: 'boot', key: 'initramfs', words: ['auto', 'append', 'overlay', 'module'] },
} as const satisfies Record<string, SettingKey>;

/** Every key there is. */
export const SETTING_KEYS = {
  ...BOOT_KEYS,
  screenReader: { group: 'ui', key: 'screen-reader', words: ['no', 'yes'] },
} as const satisfies Record<string, SettingKey>;

/**
 * Reads the configuration of the system at `root`.
 * @throws FormatError for a file that is no keyfile, ConfigError for a value that means nothing, IoError
 */
export const readSettings = (system: SystemReads, root = '/'): Settings =>
  settingsOf(findConfigFiles('sealtree', 'sealtree', system, root));

/** What files say that have been read, or that are to be written. @throws as {@link readSettings} */
export function settingsOf(files: ConfigFiles): Settings {
  const keyfiles = files.read.map(({ path, bytes }) => Keyfile.parse(bytes, path));
  return {
    policy: pick(keyfiles, SETTING_KEYS.policy),
    unpinned: pick(keyfiles, SETTING_KEYS.unpinned),
    onRefusal: pick(keyfiles, SETTING_KEYS.onRefusal),
    initramfs: pick(keyfiles, SETTING_KEYS.initramfs),
    screenReader: pick(keyfiles, SETTING_KEYS.screenReader),
    files,
    problems: keyfiles.flatMap(unknownIn),
  };
}

/** The value of the last file that has the key, else the default. */
function pick<const W extends readonly [string, ...string[]]>(
  keyfiles: readonly Keyfile[],
  { group, key, words }: { readonly group: string; readonly key: string; readonly words: W },
): Setting<W[number]> {
  const file = keyfiles.findLast((one) => one.has(group, key));
  if (file === undefined) return { value: words[0], origin: undefined };
  const text = file.getString(group, key)?.trimEnd() ?? '';
  const value = words.find((word) => word === text);
  if (value === undefined)
    throw new ConfigError(`${file.where}: ${key}: got ${JSON.stringify(text)}, want ${words.join(', ')}`, {
      details: { where: file.where, group, key, got: text, want: words },
    });
  return { value, origin: file.where };
}

function unknownIn(file: Keyfile): SettingsProblem[] {
  const keys: readonly SettingKey[] = Object.values(SETTING_KEYS);
  return file.groups().flatMap((group) => {
    if (!keys.some((one) => one.group === group))
      return [{ path: file.where, message: `unknown group [${group}]` }];
    return file
      .keys(group)
      .filter((key) => !keys.some((one) => one.group === group && one.key === key))
      .map((key) => ({ path: file.where, message: `unknown key ${key} in [${group}]` }));
  });
}
