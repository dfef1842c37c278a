/**
 * Is this image sound, is it the right one, and are the objects it points to what it says? Of a single image file,
 * whoever made it; `verify` of deployments (src/deployment) knows more and asks more.
 */
import { type ByteString, displayBytes, stringToBytes } from '../base/bytes.ts';
import { type Digest, digestOf } from '../base/digest.ts';
import { errnoOf, FormatError, UnsupportedError, UsageError } from '../base/errors.ts';
import { isRegular } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { finishWith } from '../base/steps.ts';
import type { System, SystemReads, VerityMeasurement } from '../base/system.ts';
import { ErofsImage } from '../formats/erofs/read.ts';
import { VerityHasher, verityDigest } from '../formats/verity.ts';
import { checkStructure } from './check-structure.ts';
import type { Finding, Severity } from './findings.ts';
import { type ImageObject, type ImageSurvey, surveyImage } from './inspect.ts';
import { SecondDigest } from './second-digest.ts';

export interface VerifyImageOptions {
  /** The digest it should have. */
  readonly digest?: Digest;
  /** The folder of objects; without it they are not looked at. */
  readonly objects?: string;
  /** fs-verity that is off is an error, also where it cannot be had. */
  readonly requireVerity?: boolean;
  readonly progress: Progress;
}

export interface ImageVerification {
  readonly findings: readonly Finding[];
  /** How many were read; undefined where the image cannot be read as one. */
  readonly inodes: number | undefined;
  readonly digest: Digest;
  /** Objects looked at, and of those whose content was read. */
  readonly objects: number;
  readonly objectsRead: number;
}

/** What came of reading an image; `problem` says why it is none. */
interface ReadImage {
  readonly inodes?: number;
  readonly survey?: ImageSurvey;
  readonly problem?: Finding;
}

/** Paths named in one finding; the rest is only counted. */
const MOST_PATHS = 10;

/** Checks an image file. Throws IoError where it cannot be read at all. */
export async function verifyImage(
  path: string,
  system: System,
  options: VerifyImageOptions,
): Promise<ImageVerification> {
  return await new ImageCheck(path, system, options).run();
}

/** Those of `objects` that `folder` does not have. */
export function findMissingObjects(
  objects: readonly ImageObject[],
  folder: string,
  system: SystemReads,
): ImageObject[] {
  if (!system.stat(folder).isDirectory()) throw new UsageError(`${folder} is no folder`);
  return objects.filter(({ payload }) => system.lstatIfExists(objectPath(folder, payload)) === undefined);
}

const objectPath = (folder: string, payload: ByteString): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), stringToBytes(payload)]);

