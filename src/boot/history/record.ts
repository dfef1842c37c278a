/**
 * Keeps the history while the boot is changed. Whatever goes wrong with it is said and hinders nothing: a machine
 * without git, or whose history is damaged, is installed into as any other.
 */
import { userInfo } from 'node:os';
import { errnoOf, FormatError, SealtreeError } from '../../base/errors.ts';
import { isSameConfiguration, type KeptConfiguration } from './configuration.ts';
import type { History } from './history.ts';

export interface HistoryOutcome {
  /** Number of the entry that says what there is now; undefined where none could be kept. */
  readonly number: number | undefined;
  /** What is to be known of it, sentences: why none was kept, or that it was begun anew. */
  readonly notes: readonly string[];
}

export interface Occurrence {
  readonly cause: string;
  readonly by: string;
  /** The time now, seconds since 1970. */
  readonly now: () => number;
}

/** To be used with the sysroot's locks held: one {@link before}, the change, one {@link after}. */
export class Recorder {
  readonly #open: () => History;
  readonly #occurrence: Occurrence;
  readonly #notes: string[] = [];
  #count = 0;
  #isKept = true;

  constructor(open: () => History, occurrence: Occurrence) {
    this.#open = open;
    this.#occurrence = occurrence;
  }

  /** What there is before the change, unless the last entry says just that. */
  async before(read: () => KeptConfiguration): Promise<void> {
    await this.#keep(async () => {
      const last = await this.#last();
      const kept = read();
      if (last === undefined || !isSameConfiguration(last, kept)) await this.#append(kept, 'found');
    });
  }

  /** What there is after it. */
  async after(read: () => KeptConfiguration): Promise<HistoryOutcome> {
    if (this.#isKept) await this.#keep(async () => await this.#append(read(), 'change'));
    return { number: this.#isKept ? this.#count : undefined, notes: this.#notes };
  }

  async #append(kept: KeptConfiguration, kind: 'change' | 'found'): Promise<void> {
    const { cause, by, now } = this.#occurrence;
    await this.#open().append(kept, { kind, cause, by, seconds: now() });
    this.#count++;
  }

  /** The last entry with its files. A history that cannot be read to its end is put aside. */
  async #last(): Promise<KeptConfiguration | undefined> {
    try {
      const entries = await this.#open().list();
      this.#count = entries.length;
      const last = entries.at(-1);
      return last && (await this.#open().kept(last));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const aside = await this.#open().setAside(this.#occurrence.now());
      this.#notes.push(
        `the boot history was damaged and begins anew; the old one is ${aside} (${error.message})`,
      );
      this.#count = 0;
      return undefined;
    }
  }

  async #keep(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SealtreeError) && errnoOf(error) === undefined) throw error;
      this.#isKept = false;
      this.#notes.push(`no history is kept of this change: ${(error as Error).message}`);
    }
  }
}

/** Who runs this process, as a history names them; a person who became root for it is named. */
export function whoRuns(env: Readonly<Record<string, string | undefined>>): string {
  const person = env.SUDO_USER ?? env.DOAS_USER;
  if (person !== undefined && /^[\w.@-]{1,64}$/.test(person)) return `${person} (as root)`;
  if (env.INVOCATION_ID !== undefined) return 'systemd';
  try {
    return userInfo().username;
  } catch (error) {
    // A user without a name: a container, or an initramfs.
    if (!(error instanceof Error)) throw error;
    return `user ${process.geteuid?.() ?? '?'}`;
  }
}
