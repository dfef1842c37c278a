/**
 * Threads that help to make an image: they take their share in learning of its objects, read those again while it is
 * planned and written, and hash it anew while it is compared. Whoever finds no thread does it by itself.
 */
import type { System } from '../base/system.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, startThreads, type Thread } from '../base/threads.ts';
import type { SharedLeaves } from '../formats/verity-leaves.ts';
import type { Finding } from './findings.ts';
import type { Learnt, LearnWork } from './learn-rows.ts';
import type { ObjectsRead } from './reread-objects.ts';

/** What a helper is asked, all of it plain data; it opens the repository for itself. */
export type HelperRequest =
  | {
      readonly kind: 'learn';
      readonly repositoryPath: string;
      readonly work: LearnWork;
      readonly learner: number;
    }
  | { readonly kind: 'reread'; readonly repositoryPath: string; readonly objects: ObjectsRead }
  /** Its share in these blocks, hashed by the second engine. */
  | { readonly kind: 'second-digest'; readonly leaves: SharedLeaves };

export type HelperAnswer = Learnt | readonly Finding[] | undefined;

export type Helper = Thread<HelperRequest, HelperAnswer>;

const PROGRAM = new URL('./helper-worker.ts', import.meta.url);

/** More would wait for each other in the kernel. */
const MOST = 7;

export class HelperThreads implements AsyncDisposable {
  readonly #most: number;
  readonly #threads: Helper[] = [];

  /**
   * @param most how many at most; by default one for each processor but that of this thread
   * @param system that of the repository: threads have the kernel, a test's own cannot be handed to them
   */
  constructor(system: System, most = Math.min(processors() - 1, MOST)) {
    this.#most = system === linuxSystem ? most : 0;
  }

  /** All that there are, and as many as are wanted if the system lets us have them; they come to work while others go on. */
  start(wanted = this.#most): readonly Helper[] {
    const missing = Math.min(wanted, this.#most) - this.#threads.length;
    if (missing > 0) this.#threads.push(...startThreads<HelperRequest, HelperAnswer>(PROGRAM, missing));
    return this.#threads;
  }

  /** The one with least to do; starts the first. Undefined where there are none. */
  idlest(): Helper | undefined {
    const [first, ...others] = this.start(1);
    if (first === undefined) return undefined;
    return others.reduce((best, helper) => (helper.waiting < best.waiting ? helper : best), first);
  }

  /** Ends them, whatever they are at. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
