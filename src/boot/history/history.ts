/**
 * The history of a machine's boot configuration: what was there before the first change and after each one, who made
 * it, when and why. It is for reading, comparing and going back; nothing that boots depends on it.
 */
import { join } from 'node:path';
import { type ByteString, bytesToText, displayBytes } from '../../base/bytes.ts';
import { FormatError, NotFoundError } from '../../base/errors.ts';
import type { System } from '../../base/system.ts';
import { stateFolder } from '../../deployment/state-folder.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import {
  type BootConfiguration,
  FILES_FOLDER,
  formatConfiguration,
  type KeptConfiguration,
  parseConfiguration,
  parseJson,
} from './configuration.ts';
import { GitHistory } from './git.ts';
import type { HistoryStore, Revision } from './store.ts';

/**
 * - `change`: what sealtree left behind after a change;
 * - `found`: what it found before one, where that was not what it had left: ostree, or a person, was there.
 */
export type EntryKind = 'change' | 'found';

/** Why there is an entry. */
export interface Occasion {
  readonly kind: EntryKind;
  /** What made the change, such as `boot install` or `hook boot`; of what was found, what had been about to change it. */
  readonly cause: string;
  /** Who did that, a name. */
  readonly by: string;
  /** Seconds since 1970. */
  readonly seconds: number;
}

export interface HistoryEntry extends Occasion {
  /** Counted from 1, the oldest. */
  readonly number: number;
  /** Names it in the store. */
  readonly id: string;
  readonly configuration: BootConfiguration;
}

const CONFIGURATION = 'configuration.json';
const OCCASION = 'occasion.json';
const SCHEMA = 1;

/** The folder below {@link stateFolder}. */
export const HISTORY_FOLDER = 'history.git';

/** The history of a sysroot, whether it has one or not. @throws NotFoundError where nothing could be booted */
export const openHistory = (sysroot: Sysroot, system: System): History =>
  new History(new GitHistory(join(stateFolder(sysroot), HISTORY_FOLDER), system));

export class History {
  readonly #store: HistoryStore;

  constructor(store: HistoryStore) {
    this.#store = store;
  }

  /** Where it is kept. */
  get where(): string {
    return this.#store.where;
  }

  /** All entries, the oldest first. @throws FormatError where it is damaged; UnsupportedError without git */
  async list(): Promise<HistoryEntry[]> {
    const revisions = await this.#store.list();
    const wanted = revisions.flatMap(({ id }) => [
      { id, path: CONFIGURATION },
      { id, path: OCCASION },
    ]);
    const files = await this.#store.read(wanted);
    return revisions.map((revision, i) => this.#entry(revision, i + 1, files[2 * i], files[2 * i + 1]));
  }

  /** One entry by its number. @throws NotFoundError; as {@link list} */
  async entry(number: number): Promise<HistoryEntry> {
    const entries = await this.list();
    const found = entries[number - 1];
    if (found !== undefined) return found;
    const hint =
      entries.length === 0
        ? 'it begins with the next change, such as sealtree boot install'
        : `sealtree boot history lists all ${entries.length}`;
    throw new NotFoundError(`the boot history has no entry ${number}`, { hint, details: { number } });
  }

  /** An entry with the files that were kept. @throws FormatError where one is missing */
  async kept({ id, configuration }: Pick<HistoryEntry, 'id' | 'configuration'>): Promise<KeptConfiguration> {
    const { files: paths } = configuration;
    const found = await this.#store.read(paths.map((path) => ({ id, path: `${FILES_FOLDER}/${path}` })));
    const files = new Map<string, Buffer>();
    for (const [i, path] of paths.entries()) {
      const bytes = found[i];
      if (bytes === undefined) throw new FormatError(this.where, `${id} has no ${FILES_FOLDER}/${path}`);
      files.set(path, bytes);
    }
    return { configuration, files };
  }

  async append(kept: KeptConfiguration, occasion: Occasion): Promise<void> {
    const files = new Map<string, Uint8Array>([
      [CONFIGURATION, formatConfiguration(kept.configuration)],
      [OCCASION, Buffer.from(`${JSON.stringify({ schema: SCHEMA, ...occasion }, null, 2)}\n`)],
    ]);
    for (const [path, bytes] of kept.files) files.set(`${FILES_FOLDER}/${path}`, bytes);
    const { seconds, by } = occasion;
    await this.#store.append({ message: message(kept.configuration, occasion), author: by, seconds, files });
  }

  /** Puts a damaged one aside and begins anew. Returns where it lies then. */
  async setAside(seconds: number): Promise<string> {
    return await this.#store.setAside(seconds);
  }

  #entry(
    { id }: Revision,
    number: number,
    configuration: Buffer | undefined,
    occasion: Buffer | undefined,
  ): HistoryEntry {
    const where = `${this.where} ${id}`;
    if (configuration === undefined || occasion === undefined)
      throw new FormatError(where, `a revision without ${CONFIGURATION} and ${OCCASION}`);
    return {
      number,
      id,
      ...parseOccasion(occasion, where),
      configuration: parseConfiguration(configuration, where),
    };
  }
}

function parseOccasion(bytes: Uint8Array, where: string): Occasion {
  const { schema, kind, cause, by, seconds } = parseJson(bytes, where);
  if (schema !== SCHEMA) throw new FormatError(where, 'schema', { got: schema, want: SCHEMA });
  if (kind !== 'change' && kind !== 'found') throw new FormatError(where, 'kind', { got: kind });
  if (typeof cause !== 'string' || typeof by !== 'string') throw new FormatError(where, 'cause and by');
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) throw new FormatError(where, 'seconds');
  return { kind, cause, by, seconds };
}

/** What an entry is called in a list. */
export const occasionTitle = ({ kind, cause }: Pick<Occasion, 'kind' | 'cause'>): string =>
  kind === 'found' ? `found before ${cause}` : cause;

/** For whoever looks with git: a line for each deployment, in trailers. */
function message({ deployments, isInstalled }: BootConfiguration, occasion: Occasion): string {
  const lines = deployments.flatMap(({ id, sealPin }) => [
    `Deployment: ${id}`,
    ...(sealPin === null ? [] : [`Image-Digest: ${displayBytes(digestOf(sealPin))}`]),
  ]);
  return [occasionTitle(occasion), '', `Installed: ${isInstalled ? 'yes' : 'no'}`, ...lines].join('\n');
}

/** The image digest of a seal pin as it stands in an entry. */
export const digestOf = (sealPin: ByteString): ByteString =>
  bytesToText(sealPin).includes(':') ? (sealPin.slice(sealPin.indexOf(':') + 1) as ByteString) : sealPin;
