/** The digest of an image as it lies on disk: whether its bytes are what they were. */
import { type Digest, digestOf } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import { eachChunk } from '../base/file-chunks.ts';
import type { SystemReads } from '../base/system.ts';
import { VerityHasher } from '../formats/verity.ts';

/** Digest and length of a file, of which a piece at a time is in memory; undefined where it cannot be read. */
export function digestIfPossible(
  path: string,
  system: SystemReads,
): { readonly digest: Digest; readonly sizeBytes: number } | undefined {
  const hasher = new VerityHasher();
  let sizeBytes = 0;
  try {
    eachChunk(path, system, (chunk) => {
      hasher.update(chunk);
      sizeBytes += chunk.length;
    });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  return { digest: digestOf(hasher.digest()), sizeBytes };
}
