/** What reaches out of the interface: reading the sysroot, and the terminal itself. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SealtreeError } from '../src/base/errors.ts';
import type { System } from '../src/base/system.ts';
import { sealOutlook } from '../src/deployment/outlook.ts';
import { reportDeployment } from '../src/deployment/status.ts';
import { readSysroot } from '../src/deployment/sysroot.ts';
import { failureOf } from './models/failure.ts';
import type { Readers } from './readers.ts';
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
  #sysrootReading = new AbortController();
  #readers: Promise<Readers> | undefined;
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
    this.#sysrootReading.abort();
    // Whoever waits for the readers hears of a failure.
    this.#readers?.then((readers) => readers.stop()).catch(() => undefined);
  }

  /** The first screen does without, and so without their code. */
  #reading(): Promise<Readers> {
    this.#readers ??= this.#loadReaders();
    return this.#readers;
  }

  async #loadReaders(): Promise<Readers> {
    const { Readers: Loaded } = await import('./readers.ts');
    const readers = new Loaded(this.#options);
    if (this.#isStopped) readers.stop();
    return readers;
  }

  async #start(effect: Effect, terminal: Terminal | undefined): Promise<void> {
    if (typeof effect === 'object')
      return effect.type === 'page' ? this.#page(effect, terminal) : this.#answer(effect);
    switch (effect) {
      case 'reopen':
        return (await this.#reading()).forget();
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
    return (await this.#reading()).answer(request);
  }

  /** Shows a file; what stands in the way is said below the screen, which is as it was. */
  async #page(
    { subject, path, form }: Extract<Effect, { type: 'page' }>,
    terminal: Terminal | undefined,
  ): Promise<void> {
    const { dispatch, page } = this.#options;
    try {
      const { bytes, isCut } = await (await this.#reading()).tree.content(subject, path, form);
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
    this.#sysrootReading.abort();
    this.#sysrootReading = new AbortController();
    const { signal } = this.#sysrootReading;
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
