/**
 * Where a container image lies: an OCI image layout (image-spec, image-layout.md) as a folder or as a tar archive, or a
 * docker-archive. Blobs are read from where they lie; of an archive it is found out once where each of them begins.
 */
import { posix } from 'node:path';
import { type ByteString, displayBytes, textToBytes } from '../base/bytes.ts';
import { digestOf, nativeEngine } from '../base/digest.ts';
import { FormatError, IoError, NotFoundError, UsageError } from '../base/errors.ts';
import { fileChunks } from '../base/file-chunks.ts';
import { isDirectory, isRegular } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import type { SystemReads } from '../base/system.ts';
import {
  type BlobDigest,
  type Descriptor,
  type DockerImage,
  formatPlatform,
  isIndex,
  MAX_JSON_BYTES,
  type Platform,
  parseDockerManifest,
  parseIndex,
} from '../formats/oci.ts';
import { TarTap } from '../formats/tar.ts';

/** Files by their paths in a layout. */
interface Files {
  /** Bytes of the file; undefined where there is none. */
  size(path: string): number | undefined;
  read(path: string): AsyncIterable<Uint8Array>;
}

/** An index may name indexes: not so many. */
const MAX_NESTING = 4;

/** Manifests of a layout that an error names. */
const SHOWN = 10;

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

export class Layout {
  readonly path: string;
  readonly #files: Files;

  private constructor(path: string, files: Files) {
    this.path = path;
    this.#files = files;
  }

  /** @throws NotFoundError, FormatError for an archive that cannot be read */
  static async open(path: string, system: SystemReads, progress: Progress): Promise<Layout> {
    const { mode } = system.stat(path);
    if (isDirectory(mode)) return new Layout(path, folderFiles(path, system));
    if (!isRegular(mode)) throw new UsageError(`${path} is neither a folder nor a file`);
    return new Layout(path, await archiveFiles(path, system, progress));
  }

  /** Whether it follows the OCI's layout; a docker-archive may do both. */
  get isOci(): boolean {
    return this.#files.size('oci-layout') !== undefined || this.#files.size('index.json') !== undefined;
  }

