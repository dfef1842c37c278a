/**
 * Do objects hash to their names? Nothing learnt earlier is believed: what is hashed is read from the disk, owner, mode
 * and xattrs as the file system has them now. Here or in a thread ({@link ./verify-worker.ts}), a list at a time.
 */
import { checksumOf, type DigestEngine, type Hasher, nativeEngine } from '../base/digest.ts';
import { nobleEngine } from '../base/digest-noble.ts';
import { errnoOf, NotFoundError, PermissionError, SealtreeError } from '../base/errors.ts';
import { contentHeader } from '../formats/objects.ts';
import type { ContentInfo, ObjectName, Repository } from './repository.ts';

/**
 * How closely to look: `metadata` reads no content; `deep` recomputes checksum (and of objects in an image the digest)
 * of every object, of metadata objects and one in a hundred others also with the second hash engine; `paranoid` all of
 * them with both.
 */
export type Depth = 'metadata' | 'deep' | 'paranoid';

/** Something wrong: `error`, or `unchecked` where it could not be looked at. */
export interface RepositoryProblem {
  readonly severity: 'error' | 'unchecked';
  /** Stable kebab-case name of the kind, such as `object-missing`. */
  readonly code: string;
  /** The object, ref or commit concerned. */
  readonly where: string;
  readonly message: string;
}

export interface CheckedObjects {
  readonly problems: readonly RepositoryProblem[];
  /** Content that was read, in bytes as it is in files. */
  readonly bytes: number;
}

export const objectTitle = ({ checksum, type }: ObjectName): string => `object ${checksum}.${type}`;

/** What an error that was met at an object says of it. @throws what is no failure of reading */
export function problemOf(name: ObjectName, error: unknown): RepositoryProblem {
  if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
  const where = objectTitle(name);
  const errno = errnoOf(error);
  if (error instanceof NotFoundError || errno === 'ENOENT')
    return { severity: 'error', code: 'object-missing', where, message: 'the object is missing' };
  if (error instanceof PermissionError || errno === 'EACCES' || errno === 'EPERM')
    return { severity: 'unchecked', code: 'object-unreadable', where, message: error.message };
  // EIO is what fs-verity says of a damaged file.
  return { severity: 'error', code: 'object-damaged', where, message: error.message };
}

/** Objects up to this size, with their header, are hashed in one call. */
const MEMORY_BYTES = 1 << 20;

/** Recomputes checksums of objects of one repository. */
export class ObjectChecker {
  readonly #repository: Repository;
  readonly #depth: Depth;
  readonly #sample: () => boolean;
  readonly #memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);

  /** @param sample whether `deep` checks a content object with the second engine too; one in a hundred by default */
  constructor(repository: Repository, depth: Depth, sample = () => Math.random() < 0.01) {
    this.#repository = repository;
    this.#depth = depth;
    this.#sample = sample;
  }

  async check(names: readonly ObjectName[]): Promise<CheckedObjects> {
    const problems: RepositoryProblem[] = [];
    let bytes = 0;
    for (const name of names) {
      try {
        const checking = name.type === 'file' ? this.#checkContent(name) : this.#checkMetadata(name);
        // Only large content of an archive takes a promise.
        const { size, problem } = checking instanceof Promise ? await checking : checking;
        bytes += size;
        if (problem !== undefined) problems.push(problem);
      } catch (error) {
        problems.push(problemOf(name, error));
      }
    }
    return { problems, bytes };
  }

  #checkMetadata(name: ObjectName): Checked {
    const { system } = this.#repository;
    const bytes = system.readFile(this.#repository.objectPath(name.checksum, name.type));
    const problem = this.#mismatch(name, [nativeEngine, nobleEngine], (engine) => engine.sha256(bytes));
    return { size: bytes.length, problem };
  }

  #checkContent(name: ObjectName): Checked | Promise<Checked> {
    const isSampled = this.#depth === 'paranoid' || this.#sample();
    const engines = isSampled ? [nativeEngine, nobleEngine] : [nativeEngine];
    const memory = this.#memory;
    let header: Buffer | undefined;
    let hashers: ReadonlyMap<DigestEngine, Hasher> | undefined;
    const loading = this.#repository.loadContent(name.checksum, {
      wants: (info) => {
        header = contentHeader(info);
        return true;
      },
      room: ({ size }) => {
        const start = (header as Buffer).length;
        if (start + size <= memory.length) return memory.subarray(start, start + size);
        hashers = startHashers(engines, header as Buffer);
        return undefined;
      },
      sink: (chunk) => {
        for (const hasher of hashers?.values() ?? []) hasher.update(chunk);
      },
    });
    const finish = (info: ContentInfo): Checked => {
      const started = hashers;
      if (started !== undefined)
        return {
          size: info.size,
          problem: this.#mismatch(name, engines, (engine) => (started.get(engine) as Hasher).digest()),
        };
      // What is empty was not asked for.
      const first = header ?? contentHeader(info);
      if (first.length > memory.length)
        return { size: 0, problem: this.#mismatch(name, engines, (engine) => engine.sha256(first)) };
      memory.set(first);
      const bytes = memory.subarray(0, first.length + info.size);
      return { size: info.size, problem: this.#mismatch(name, engines, (engine) => engine.sha256(bytes)) };
    };
    return loading instanceof Promise ? loading.then(finish) : finish(loading);
  }

  /** The first engine's word that the object is not what its name says. */
  #mismatch(
    name: ObjectName,
    engines: Engines,
    hash: (engine: DigestEngine) => Uint8Array,
  ): RepositoryProblem | undefined {
    for (const engine of engines) {
      const got = checksumOf(hash(engine));
      if (got === name.checksum) continue;
      const where = objectTitle(name);
      const hashed = `${got} (${engine.name})`;
      if (name.type !== 'file')
        return {
          severity: 'error',
          code: 'object-damaged',
          where,
          message: `the object hashes to ${hashed}`,
        };
      const message = `content and metadata hash to ${hashed}`;
      // Xattrs are hashed too: without those that are not shown, an object that is right hashes to something else.
      if (this.#repository.mayHideXattrs)
        return {
          severity: 'unchecked',
          code: 'object-corrupt',
          where,
          message: `${message}, which may be for trusted xattrs that only root (CAP_SYS_ADMIN, and in no container) sees`,
        };
      return { severity: 'error', code: 'object-corrupt', where, message };
    }
    return undefined;
  }
}

function startHashers(engines: Engines, header: Buffer): ReadonlyMap<DigestEngine, Hasher> {
  return new Map(
    engines.map((engine) => {
      const hasher = engine.create();
      hasher.update(header);
      return [engine, hasher];
    }),
  );
}

type Engines = readonly DigestEngine[];

interface Checked {
  readonly size: number;
  readonly problem?: RepositoryProblem | undefined;
}
