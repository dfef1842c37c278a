/**
 * Threads that help to make an image: they look whether known objects are there while the commit is read, take their
 * share in learning of the others, read those again and hash a few while the image is planned and written, and hash it
 * anew while it is compared. Whoever finds no thread does it by itself.
 */
import type { System } from '../base/system.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, startThreads, type Thread } from '../base/threads.ts';
import type { SharedLeaves } from '../formats/verity-leaves.ts';
import type { Finding } from './findings.ts';
import type { Learnt, LearnWork } from './learn-rows.ts';
import type { ObjectsRead } from './reread-objects.ts';
import type { ListedObject } from './sample-objects.ts';

/** What a helper is asked, all of it plain data; it opens the repository for itself. */
export type HelperRequest =
  /** Which of so many objects, 32 bytes each, are there: a byte for each. */
  | {
      readonly kind: 'present';
      readonly repositoryPath: string;
      readonly checksums: Uint8Array;
      readonly count: number;
    }
  | {
      readonly kind: 'learn';
      readonly repositoryPath: string;
      readonly work: LearnWork;
      readonly learner: number;
    }
  | { readonly kind: 'reread'; readonly repositoryPath: string; readonly objects: ObjectsRead }
  | { readonly kind: 'sample'; readonly repositoryPath: string; readonly objects: readonly ListedObject[] }
  /** Its share in these blocks, hashed by the second engine. */
  | { readonly kind: 'second-digest'; readonly leaves: SharedLeaves };

export type HelperAnswer = Learnt | readonly Finding[] | undefined | Uint8Array;

export type Helper = Thread<HelperRequest, HelperAnswer>;

const PROGRAM = new URL('./helper-worker.ts', import.meta.url);

/** Of threads that compute more would wait for each other in the kernel. */
const MOST_BY_PROCESSORS = 7;

export class HelperThreads implements AsyncDisposable {
  /** How many are at work where nobody asks for more: by default one for each processor but that of this thread. */
  readonly wanted: number;
  readonly #isPossible: boolean;
  readonly #threads: Helper[] = [];

  /** @param system that of the repository: threads have the kernel, a test's own cannot be handed to them */
  constructor(system: System, wanted = Math.min(processors() - 1, MOST_BY_PROCESSORS)) {
    this.wanted = wanted;
    this.#isPossible = system === linuxSystem && wanted > 0;
  }

  /** All that there are, and as many as are asked for if the system lets us have them; they come to work while others go on. */
  start(count = this.wanted): readonly Helper[] {
    const missing = this.#isPossible ? count - this.#threads.length : 0;
    if (missing > 0) this.#threads.push(...startThreads<HelperRequest, HelperAnswer>(PROGRAM, missing));
    return this.#threads;
  }

  /** The one with least to do; starts the first. Undefined where there are none. */
  idlest(): Helper | undefined {
    const [first, ...others] = this.start(1);
    if (first === undefined) return undefined;
    return others.reduce((best, helper) => (helper.waiting < best.waiting ? helper : best), first);
  }

  /** Ends those beyond {@link wanted}, which are to have answered: each takes 20 MB. */
  async dismissExtra(): Promise<void> {
    await Promise.all(this.#threads.splice(this.wanted).map((thread) => thread.close()));
  }

  /** Ends them, whatever they are at. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