  /**
   * The manifest that a tag names, or the only one there is; of an index that for the platform.
   * @throws NotFoundError, UsageError where several could be meant
   */
  async manifest(tag: string | undefined, platform: Platform): Promise<Descriptor> {
    const all = parseIndex(await this.#document('index.json'), this.#where('index.json'));
    const found =
      tag === undefined ? all : all.filter((one) => namesOf(one).some((name) => isTag(name, tag)));
    const tags = [...new Set(all.flatMap(namesOf))];
    return await this.#choose(found, platform, `${this.path}${tag === undefined ? '' : `:${tag}`}`, tags, 0);
  }

  /** The image of a docker-archive that a tag names, or the only one there is. */
  async dockerImage(tag: string | undefined): Promise<DockerImage> {
    const all = parseDockerManifest(await this.#document('manifest.json'), this.#where('manifest.json'));
    const found = tag === undefined ? all : all.filter(({ tags }) => tags.some((name) => isTag(name, tag)));
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    throw notOne(
      this.path,
      found.length,
      all.flatMap(({ tags }) => tags),
    );
  }

  /** What its images are called, each by one name; none of them where they have no names. */
  async tags(): Promise<string[]> {
    const names = this.isOci
      ? parseIndex(await this.#document('index.json'), this.#where('index.json')).map(namesOf)
      : parseDockerManifest(await this.#document('manifest.json'), this.#where('manifest.json')).map(
          ({ tags }) => tags,
        );
    return [...new Set(names.flatMap(([first]) => first ?? []))];
  }

  /** A JSON blob, whole and verified. */
  async json({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer> {
    const path = blobPath(digest);
    const bytes = await this.#document(path);
    if (bytes.length !== size)
      throw new FormatError(this.#where(path), 'blob is not as long as its descriptor says', {
        got: bytes.length,
        want: size,
      });
    const got = digestOf(nativeEngine.sha256(bytes));
    if (got !== (digest as string))
      throw new FormatError(this.#where(path), 'blob has another digest', { got, want: digest });
    return bytes;
  }

  /** A JSON document of a docker-archive. */
  async document(path: string): Promise<Buffer> {
    return await this.#document(path);
  }

  /** The bytes of a blob as they lie there: whoever reads them hashes them. @throws NotFoundError */
  blob({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): AsyncIterable<Uint8Array> {
    const path = blobPath(digest);
    const got = this.#sizeOf(path);
    if (got !== size)
      throw new FormatError(this.#where(path), 'blob is not as long as its descriptor says', {
        got,
        want: size,
      });
    return this.#files.read(path);
  }

  /** A file of a docker-archive. @throws NotFoundError */
  file(path: string): AsyncIterable<Uint8Array> {
    this.#sizeOf(path);
    return this.#files.read(path);
  }

  async #choose(
    found: readonly Descriptor[],
    platform: Platform,
    where: string,
    tags: readonly string[],
    depth: number,
  ): Promise<Descriptor> {
    const [first] = found;
    if (first === undefined || (depth === 0 && new Set(found.flatMap(namesOf)).size > 1))
      throw notOne(where, found.length, tags);
    if (found.length > 1) {
      const fitting = found.filter((one) => one.platform !== undefined && fits(one.platform, platform));
      const exact = fitting.filter((one) => one.platform?.variant === platform.variant);
      const [best, ...others] = exact.length > 0 ? exact : fitting;
      if (best === undefined || others.length > 0) throw notForPlatform(where, platform, found);
      return await this.#choose([best], platform, where, tags, depth);
    }
    if (!isIndex(first)) return first;
    if (depth === MAX_NESTING) throw new FormatError(where, 'indexes in indexes without an end');
    const inner = parseIndex(await this.json(first), this.#where(blobPath(first.digest)));
    // What says nothing of a platform, or "unknown", is no image but says something of one.
    const images = inner.filter(
      (one) => isIndex(one) || one.platform === undefined || one.platform.os !== 'unknown',
    );
    const fitting = images.filter((one) => one.platform !== undefined && fits(one.platform, platform));
    if (fitting.length === 0 && images.every((one) => one.platform !== undefined))
      throw notForPlatform(where, platform, images);
    return await this.#choose(fitting.length === 0 ? images : fitting, platform, where, tags, depth + 1);
  }

  async #document(path: string): Promise<Buffer> {
    const size = this.#sizeOf(path);
    if (size > MAX_JSON_BYTES)
      throw new FormatError(this.#where(path), 'too large for what it is', {
        got: size,
        want: MAX_JSON_BYTES,
      });
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#files.read(path)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  #sizeOf(path: string): number {
    const size = this.#files.size(path);
    if (size === undefined)
      throw new NotFoundError(`${this.path}: no ${path} in it`, {
        hint: 'an OCI image layout or docker-archive is what skopeo copy docker://IMAGE oci:FOLDER makes',
      });
    return size;
  }

  #where(path: string): string {
    return `${this.path}: ${path}`;
  }
}

const blobPath = (digest: BlobDigest): string => `blobs/sha256/${digest}`;

const namesOf = ({ annotations }: Descriptor): string[] =>
  [REF_NAME, IMAGE_NAME].flatMap((key) => annotations.get(key) ?? []);

/** Whether a name, such as `docker.io/library/debian:13`, is meant by it or by its last part, `13`. */
const isTag = (name: string, tag: string): boolean => name === tag || name.endsWith(`:${tag}`);

/** Whether what an image says it is for is what was asked for. */
export const fits = (offered: Platform, wanted: Platform): boolean =>
  offered.os === wanted.os &&
  offered.architecture === wanted.architecture &&
  (wanted.variant === undefined || offered.variant === undefined || offered.variant === wanted.variant);

function notOne(where: string, count: number, names: readonly string[]): UsageError | NotFoundError {
  const list = names.slice(0, SHOWN).join(', ');
  const hint = names.length === 0 ? undefined : `there are ${list}${names.length > SHOWN ? ', …' : ''}`;
  const options = { ...(hint === undefined ? {} : { hint }), details: { names } };
  return count === 0
    ? new NotFoundError(`${where}: no such image in it`, options)
    : new UsageError(`${where}: ${count} images, say which with LAYOUT:TAG`, options);
}

function notForPlatform(where: string, platform: Platform, found: readonly Descriptor[]): NotFoundError {
  const platforms = found.flatMap((one) =>
    one.platform === undefined ? [] : [formatPlatform(one.platform)],
  );
  return new NotFoundError(`${where}: no image, or more than one, for ${formatPlatform(platform)}`, {
    hint: `--platform is one of ${platforms.join(', ')}`,
    details: { platforms },
  });
}

function folderFiles(root: string, system: SystemReads): Files {
  const inside = (path: string): string => {
    const normal = posix.normalize(path);
    if (normal.startsWith('/') || normal.startsWith('..'))
      throw new FormatError(root, 'a path that leads out of the layout', { got: JSON.stringify(path) });
    return `${root}/${normal}`;
  };
  return {
    size(path) {
      const stats = system.lstatIfExists(inside(path));
      if (stats === undefined) return undefined;
      // A link could lead anywhere.
      if (!isRegular(stats.mode)) throw new FormatError(`${root}: ${path}`, 'not a regular file');
      return stats.size;
    },
    read: (path) => fileChunks(inside(path), system),
  };
}

async function archiveFiles(archive: string, system: SystemReads, progress: Progress): Promise<Files> {
  const files = new Map<ByteString, { readonly offset: number; readonly size: number }>();
  const links = new Map<ByteString, ByteString>();
  const tap = new TarTap({ where: archive });
  progress.begin('reading the archive');
  for await (const chunk of fileChunks(archive, system)) {
    tap.push(chunk);
    for (let member = tap.next(); member !== undefined; member = tap.next()) {
      const path = normalized(member.path);
      links.delete(path);
      files.delete(path);
      if (member.type === 'file' && member.sparse === undefined)
        files.set(path, { offset: member.dataOffset, size: member.size });
      else if (member.type === 'hard link') links.set(path, normalized(member.target));
      // docker save puts a link in the place of a layer that is there already.
      else if (member.type === 'symlink')
        links.set(path, normalized(posix.join(posix.dirname(path), member.target) as ByteString));
      progress.advance(1);
    }
    progress.advance(0, chunk.length);
    await progress.breathe();
  }
  tap.end();
  const find = (path: string) => {
    const name = normalized(textToBytes(path));
    return files.get(name) ?? files.get(links.get(name) ?? name);
  };
  return {
    size: (path) => find(path)?.size,
    read(path) {
      const found = find(path);
      if (found === undefined)
        throw new IoError('find', `${archive}: ${displayBytes(textToBytes(path))}`, 'ENOENT');
      return fileChunks(archive, system, found.offset, found.size);
    },
  };
}

const normalized = (path: ByteString): ByteString =>
  posix.normalize(`/${path}`).replace(/\/$/, '') as ByteString;
