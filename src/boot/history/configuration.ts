/**
 * What a revision of the history holds: a boot configuration as it lay on the disk, as data and as files. Read from
 * what is there and from nothing else, so that it can be read in any half state: what cannot be read is left out.
 */
import { basename, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ByteString, bytesToText } from '../../base/bytes.ts';
import { nativeEngine } from '../../base/digest.ts';
import { FormatError, SealtreeError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { BOOT_KEYS, type Settings } from '../../config/settings.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { blsValue } from '../../formats/bls.ts';
import { joinKargs, splitKargs } from '../../formats/kargs.ts';
import { recordedImage } from '../../image/records.ts';
import { bootFilePath } from '../check/boot-files.ts';
import { type EntryState, readBootEntries } from '../entries.ts';
import { readEndMark } from '../initramfs/extended.ts';
import { readInstalled } from '../journal.ts';
import { detectLoader } from '../loaders/detect.ts';
import { type OverlayFile, readOverlays, sumIn } from '../overlays.ts';
import { SEAL_PIN_KARG, sealPinValues } from '../pin.ts';

/** A deployment that had a boot entry. Texts that are bytes are byte strings. */
export interface ConfiguredDeployment {
  /** `STATEROOT/CHECKSUM.SERIAL` */
  readonly id: string;
  /** '' without one. */
  readonly title: ByteString;
  /** Name of the entry's file. */
  readonly entry: string;
  /** Kernel arguments without `ostree=` and the seal pin: what is not ours. */
  readonly kargs: ByteString;
  /** Value of the seal pin; null without one. */
  readonly sealPin: ByteString | null;
  /** Digest of the image that was sealed for it; null where none was. */
  readonly imageDigest: string | null;
  /** SHA-256 of the addition to its initramfs; null where it had none. */
  readonly addition: string | null;
}

export type SettingValues = Readonly<Record<keyof typeof BOOT_KEYS, string>>;

export interface BootConfiguration {
  /** Whether install had been run. */
  readonly isInstalled: boolean;
  readonly settings: SettingValues;
  readonly loader: string;
  /** In the order of `ostree admin status`: the first one boots by default. */
  readonly deployments: readonly ConfiguredDeployment[];
  /** Paths, below {@link FILES_FOLDER} of the revision, of the files that are kept with it. */
  readonly files: readonly string[];
}

/** A configuration with its files: content by the paths in {@link BootConfiguration.files}. */
export interface KeptConfiguration {
  readonly configuration: BootConfiguration;
  readonly files: ReadonlyMap<string, Buffer>;
}

export const FILES_FOLDER = 'files';

const SCHEMA = 1;

/** Reads what is on the disk now. @throws IoError where the sysroot cannot be looked at at all */
export function readConfiguration(
  sysroot: Sysroot,
  settings: Settings,
  system: SystemReads,
): KeptConfiguration {
  const entries = readBootEntries(sysroot, system);
  const overlays = readOverlays(sysroot.path, system);
  const additions = new Map<string, string | null>();
  const additionOf = ({ initrds }: EntryState): string | null => {
    const overlay = overlays.find(({ sha256 }) => isNamedIn(initrds, sha256));
    if (overlay !== undefined) return overlay.sha256;
    const [first] = initrds;
    if (first === undefined) return null;
    const path = bootFilePath(sysroot.path, first);
    const known = additions.get(path) ?? appendedTo(path, system);
    additions.set(path, known);
    return known;
  };
  const deployments = entries
    .flatMap((entry) => (entry.deployment === undefined ? [] : [{ entry, deployment: entry.deployment }]))
    .sort((a, b) => a.deployment.index - b.deployment.index)
    .map(({ entry, deployment }): ConfiguredDeployment => {
      const { entry: content, options, name } = entry;
      return {
        id: deployment.id,
        title: (content && blsValue(content, 'title')) ?? ('' as ByteString),
        entry: name,
        kargs: withoutOurs(options),
        sealPin: sealPinValues(options)[0] ?? null,
        imageDigest: recordedImage(sysroot.repositoryPath, deployment.checksum, system) ?? null,
        addition: additionOf(entry),
      };
    });
  const loader = detectLoader(sysroot, system);
  const files = new Map<string, Buffer>();
  // What loaders read; its name is then one that every format can hold.
  for (const { name, blsName, bytes } of entries)
    if (blsName !== undefined) files.set(`loader/entries/${name}`, bytes);
  for (const { path, bytes } of loader.menus)
    if (bytes.length > 0 && isPlainName(basename(path))) files.set(`menus/${basename(path)}`, bytes);
  for (const { path, bytes } of settings.files.read)
    if (isPlainName(relative('/', path))) files.set(`settings/${relative('/', path)}`, bytes);
  return {
    configuration: {
      isInstalled: isInstalled(sysroot.repositoryPath, system),
      settings: settingValues(settings),
      loader: loader.name,
      deployments,
      files: [...files.keys()].sort(),
    },
    files,
  };
}

const isNamedIn = (initrds: readonly ByteString[], sha256: OverlayFile['sha256']): boolean =>
  initrds.some((initrd) => sumIn(basename(bytesToText(initrd))) === sha256);

const isPlainName = (path: string): boolean => /^[A-Za-z0-9._+-]+(\/[A-Za-z0-9._+-]+)*$/.test(path);

/** Both flip, or follow from the rest, with each deployment. */
const withoutOurs = (options: ByteString): ByteString =>
  joinKargs(
    splitKargs(options).filter(
      (word) => !word.startsWith('ostree=') && !word.startsWith(`${SEAL_PIN_KARG}=`),
    ),
  );

function appendedTo(path: string, system: SystemReads): string | null {
  try {
    const bytes = readIfExists(path, system);
    const parts = bytes && readEndMark(bytes, path);
    if (bytes === undefined || parts === undefined) return null;
    return nativeEngine.sha256(bytes.subarray(parts.additionStart, parts.additionEnd)).toString('hex');
  } catch (error) {
    // What is damaged has no addition that could be named; `boot status` says more.
    if (!(error instanceof SealtreeError)) throw error;
    return null;
  }
}

/** A record that is damaged was written by an install all the same. */
function isInstalled(repositoryPath: string, system: SystemReads): boolean {
  try {
    return readInstalled(repositoryPath, system) !== undefined;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return true;
  }
}

export const settingValues = ({ policy, unpinned, onRefusal, initramfs }: Settings): SettingValues => ({
  policy: policy.value,
  unpinned: unpinned.value,
  onRefusal: onRefusal.value,
  initramfs: initramfs.value,
});

/** Whether they are the same to the last byte. */
export const isSameConfiguration = (a: KeptConfiguration, b: KeptConfiguration): boolean =>
  isDeepStrictEqual(a.configuration, b.configuration) &&
  [...a.files].every(([path, bytes]) => b.files.get(path)?.equals(bytes) === true);

/** As JSON for a person and for {@link parseConfiguration}. Byte strings are kept as they are: a character a byte. */
export const formatConfiguration = (configuration: BootConfiguration): Buffer =>
  Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...configuration }, null, 2)}\n`);

/** @throws FormatError for what no version of sealtree wrote */
export function parseConfiguration(bytes: Uint8Array, where: string): BootConfiguration {
  const value = parseJson(bytes, where);
  if (value.schema !== SCHEMA) throw new FormatError(where, 'schema', { got: value.schema, want: SCHEMA });
  const { isInstalled, settings, loader, deployments, files } = value;
  if (typeof isInstalled !== 'boolean') throw new FormatError(where, 'isInstalled');
  if (typeof loader !== 'string') throw new FormatError(where, 'loader');
  if (!isRecord(settings)) throw new FormatError(where, 'settings');
  if (!Array.isArray(deployments)) throw new FormatError(where, 'deployments');
  if (!Array.isArray(files) || !files.every((path) => typeof path === 'string' && isPlainName(path)))
    throw new FormatError(where, 'files');
  return {
    isInstalled,
    loader,
    settings: parseSettings(settings, where),
    deployments: deployments.map((one: unknown) => parseDeployment(one, where)),
    files,
  };
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws FormatError for what is no JSON object */
export function parseJson(bytes: Uint8Array, where: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(bytesToText(bytes));
  } catch (cause) {
    throw new FormatError(where, 'not JSON', { cause });
  }
  if (!isRecord(value)) throw new FormatError(where, 'not a JSON object');
  return value;
}

function parseSettings(value: Readonly<Record<string, unknown>>, where: string): SettingValues {
  const wordOf = (name: keyof typeof BOOT_KEYS): string => {
    const words: readonly string[] = BOOT_KEYS[name].words;
    const found = words.find((word) => word === value[name]);
    if (found === undefined)
      throw new FormatError(where, `settings.${name}`, { got: value[name], want: words.join(', ') });
    return found;
  };
  return {
    policy: wordOf('policy'),
    unpinned: wordOf('unpinned'),
    onRefusal: wordOf('onRefusal'),
    initramfs: wordOf('initramfs'),
  };
}

function parseDeployment(value: unknown, where: string): ConfiguredDeployment {
  if (!isRecord(value)) throw new FormatError(where, 'deployment');
  const text = (name: string): string => {
    const found = value[name];
    if (typeof found !== 'string') throw new FormatError(where, `deployment: ${name}`, { want: 'a text' });
    return found;
  };
  const textOrNull = (name: string): string | null => (value[name] === null ? null : text(name));
  return {
    id: text('id'),
    title: text('title') as ByteString,
    entry: text('entry'),
    kargs: text('kargs') as ByteString,
    sealPin: textOrNull('sealPin') as ByteString | null,
    imageDigest: textOrNull('imageDigest'),
    addition: textOrNull('addition'),
  };
}
