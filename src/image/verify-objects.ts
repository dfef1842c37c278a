/**
 * Are the objects that images point to there, whole, and protected? Each object is looked at once, however many
 * images need it, and nothing learnt earlier is believed: lengths come from the file system, digests from the
 * kernel or from the bytes.
 */
import { type ByteString, bytesEqual } from '../base/bytes.ts';
import { type Checksum, checksumOf, digestOf, nativeEngine } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import { errnoOf, NotFoundError, PermissionError, SealtreeError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import type { ErofsImage } from '../formats/erofs/read.ts';
import { contentHeader } from '../formats/objects.ts';
import { VerityHasher } from '../formats/verity.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import type { Depth } from '../repository/verify-content.ts';
import { measureObject } from './digests.ts';
import type { Severity } from './findings.ts';

/** What an image says of an object it points to. */
export interface ExpectedObject {
  readonly sizeBytes: number;
  /** 32 bytes, or undefined where the image lists no digest. */
  readonly digest: Uint8Array | undefined;
}

/** The objects an image points to, by checksum; a path that is no object's is left out. @throws FormatError */
export function expectedObjects(image: ErofsImage): Map<Checksum, ExpectedObject> {
  const objects = new Map<Checksum, ExpectedObject>();
  for (const { inode } of image.walk()) {
    if (!isRegular(inode.mode)) continue;
    const { payload, digest } = image.node(inode);
    const checksum = payloadObject(payload);
    if (checksum !== undefined) objects.set(checksum, { sizeBytes: inode.size, digest });
  }
  return objects;
}

/** The object a backing file is; undefined where its path is no object's. */
export function payloadObject(payload: ByteString | undefined): Checksum | undefined {
  const match = /^([0-9a-f]{2})\/([0-9a-f]{62})\.file$/.exec(payload ?? '');
  return match === null ? undefined : (`${match[1]}${match[2]}` as Checksum);
}

/** Something wrong with one object; paths and deployments are added by who knows them. */
export interface ObjectFinding {
  readonly checksum: Checksum;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
}

/** What became of the check for fs-verity, over all objects. */
export interface VerityCounts {
  enabled: number;
  disabled: number;
  unsupported: number;
}

export class ObjectVerifier {
  readonly verity: VerityCounts = { enabled: 0, disabled: 0, unsupported: 0 };
  /** Objects that could have fs-verity, and have none. */
  readonly withoutVerity: Checksum[] = [];
  /** Objects whose content was read. */
  read = 0;
  readonly #repository: Repository;
  readonly #depth: Depth;
  readonly #sample: () => boolean;

  /** @param sample whether `deep` checks an object with the second engine too; one in a hundred by default */
  constructor(repository: Repository, depth: Depth, sample = () => Math.random() < 0.01) {
    this.#repository = repository;
    this.#depth = depth;
    this.#sample = sample;
  }

  /** Checks every object; yields what is wrong as it is found. */
  async *verify(
    objects: ReadonlyMap<Checksum, ExpectedObject>,
    progress: Progress,
  ): AsyncGenerator<ObjectFinding> {
    progress.begin(this.#depth === 'metadata' ? 'looking at objects' : 'reading objects', objects.size);
    for (const [checksum, expected] of objects) {
      yield* await this.#verifyOne(checksum, expected);
      progress.advance(1, this.#depth === 'metadata' ? 0 : expected.sizeBytes);
      await progress.breathe();
    }
  }

  async #verifyOne(checksum: Checksum, expected: ExpectedObject): Promise<ObjectFinding[]> {
    const found: ObjectFinding[] = [];
    const add = (severity: Severity, code: string, message: string) => {
      found.push({ checksum, severity, code, message });
    };
    try {
      const info = this.#repository.content(checksum);
      if (!isRegular(info.mode)) {
        add('error', 'object-replaced', 'the object is no regular file');
        return found;
      }
      if (info.size !== expected.sizeBytes)
        add(
          'error',
          'object-size',
          `the object has ${info.size} bytes, the image says ${expected.sizeBytes}`,
        );
      const measured = this.#measure(checksum, expected, add);
      if (this.#depth !== 'metadata') await this.#readOne(checksum, info, expected, measured, add);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const errno = errnoOf(error);
      if (error instanceof NotFoundError || errno === 'ENOENT')
        add('error', 'object-missing', 'the object is missing');
      else if (error instanceof PermissionError || errno === 'EACCES' || errno === 'EPERM')
        add('unchecked', 'object-unreadable', error.message);
      // EIO is what fs-verity says of a damaged file.
      else add('error', 'object-damaged', error.message);
    }
    return found;
  }

  /** The kernel's measurement: 32 bytes, or undefined where there is none. */
  #measure(
    checksum: Checksum,
    expected: ExpectedObject,
    add: (severity: Severity, code: string, message: string) => void,
  ): Uint8Array | undefined {
    const verity = measureObject(this.#repository, checksum);
    if (verity === undefined) return undefined;
    this.verity[verity.state]++;
    if (verity.state === 'disabled') this.withoutVerity.push(checksum);
    if (verity.state !== 'enabled') return undefined;
    if (expected.digest !== undefined && !bytesEqual(verity.digest, expected.digest)) {
      const got = verity.digest.toString('hex');
      add('error', 'object-verity', `fs-verity measures ${got}, the image says ${digestOf(expected.digest)}`);
    }
    // Nothing here computes another algorithm's digest, so there is nothing to compare it with.
    return verity.algorithm === 'sha256' ? verity.digest : undefined;
  }

  async #readOne(
    checksum: Checksum,
    info: ContentInfo,
    expected: ExpectedObject,
    measured: Uint8Array | undefined,
    add: (severity: Severity, code: string, message: string) => void,
  ): Promise<void> {
    const engines =
      this.#depth === 'paranoid' || this.#sample() ? [nativeEngine, nobleEngine] : [nativeEngine];
    const passes = engines.map((engine) => ({
      engine,
      content: engine.create(),
      verity: new VerityHasher(engine),
    }));
    const header = contentHeader(info);
    for (const { content } of passes) content.update(header);
    const reading = this.#repository.readContent(checksum, (chunk) => {
      for (const { content, verity } of passes) {
        content.update(chunk);
        verity.update(chunk);
      }
    });
    if (reading !== undefined) await reading;
    this.read++;
    for (const { engine, content, verity } of passes) {
      const gotChecksum = checksumOf(content.digest());
      const gotDigest = verity.digest();
      const wrong: string[] = [];
      if (gotChecksum !== checksum) wrong.push(`content and metadata hash to ${gotChecksum}`);
      const listed = expected.digest;
      const isDigestWrong = listed !== undefined && !bytesEqual(gotDigest, listed);
      if (isDigestWrong)
        wrong.push(`the content's digest is ${digestOf(gotDigest)}, the image says ${digestOf(listed)}`);
      else if (measured !== undefined && !bytesEqual(gotDigest, measured))
        wrong.push(`fs-verity measures ${digestOf(measured)}, the bytes give ${digestOf(gotDigest)}`);
      if (wrong.length === 0) continue;
      // A bare-user-only repository forgets owners and xattrs, others do not show all xattrs to everybody: what had any
      // cannot hash to its name again.
      const { mode, mayHideXattrs } = this.#repository;
      const isPartlySeen = mode === 'bare-user-only' || mayHideXattrs;
      const isMetadataAlone = wrong.length === 1 && gotChecksum !== checksum;
      add(
        isPartlySeen && isMetadataAlone ? 'unchecked' : 'error',
        'object-corrupt',
        `${wrong.join('; ')} (${engine.name})`,
      );
      // The second engine would say the same again.
      return;
    }
  }
}
