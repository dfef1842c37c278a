/**
 * Going back to an entry of the history. Old files are never put back: their links lead to where deployments lay
 * then, and another deployment lies there now. What sealtree owns is derived anew, as install or remove would, with
 * the settings of then; what that cannot bring back is said.
 */
import { join } from 'node:path';
import { type ByteString, displayBytes } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';
import type { ConfigFile } from '../../config/search.ts';
import { BOOT_KEYS, type Settings, settingsOf } from '../../config/settings.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Finding } from '../../image/findings.ts';
import type { StepOf } from '../plan.ts';
import { ROLLBACK_FILE } from '../settings-files.ts';
import { compareKargs } from './compare.ts';
import { type BootConfiguration, type SettingValues, settingValues } from './configuration.ts';
import { digestOf, type HistoryEntry, occasionTitle } from './history.ts';

export interface Rollback {
  /** What brings sealtree's part of the boot to where it was. */
  readonly verb: 'install' | 'remove';
  /** The settings it is to be done with. */
  readonly settings: Settings;
  /** What brings them there; undefined where they are as they were. */
  readonly step: StepOf<'settings'> | undefined;
  /** What of the entry does not come back, and why. */
  readonly lost: readonly Finding[];
}

/**
 * @param root - of the configuration files, see ../settings-files.ts
 * @param now - what there is now
 */
export function rollbackTo(
  entry: HistoryEntry,
  now: BootConfiguration,
  settings: Settings,
  root: string,
  system: SystemReads,
): Rollback {
  const then = entry.configuration;
  const lost = whatIsLost(entry, now);
  if (!then.isInstalled)
    return { verb: 'remove', settings, step: settingsStep(root, undefined, system), lost };
  const restored = restoreSettings(then.settings, settings);
  const step = settingsStep(root, restored.file?.bytes, system);
  return {
    verb: 'install',
    settings: restored.settings,
    step,
    lost: [...lost, ...settingsLost(entry, restored.settings)],
  };
}

/** The settings with {@link ROLLBACK_FILE} as it has to be for them to have those values. */
function restoreSettings(
  wanted: SettingValues,
  { files }: Settings,
): { settings: Settings; file: ConfigFile | undefined } {
  const others = files.read.filter(({ path }) => path !== ROLLBACK_FILE);
  const base = settingsOf({ ...files, read: others });
  const lines = (Object.keys(wanted) as (keyof SettingValues)[])
    .filter((name) => base[name].value !== wanted[name])
    .map((name) => `${BOOT_KEYS[name].key}=${wanted[name]}\n`);
  if (lines.length === 0) return { settings: base, file: undefined };
  const comment = '# Written by sealtree boot rollback: the settings that it brought back.\n';
  const file = { path: ROLLBACK_FILE, bytes: Buffer.from(`${comment}[boot]\n${lines.join('')}`) };
  const isLater = ({ path }: ConfigFile): boolean => isDropIn(path) && nameOf(path) > nameOf(ROLLBACK_FILE);
  const read = [...others.filter((one) => !isLater(one)), file, ...others.filter(isLater)];
  return { settings: settingsOf({ ...files, read }), file };
}

const isDropIn = (path: string): boolean => path.includes('.conf.d/');
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * What makes {@link ROLLBACK_FILE} have that content, or be gone; undefined where it is so already.
 * @param root - of the configuration files
 */
export function settingsStep(
  root: string,
  after: Buffer | undefined,
  system: SystemReads,
): StepOf<'settings'> | undefined {
  const path = join(root, ROLLBACK_FILE);
  const before = readIfExists(path, system);
  const isSame = after === undefined ? before === undefined : before?.equals(after) === true;
  return isSame ? undefined : { kind: 'settings', path, before, after };
}

/** A drop-in that is read later still has the last word. */
function settingsLost({ configuration, number }: HistoryEntry, settings: Settings): Finding[] {
  const values = settingValues(settings);
  return (Object.keys(values) as (keyof SettingValues)[])
    .filter((name) => values[name] !== configuration.settings[name])
    .map((name) => {
      const { key } = BOOT_KEYS[name];
      const where = settings[name].origin ?? key;
      return lostFinding(
        where,
        `${key} was ${configuration.settings[name]} in entry ${number}, and this file has the last word on it`,
      );
    });
}

const lostFinding = (where: string, message: string, remedy: readonly string[] = []): Finding => ({
  severity: 'warning',
  code: 'not-brought-back',
  where,
  message,
  ...(remedy.length === 0 ? {} : { remedy }),
});

function whatIsLost({ configuration: then, number }: HistoryEntry, now: BootConfiguration): Finding[] {
  const lost: Finding[] = [];
  const lose = (where: string, message: string, remedy: readonly string[] = []): void =>
    void lost.push(lostFinding(where, message, remedy));
  for (const one of then.deployments) {
    const today = now.deployments.find(({ id }) => id === one.id);
    if (today === undefined) {
      lose(one.id, 'this deployment is gone: ostree keeps no more than it was told to');
      continue;
    }
    const { removed, added } = compareKargs(today.kargs, one.kargs);
    if (removed.length > 0 || added.length > 0)
      lose(
        one.id,
        `its kernel arguments are ostree's: they stay as they are (${[...removed.map((word) => `${word} was not there`), ...added.map((word) => `${word} was`)].join(', ')})`,
        ['ostree admin instutil set-kargs --help'],
      );
    losePin(one.sealPin, today.imageDigest, (message) => lose(one.id, message));
  }
  const [first] = then.deployments;
  const index = now.deployments.findIndex(({ id }) => id === first?.id);
  if (first !== undefined && index > 0)
    lose(first.id, "it booted first then: which one does is ostree's to say", [
      `ostree admin set-default ${index}`,
    ]);
  const entriesOf = ({ files, deployments }: BootConfiguration): string[] =>
    files.filter(
      (path) => path.startsWith(ENTRIES) && !deployments.some(({ entry }) => path === `${ENTRIES}${entry}`),
    );
  const foreign = entriesOf(now);
  for (const path of entriesOf(then).filter((one) => !foreign.includes(one)))
    lose(path, `a boot entry that is not ostree's was there in entry ${number}`);
  return lost;
}

const ENTRIES = 'loader/entries/';

/** A pin is of the image that a commit has now; another one that it had once is not looked for. */
function losePin(
  sealPin: ByteString | null,
  imageDigest: string | null,
  lose: (message: string) => void,
): void {
  if (sealPin === null) return;
  const digest = digestOf(sealPin);
  if (digest === imageDigest) return;
  lose(
    imageDigest === null
      ? `it was pinned to the image ${displayBytes(digest)}, and is not sealed any more`
      : `it was pinned to the image ${displayBytes(digest)}, and is sealed as ${imageDigest} now`,
  );
}

/** What a rollback goes back to, in half a sentence. */
export const rollbackTitle = (entry: HistoryEntry): string =>
  `entry ${entry.number} (${occasionTitle(entry)})`;
