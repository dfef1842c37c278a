/**
 * Contents become objects in a staging folder, here or in a thread: small ones in batches, each hashed and looked up
 * before it is written, large ones in pieces, hashed as they are written. What lies on the disk is read here, too.
 */
import { join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import { type Checksum, checksumOf, nativeEngine } from '../base/digest.ts';
import type { System } from '../base/system.ts';
import { contentHeader, type FileHeader } from '../formats/objects.ts';
import { FileContent } from './source-directory.ts';
import { FileObject, type WritableMode } from './write-object.ts';

/** Up to this size a content is hashed before it is written, so that what exists is not written at all. */
export const HASH_FIRST_BYTES = 1 << 20;

/**
 * Small files: in `bytes` stands of each what is hashed before its content, then the content. As columns, which cross
 * over to a thread at a tenth of the cost of objects.
 */
export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: readonly FileHeader[];
  /** {@link COLUMNS} numbers a file: index of its header, start, start of the content, end. */
  readonly files: readonly number[];
}

export const COLUMNS = 4;

/** Files on the disk, of any size, in columns by file. */
export interface DiskFiles {
  readonly paths: readonly ByteString[];
  readonly sizes: readonly number[];
  readonly headers: readonly FileHeader[];
  /** Indices of headers. */
  readonly headerOf: readonly number[];
}

/** The next bytes of a large file, the first or the only one with what it is. */
export interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly begins?: { readonly header: FileHeader; readonly size: number };
  readonly isLast: boolean;
}

/** Where objects go. */
export interface BatchTarget {
  readonly repositoryPath: string;
  readonly mode: WritableMode;
  /** A staging folder that nobody else writes to meanwhile. */
  readonly folder: string;
}

/** An object that a file has become. */
export interface Written {
  readonly checksum: Checksum;
  /** Whether it is in the staging folder now; else it is in the repository already, or was said to be staged before. */
  readonly isNew: boolean;
}

/** What an object is called in a staging folder. */
export const objectName = (checksum: Checksum, extension: string): string => `${checksum}.${extension}`;

/** Where the object of such a name lies in a repository. */
export const objectPath = (repositoryPath: string, name: string): string =>
  `${repositoryPath}/objects/${name.slice(0, 2)}/${name.slice(2)}`;

export const fileExtension = (mode: WritableMode): 'file' | 'filez' =>
  mode === 'archive' ? 'filez' : 'file';

/** One staging folder. What fails leaves nothing incomplete in it. */
export class StagingFolder {
  readonly target: BatchTarget;
  readonly #system: System;
  readonly #extension: 'file' | 'filez';
  readonly #staged = new Set<string>();
  /** The large file that has begun. */
  #large: FileObject | undefined;
  /** For one file of the disk, with what is hashed before its content. */
  #memory = Buffer.alloc(0);

  constructor(system: System, target: BatchTarget) {
    this.target = target;
    this.#system = system;
    this.#extension = fileExtension(target.mode);
  }

  /** Writes what is not there yet, in the order of the files. */
  write({ bytes, headers, files }: Batch): Written[] {
    const written: Written[] = [];
    for (let at = 0; at < files.length; at += COLUMNS) {
      const [header, start, contentStart, end] = files.slice(at, at + COLUMNS) as [
        number,
        number,
        number,
        number,
      ];
      written.push(
        this.#writeSmall(headers[header] as FileHeader, bytes.subarray(start, end), contentStart - start),
      );
    }
    return written;
  }

  /** Reads and writes what is not there yet, in the order of the files. */
  copy({ paths, sizes, headers, headerOf }: DiskFiles): Written[] {
    const hashed = headers.map((header) => contentHeader(header));
    return paths.map((path, i) => {
      const at = headerOf[i] as number;
      const header = headers[at] as FileHeader;
      const content = new FileContent(path, sizes[i] as number, this.#system);
      return content.size > HASH_FIRST_BYTES
        ? this.#copyLarge(header, content)
        : this.#copySmall(header, hashed[at] as Buffer, content);
    });
  }

  /** Takes a piece; the last one makes the object. */
  writePiece({ bytes, length, begins, isLast }: Piece): Written | undefined {
    const path = join(this.target.folder, LARGE);
    if (begins !== undefined)
      this.#large = new FileObject(this.#system, this.target.mode, path, begins.header, begins.size);
    const object = this.#large as FileObject;
    return this.#orRemove(object, path, () => {
      object.write(bytes.subarray(0, length));
      return isLast ? this.#named(path, object.finish()) : undefined;
    });
  }

  #copyLarge(header: FileHeader, content: FileContent): Written {
    const path = join(this.target.folder, LARGE_COPY);
    const object = new FileObject(this.#system, this.target.mode, path, header, content.size);
    return this.#orRemove(object, path, () => {
      for (const chunk of content.chunks()) object.write(chunk);
      return this.#named(path, object.finish());
    });
  }

  #copySmall(header: FileHeader, hashed: Buffer, content: FileContent): Written {
    const length = hashed.length + content.size;
    if (this.#memory.length < length) this.#memory = Buffer.alloc(Math.max(length, 2 * this.#memory.length));
    const bytes = this.#memory.subarray(0, length);
    bytes.set(hashed);
    content.readInto(bytes.subarray(hashed.length));
    return this.#writeSmall(header, bytes, hashed.length);
  }

  /** @param bytes what is hashed: `contentStart` bytes of header, then the content */
  #writeSmall(header: FileHeader, bytes: Uint8Array, contentStart: number): Written {
    const checksum = checksumOf(nativeEngine.sha256(bytes));
    const name = objectName(checksum, this.#extension);
    const isNew = this.#isMissing(name);
    if (isNew) this.#writeFile(name, header, bytes.subarray(contentStart), checksum);
    return { checksum, isNew };
  }

  /** Gives a whole object its name, where that is missing. */
  #named(path: string, checksum: Checksum): Written {
    const name = objectName(checksum, this.#extension);
    const isNew = this.#isMissing(name);
    if (isNew) this.#system.rename(path, join(this.target.folder, name));
    else this.#system.unlink(path);
    this.#staged.add(name);
    return { checksum, isNew };
  }

  #isMissing(name: string): boolean {
    return (
      !this.#staged.has(name) &&
      this.#system.lstatIfExists(objectPath(this.target.repositoryPath, name)) === undefined
    );
  }

  #writeFile(name: string, header: FileHeader, content: Uint8Array, checksum: Checksum): void {
    const path = `${this.target.folder}/${name}`;
    const object = new FileObject(this.#system, this.target.mode, path, header, content.length, checksum);
    this.#orRemove(object, path, () => {
      object.write(content);
      object.finish();
    });
    this.#staged.add(name);
  }

  #orRemove<T>(object: FileObject, path: string, write: () => T): T {
    try {
      return write();
    } catch (error) {
      object.close();
      this.#system.unlink(path);
      throw error;
    }
  }
}

/** What a large file is called until its checksum is known: one that comes in pieces, and one of the disk. */
const LARGE = 'large';
const LARGE_COPY = 'large-copy';
