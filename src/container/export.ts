/**
 * Commits as a container image in an OCI image layout (image-spec 1.1). The first commit is the lowest layer, each
 * further one the layer that makes its tree of the one before. The same commits give the same layers, and the same image.
 */

import { join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { type ByteString, bytesToText } from '../base/bytes.ts';
import { type Checksum, digestOf, type Hasher, hashed, nativeEngine } from '../base/digest.ts';
import { errnoOf, OperationError, UnsupportedError } from '../base/errors.ts';
import { makeFolders } from '../base/folders.ts';
import type { Progress } from '../base/progress.ts';
import { randomHex } from '../base/random.ts';
import type { System } from '../base/system.ts';
import { MediaType, type Platform, parseConfig, parseIndex } from '../formats/oci.ts';
import { exportLayer } from '../repository/export-tar.ts';
import type { Repository } from '../repository/repository.ts';
import { ImageKey } from './keys.ts';

export type LayerCompression = 'gzip' | 'zstd' | 'none';

export interface ImageExport {
  /** The layout's folder: a new one, or a layout that gets one image more. */
  readonly path: string;
  readonly tag: string;
  /** The lowest first; the image is the tree of the last one. */
  readonly commits: readonly Checksum[];
  /** Where the last commit says nothing of it. */
  readonly platform: Platform;
  /** What the image runs; undefined: as the last commit's own configuration has it. */
  readonly command: readonly string[] | undefined;
  readonly compression: LayerCompression;
  readonly progress: Progress;
}

export interface ExportedImage {
  /** `sha256:…` */
  readonly manifestDigest: string;
  readonly layers: readonly { readonly digest: string; readonly diffId: string; readonly size: number }[];
}

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const REF_NAME = 'org.opencontainers.image.ref.name';

/** @throws OperationError where something else has the layout's place; nothing of the image is in the index then */
export async function exportImage(repository: Repository, request: ImageExport): Promise<ExportedImage> {
  const { system } = repository;
  const { path, commits, progress } = request;
  openLayout(path, system);
  const layers: (Blob & { readonly diffId: string })[] = [];
  for (const [i, commit] of commits.entries()) {
    progress.begin(`writing layer ${i + 1} of ${commits.length}`);
    layers.push(await writeLayer(repository, commit, commits[i - 1], request));
  }
  const config = writeJson(path, configOf(repository, layers, request), MediaType.config, system);
  const manifest = writeJson(
    path,
    {
      schemaVersion: 2,
      mediaType: MediaType.manifest,
      config,
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    },
    MediaType.manifest,
    system,
  );
  system.fsyncDirectory(join(path, 'blobs/sha256'));
  addToIndex(path, manifest, request.tag, system);
  progress.end();
  return { manifestDigest: manifest.digest, layers };
}

/** Makes the folders of a layout where they are missing. */
function openLayout(path: string, system: System): void {
  const marker = join(path, 'oci-layout');
  if (system.lstatIfExists(marker) === undefined) {
    if (system.lstatIfExists(path) !== undefined && system.readdir(path).length > 0)
      throw new OperationError('exists', `${path} is not empty and no OCI image layout`);
    makeFolders(join(path, 'blobs/sha256'), system);
    replaceFile(marker, Buffer.from('{"imageLayoutVersion":"1.0.0"}'), system);
  }
  makeFolders(join(path, 'blobs/sha256'), system);
}

async function writeLayer(
  repository: Repository,
  commit: Checksum,
  lower: Checksum | undefined,
  { path, compression, progress }: ImageExport,
): Promise<Blob & { readonly diffId: string }> {
  const plain = nativeEngine.create();
  const packed = nativeEngine.create();
  const archive = hashed(exportLayer(repository, commit, lower, progress), plain);
  const { size, temporary } = await writeBlob(
    path,
    compressed(archive, compression),
    packed,
    repository.system,
  );
  const digest = digestOf(packed.digest());
  repository.system.rename(temporary, join(path, 'blobs/sha256', digest));
  const mediaType = compression === 'none' ? LAYER_TYPE : `${LAYER_TYPE}+${compression}`;
  return { mediaType, digest: `sha256:${digest}`, size, diffId: `sha256:${digestOf(plain.digest())}` };
}

/** Writes pieces to a temporary file among the blobs; it is on disk when this returns. */
async function writeBlob(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  hasher: Hasher,
  system: System,
): Promise<{ size: number; temporary: string }> {
  const temporary = join(path, 'blobs', `.sealtree-tmp-${randomHex(6)}`);
  const fd = system.create(temporary, 0o644);
  let size = 0;
  try {
    try {
      for await (const chunk of hashed(pieces, hasher)) {
        system.write(fd, chunk);
        size += chunk.length;
      }
      system.fsync(fd);
    } finally {
      system.close(fd);
    }
  } catch (error) {
    system.unlink(temporary);
    throw error;
  }
  return { size, temporary };
}

async function* compressed(
  source: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
): AsyncGenerator<Uint8Array> {
  if (compression === 'none') return yield* source;
  const compressor = compressorOf(compression);
  // A failure destroys the compressor with it, and reading from that one throws it.
  pipeline(Readable.from(source, { objectMode: false }), compressor).catch(() => undefined);
  yield* compressor as AsyncIterable<Uint8Array>;
}

function compressorOf(compression: 'gzip' | 'zstd'): Transform {
  if (compression === 'gzip') return zlib.createGzip();
  // Node 22.15 and 23.8 brought it.
  if (typeof zlib.createZstdCompress !== 'function')
    throw new UnsupportedError('this Node cannot write zstd');
  return zlib.createZstdCompress();
}

/** The image's configuration: that which the last commit was imported with, or an empty one. */
function configOf(
  repository: Repository,
  layers: readonly { readonly diffId: string }[],
  { commits, platform, command }: ImageExport,
): unknown {
  const { metadata, timestamp } = repository.commit(commits.at(-1) as Checksum);
  const kept = metadata.get(ImageKey.config);
  const text = kept?.type === 's' ? bytesToText(kept.value as ByteString) : undefined;
  if (text !== undefined) parseConfig(Buffer.from(text), `commit ${commits.at(-1)}: ${ImageKey.config}`);
  const before = JSON.parse(text ?? '{}') as Record<string, unknown>;
  // Its history counts other layers.
  const { history: _, rootfs: __, ...rest } = before;
  const own = { architecture: platform.architecture, os: platform.os, ...rest };
  const config = (own as { config?: object }).config ?? {};
  return {
    ...own,
    created: new Date(timestamp * 1000).toISOString().replace('.000Z', 'Z'),
    config: command === undefined ? config : { ...config, Entrypoint: undefined, Cmd: command },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  };
}

function writeJson(path: string, value: unknown, mediaType: string, system: System): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = digestOf(nativeEngine.sha256(bytes));
  replaceFile(join(path, 'blobs/sha256', digest), bytes, system);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}

/** Lets the index name a manifest by the tag, in the place of what had it. */
function addToIndex(path: string, manifest: Blob, tag: string, system: System): void {
  const file = join(path, 'index.json');
  let others: readonly object[] = [];
  try {
    const bytes = system.readFile(file);
    parseIndex(bytes, file);
    // As they are, with fields that are not known here.
    const { manifests } = JSON.parse(bytes.toString('utf8')) as {
      manifests: { annotations?: Record<string, string> }[];
    };
    others = manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const manifests = [...others, { ...manifest, annotations: { [REF_NAME]: tag } }];
  replaceFile(
    file,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.index, manifests })),
    system,
  );
  system.fsyncDirectory(path);
}

function replaceFile(path: string, bytes: Uint8Array, system: System): void {
  const temporary = `${path}.sealtree-tmp-${randomHex(6)}`;
  const fd = system.create(temporary, 0o644);
  try {
    system.write(fd, bytes);
    system.fsync(fd);
  } finally {
    system.close(fd);
  }
  system.rename(temporary, path);
}
