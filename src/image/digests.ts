/**
 * Object digests: the fs-verity digest of each content object's bytes, which the image carries so that
 * overlayfs can refuse an object that differs. The kernel's own measurement wins where the object has
 * fs-verity; else the digest is computed from the content.
 */
import type { Checksum } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { VerityMeasurement } from '../base/system.ts';
import { VerityHasher, verityDigest } from '../formats/verity.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';

/**
 * libostree's three ways to fill in object digests: `yes` = measured, else computed; `maybe` = only what the
 * kernel measures; `no` = none at all.
 */
export type VerityMode = 'yes' | 'maybe' | 'no';

export const VERITY_MODES: readonly VerityMode[] = ['yes', 'maybe', 'no'];

/** Digests of one repository's content objects, each found once. */
export class ObjectDigests {
  readonly mode: VerityMode;
  readonly #repository: Repository;
  readonly #known = new Map<Checksum, Uint8Array | undefined>();
  /** Whether asking the kernel makes sense. */
  #measurable: boolean;
  /** How many digests came from the kernel, and how many were computed. */
  measured = 0;
  computed = 0;

  constructor(repository: Repository, mode: VerityMode) {
    this.mode = mode;
    this.#repository = repository;
    this.#measurable = mode !== 'no';
  }

  /** The digest of a loaded object: 32 bytes, or undefined where the mode gives none. */
  get(checksum: Checksum): Uint8Array | undefined {
    return this.#known.get(checksum);
  }

  /**
   * Finds the digests of all `objects` (regular files that are not empty).
   * @throws FormatError when an object's content is not as long as its header says.
   */
  async load(objects: ReadonlyMap<Checksum, ContentInfo>, progress: Progress): Promise<void> {
    if (this.mode === 'no') return;
    progress.begin('digesting objects', objects.size);
    for (const [checksum, info] of objects) {
      if (!this.#known.has(checksum)) this.#known.set(checksum, await this.#find(checksum, info));
      progress.advance(1, info.size);
      await progress.breathe();
    }
  }

  async #find(checksum: Checksum, info: ContentInfo): Promise<Uint8Array | undefined> {
    const measured = this.#measurable ? this.#measure(checksum) : undefined;
    if (measured !== undefined) {
      this.measured++;
      return measured;
    }
    if (this.mode === 'maybe') return undefined;
    this.computed++;
    return await computeObjectDigest(this.#repository, checksum, info.size);
  }

  #measure(checksum: Checksum): Uint8Array | undefined {
    const verity = measureObject(this.#repository, checksum);
    if (verity?.state === 'unsupported') this.#measurable = false;
    return usableDigest(verity);
  }
}

/** Nothing here computes another algorithm's digest, so there is nothing to compare it with. */
const usableDigest = (verity: VerityMeasurement | undefined): Uint8Array | undefined =>
  verity?.state === 'enabled' && verity.algorithm === 'sha256' ? verity.digest : undefined;

/**
 * The digest of one content object of `sizeBytes`: as the kernel measures it, else computed.
 * @throws NotFoundError, FormatError when the content has another length
 */
export async function objectDigest(
  repository: Repository,
  checksum: Checksum,
  sizeBytes: number,
): Promise<Uint8Array> {
  return (
    usableDigest(measureObject(repository, checksum)) ??
    (await computeObjectDigest(repository, checksum, sizeBytes))
  );
}

/** What the kernel measures of an object; undefined where the file is compressed and its digest not the content's. */
export function measureObject(repository: Repository, checksum: Checksum): VerityMeasurement | undefined {
  const path = repository.objectPath(checksum, 'file');
  if (!path.endsWith('.file')) return undefined;
  const { system } = repository;
  const fd = system.openRead(path, { noFollow: true });
  try {
    return system.measureVerity(fd);
  } finally {
    system.close(fd);
  }
}

/**
 * Computes the digest of a content object from its (decompressed) bytes.
 * @throws FormatError when the content is not `sizeBytes` long.
 */
async function computeObjectDigest(
  repository: Repository,
  checksum: Checksum,
  sizeBytes: number,
): Promise<Uint8Array> {
  let whole: Uint8Array | undefined;
  let hasher: VerityHasher | undefined;
  let total = 0;
  const reading = repository.readContent(checksum, (chunk) => {
    total += chunk.length;
    if (hasher === undefined && total === sizeBytes && total === chunk.length) {
      whole = verityDigest(chunk);
      return;
    }
    hasher ??= new VerityHasher();
    hasher.update(chunk);
  });
  if (reading !== undefined) await reading;
  if (total !== sizeBytes)
    throw new FormatError(`object ${checksum}.file`, 'content has another length', {
      got: total,
      want: sizeBytes,
    });
  return hasher === undefined ? (whole ?? verityDigest(new Uint8Array(0))) : hasher.digest();
}
