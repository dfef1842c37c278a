/** What reaches out of the interface: reading the sysroot, and the terminal itself. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SealtreeError } from '../src/base/errors.ts';
import type { System } from '../src/base/system.ts';
import { sealOutlook } from '../src/deployment/outlook.ts';
import { reportDeployment } from '../src/deployment/status.ts';
import { readSysroot } from '../src/deployment/sysroot.ts';
import { failureOf } from './models/failure.ts';
import type { RepositoryReader } from './repository-reader.ts';
import type { Effect, Event, Request } from './state.ts';

/** What the running interface can do to its terminal. */
export interface Terminal {
  /** Ends the interface; with an error, whoever started it gets that. */
  exit(error?: unknown): void;
  /** Gives the terminal back for the time of `action`, then draws everything anew. */
  suspend(action: () => void | Promise<void>): Promise<void>;
}

/** Shows bytes to the person, on the terminal the interface has given back. */
export type Page = (bytes: Buffer) => Promise<void>;

export interface EffectsOptions {
  readonly sysrootPath: string;
  readonly repositoryPath: string | undefined;
  readonly page: Page;
  readonly system: System;
  readonly dispatch: (event: Event) => void;
  readonly terminal: () => Terminal | undefined;
  readonly now: () => number;
}

/** Runs effects. Failures that are not for the person end the interface. */
export class Effects {
  readonly #options: EffectsOptions;
  #reading = new AbortController();
  #reader: Promise<RepositoryReader> | undefined;
  #isStopped = false;

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  readonly run = (effect: Effect): void => {
    const terminal = this.#options.terminal();
    this.#start(effect, terminal).catch((error: unknown) => terminal?.exit(error));
  };

  /** Ends what is under way. */
  stop(): void {
    this.#isStopped = true;
    this.#reading.abort();
    // Whoever waits for the reader hears of a failure.
    this.#reader?.then((reader) => reader.stop()).catch(() => undefined);
  }

  /** The reader of the repository. The first screen does without, and so without its code. */
  #repository(): Promise<RepositoryReader> {
    this.#reader ??= this.#loadReader();
    return this.#reader;
  }

  async #loadReader(): Promise<RepositoryReader> {
    const { RepositoryReader: Reader } = await import('./repository-reader.ts');
    const reader = new Reader(this.#options);
    if (this.#isStopped) reader.stop();
    return reader;
  }

  async #start(effect: Effect, terminal: Terminal | undefined): Promise<void> {
    if (typeof effect === 'object')
      return effect.type === 'page' ? this.#page(effect, terminal) : this.#answer(effect);
    switch (effect) {
      case 'reopen':
        return (await this.#repository()).reopen();
      case 'read-sysroot':
        return this.#read();
      case 'quit':
        return terminal?.exit();
      case 'redraw':
        return terminal?.suspend(() => undefined);
      case 'suspend':
        // The whole job stops, as the terminal's own Ctrl-Z would do it: a shell waits for all of it.
        return terminal?.suspend(() => {
          process.kill(0, 'SIGTSTP');
        });
    }
  }

  async #answer(request: Request): Promise<void> {
    return (await this.#repository()).answer(request);
  }

  /** Shows a file; what stands in the way is said below the screen, which is as it was. */
  async #page(
    { commit, path, form }: Extract<Effect, { type: 'page' }>,
    terminal: Terminal | undefined,
  ): Promise<void> {
    const { dispatch, page } = this.#options;
    try {
      const { bytes, isCut } = await (await this.#repository()).content(commit, path, form);
      // A pager of nothing would end before anybody saw it.
      if (bytes.length === 0) return dispatch({ type: 'notice', text: 'the file is empty' });
      await terminal?.suspend(() => page(bytes));
      if (isCut) dispatch({ type: 'notice', text: 'only its beginning was shown: it is large' });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
  }

  /** Reads the sysroot, then one image after the other; keys are handled in between. A new reading ends this one. */
  async #read(): Promise<void> {
    const { sysrootPath, system, dispatch, now } = this.#options;
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    try {
      await nextTurn();
      if (signal.aborted) return;
      const sysroot = readSysroot(sysrootPath, system);
      dispatch({ type: 'sysroot-read', sysroot, outlook: sealOutlook(sysroot, system) });
      for (const deployment of sysroot.deployments) {
        await nextTurn();
        if (signal.aborted) return;
        const image = reportDeployment(deployment, sysroot.repositoryPath, system).image;
        dispatch({ type: 'image-read', id: deployment.id, image });
      }
      dispatch({ type: 'reading-done', nowMs: now() });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'reading-failed', failure: failureOf(error, sysrootPath) });
    }
  }
}
