/**
 * A container image becomes a commit: the digests of manifest, configuration and layers are verified, the layers laid
 * over one another. Nothing is visible before all of it is verified and on disk.
 */
import { type ByteString, displayBytes, textToBytes } from '../base/bytes.ts';
import { type Checksum, digestOf, type Hasher, hashed, nativeEngine } from '../base/digest.ts';
import { FormatError, NotFoundError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { Variant } from '../formats/gvariant.ts';
import type { VariantMap } from '../formats/objects.ts';
import {
  type BlobDigest,
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type Platform,
  parseConfig,
  parseManifest,
} from '../formats/oci.ts';
import { BatchWriter } from '../repository/batch-writer.ts';
import { decompressed } from '../repository/decompress.ts';
import { importTar, type TarLimits } from '../repository/import-tar.ts';
import { type NewFolder, newFolder, writeNewTree } from '../repository/new-tree.ts';
import type { Repository } from '../repository/repository.ts';
import { RepositoryWriter } from '../repository/write.ts';
import { writeCommit } from '../repository/write-commit.ts';
import { ImageKey } from './keys.ts';
import { applyLayer } from './layers.ts';
import { fits, type Layout } from './layout.ts';
import { objectsIn, recordedLayer, recordLayer } from './records.ts';

export interface ImageRequest {
  readonly tag: string | undefined;
  readonly platform: Platform;
  /** Refuse an image that says of itself that it is for another platform, even where it is the only one. */
  readonly requirePlatform?: boolean;
  /** The ref that names the commit. */
  readonly ref: string | undefined;
  readonly parent: Checksum | undefined;
  readonly subject: string | undefined;
  /** Seconds since 1970 where the image does not say when it was made. */
  readonly timestamp: number;
  /** Whether each layer becomes a commit of its own, `sealtree/layer/DIFFID`. */
  readonly layerCommits: boolean;
  readonly limits: TarLimits;
  readonly skipSpecial: boolean;
  readonly dryRun: boolean;
  readonly lockTimeoutMs: number;
  readonly progress: Progress;
}

export interface ImportedLayer {
  readonly diffId: BlobDigest;
  /** Undefined where the archive does not say. */
  readonly digest: BlobDigest | undefined;
  /** Whether it was known from an image before, and so was not unpacked. */
  readonly isKnown: boolean;
  readonly commit: Checksum | undefined;
}

export interface ImportedImage {
  readonly commit: Checksum;
  readonly manifestDigest: BlobDigest | undefined;
  readonly config: ImageConfig;
  readonly layers: readonly ImportedLayer[];
  /** Entries that were left out, of all layers that were unpacked, as they can be shown. */
  readonly skipped: readonly string[];
}

/** A layer as it lies in the layout. */
interface LayerSource {
  readonly diffId: BlobDigest;
  readonly where: string;
  readonly digest: BlobDigest | undefined;
  open(): AsyncIterable<Uint8Array>;
}

interface ImageSource {
  readonly manifestDigest: BlobDigest | undefined;
  /** The documents as they are. */
  readonly manifestText: string | undefined;
  readonly configText: string;
  readonly config: ImageConfig;
  readonly layers: readonly LayerSource[];
}

/** @throws FormatError where a digest is another, and whatever reading layers throws; nothing is changed then */
export async function importImage(
  layout: Layout,
  repository: Repository,
  request: ImageRequest,
): Promise<ImportedImage> {
  const source = layout.isOci ? await ociImage(layout, request) : await dockerImage(layout, request);
  const { platform } = source.config;
  if (request.requirePlatform && !fits(platform, request.platform))
    throw new NotFoundError(
      `${layout.path}: the image is for ${formatPlatform(platform)}, not for ${formatPlatform(request.platform)}`,
      { hint: 'skopeo copy --override-os OS --override-arch ARCHITECTURE fetches that for another platform' },
    );
  using writer = await RepositoryWriter.open(repository, { lockTimeoutMs: request.lockTimeoutMs });
  await using batches = new BatchWriter(writer, { signal: request.progress.signal });
  if (request.ref !== undefined) writer.checkRef(request.ref);
  const { system } = repository;
  const tree = newFolder();
  const layers: ImportedLayer[] = [];
  const skipped: string[] = [];
  const unpacked = new Map<BlobDigest, NewFolder>();
  for (const [i, layer] of source.layers.entries()) {
    const known = unpacked.get(layer.diffId) ?? usable(repository.path, layer.diffId, writer, system);
    request.progress.begin(`${known ? 'taking' : 'unpacking'} layer ${i + 1} of ${source.layers.length}`);
    let root = known;
    if (root === undefined) {
      const read = await readLayer(layer, batches, tree, request);
      root = read.root;
      skipped.push(...read.skipped.map(displayBytes));
      // What a layer borrows from those below it is not its own.
      if (!read.needsLower) unpacked.set(layer.diffId, root);
    }
    applyLayer(tree, root, layer.where);
    const commit = request.layerCommits ? commitLayer(writer, layer, root, request) : undefined;
    layers.push({ diffId: layer.diffId, digest: layer.digest, isKnown: known !== undefined, commit });
  }
  request.progress.begin('writing the commit');
  const commit = writeCommit(writer, writeNewTree(writer, tree), {
    timestamp: source.config.created ?? request.timestamp,
    subject:
      request.subject ??
      `container image ${layout.path}${request.tag === undefined ? '' : `:${request.tag}`}`,
    metadata: metadataOf(source, request.ref),
    ...(request.parent === undefined ? {} : { parent: request.parent }),
    ...(request.ref === undefined ? {} : { ref: request.ref }),
  });
  if (!request.dryRun) {
    request.progress.begin('writing objects to disk');
    writer.commit();
    for (const [diffId, root] of unpacked) recordLayer(repository.path, diffId, root, system);
  }
  request.progress.end();
  return { commit, manifestDigest: source.manifestDigest, config: source.config, layers, skipped };
}

async function ociImage(layout: Layout, { tag, platform }: ImageRequest): Promise<ImageSource> {
  const descriptor = await layout.manifest(tag, platform);
  const manifestBytes = await layout.json(descriptor);
  const where = `${layout.path}: manifest sha256:${descriptor.digest}`;
  const manifest = parseManifest(manifestBytes, where);
  const configBytes = await layout.json(manifest.config);
  const config = parseConfig(configBytes, `${layout.path}: config sha256:${manifest.config.digest}`);
  if (config.diffIds.length !== manifest.layers.length)
    throw new FormatError(where, 'manifest and configuration differ in the number of layers', {
      got: manifest.layers.length,
      want: config.diffIds.length,
    });
  return {
    manifestDigest: descriptor.digest,
    manifestText: manifestBytes.toString('utf8'),
    configText: configBytes.toString('utf8'),
    config,
    layers: manifest.layers.map(
      (layer: Descriptor, i): LayerSource => ({
        diffId: config.diffIds[i] as BlobDigest,
        digest: layer.digest,
        where: `${layout.path}: layer sha256:${layer.digest}`,
        open: () => layout.blob(layer),
      }),
    ),
  };
}

async function dockerImage(layout: Layout, { tag }: ImageRequest): Promise<ImageSource> {
  const image = await layout.dockerImage(tag);
  const configBytes = await layout.document(image.config);
  const where = `${layout.path}: ${image.config}`;
  // The file is called by its digest.
  const named = /([0-9a-f]{64})(\.json)?$/.exec(image.config)?.[1];
  const got = digestOf(nativeEngine.sha256(configBytes));
  if (named !== undefined && named !== got)
    throw new FormatError(where, 'configuration has another digest', { got, want: named });
  const config = parseConfig(configBytes, where);
  if (config.diffIds.length !== image.layers.length)
    throw new FormatError(where, 'archive and configuration differ in the number of layers', {
      got: image.layers.length,
      want: config.diffIds.length,
    });
  return {
    manifestDigest: undefined,
    manifestText: undefined,
    configText: configBytes.toString('utf8'),
    config,
    layers: image.layers.map(
      (path, i): LayerSource => ({
        diffId: config.diffIds[i] as BlobDigest,
        digest: undefined,
        where: `${layout.path}: ${path}`,
        open: () => layout.file(path),
      }),
    ),
  };
}

/** A layer that was unpacked before, with all its objects still there. */
function usable(
  repositoryPath: string,
  diffId: BlobDigest,
  writer: RepositoryWriter,
  system: System,
): NewFolder | undefined {
  const root = recordedLayer(repositoryPath, diffId, system);
  if (root === undefined) return undefined;
  for (const checksum of objectsIn(root)) if (!writer.hasContent(checksum)) return undefined;
  return root;
}

async function readLayer(
  layer: LayerSource,
  batches: BatchWriter,
  lower: NewFolder,
  { limits, skipSpecial, progress }: ImageRequest,
): Promise<{ root: NewFolder; needsLower: boolean; skipped: readonly ByteString[] }> {
  const { where } = layer;
  const packed = nativeEngine.create();
  const plain = nativeEngine.create();
  const archive = hashed(decompressed(hashed(layer.open(), packed), where), plain);
  const { tree, skipped } = await importTar(archive, batches, {
    where,
    limits,
    skipSpecial,
    progress,
    hasWhiteouts: true,
    // The digests say whether it is whole.
    endIsOptional: true,
  });
  requireDigest(where, 'layer', packed, layer.digest);
  requireDigest(where, 'unpacked layer', plain, layer.diffId);
  return { root: tree.finish(lower), needsLower: tree.needsLower, skipped };
}

function requireDigest(where: string, what: string, hasher: Hasher, want: BlobDigest | undefined): void {
  if (want === undefined) return;
  const got = digestOf(hasher.digest());
  if (got !== (want as string)) throw new FormatError(where, `${what} has another digest`, { got, want });
}

function commitLayer(
  writer: RepositoryWriter,
  { diffId, where }: LayerSource,
  root: NewFolder,
  { timestamp }: ImageRequest,
): Checksum {
  return writeCommit(writer, writeNewTree(writer, root), {
    timestamp,
    subject: where,
    ref: `sealtree/layer/${diffId}`,
  });
}

function metadataOf(
  { manifestDigest, manifestText, configText, config }: ImageSource,
  ref: string | undefined,
): VariantMap {
  const metadata = new Map<string, Variant>([
    ['ostree.ref-binding', { type: 'as', value: ref === undefined ? [] : [textToBytes(ref)] }],
  ]);
  const add = (key: string, text: string | undefined): void => {
    if (text !== undefined) metadata.set(key, { type: 's', value: textToBytes(text) });
  };
  add('version', config.labels.get('org.opencontainers.image.version'));
  add(ImageKey.manifestDigest, manifestDigest && `sha256:${manifestDigest}`);
  add(ImageKey.manifest, manifestText);
  add(ImageKey.config, configText);
  return metadata;
}
