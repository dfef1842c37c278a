/** The digest of an image by the second hash engine, beside what else is done with it. */
import { type Digest, digestOf } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import type { Progress } from '../base/progress.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { hashLeaves, leavesDigest, type SharedLeaves, shareLeaves } from '../formats/verity-leaves.ts';
import { HelperThreads } from './helper-threads.ts';

/** A smaller image is hashed before a thread has started. */
const WORTH_A_THREAD = 4 * 1024 * 1024;

/** A fs-verity digest by @noble/hashes at work: a thread hashes, where it is worth one, and {@link finish} what it has left. */
export class SecondDigest implements AsyncDisposable {
  readonly #leaves: SharedLeaves;
  readonly #own: HelperThreads | undefined;
  readonly #helped: Promise<unknown> | undefined;

  /**
   * Begins.
   * @param image must not change until the digest is there; copied where it does not lie in shared memory
   * @param helpers where there are some already
   */
  constructor(image: Uint8Array, helpers?: HelperThreads) {
    this.#leaves = shareLeaves(image);
    if (image.length < WORTH_A_THREAD) return;
    this.#own = helpers === undefined ? new HelperThreads(linuxSystem) : undefined;
    this.#helped = (helpers ?? this.#own)?.idlest()?.ask({ kind: 'second-digest', leaves: this.#leaves });
    // Awaited in the end; whoever fails before that has another failure to tell of.
    this.#helped?.catch(() => undefined);
  }

  /** Takes part in what is left to do. */
  async finish(progress: Progress): Promise<Digest> {
    while (hashLeaves(this.#leaves, nobleEngine)) await progress.breathe();
    await this.#helped;
    return digestOf(leavesDigest(this.#leaves, nobleEngine));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own?.close();
  }
}
