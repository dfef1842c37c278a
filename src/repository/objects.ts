/**
 * The objects folder of one repository: where loose objects lie, loading them whole, listing them. What an
 * object means is the business of {@link ../formats/objects.ts}, content of {@link ./content.ts}.
 */
import { type ByteString, bytesToText } from '../base/bytes.ts';
import { type Checksum, isHex64 } from '../base/digest.ts';
import { errnoOf, FormatError, PermissionError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { MAX_METADATA_SIZE, metadataChecksum } from '../formats/objects.ts';
import type { DirtreePack } from './dirtree-pack.ts';

export type RepositoryMode = 'bare' | 'bare-user' | 'bare-user-only' | 'archive' | 'bare-split-xattrs';

/** Types of loose objects; `file` is spelled `.filez` on disk in an archive repository. */
export const OBJECT_TYPE_NAMES = [
  'file',
  'dirtree',
  'dirmeta',
  'commit',
  'commitmeta',
  'tombstone-commit',
  'payload-link',
  'file-xattrs',
  'file-xattrs-link',
] as const;

export type ObjectType = (typeof OBJECT_TYPE_NAMES)[number];

export interface ObjectName {
  readonly checksum: Checksum;
  readonly type: ObjectType;
}

/** Bytes of the reused buffer; larger metadata objects get their own memory. */
const BUFFER_SIZE = 256 * 1024;

const CHECKSUM_BYTES = 32;
/** Of a checksum's 64 the folder's name has two. */
const DIGITS_IN_FOLDER = 62;

export class ObjectStore {
  readonly folder: string;
  readonly mode: RepositoryMode;
  readonly system: System;
  /** Where dirtrees are taken from that it has. */
  pack: DirtreePack | undefined;
  /** Whether others are added to it. */
  isPacking = false;
  #buffer: Buffer | undefined;

  /** @param folder - REPO/objects */
  constructor(folder: string, mode: RepositoryMode, system: System) {
    this.folder = folder;
    this.mode = mode;
    this.system = system;
  }

  /** Where the object lies if it exists: `folder/xx/yyyy….type`. */
  path(checksum: Checksum, type: ObjectType): string {
    return `${this.folder}/${checksum.slice(0, 2)}/${checksum.slice(2)}.${this.#extension(type)}`;
  }

  has(checksum: Checksum, type: ObjectType): boolean {
    return this.system.lstatIfExists(this.path(checksum, type)) !== undefined;
  }

  /**
   * Loads a whole object, or undefined when it is missing. The bytes are valid until the next call of `use`.
   * @throws FormatError when it is larger than any metadata object may be
   */
  read<T>(checksum: Checksum, type: ObjectType, use: (bytes: Buffer, path: string) => T): T | undefined {
    const path = this.path(checksum, type);
    const fd = openIfExists(this.system, path);
    if (fd === undefined) return undefined;
    try {
      this.#buffer ??= Buffer.allocUnsafeSlow(BUFFER_SIZE);
      const length = this.system.read(fd, this.#buffer, 0);
      const bytes = length < BUFFER_SIZE ? this.#buffer.subarray(0, length) : this.#readLarge(fd, path);
      return use(bytes, path);
    } finally {
      this.system.close(fd);
    }
  }

  /**
   * Loads a metadata object whose name is the checksum of its bytes and re-hashes it.
   * @throws FormatError when the checksum is another one
   */
  readHashed<T>(
    checksum: Checksum,
    type: ObjectType,
    parse: (bytes: Buffer, path: string) => T,
  ): T | undefined {
    const pack = type === 'dirtree' ? this.pack : undefined;
    const packed = pack?.get(checksum);
    if (packed !== undefined) return parse(packed, this.path(checksum, type));
    return this.read(checksum, type, (bytes, path) => {
      const actual = metadataChecksum(bytes);
      if (actual !== checksum)
        throw new FormatError(path, 'object is corrupted: its checksum differs', {
          got: actual,
          want: checksum,
        });
      if (this.isPacking) pack?.add(checksum, bytes);
      return parse(bytes, path);
    });
  }

  /**
   * Names of all loose objects, folder by folder, sorted within each.
   * @param prefix - lists only checksums that begin with these hex digits
   */
  *list(prefix = ''): Generator<ObjectName> {
    for (const folder of this.#folders(prefix)) {
      const names = readdirIfExists(this.system, `${this.folder}/${folder}`);
      for (const name of names.sort()) {
        const dot = name.indexOf('.');
        const checksum = folder + name.slice(0, dot);
        const type = this.#typeOf(name.slice(dot + 1));
        if (type !== undefined && checksum.startsWith(prefix) && isHex64(checksum))
          yield { checksum: checksum as Checksum, type };
      }
    }
  }

  /**
   * Shows the checksums of all content objects and dirtrees, in no order within a folder: {@link list} for who wants to know
   * no more. No checksum is both: serialised, a dirtree does not begin with a zero byte, and what a content object's is of does.
   * @param visit - gets 32 bytes, whose memory is the next one's
   */
  visitTreeObjects(visit: (checksum: Uint8Array) => void): void {
    const fileEnd = `.${this.#extension('file')}`;
    const checksum = Buffer.alloc(CHECKSUM_BYTES);
    for (const folder of this.#folders('')) {
      checksum.write(folder, 0, 'hex');
      for (const name of namesIfExists(this.system, `${this.folder}/${folder}`)) {
        const end = name.slice(DIGITS_IN_FOLDER);
        if (end !== fileEnd && end !== '.dirtree') continue;
        // Node takes capital digits for digits, too.
        if (checksum.write(name, 1, 'hex') === CHECKSUM_BYTES - 1 && name === name.toLowerCase())
          visit(checksum);
      }
    }
  }

  #folders(prefix: string): string[] {
    if (prefix.length >= 2) return [prefix.slice(0, 2)];
    return readdirIfExists(this.system, this.folder)
      .filter((name) => /^[0-9a-f]{2}$/.test(name) && name.startsWith(prefix))
      .sort();
  }

  #readLarge(fd: number, path: string): Buffer {
    const { size } = this.system.fstat(fd);
    if (size > MAX_METADATA_SIZE)
      throw new FormatError(path, 'metadata object is too large', {
        got: size,
        want: `at most ${MAX_METADATA_SIZE}`,
      });
    const bytes = Buffer.allocUnsafeSlow(size);
    return bytes.subarray(0, this.system.read(fd, bytes, 0));
  }

  #extension(type: ObjectType): string {
    return type === 'file' && this.mode === 'archive' ? 'filez' : type;
  }

  #typeOf(extension: string): ObjectType | undefined {
    return OBJECT_TYPE_NAMES.find((type) => this.#extension(type) === extension);
  }
}

/** Opens for reading, never through a symlink at the end; undefined when there is nothing. */
export function openIfExists(system: System, path: string): number | undefined {
  try {
    return system.openRead(path, { noFollow: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw readable(error, path);
  }
}

/** Names in a folder; none when there is no such folder. Names that are not UTF-8 are never ostree's. */
export function readdirIfExists(system: System, path: string): string[] {
  return namesIfExists(system, path).map(bytesToText);
}

function namesIfExists(system: System, path: string): ByteString[] {
  try {
    return system.readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw readable(error, path);
  }
}

/** What must not be read is told apart from what is missing or broken. */
export function readable(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno !== 'EACCES' && errno !== 'EPERM') return error;
  return new PermissionError(`${path}: no permission to read`, {
    hint: 'run as the owner of the repository, usually root',
    details: { path },
    cause: error,
  });
}
