/**
 * An ostree repository on disk, for reading. Everything is synchronous and lazy: nothing is opened before it is
 * asked for, metadata objects are re-hashed when they are loaded and then kept in bounded caches.
 *
 * A repository may name a parent (`core.parent`): what it lacks itself is looked up there.
 */
import { bytesEqual } from '../base/bytes.ts';
import { type Checksum, checksumOf } from '../base/digest.ts';
import { ConfigError, errnoOf, NotFoundError } from '../base/errors.ts';
import type { Steps } from '../base/steps.ts';
import type { System } from '../base/system.ts';
import { Keyfile } from '../formats/keyfile.ts';
import {
  type Commit,
  contentHasher,
  type Dirmeta,
  type Dirtree,
  parseCommit,
  parseDirmeta,
  parseDirtree,
  parseDirtreeSteps,
  parseVariantMap,
  type VariantMap,
} from '../formats/objects.ts';
import { BoundedCache } from './cache.ts';
import {
  type ContentAttributes,
  type ContentInfo,
  ContentReader,
  type ContentSink,
  type ContentTarget,
} from './content.ts';
import type { ContentTable } from './content-table.ts';
import type { DirtreePack } from './dirtree-pack.ts';
import { type ObjectName, ObjectStore, type ObjectType, type RepositoryMode, readable } from './objects.ts';
import { listRefs, type Ref, type RefFilter } from './refs.ts';
import { resolveRevision } from './revisions.ts';

export type { ContentAttributes, ContentInfo, ContentSink, ContentTarget } from './content.ts';
export type { ObjectName, ObjectType, RepositoryMode } from './objects.ts';
export type { Ref, RefFilter } from './refs.ts';

/** Values of core.mode; `archive-z2` is what ostree writes for archive. */
const MODES: ReadonlyMap<string, RepositoryMode> = new Map([
  ['bare', 'bare'],
  ['bare-user', 'bare-user'],
  ['bare-user-only', 'bare-user-only'],
  ['archive', 'archive'],
  ['archive-z2', 'archive'],
  ['bare-split-xattrs', 'bare-split-xattrs'],
]);

/** More repositories than this in a chain of parents are taken for a loop. */
const MAX_PARENTS = 16;

/** Entries of dirtrees, and other objects, that stay in memory. */
const CACHED_ENTRIES = 400_000;
/** A dirtree of fewer bytes is read in less time than anybody notices: some thousand entries. */
const STEPPED_BYTES = 512 * 1024;
const CACHED_DIRMETAS = 10_000;
const CACHED_COMMITS = 1_000;

/** A commit that was not fetched completely. `fsck` = marked by `ostree fsck --delete`. */
export type PartialState = 'complete' | 'partial' | 'fsck';

export interface ContentVerification {
  readonly ok: boolean;
  /** What the content and its metadata hash to. */
  readonly actual: Checksum;
}

