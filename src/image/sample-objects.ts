/**
 * Do the objects have the digests that an image is about to list? The writer takes them from the kernel or from
 * one hash engine, and the comparison with the commit takes them from the writer; here a few objects, chosen by
 * chance, are read and hashed by the second engine.
 */
import { bytesEqual } from '../base/bytes.ts';
import { type Checksum, digestOf } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import type { Progress } from '../base/progress.ts';
import { VerityHasher } from '../formats/verity.ts';
import { type ContentTable, Known } from '../repository/content-table.ts';
import type { Repository } from '../repository/repository.ts';
import type { Finding } from './findings.ts';

/** An object with the digest that the image lists. */
export interface ListedObject {
  readonly checksum: Checksum;
  readonly sizeBytes: number;
  readonly digest: Uint8Array;
}

/** One in so many, and at least one. */
const ONE_IN = 100;

const MOST_OBJECTS = 200;

/** What the second engine hashes in about half a second. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Chooses objects by chance of those that an image lists with a digest: one in a hundred, at most 200 and 64 MiB of
 * content. Nothing is made of the others: there may be a million.
 * @param rows the image's objects in the table
 */
export function sampleOf(table: ContentTable, rows: Uint32Array): ListedObject[] {
  const { size, known } = table.columns;
  const left = rows.filter((row) => size[row] !== 0 && ((known[row] as number) & Known.digest) !== 0);
  const want = Math.min(MOST_OBJECTS, Math.ceil(left.length / ONE_IN));
  const sample: ListedObject[] = [];
  let bytes = 0;
  for (let at = 0; at < left.length && sample.length < want; at++) {
    const other = at + Math.floor(Math.random() * (left.length - at));
    const chosen = left[other] as number;
    left[other] = left[at] as number;
    const sizeBytes = size[chosen] as number;
    if (bytes + sizeBytes > MOST_BYTES) continue;
    bytes += sizeBytes;
    sample.push({ checksum: table.checksum(chosen), sizeBytes, digest: table.digest(chosen) as Uint8Array });
  }
  return sample;
}

/** Hashes the content of objects with the second engine; a digest that differs is a finding. */
export async function checkDigests(
  repository: Pick<Repository, 'readContent'>,
  objects: readonly ListedObject[],
  progress: Progress,
): Promise<Finding[]> {
  progress.begin('checking object digests', objects.length);
  const findings: Finding[] = [];
  const hasher = new VerityHasher(nobleEngine);
  for (const { checksum, sizeBytes, digest } of objects) {
    const reading = repository.readContent(checksum, (chunk) => hasher.update(chunk));
    if (reading !== undefined) await reading;
    const got = hasher.digest();
    if (!bytesEqual(got, digest)) {
      const where = `object ${checksum}.file`;
      const message = `${where} is listed with the digest ${digestOf(digest)}, its content gives ${digestOf(got)}`;
      findings.push({ severity: 'error', code: 'object-digest', where, message });
    }
    progress.advance(1, sizeBytes);
    await progress.breathe();
  }
  return findings;
}