class ImageCheck {
  readonly #path: string;
  readonly #system: System;
  readonly #options: VerifyImageOptions;
  readonly #findings: Finding[] = [];
  #objects = 0;
  #objectsRead = 0;
  /** Objects by what the kernel says of their fs-verity. */
  readonly #verity: Record<VerityMeasurement['state'], ImageObject[]> = {
    enabled: [],
    disabled: [],
    unsupported: [],
  };

  constructor(path: string, system: System, options: VerifyImageOptions) {
    this.#path = path;
    this.#system = system;
    this.#options = options;
  }

  async run(): Promise<ImageVerification> {
    const { progress, objects } = this.#options;
    progress.begin('reading the image');
    const bytes = this.#system.readFile(this.#path);
    await using hashing = new SecondDigest(bytes);
    const digest = digestOf(verityDigest(bytes));
    const { inodes, survey, problem } = this.#readImage(bytes, hashing);
    await progress.breathe();
    this.#checkDigest(digest, await hashing.finish(progress));
    if (problem !== undefined) this.#findings.push(problem);
    if (survey !== undefined) this.#checkPayloads(survey);
    if (inodes !== undefined && objects === undefined)
      this.#add('unchecked', 'objects', this.#path, 'objects were not looked at');
    if (survey !== undefined && objects !== undefined) await this.#checkObjects(survey, objects);
    progress.end();
    return {
      findings: this.#findings,
      inodes,
      digest,
      objects: this.#objects,
      objectsRead: this.#objectsRead,
    };
  }

  /** By both engines, by the kernel where it can, and against the one that was expected. */
  #checkDigest(digest: Digest, second: Digest): void {
    const where = this.#path;
    if (second !== digest)
      this.#add('error', 'digest-engines', where, `the hash engines disagree: ${digest} and ${second}`);
    const expected = this.#options.digest;
    if (expected !== undefined && expected !== digest)
      this.#add('error', 'image-digest', where, `the image's digest is ${digest}, expected ${expected}`);
    const verity = this.#measure(where);
    if (verity.state !== 'enabled') {
      this.#add(
        this.#withoutVerity(verity.state),
        'image-verity',
        where,
        `the image has no fs-verity${because(verity)}`,
      );
    } else if (digestOf(verity.digest) !== digest) {
      const got = verity.digest.toString('hex');
      this.#add('error', 'image-verity', where, `fs-verity measures ${got}, the bytes give ${digest}`);
    }
  }

  /** Checks every offset, name and field. A survey is made where its objects are looked at, or something is to be told. */
  #readImage(bytes: Uint8Array, hashing: SecondDigest): ReadImage {
    try {
      const image = new ErofsImage(bytes, this.#path);
      const isComplete = finishWith(checkStructure(image), () => hashing.hashSome());
      const isSurveyed = !isComplete || this.#options.objects !== undefined;
      return { inodes: image.superblock.inodeCount, ...(isSurveyed ? { survey: surveyImage(image) } : {}) };
    } catch (error) {
      if (error instanceof FormatError)
        return { problem: findingOf('error', 'image-structure', this.#path, error.message) };
      if (error instanceof UnsupportedError)
        return { problem: findingOf('unchecked', 'image-version', this.#path, error.message) };
      throw error;
    }
  }

  #checkPayloads({ objects, withoutPayload }: ImageSurvey): void {
    if (withoutPayload.length > 0) {
      const message = 'files whose content is nowhere: the image names no object for them';
      this.#add('error', 'payload-missing', this.#path, message, withoutPayload);
    }
    const unprotected = objects.filter(({ digest }) => digest === undefined);
    if (unprotected.length > 0) {
      const message = `the image lists no digest for ${unprotected.length} of ${objects.length} objects: their content is not protected`;
      this.#add('unchecked', 'object-without-digest', this.#path, message, pathsOf(unprotected));
    }
    for (let i = 1; i < objects.length; i++) {
      const [one, other] = [objects[i - 1] as ImageObject, objects[i] as ImageObject];
      if (one.payload !== other.payload) continue;
      const message = 'files disagree about the size or digest of this object';
      this.#add('error', 'object-conflict', displayBytes(one.payload), message, pathsOf([one, other]));
    }
  }

  async #checkObjects({ objects }: ImageSurvey, folder: string): Promise<void> {
    const { progress } = this.#options;
    progress.begin('checking objects', objects.length);
    for (const object of objects) {
      this.#checkObject(object, folder);
      progress.advance(1, object.sizeBytes);
      await progress.breathe();
    }
    for (const state of ['disabled', 'unsupported'] as const) {
      const without = this.#verity[state];
      if (without.length === 0) continue;
      const why = state === 'disabled' ? '' : ': the kernel or the file system cannot do it';
      const message = `${without.length} of ${objects.length} objects have no fs-verity${why}`;
      this.#add(this.#withoutVerity(state), 'objects-verity', folder, message, pathsOf(without));
    }
  }

  #checkObject(object: ImageObject, folder: string): void {
    this.#objects++;
    const add = (code: string, message: string): void =>
      this.#add('error', code, displayBytes(object.payload), message, object.paths);
    if (object.payload.split('/').includes('..')) {
      add('object-outside', 'the path of the object leads out of the folder of objects');
      return;
    }
    const path = objectPath(folder, object.payload);
    try {
      const stats = this.#system.stat(path);
      if (!isRegular(stats.mode)) add('object-replaced', 'the object is no regular file');
      else if (stats.size !== object.sizeBytes)
        add('object-size', `the object has ${stats.size} bytes, the image says ${object.sizeBytes}`);
      else this.#checkContent(object, path, add);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      if (errno === 'ENOENT' || errno === 'ENOTDIR') add('object-missing', 'the object is missing');
      else if (errno === 'EACCES' || errno === 'EPERM')
        this.#add(
          'unchecked',
          'object-unreadable',
          displayBytes(object.payload),
          `not readable (${errno})`,
          object.paths,
        );
      // EIO is what fs-verity says of a damaged file.
      else add('object-unreadable', `the object cannot be read (${errno})`);
    }
  }

  /** What the kernel measures it also enforces; else the bytes are read. */
  #checkContent(object: ImageObject, path: Buffer, add: (code: string, message: string) => void): void {
    const verity = this.#measure(path);
    this.#verity[verity.state].push(object);
    if (object.digest === undefined) return;
    const isMeasured = verity.state === 'enabled' && verity.algorithm === 'sha256';
    const got = isMeasured ? digestOf(verity.digest) : this.#computeDigest(path);
    if (got === object.digest) return;
    const how = isMeasured ? 'fs-verity measures' : "the content's digest is";
    add(isMeasured ? 'object-verity' : 'object-digest', `${how} ${got}, the image says ${object.digest}`);
  }

  #computeDigest(path: Buffer): Digest {
    this.#objectsRead++;
    const fd = this.#system.openRead(path);
    try {
      const hasher = new VerityHasher();
      for (let count = BUFFER.length; count === BUFFER.length; ) {
        count = this.#system.read(fd, BUFFER, null);
        hasher.update(BUFFER.subarray(0, count));
      }
      return digestOf(hasher.digest());
    } finally {
      this.#system.close(fd);
    }
  }

  #measure(path: string | Buffer): VerityMeasurement {
    const fd = this.#system.openRead(path);
    try {
      return this.#system.measureVerity(fd);
    } finally {
      this.#system.close(fd);
    }
  }

  #withoutVerity(state: 'disabled' | 'unsupported'): Severity {
    if (this.#options.requireVerity) return 'error';
    return state === 'disabled' ? 'warning' : 'unchecked';
  }

  #add(...finding: Parameters<typeof findingOf>): void {
    this.#findings.push(findingOf(...finding));
  }
}

function findingOf(
  severity: Severity,
  code: string,
  where: string,
  message: string,
  paths: readonly ByteString[] = [],
): Finding {
  const shown = paths.slice(0, MOST_PATHS).map(displayBytes);
  return {
    severity,
    code,
    where,
    message,
    ...(paths.length === 0 ? {} : { paths: shown, pathCount: paths.length }),
  };
}

const BUFFER = Buffer.allocUnsafeSlow(1 << 20);

const pathsOf = (objects: readonly ImageObject[]): ByteString[] => objects.flatMap(({ paths }) => paths);

const because = (verity: VerityMeasurement): string =>
  verity.state === 'unsupported' ? `: the kernel or the file system cannot do it (${verity.errno})` : '';
