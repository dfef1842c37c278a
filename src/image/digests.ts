/**
 * Object digests: the fs-verity digest of each content object's bytes, which the image carries so that
 * overlayfs can refuse an object that differs. The kernel's own measurement wins where the object has
 * fs-verity; else the digest is computed from the content.
 */
import type { Checksum } from '../base/digest.ts';
import { FormatError } from '../base/errors.ts';
import type { VerityMeasurement } from '../base/system.ts';
import { VerityHasher, verityDigest } from '../formats/verity.ts';
import { MAX_BATCHED_BYTES, VerityBatch } from '../formats/verity-batch.ts';
import type { ContentInfo, ContentTarget, Repository } from '../repository/repository.ts';

/**
 * libostree's three ways to fill in object digests: `yes` = measured, else computed; `maybe` = only what the
 * kernel measures; `no` = none at all.
 */
export type VerityMode = 'yes' | 'maybe' | 'no';

export const VERITY_MODES: readonly VerityMode[] = ['yes', 'maybe', 'no'];

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

/** Where what is learnt of an object goes. */
export interface LearntSink {
  info(row: number, info: ContentInfo): void;
  /** 32 bytes at `offset`, whose memory is reused. */
  digest(row: number, bytes: Uint8Array, offset: number): void;
}

/** Learns metadata and digest of content objects, many after one another: each is opened and read once. */
export class ObjectLearner {
  /** Bytes of content read. */
  bytesRead = 0;
  readonly #repository: Repository;
  readonly #mode: VerityMode;
  readonly #sink: LearntSink;
  readonly #target: ContentTarget;
  readonly #batch: VerityBatch;
  /** Whether asking the kernel makes sense. */
  #measurable = true;
  // The object at hand: its row, whether its content was wanted, what came of it piece by piece.
  #row = 0;
  #isComputed = false;
  #large: VerityHasher | undefined;
  #streamed = 0;

  constructor(repository: Repository, mode: VerityMode, sink: LearntSink) {
    this.#repository = repository;
    this.#mode = mode;
    this.#sink = sink;
    this.#batch = new VerityBatch((row, digests, offset) => sink.digest(row, digests, offset));
    this.#target = {
      wants: (_, fd) => this.#wantsContent(fd),
      room: ({ size }) => (size <= MAX_BATCHED_BYTES ? this.#batch.room(size) : undefined),
      sink: (chunk) => {
        this.#streamed += chunk.length;
        this.#large ??= new VerityHasher();
        this.#large.update(chunk);
      },
    };
  }

  /**
   * Learns of one object, which the sink knows by `row`; its digest may come later, at the latest by {@link flush}.
   * @throws NotFoundError, FormatError
   */
  learn(row: number, checksum: Checksum): void | Promise<void> {
    this.#row = row;
    this.#isComputed = false;
    this.#large = undefined;
    this.#streamed = 0;
    const loading = this.#repository.loadContent(checksum, this.#target);
    if (loading instanceof Promise) return loading.then((info) => this.#take(row, checksum, info));
    this.#take(row, checksum, loading);
  }

  /** Hands on the digests that are still to come. */
  flush(): void {
    this.#batch.flush();
  }

  #wantsContent(fd: number | undefined): boolean {
    if (this.#mode === 'no') return false;
    if (fd !== undefined && this.#measurable) {
      const verity = this.#repository.system.measureVerity(fd);
      if (verity.state === 'unsupported') this.#measurable = false;
      const measured = usableDigest(verity);
      if (measured !== undefined) {
        this.#sink.digest(this.#row, measured, 0);
        return false;
      }
    }
    this.#isComputed = this.#mode === 'yes';
    return this.#isComputed;
  }

  #take(row: number, checksum: Checksum, info: ContentInfo): void {
    this.#sink.info(row, info);
    if (!this.#isComputed) return;
    this.bytesRead += info.size;
    if (info.size <= MAX_BATCHED_BYTES) {
      this.#batch.add(row, info.size);
      return;
    }
    if (this.#large === undefined || this.#streamed !== info.size)
      throw new FormatError(`object ${checksum}.file`, 'content has another length', {
        got: this.#streamed,
        want: info.size,
      });
    this.#sink.digest(row, this.#large.digest(), 0);
  }
}
