/**
 * A folder of content files named by their fs-verity digests, `ab/cdef…`: what `mkcomposefs --digest-store` fills
 * and `mount.composefs -o basedir=` reads.
 */
import { type Digest, digestOf } from '../base/digest.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { makeFolders } from '../base/folders.ts';
import { randomHex } from '../base/random.ts';
import type { Path, System } from '../base/system.ts';
import { VerityHasher } from '../formats/verity.ts';

/** Where a digest's file lies in a store. */
export function digestPath(digest: Digest): string {
  return `${digest.slice(0, 2)}/${digest.slice(2)}`;
}

const CHUNK_BYTES = 1 << 20;

export class DigestStore {
  readonly path: string;
  readonly #system: System;
  readonly #folders = new Set<string>();
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #verityKnown = true;

  /** The folder is made when the first file is added. */
  constructor(path: string, system: System) {
    this.path = path;
    this.#system = system;
  }

  /** Whether there is a file of that digest; its content is not read. */
  has(digest: Digest): boolean {
    return this.#system.lstatIfExists(`${this.path}/${digestPath(digest)}`) !== undefined;
  }

  /** Adds bytes whose digest is known. */
  addBytes(digest: Digest, bytes: Uint8Array): void {
    this.#add(digest, (fd) => this.#system.write(fd, bytes));
  }

  /** Adds a copy of a file; FormatError when its digest is another one (it changed meanwhile). */
  addFile(digest: Digest, source: Path): void {
    this.#add(digest, (fd) => {
      const hasher = new VerityHasher();
      const from = this.#system.openRead(source);
      try {
        for (;;) {
          const count = this.#system.read(from, this.#buffer, null);
          const chunk = this.#buffer.subarray(0, count);
          hasher.update(chunk);
          this.#system.write(fd, chunk);
          if (count < this.#buffer.length) break;
        }
      } finally {
        this.#system.close(from);
      }
      const got = digestOf(hasher.digest());
      if (got !== digest)
        throw new FormatError(source.toString('latin1'), 'the file changed while it was copied', {
          got,
          want: digest,
        });
    });
  }

  /** Makes the names of all added files durable. */
  sync(): void {
    for (const folder of this.#folders) this.#system.fsyncDirectory(folder);
    if (this.#folders.size > 0) this.#system.fsyncDirectory(this.path);
    this.#folders.clear();
  }

  #add(digest: Digest, fill: (fd: number) => void): void {
    if (this.has(digest)) return;
    const system = this.#system;
    const folder = `${this.path}/${digest.slice(0, 2)}`;
    if (!this.#folders.has(folder)) {
      makeFolders(folder, system);
      this.#folders.add(folder);
    }
    const temporary = `${this.path}/.tmp${randomHex(6)}`;
    const fd = system.create(temporary, 0o600);
    try {
      try {
        fill(fd);
        // Whoever mounts the image must be able to read it, whatever the umask.
        system.fchmod(fd, 0o644);
        system.fsync(fd);
      } finally {
        system.close(fd);
      }
      this.#protect(temporary);
      system.rename(temporary, `${this.path}/${digestPath(digest)}`);
    } catch (error) {
      system.unlink(temporary);
      throw error;
    }
  }

  /** fs-verity where it can be had; a store without it serves as well, only unprotected. */
  #protect(path: string): void {
    if (!this.#verityKnown) return;
    const fd = this.#system.openRead(path);
    try {
      this.#system.enableVerity(fd);
      this.#system.fsync(fd);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      this.#verityKnown = false;
    } finally {
      this.#system.close(fd);
    }
  }
}
