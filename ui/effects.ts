/** What reaches out of the interface: reading the sysroot, and the terminal itself. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SealtreeError } from '../src/base/errors.ts';
import type { System } from '../src/base/system.ts';
import { unusedImages } from '../src/deployment/gc.ts';
import { sealOutlook } from '../src/deployment/outlook.ts';
import { reportDeployment } from '../src/deployment/status.ts';
import { readSysroot } from '../src/deployment/sysroot.ts';
import type { StoredImage } from '../src/image/gc.ts';
import { failureOf } from './models/failure.ts';
import type { Running, RunProgram } from './program.ts';
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
  /** Runs the program itself. */
  readonly run: RunProgram;
}

/** Runs effects. Failures that are not for the person end the interface. */
export class Effects {
  readonly #options: EffectsOptions;
  #sysrootReading = new AbortController();
  #readers: Promise<Readers> | undefined;
  #isStopped = false;
  /** Work that the person started, by the number of its job. */
  readonly #jobs = new Map<number, Running>();
  /** What only reads. */
  readonly #reads = new Set<Running>();
  #plan: Running | undefined;

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
    for (const running of this.#jobs.values()) running.stop();
    for (const running of this.#reads) running.abandon();
    // Whoever waits for the readers hears of a failure.
    this.#readers?.then((readers) => readers.stop()).catch(() => undefined);
  }

  /** How many jobs have not come to their end: each holds locks, and lets go of them there. */
  get jobCount(): number {
    return this.#jobs.size;
  }

  /** Resolves when all jobs have ended. */
  async jobsEnded(): Promise<void> {
    await Promise.all([...this.#jobs.values()].map(({ ended }) => ended));
  }

  /** Runs what only reads: at the end of the interface nobody waits for it. */
  readonly #read: RunProgram = (words, onTold) => {
    const running = this.#options.run(words, onTold);
    this.#reads.add(running);
    void running.ended.then(() => this.#reads.delete(running));
    return running;
  };

  /** Starts a job. What is heard of it goes out as events. */
  async #runJob({ id, words }: Extract<Effect, { type: 'run-job' }>): Promise<void> {
    const { dispatch, run, now } = this.#options;
    const startedMs = now();
    const running = run(words, (told) => dispatch({ type: 'job-told', id, told }));
    this.#jobs.set(id, running);
    const outcome = await running.ended;
    this.#jobs.delete(id);
    dispatch({ type: 'job-ended', id, outcome, tookMs: now() - startedMs });
  }

  /** Reads a plan; only the latest is waited for. */
  async #readPlan({ id, words }: Extract<Effect, { type: 'read-plan' }>): Promise<void> {
    const { dispatch } = this.#options;
    this.#plan?.abandon();
    const running = this.#read(words, (told) => {
      if (told.kind === 'stage') dispatch({ type: 'plan-told', id, stage: told.stage });
    });
    this.#plan = running;
    const outcome = await running.ended;
    if (this.#plan === running) dispatch({ type: 'plan-read', id, outcome });
  }

  #leavePlan(): void {
    const plan = this.#plan;
    this.#plan = undefined;
    plan?.abandon();
  }

  /** The first screen does without, and so without their code. */
  #reading(): Promise<Readers> {
    this.#readers ??= this.#loadReaders();
    return this.#readers;
  }

  async #loadReaders(): Promise<Readers> {
    const { Readers: Loaded } = await import('./readers.ts');
    const readers = new Loaded({ ...this.#options, run: this.#read });
    if (this.#isStopped) readers.stop();
    return readers;
  }

  async #start(effect: Effect, terminal: Terminal | undefined): Promise<void> {
    if (typeof effect === 'object')
      switch (effect.type) {
        case 'page':
          return this.#page(effect, terminal);
        case 'show':
          return this.#show(Buffer.from(effect.text), terminal);
        case 'run-job':
          return this.#runJob(effect);
        case 'stop-job':
          return this.#jobs.get(effect.id)?.stop();
        case 'read-plan':
          return this.#readPlan(effect);
        case 'leave-plan':
          return this.#leavePlan();
        default:
          return this.#answer(effect);
      }
    switch (effect) {
      case 'reopen':
        return (await this.#reading()).forget();
      case 'read-sysroot':
        return this.#readSysroot();
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

  /** Shows what is there already. */
  async #show(bytes: Buffer, terminal: Terminal | undefined): Promise<void> {
    const { dispatch, page } = this.#options;
    try {
      await terminal?.suspend(() => page(bytes));
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'notice', text: error.message });
    }
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
  async #readSysroot(): Promise<void> {
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
      await nextTurn();
      if (signal.aborted) return;
      dispatch({ type: 'orphans-read', images: orphansOf(sysrootPath, system) });
      dispatch({ type: 'reading-done', nowMs: now() });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      dispatch({ type: 'reading-failed', failure: failureOf(error, sysrootPath) });
    }
  }
}

/** Stored images that no deployment has; none where that is not to be known: then the images above say what is wrong. */
function orphansOf(sysrootPath: string, system: System): readonly StoredImage[] {
  try {
    return unusedImages(sysrootPath, system);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return [];
  }
}