export class Repository {
  readonly path: string;
  readonly mode: RepositoryMode;
  readonly config: Keyfile;
  readonly system: System;
  /** The repository named by `core.parent`. */
  readonly parent: Repository | undefined;
  /**
   * Whether objects may have xattrs that are not shown to us: `trusted.*` of inodes, which listxattr(2) leaves out for
   * all but CAP_SYS_ADMIN of the machine, without a word. What is read of an object is not certainly all then.
   */
  readonly mayHideXattrs: boolean;
  readonly #objects: ObjectStore;
  readonly #content: ContentReader;
  #believed: ContentTable | undefined;
  readonly #commits = new BoundedCache<Checksum, Commit>(CACHED_COMMITS);
  readonly #dirtrees = new BoundedCache<Checksum, Dirtree>(
    CACHED_ENTRIES,
    (tree) => 1 + tree.files.length + tree.dirs.length,
  );
  readonly #dirmetas = new BoundedCache<Checksum, Dirmeta>(CACHED_DIRMETAS);

  private constructor(
    path: string,
    mode: RepositoryMode,
    config: Keyfile,
    parent: Repository | undefined,
    system: System,
  ) {
    this.path = path;
    this.mode = mode;
    this.config = config;
    this.parent = parent;
    this.system = system;
    this.#objects = new ObjectStore(`${path}/objects`, mode, system);
    const ignoresXattrs = config.getBoolean('core', 'disable-xattrs') ?? false;
    this.#content = new ContentReader(this.#objects, ignoresXattrs);
    this.mayHideXattrs =
      (mode === 'bare' && !ignoresXattrs && !system.seesTrustedXattrs()) || (parent?.mayHideXattrs ?? false);
  }

  /**
   * @param path - the folder with `config`, `objects` and `refs`
   * @throws NotFoundError when that is no repository, ConfigError when its configuration cannot be used
   */
  static open(path: string, system: System): Repository {
    return Repository.#open(path, system, 0);
  }

  static #open(path: string, system: System, depth: number): Repository {
    if (depth > MAX_PARENTS)
      throw new ConfigError(`${path}: too many parent repositories, or a loop of them`);
    const config = loadConfig(path, system);
    const mode = modeOf(path, config);
    const parentPath = config.getRaw('core', 'parent');
    const parent = parentPath ? Repository.#open(parentPath, system, depth + 1) : undefined;
    return new Repository(path, mode, config, parent, system);
  }

  /** The checksum a revision means: see {@link resolveRevision}. @throws NotFoundError */
  resolve(revision: string): Checksum {
    return resolveRevision(this, revision);
  }

  /** Refs of this repository (not of its parent), sorted by refspec. */
  listRefs(filter?: RefFilter): Ref[] {
    return listRefs(this, filter);
  }

  /** @throws NotFoundError, FormatError */
  commit(checksum: Checksum): Commit {
    return this.commitIfExists(checksum) ?? missing(this, checksum, 'commit');
  }

  commitIfExists(checksum: Checksum): Commit | undefined {
    const cached = this.#commits.get(checksum);
    if (cached !== undefined) return cached;
    // The commit keeps parts of the bytes, whose memory the store reuses.
    const commit = this.#objects.readHashed(checksum, 'commit', (bytes, path) =>
      parseCommit(Buffer.from(bytes), path),
    );
    if (commit === undefined) return this.parent?.commitIfExists(checksum);
    this.#commits.set(checksum, commit);
    return commit;
  }

  /** The commit's own bytes, re-hashed: what signatures are over. @throws NotFoundError */
  commitBytes(checksum: Checksum): Buffer {
    return (
      this.#objects.readHashed(checksum, 'commit', (bytes) => Buffer.from(bytes)) ??
      this.parent?.commitBytes(checksum) ??
      missing(this, checksum, 'commit')
    );
  }

  /** @throws NotFoundError, FormatError */
  dirtree(checksum: Checksum): Dirtree {
    const cached = this.#dirtrees.get(checksum);
    if (cached !== undefined) return cached;
    const dirtree = this.#objects.readHashed(checksum, 'dirtree', parseDirtree);
    if (dirtree === undefined) return this.parent?.dirtree(checksum) ?? missing(this, checksum, 'dirtree');
    this.#dirtrees.set(checksum, dirtree);
    return dirtree;
  }

  /**
   * The same in steps, which a folder of many entries takes; then it is known.
   * @throws NotFoundError, FormatError
   */
  *dirtreeSteps(checksum: Checksum): Steps<Dirtree> {
    const cached = this.#dirtrees.get(checksum);
    if (cached !== undefined) return cached;
    // Its bytes are lent for the call: steps need their own.
    const steps = this.#objects.readHashed(checksum, 'dirtree', (bytes, path) =>
      bytes.length < STEPPED_BYTES ? undefined : parseDirtreeSteps(Buffer.from(bytes), path),
    );
    if (steps === undefined) return this.dirtree(checksum);
    const dirtree = yield* steps;
    this.#dirtrees.set(checksum, dirtree);
    return dirtree;
  }

  /** {@link dirtree}, which is not kept: for walks over more than would be. @throws NotFoundError, FormatError */
  passingDirtree(checksum: Checksum): Dirtree {
    return (
      this.#dirtrees.get(checksum) ??
      this.#objects.readHashed(checksum, 'dirtree', parseDirtree) ??
      this.parent?.passingDirtree(checksum) ??
      missing(this, checksum, 'dirtree')
    );
  }

  /** @throws NotFoundError, FormatError */
  dirmeta(checksum: Checksum): Dirmeta {
    const cached = this.#dirmetas.get(checksum);
    if (cached !== undefined) return cached;
    const dirmeta = this.#objects.readHashed(checksum, 'dirmeta', parseDirmeta);
    if (dirmeta === undefined) return this.parent?.dirmeta(checksum) ?? missing(this, checksum, 'dirmeta');
    this.#dirmetas.set(checksum, dirmeta);
    return dirmeta;
  }

  /** Detached metadata of a commit (signatures); undefined when there is none. Nothing vouches for it. */
  detachedMetadata(commit: Checksum): VariantMap | undefined {
    return (
      this.#objects.read(commit, 'commitmeta', (bytes, path) => parseVariantMap(Buffer.from(bytes), path)) ??
      this.parent?.detachedMetadata(commit)
    );
  }

  /**
   * Lets {@link content} and {@link attributes} answer from what earlier runs learnt (./object-info.ts), without looking
   * at the object. Not for who verifies.
   */
  believe(known: ContentTable): void {
    this.#believed = known;
  }

  /** Has dirtrees taken from a pack. Not for who verifies. */
  takeDirtreesFrom(pack: DirtreePack): void {
    this.#objects.pack = pack;
  }

  /** The same, and has those added that it lacks: for who is going to save it. */
  packDirtreesInto(pack: DirtreePack): void {
    this.#objects.pack = pack;
    this.#objects.isPacking = true;
  }

  /** What dirtrees are taken from. */
  get pack(): DirtreePack | undefined {
    return this.#objects.pack;
  }

  /** Owner, mode, xattrs, link target and size of a content object; its content is not read. @throws NotFoundError */
  content(checksum: Checksum): ContentInfo {
    const known = this.#believed?.info(this.#believed.row(checksum));
    if (known !== undefined) return known;
    return this.#content.info(checksum) ?? this.parent?.content(checksum) ?? missing(this, checksum, 'file');
  }

  /** Owner, mode, link target and size of a content object, for who does not ask for xattrs. @throws NotFoundError */
  attributes(checksum: Checksum): ContentAttributes {
    const known = this.#believed?.info(this.#believed.row(checksum));
    if (known !== undefined) return known;
    return (
      this.#content.attributes(checksum) ??
      this.parent?.attributes(checksum) ??
      missing(this, checksum, 'file')
    );
  }

  /**
   * Streams the content of a content object in constant memory, inflated where the repository is an archive.
   * A promise is returned only for large content of an archive; nothing is verified.
   * @throws NotFoundError
   */
  readContent(checksum: Checksum, onChunk: ContentSink): void | Promise<void> {
    const found = this.#content.read(checksum, onChunk);
    if (found instanceof Promise) return found.then(() => undefined);
    if (found) return;
    if (this.parent === undefined) missing(this, checksum, 'file');
    return this.parent.readContent(checksum, onChunk);
  }

  /**
   * Metadata and content of a content object by one opening, for who wants both of many. A promise is returned only
   * for large content of an archive; nothing is verified but the length.
   * @throws NotFoundError, FormatError
   */
  loadContent(checksum: Checksum, target: ContentTarget): ContentInfo | Promise<ContentInfo> {
    const found = this.#content.load(checksum, target);
    const elsewhere = (): ContentInfo | Promise<ContentInfo> =>
      this.parent?.loadContent(checksum, target) ?? missing(this, checksum, 'file');
    if (found instanceof Promise) return found.then((info) => info ?? elsewhere());
    return found ?? elsewhere();
  }

  /**
   * The content of a content object, a piece at a time as it is asked for; nothing is verified.
   * @throws NotFoundError
   */
  streamContent(checksum: Checksum): AsyncIterable<Buffer> {
    return (
      this.#content.stream(checksum) ??
      this.parent?.streamContent(checksum) ??
      missing(this, checksum, 'file')
    );
  }

  /**
   * Recomputes the checksum of a content object. In a bare-user-only repository owner and xattrs are not stored,
   * so an object that was pulled with others than 0:0 and none cannot match.
   * @throws NotFoundError, FormatError when it cannot be read at all
   */
  verifyContent(checksum: Checksum): ContentVerification | Promise<ContentVerification> {
    const hasher = contentHasher(this.content(checksum));
    const reading = this.readContent(checksum, (chunk) => hasher.update(chunk));
    const finish = (): ContentVerification => {
      const actual = checksumOf(hasher.digest());
      return { ok: actual === checksum, actual };
    };
    return reading === undefined ? finish() : reading.then(finish);
  }

  /** Where an object lies, here or in the parent; where it would lie here when there is none. */
  objectPath(checksum: Checksum, type: ObjectType): string {
    if (
      this.parent !== undefined &&
      !this.#objects.has(checksum, type) &&
      this.parent.hasObject(checksum, type)
    )
      return this.parent.objectPath(checksum, type);
    return this.#objects.path(checksum, type);
  }

  /** Whether an object exists, here or in the parent. */
  hasObject(checksum: Checksum, type: ObjectType): boolean {
    return this.#objects.has(checksum, type) || (this.parent?.hasObject(checksum, type) ?? false);
  }

  /** @throws NotFoundError where it does not exist, here or in the parent */
  requireObject(checksum: Checksum, type: ObjectType): void {
    if (!this.hasObject(checksum, type)) missing(this, checksum, type);
  }

  /**
   * All loose objects of this repository itself, by folder, sorted within each.
   * @param prefix - only checksums that begin with these hex digits
   */
  listObjects(prefix?: string): Iterable<ObjectName> {
    return this.#objects.list(prefix);
  }

  /** Shows the checksums of all content objects and dirtrees of this repository itself: see {@link ObjectStore.visitTreeObjects}. */
  visitTreeObjects(visit: (checksum: Uint8Array) => void): void {
    this.#objects.visitTreeObjects(visit);
  }

  /** Whether a commit's objects were fetched completely, as far as ostree has recorded it. */
  partialState(commit: Checksum): PartialState {
    const path = `${this.path}/state/${commit}.commitpartial`;
    if (this.system.lstatIfExists(path) === undefined) {
      const inParent = this.parent !== undefined && !this.#objects.has(commit, 'commit');
      return inParent ? this.parent.partialState(commit) : 'complete';
    }
    return bytesEqual(this.system.readFile(path).subarray(0, 1), FSCK_MARK) ? 'fsck' : 'partial';
  }

  isPartial(commit: Checksum): boolean {
    return this.partialState(commit) !== 'complete';
  }

  /** Whether the commit was deleted and left a tombstone. */
  hasTombstone(commit: Checksum): boolean {
    return this.hasObject(commit, 'tombstone-commit');
  }
}

