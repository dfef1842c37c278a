/** Container images made by hand: blobs and documents of an OCI image layout, right or wrong. */
import { hash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { silent } from '../../src/base/progress.ts';
import type { ImageRequest } from '../../src/container/import.ts';
import { DEFAULT_LIMITS } from '../../src/repository/import-tar.ts';
import { tarOf } from './tar.ts';

/** The only image of a layout for amd64, and no ref for it. */
export const PLAIN_IMPORT: ImageRequest = {
  tag: undefined,
  platform: { os: 'linux', architecture: 'amd64', variant: undefined },
  ref: undefined,
  parent: undefined,
  subject: undefined,
  timestamp: 0,
  layerCommits: false,
  limits: DEFAULT_LIMITS,
  skipSpecial: false,
  dryRun: false,
  lockTimeoutMs: 1000,
  progress: silent(),
};

export interface MadeImage {
  readonly tag?: string;
  /** Archives, not compressed; the lowest first. */
  readonly layers: readonly Uint8Array[];
  readonly architecture?: string;
  readonly variant?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How layers lie in the layout; default gzip. */
  readonly compress?: (layer: Uint8Array) => Uint8Array;
  /** What the configuration says instead of the digests of the layers. */
  readonly diffIds?: readonly string[];
}

export interface MadeDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Readonly<Record<string, string>>;
}

const digest = (bytes: Uint8Array): string => `sha256:${hash('sha256', bytes)}`;

export class LayoutMaker {
  readonly path: string;
  readonly manifests: MadeDescriptor[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  blobPath(of: string): string {
    return join(this.path, 'blobs/sha256', of.slice('sha256:'.length));
  }

  blob(bytes: Uint8Array, mediaType: string): MadeDescriptor {
    writeFileSync(this.blobPath(digest(bytes)), bytes);
    return { mediaType, digest: digest(bytes), size: bytes.length };
  }

  json(value: unknown, mediaType: string): MadeDescriptor {
    return this.blob(Buffer.from(JSON.stringify(value)), mediaType);
  }

  /** The manifest of an image; not in the index yet. */
  manifest(image: MadeImage): MadeDescriptor {
    const { layers, compress = gzipSync, architecture = 'amd64', variant } = image;
    const platform = { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) };
    const config = {
      ...platform,
      created: '2026-01-01T00:00:00Z',
      config: { Labels: image.labels ?? null },
      rootfs: { type: 'layers', diff_ids: image.diffIds ?? layers.map(digest) },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: this.json(config, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map((layer) =>
        this.blob(compress(layer), 'application/vnd.oci.image.layer.v1.tar+gzip'),
      ),
    };
    return { ...this.json(manifest, manifest.mediaType), platform };
  }

  index(manifests: readonly MadeDescriptor[]): MadeDescriptor {
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    return this.json({ schemaVersion: 2, mediaType, manifests }, mediaType);
  }

  /** Puts a manifest or an index into the layout's own index. */
  add(descriptor: MadeDescriptor, tag?: string): void {
    const annotations = tag === undefined ? {} : { 'org.opencontainers.image.ref.name': tag };
    this.manifests.push({ ...descriptor, annotations });
    writeFileSync(
      join(this.path, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: this.manifests }),
    );
  }

  addImage(image: MadeImage): MadeDescriptor {
    const descriptor = this.manifest(image);
    this.add(descriptor, image.tag);
    return descriptor;
  }
}

/** What `docker save` writes of one image. */
export function dockerArchive(layers: readonly Uint8Array[], tag: string): Buffer {
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: layers.map(digest) },
    }),
  );
  const name = `${digest(config).slice('sha256:'.length)}.json`;
  const paths = layers.map((_, i) => `layer${i}/layer.tar`);
  const manifest = [{ Config: name, RepoTags: [tag], Layers: paths }];
  return tarOf([
    ...layers.map((data, i) => ({ name: paths[i] as string, data })),
    { name, data: config },
    { name: 'manifest.json', data: JSON.stringify(manifest) },
  ]);
}
