/**
 * Writes objects and refs into a repository, in transactions as ostree does it (ostree-repo-commit.c): objects are
 * completed in a folder of their own below `tmp`, flushed together, and renamed into `objects`; refs change last. A
 * crash leaves the repository as it was, or with objects nothing names yet, and at most that folder, which any
 * `ostree` command sweeps from `tmp` after a day.
 */
import { join } from 'node:path';
import { type Checksum, checksumOf, isHex64 } from '../base/digest.ts';
import { UsageError } from '../base/errors.ts';
import { makeFolder, makeFolders } from '../base/folders.ts';
import { isRegular, isSymlink } from '../base/mode.ts';
import { randomHex } from '../base/random.ts';
import type { Lock, System } from '../base/system.ts';
import {
  type Commit,
  contentHasher,
  type Dirmeta,
  type Dirtree,
  type FileHeader,
  metadataChecksum,
  serializeCommit,
  serializeDirmeta,
  serializeDirtree,
} from '../formats/objects.ts';
import type { Repository } from './repository.ts';
import type { Content } from './source.ts';
import { fileExtension, HASH_FIRST_BYTES, objectName, objectPath } from './write-batch.ts';
import {
  FileObject,
  keptHeader,
  measured,
  symlinkChecksum,
  type WritableMode,
  writableMode,
  writeFileObject,
  writeSymlinkObject,
} from './write-object.ts';

export interface WriteOptions {
  /** Flush to disk before objects and refs are named; default: the repository's `core.fsync`, else true. */
  readonly fsync?: boolean;
  /** How long to wait for the repository's lock, in milliseconds; default 30,000. */
  readonly lockTimeoutMs?: number;
}

/** A regular file that is being written. */
export interface NewFile {
  /** @throws FormatError when that is more than was announced */
  write(chunk: Uint8Array): void;
  /** Makes it an object of the transaction. @throws FormatError when content is missing */
  finish(): Checksum;
  /** Lets go of it, finished or not. */
  close(): void;
}

/** One transaction: nothing is visible before {@link commit}, and nothing is left when it is closed without. */
export class RepositoryWriter {
  readonly path: string;
  readonly mode: WritableMode;
  readonly system: System;
  readonly #fsync: boolean;
  readonly #lock: Lock;
  /** Folder of the staged objects, once there is one. */
  #staging: string | undefined;
  /** Staged objects: `CHECKSUM.EXTENSION`, and the folder it lies in. */
  readonly #staged = new Map<string, string>();
  /** Folders in the staging folder. */
  readonly #stagingFolders: string[] = [];
  readonly #refs = new Map<string, Checksum>();
  #temporary = 0;

  private constructor(repository: Repository, fsync: boolean, lock: Lock) {
    this.path = repository.path;
    this.mode = writableMode(repository.mode);
    this.system = repository.system;
    this.#fsync = fsync;
    this.#lock = lock;
  }

  /**
   * Begins a transaction, under the repository's shared lock: others may write too, but nothing is pruned meanwhile.
   * @throws BusyError when the lock is not to be had in time, UnsupportedError for a mode that cannot be written
   */
  static async open(repository: Repository, options: WriteOptions = {}): Promise<RepositoryWriter> {
    writableMode(repository.mode);
    const fsync = options.fsync ?? repository.config.getBoolean('core', 'fsync') ?? true;
    const path = join(repository.path, '.lock');
    const lock = await repository.system.lock(path, { exclusive: false }, options.lockTimeoutMs ?? 30_000);
    return new RepositoryWriter(repository, fsync, lock);
  }

  writeCommit(commit: Commit): Checksum {
    return this.#writeMetadata('commit', serializeCommit(commit));
  }

  writeDirtree(tree: Dirtree): Checksum {
    return this.#writeMetadata('dirtree', serializeDirtree(tree));
  }

  writeDirmeta(meta: Dirmeta): Checksum {
    return this.#writeMetadata('dirmeta', serializeDirmeta(keptHeader(this.mode, meta)));
  }

  writeSymlink(header: FileHeader): Checksum {
    if (!isSymlink(header.mode)) throw new TypeError('the header is not that of a symlink');
    const kept = keptHeader(this.mode, header);
    const checksum = symlinkChecksum(kept);
    if (!this.hasObject(checksum, this.#fileExtension))
      this.#stage(checksum, this.#fileExtension, (path) => {
        writeSymlinkObject(this.system, this.mode, path, kept);
        return checksum;
      });
    return checksum;
  }