const FSCK_MARK = Buffer.from('f');

function modeOf(path: string, config: Keyfile): RepositoryMode {
  const version = config.getRaw('core', 'repo_version');
  if (version !== '1')
    throw new ConfigError(`${path}/config: core.repo_version: got ${version ?? 'none'}, want 1`);
  if (config.getBoolean('core', 'archive') === true)
    throw new ConfigError(`${path}/config: core.archive: the format before archive-z2 is not supported`);
  const name = config.getRaw('core', 'mode') ?? 'bare';
  const mode = MODES.get(name);
  if (mode === undefined)
    throw new ConfigError(
      `${path}/config: core.mode: got ${JSON.stringify(name)}, want one of ${[...MODES.keys()].join(', ')}`,
    );
  return mode;
}

function loadConfig(path: string, system: System): Keyfile {
  const file = `${path}/config`;
  try {
    if (system.lstatIfExists(`${path}/objects`) !== undefined)
      return Keyfile.parse(system.readFile(file), file);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw readable(error, file);
  }
  throw new NotFoundError(`${path}: not an ostree repository (no config and objects in it)`, {
    details: { path },
  });
}

function missing(repository: Repository, checksum: Checksum, type: ObjectType): never {
  throw new NotFoundError(`${repository.path}: no object ${checksum}.${type}`, {
    details: { repository: repository.path, checksum, type },
  });
}
