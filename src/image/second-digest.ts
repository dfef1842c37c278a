/** The digest of an image by the second hash engine, beside what else is done with it. */
import { type Digest, digestOf } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import type { Progress } from '../base/progress.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { VerityHasher } from '../formats/verity.ts';
import { hashLeaves, leavesDigest, type SharedLeaves, shareLeaves } from '../formats/verity-leaves.ts';
import { HelperThreads } from './helper-threads.ts';

/** What is hashed before somebody has been asked. */
const WORTH_ASKING = 4 * 1024 * 1024;
/** What is hashed before a thread has started. */
const WORTH_A_THREAD = 64 * 1024 * 1024;
/** Hashed at a time. */
const PIECE_BYTES = 128 * 1024;

/** What helpers take part in. */
interface Shared {
  readonly leaves: SharedLeaves;
  readonly helped: Promise<unknown>;
}

/** A fs-verity digest by the second engine at work: a helper hashes, where the image is worth one, and {@link finish} what it has left. */
export class SecondDigest implements AsyncDisposable {
  readonly #image: Uint8Array;
  /** Without a helper: what has hashed the image up to here. */
  readonly #hasher = new VerityHasher(nobleEngine);
  #hashed = 0;
  readonly #own: HelperThreads | undefined;
  readonly #shared: Shared | undefined;

  /**
   * Begins.
   * @param image must not change until the digest is there; copied for a helper where it does not lie in shared memory
   * @param helpers where there are some already
   */
  constructor(image: Uint8Array, helpers?: HelperThreads) {
    this.#image = image;
    if (image.length < (helpers === undefined ? WORTH_A_THREAD : WORTH_ASKING)) return;
    this.#own = helpers === undefined ? new HelperThreads(linuxSystem) : undefined;
    const helper = (helpers ?? this.#own)?.idlest();
    if (helper === undefined) return;
    const leaves = shareLeaves(image);
    const helped = helper.ask({ kind: 'second-digest', leaves });
    // Awaited in the end; whoever fails before that has another failure to tell of.
    helped.catch(() => undefined);
    this.#shared = { leaves, helped };
  }

  /** Takes part: hashes a little of what nobody has taken yet; false where nothing is left. */
  hashSome(): boolean {
    if (this.#shared !== undefined) return hashLeaves(this.#shared.leaves, nobleEngine);
    if (this.#hashed >= this.#image.length) return false;
    const end = this.#hashed + PIECE_BYTES;
    this.#hasher.update(this.#image.subarray(this.#hashed, end));
    this.#hashed = end;
    return true;
  }

  /** Does what is left to do. */
  async finish(progress: Progress): Promise<Digest> {
    while (this.hashSome()) await progress.breathe();
    if (this.#shared === undefined) return digestOf(this.#hasher.digest());
    await this.#shared.helped;
    return digestOf(leavesDigest(this.#shared.leaves, nobleEngine));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#own?.close();
  }
}
