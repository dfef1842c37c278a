/** The digest of an image by the second hash engine, beside what else is done. */
import { type Digest, digestOf } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import { processors, Thread } from '../base/threads.ts';
import { verityDigest } from '../formats/verity.ts';

const PROGRAM = new URL('./second-digest-worker.ts', import.meta.url);

/** A smaller image is hashed before a thread has started. */
const WORTH_A_THREAD = 4 * 1024 * 1024;

/** The fs-verity digest by @noble/hashes. Where it is worth it a thread computes it from a copy of the bytes. */
export async function secondDigest(image: Uint8Array): Promise<Digest> {
  const isWorthIt = image.length >= WORTH_A_THREAD && processors() > 1;
  await using thread = isWorthIt ? Thread.start<Uint8Array, Uint8Array>(PROGRAM) : undefined;
  return digestOf(thread === undefined ? verityDigest(image, nobleEngine) : await thread.ask(image));
}