  writeFile(header: Omit<FileHeader, 'target'>, content: Content): Checksum {
    const kept = this.keptHeader(header);
    const extension = this.#fileExtension;
    let known: Checksum | undefined;
    if (content.size <= HASH_FIRST_BYTES) {
      const hasher = contentHasher(kept);
      for (const chunk of measured(content)) hasher.update(chunk);
      known = checksumOf(hasher.digest());
      if (this.hasObject(known, extension)) return known;
    }
    const proven = content.isFixed === true ? known : undefined;
    return this.#stage(known, extension, (path) =>
      writeFileObject(this.system, this.mode, path, kept, content, proven),
    );
  }

  /**
   * Begins a regular file whose content comes in pieces, `size` bytes in all. It belongs to the transaction once
   * {@link NewFile.finish} was called.
   */
  beginFile(header: Omit<FileHeader, 'target'>, size: number): NewFile {
    const kept = this.keptHeader(header);
    const path = this.#newPath();
    const object = new FileObject(this.system, this.mode, path, kept, size);
    return {
      write: (chunk) => object.write(chunk),
      finish: () => {
        const checksum = object.finish();
        this.#adopt(path, checksum, this.#fileExtension);
        return checksum;
      },
      close: () => object.close(),
    };
  }

  /** What the repository keeps of a regular file's attributes. */
  keptHeader(header: Omit<FileHeader, 'target'>): FileHeader {
    if (!isRegular(header.mode)) throw new TypeError('the header is not that of a regular file');
    return keptHeader(this.mode, { ...header, target: '' as FileHeader['target'] });
  }

  /** A new folder of this transaction for content objects that others write, such as a {@link BatchWriter}'s threads. */
  newStagingFolder(): string {
    const path = join(this.#openStaging(), `batch-${this.#stagingFolders.length}`);
    this.system.mkdir(path, 0o700);
    this.#stagingFolders.push(path);
    return path;
  }

  /** Takes a whole content object in such a folder, under its name, into the transaction. */
  adoptContent(folder: string, checksum: Checksum): void {
    const name = objectName(checksum, this.#fileExtension);
    // Of two that are the same the other goes with its folder.
    if (!this.#staged.has(name)) this.#staged.set(name, folder);
  }

  /** Whether an object is there, or will be with this transaction. */
  hasObject(checksum: Checksum, extension: string): boolean {
    const name = objectName(checksum, extension);
    return this.#staged.has(name) || this.system.lstatIfExists(objectPath(this.path, name)) !== undefined;
  }

  /** Whether a content object is there, or will be. */
  hasContent(checksum: Checksum): boolean {
    return this.hasObject(checksum, this.#fileExtension);
  }

  /** @throws UsageError for what cannot be the name of a ref */
  checkRef(name: string): void {
    refPath(name);
  }

  /** Lets a ref name a commit from {@link commit} on. `name` is a refspec: `[REMOTE:]REF`. */
  setRef(name: string, checksum: Checksum): void {
    this.checkRef(name);
    this.#refs.set(name, checksum);
  }

  /** Publishes the objects, then the refs, and begins anew. */
  commit(): void {
    this.#publishObjects();
    for (const [name, checksum] of this.#refs) this.#writeRef(name, checksum);
    this.#refs.clear();
  }

  /** Ends the transaction; what was not committed is gone. */
  close(): void {
    this.#refs.clear();
    try {
      this.#discard();
    } finally {
      this.#lock.release();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #fileExtension(): 'file' | 'filez' {
    return fileExtension(this.mode);
  }

  #writeMetadata(extension: 'commit' | 'dirtree' | 'dirmeta', bytes: Buffer): Checksum {
    const checksum = metadataChecksum(bytes);
    if (!this.hasObject(checksum, extension))
      this.#stage(checksum, extension, (path) => {
        this.#createFile(path, bytes);
        return checksum;
      });
    return checksum;
  }

  /**
   * Lets `write` make an object in the staging folder, under its checksum where that is known. What fails leaves a file
   * there that is no part of the transaction.
   */
  #stage(known: Checksum | undefined, extension: string, write: (path: string) => Checksum): Checksum {
    if (known === undefined) {
      const path = this.#newPath();
      const checksum = write(path);
      this.#adopt(path, checksum, extension);
      return checksum;
    }
    const name = objectName(known, extension);
    const staging = this.#openStaging();
    const path = join(staging, name);
    try {
      if (write(path) !== known)
        throw new UsageError('a content gave other bytes when it was read for the second time');
    } catch (error) {
      if (this.system.lstatIfExists(path) !== undefined) this.system.unlink(path);
      throw error;
    }
    this.#staged.set(name, staging);
    return known;
  }

  #newPath(): string {
    return join(this.#openStaging(), `new-${this.#temporary++}`);
  }

  /** Puts a whole object in the staging folder under its checksum; one that exists already is not needed. */
  #adopt(path: string, checksum: Checksum, extension: string): void {
    if (this.hasObject(checksum, extension)) {
      this.system.unlink(path);
      return;
    }
    const name = objectName(checksum, extension);
    const staging = this.#openStaging();
    this.system.rename(path, join(staging, name));
    this.#staged.set(name, staging);
  }

  #openStaging(): string {
    if (this.#staging === undefined) {
      const path = join(this.path, 'tmp', `sealtree-${randomHex(8)}`);
      // Others must not reach a set-id file before it is complete.
      this.system.mkdir(path, 0o700);
      this.#staging = path;
    }
    return this.#staging;
  }

  #publishObjects(): void {
    const staging = this.#staging;
    if (staging === undefined) return;
    if (this.#fsync) this.system.syncfs(staging);
    const folders = new Set<string>();
    for (const [name, from] of this.#staged) {
      const folder = join(this.path, 'objects', name.slice(0, 2));
      if (!folders.has(folder)) makeFolder(folder, this.system, 0o777);
      folders.add(folder);
      // An object that is there stays: deployments are hard links of it, and it may have fs-verity.
      this.system.renameIfAbsent(`${from}/${name}`, objectPath(this.path, name));
    }
    if (this.#fsync) {
      for (const folder of folders) this.system.fsyncDirectory(folder);
      this.system.fsyncDirectory(join(this.path, 'objects'));
    }
    this.#discard();
  }

  #discard(): void {
    const staging = this.#staging;
    if (staging === undefined) return;
    for (const folder of this.#stagingFolders.splice(0)) this.#removeFolder(folder);
    this.#removeFolder(staging);
    this.#staging = undefined;
    this.#staged.clear();
  }

  #removeFolder(path: string): void {
    for (const name of this.system.readdir(path)) this.system.unlink(join(path, name));
    this.system.rmdir(path);
  }

  #writeRef(name: string, checksum: Checksum): void {
    const target = join(this.path, refPath(name));
    const folder = target.slice(0, target.lastIndexOf('/'));
    makeFolders(folder, this.system, { mode: 0o777, durable: this.#fsync });
    const temporary = join(this.path, 'tmp', `sealtree-ref-${randomHex(8)}`);
    this.#createFile(temporary, Buffer.from(`${checksum}\n`), this.#fsync);
    try {
      this.system.rename(temporary, target);
    } catch (error) {
      this.system.unlink(temporary);
      throw error;
    }
    if (this.#fsync) this.system.fsyncDirectory(folder);
  }

  #createFile(path: string, bytes: Uint8Array, fsync = false): void {
    const fd = this.system.create(path, 0o644);
    try {
      this.system.write(fd, bytes);
      // Objects and refs are for everybody to read, whatever the umask.
      this.system.fchmod(fd, 0o644);
      if (fsync) this.system.fsync(fd);
    } finally {
      this.system.close(fd);
    }
  }
}

/** Where a ref lies in the repository. @throws UsageError for a name ostree would not take */
function refPath(refspec: string): string {
  const match = /^(?:([\w][\w.-]*):)?(\w[-.\w]*(?:\/\w[-.\w]*)*)$/.exec(refspec);
  const [, remote, ref = ''] = match ?? [];
  if (match === null || isHex64(ref))
    throw new UsageError(`${JSON.stringify(refspec)} cannot be the name of a ref`);
  return remote === undefined ? `refs/heads/${ref}` : `refs/remotes/${remote}/${ref}`;
}
