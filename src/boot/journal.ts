/**
 * What install leaves for later runs, in REPO/extensions/sealtree/boot: `installed` says what was changed and what was
 * there before, `journal` exists while a transaction is under way. Neither is what a run goes by to find its steps:
 * those follow from what is on the disk. They say what cannot be seen there.
 */
import { isHex64 } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import type { System, SystemReads } from '../base/system.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import { makeStoreFolder, storeFolder, temporaryName, writeSynced } from '../image/store.ts';
import type { InitramfsWay } from './loaders/loader.ts';
import type { IntegrityBefore } from './repo-config.ts';

const WAYS: readonly InitramfsWay[] = ['append', 'overlay', 'module'];

export interface Installed {
  /** How the mount script comes into the initramfs. */
  readonly way: InitramfsWay;
  /** What stood in the repository's configuration; undefined where install had not to change it. */
  readonly integrityBefore: IntegrityBefore | undefined;
  /** SHA-256 of the additions in use, each also in `additions/SHA256.img`. */
  readonly additions: readonly string[];
}

/** A transaction that began and did not end. */
export interface Journal {
  readonly verb: 'install' | 'remove';
  /** Titles of its steps, for a person. */
  readonly steps: readonly string[];
}

const SCHEMA = 1;

export const bootFolder = (repositoryPath: string): string => storeFolder(repositoryPath, 'boot');
export const installedPath = (repositoryPath: string): string => `${bootFolder(repositoryPath)}/installed`;
export const journalPath = (repositoryPath: string): string => `${bootFolder(repositoryPath)}/journal`;
export const removerPath = (repositoryPath: string): string => `${bootFolder(repositoryPath)}/remove.sh`;
export const additionsFolder = (repositoryPath: string): string => `${bootFolder(repositoryPath)}/additions`;
export const additionPath = (repositoryPath: string, sha256: string): string =>
  `${additionsFolder(repositoryPath)}/${sha256}.img`;

/** @throws FormatError for a record that no version of sealtree wrote */
export function readInstalled(repositoryPath: string, system: SystemReads): Installed | undefined {
  const path = installedPath(repositoryPath);
  const value = readJson(path, system);
  if (value === undefined) return undefined;
  const { way, integrityBefore, additions } = value;
  if (!WAYS.some((one) => one === way))
    throw new FormatError(path, 'way', { got: way, want: WAYS.join(', ') });
  if (integrityBefore !== undefined && !isIntegrityBefore(integrityBefore))
    throw new FormatError(path, 'integrityBefore');
  if (!isListOf(additions, isHex64)) throw new FormatError(path, 'additions', { want: 'SHA-256 sums' });
  return { way: way as InitramfsWay, integrityBefore, additions };
}

/** @throws FormatError for a journal that no version of sealtree wrote */
export function readJournal(repositoryPath: string, system: SystemReads): Journal | undefined {
  const path = journalPath(repositoryPath);
  const value = readJson(path, system);
  if (value === undefined) return undefined;
  const { verb, steps } = value;
  if (verb !== 'install' && verb !== 'remove')
    throw new FormatError(path, 'verb', { got: verb, want: 'install or remove' });
  if (!isListOf(steps, (step) => typeof step === 'string')) throw new FormatError(path, 'steps');
  return { verb, steps };
}

export const formatInstalled = ({ way, integrityBefore, additions }: Installed): Buffer =>
  formatJson({ way, ...(integrityBefore === undefined ? {} : { integrityBefore }), additions });

export const formatJournal = ({ verb, steps }: Journal): Buffer => formatJson({ verb, steps });

/** Writes one of these files durably, in place of the one before. */
export function writeBootFile(
  repositoryPath: string,
  path: string,
  bytes: Uint8Array,
  mode: number,
  system: System,
): void {
  const folder = makeStoreFolder(repositoryPath, 'boot', system);
  const temporary = `${folder}/${temporaryName()}`;
  writeSynced(temporary, bytes, mode, system);
  system.rename(temporary, path);
  system.fsyncDirectory(folder);
}

const formatJson = (value: Readonly<Record<string, unknown>>): Buffer =>
  Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...value }, null, 2)}\n`);

function readJson(path: string, system: SystemReads): Readonly<Record<string, unknown>> | undefined {
  const bytes = readIfExists(path, system);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new FormatError(path, 'not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FormatError(path, 'not a JSON object');
  const record = value as Readonly<Record<string, unknown>>;
  if (record.schema !== SCHEMA) throw new FormatError(path, 'schema', { got: record.schema, want: SCHEMA });
  return record;
}

const isListOf = (value: unknown, is: (item: string) => boolean): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && is(item));

function isIntegrityBefore(value: unknown): value is IntegrityBefore {
  if (typeof value !== 'object' || value === null) return false;
  const { line, group, newline } = value as Readonly<Record<string, unknown>>;
  return (
    (line === null || typeof line === 'string') && typeof group === 'boolean' && typeof newline === 'boolean'
  );
}
