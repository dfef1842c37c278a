/** A tree that has a root of its own, such as a deployment: links in it are followed as if it were `/`. */
import { posix } from 'node:path';
import { type ByteString, stringToBytes } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';

/** As many symlinks as the kernel follows (MAXSYMLINKS). */
const MAX_LINKS = 40;

export class TreeRoot {
  readonly #path: ByteString;
  readonly #system: SystemReads;

  /** `path` is absolute, as text. */
  constructor(path: string, system: SystemReads) {
    this.#path = Buffer.from(path, 'utf8').toString('latin1') as ByteString;
    this.#system = system;
  }

  /**
   * The path that `path` (relative to the root, or absolute as from inside) leads to, relative to the root and without
   * symlinks; `..` of the root is the root. Undefined when there is nothing, or the links lead in a circle.
   * @throws IoError
   */
  resolve(path: ByteString): ByteString | undefined {
    const left = partsOf(path);
    const done: string[] = [];
    let links = 0;
    for (let part = left.shift(); part !== undefined; part = left.shift()) {
      if (part === '..') {
        done.pop();
        continue;
      }
      const at = this.#outside([...done, part]);
      const stats = this.#system.lstatIfExists(at);
      if (stats === undefined) return undefined;
      if (!stats.isSymbolicLink()) {
        done.push(part);
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      const target = this.#system.readlink(at);
      if (posix.isAbsolute(target)) done.length = 0;
      left.unshift(...partsOf(target));
    }
    return done.join('/') as ByteString;
  }

  /** {@link resolve}, where the end is a regular file. */
  resolveFile(path: ByteString): ByteString | undefined {
    const found = this.resolve(path);
    if (found === undefined) return undefined;
    return this.#system.lstat(this.#outside([found])).isFile() ? found : undefined;
  }

  /** The file that `path` leads to; undefined when there is none. @throws IoError */
  readFile(path: ByteString): Buffer | undefined {
    const found = this.resolveFile(path);
    return found === undefined ? undefined : this.#system.readFile(this.#outside([found]));
  }

  /** The names in the folder that `path` leads to, sorted; none where there is no such folder. @throws IoError */
  readdir(path: ByteString): ByteString[] {
    const found = this.resolve(path);
    if (found === undefined || !this.#system.lstat(this.#outside([found])).isDirectory()) return [];
    return this.#system.readdir(this.#outside([found])).sort();
  }

  #outside(parts: readonly string[]): Buffer {
    return stringToBytes([this.#path, ...parts].join('/') as ByteString);
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
