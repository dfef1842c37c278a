/**
 * Container images as JSON: index, manifest and configuration of the OCI image format (image-spec 1.1: image-index.md,
 * manifest.md, config.md, descriptor.md), Docker's types of the same shape, and the manifest of a docker-archive. Read
 * are the fields that decide what an image is; all others stay in the bytes, which are kept as they came.
 */
import { asBuffer } from '../base/bytes.ts';
import { isHex64 } from '../base/digest.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';

/** Larger documents of this kind nobody has. */
export const MAX_JSON_BYTES = 8 << 20;

/** SHA-256 of a blob: 64 lower-case hex digits, without the `sha256:` of the documents. */
export type BlobDigest = string & { readonly __blob: never };

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: BlobDigest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly platform: Platform | undefined;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface ImageManifest {
  readonly config: Descriptor;
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

export interface ImageConfig {
  /** Digests of the layers' archives, not compressed; the lowest first. */
  readonly diffIds: readonly BlobDigest[];
  readonly platform: Platform;
  /** Seconds since 1970; undefined where it is not said. */
  readonly created: number | undefined;
  readonly labels: ReadonlyMap<string, string>;
}

/** One image of a docker-archive: paths in the archive. */
export interface DockerImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

export const MediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

const INDEX_TYPES: ReadonlySet<string> = new Set([
  MediaType.index,
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  MediaType.manifest,
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  MediaType.config,
  'application/vnd.docker.container.image.v1+json',
]);
/** Told apart from what an image may carry besides; how they are compressed their bytes say. */
const LAYER_TYPE =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+(gzip|zstd))?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.(gzip|zstd))?)$/;

export const isIndex = ({ mediaType }: Descriptor): boolean => INDEX_TYPES.has(mediaType);

/** The manifests an index names. @throws FormatError */
export function parseIndex(bytes: Uint8Array, where: string): readonly Descriptor[] {
  const index = new Json(bytes, where);
  return index.list('manifests').map((entry) => descriptorOf(entry));
}

/** @throws FormatError; UnsupportedError for what is no container image, or has encrypted layers */
export function parseManifest(bytes: Uint8Array, where: string): ImageManifest {
  const json = new Json(bytes, where);
  const type = json.text('mediaType') ?? MediaType.manifest;
  if (!MANIFEST_TYPES.has(type))
    throw new UnsupportedError(`${where}: a manifest of type ${type} is not read`);
  const config = descriptorOf(json.object('config'));
  if (!CONFIG_TYPES.has(config.mediaType))
    throw new UnsupportedError(`${where}: no container image, but an artifact of type ${config.mediaType}`);
  const layers = json.list('layers').map((entry) => descriptorOf(entry));
  for (const { mediaType } of layers)
    if (!LAYER_TYPE.test(mediaType))
      throw new UnsupportedError(`${where}: a layer of type ${mediaType} is not read`);
  return { config, layers };
}

/** @throws FormatError */
export function parseConfig(bytes: Uint8Array, where: string): ImageConfig {
  const json = new Json(bytes, where);
  const rootfs = json.object('rootfs');
  if (rootfs.text('type') !== 'layers')
    throw new FormatError(where, 'rootfs is of a type that is not known', {
      got: rootfs.text('type'),
      want: 'layers',
    });
  const created = json.text('created');
  const milliseconds = created === undefined ? Number.NaN : Date.parse(created);
  return {
    diffIds: rootfs.texts('diff_ids').map((text) => parseBlobDigest(text, where)),
    platform: platformOf(json),
    created: milliseconds >= 0 ? Math.floor(milliseconds / 1000) : undefined,
    labels: json.optional('config')?.map('Labels') ?? new Map(),
  };
}

/** `manifest.json` of what `docker save` and `podman save` write. @throws FormatError */
export function parseDockerManifest(bytes: Uint8Array, where: string): readonly DockerImage[] {
  return new Json(bytes, where).elements().map((image) => ({
    config: image.required('Config'),
    tags: image.texts('RepoTags'),
    layers: image.texts('Layers'),
  }));
}

/** `sha256:` and 64 hex digits. @throws FormatError, UnsupportedError for other algorithms */
export function parseBlobDigest(text: string, where: string): BlobDigest {
  const [, algorithm, hex = ''] = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  if (algorithm !== undefined && algorithm !== 'sha256')
    throw new UnsupportedError(`${where}: digests by ${algorithm} are not computed here`);
  if (algorithm === undefined || !isHex64(hex))
    throw new FormatError(where, 'not a digest', { got: JSON.stringify(text), want: 'sha256:HEX' });
  return hex as BlobDigest;
}

function descriptorOf(json: Json): Descriptor {
  const size = json.number('size');
  if (size < 0 || !Number.isSafeInteger(size))
    throw new FormatError(json.where, 'size of a blob', { got: size, want: 'a whole number' });
  const platform = json.optional('platform');
  return {
    mediaType: json.required('mediaType'),
    digest: parseBlobDigest(json.required('digest'), json.where),
    size,
    platform: platform && platformOf(platform),
    annotations: json.map('annotations'),
  };
}

const platformOf = (json: Json): Platform => ({
  os: json.text('os') ?? '',
  architecture: json.text('architecture') ?? '',
  variant: json.text('variant'),
});

export const formatPlatform = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

/** `OS/ARCHITECTURE[/VARIANT]`; undefined for anything else. */
export function parsePlatform(text: string): Platform | undefined {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9]+)(?:\/([a-z0-9.]+))?$/.exec(text) ?? [];
  return os === undefined || architecture === undefined ? undefined : { os, architecture, variant };
}

/** A JSON object whose fields are read by type. A field that is null is as if it were not there, as Go writes it. */
class Json {
  readonly where: string;
  readonly #value: unknown;

  constructor(value: unknown, where: string) {
    this.where = where;
    this.#value = value instanceof Uint8Array ? parse(value, where) : value;
  }

  elements(): Json[] {
    if (!Array.isArray(this.#value)) throw this.#wrong('the document', 'a list');
    return this.#value.map((element) => new Json(element, this.where));
  }

  object(key: string): Json {
    return this.optional(key) ?? this.#fail(key, 'an object');
  }

  optional(key: string): Json | undefined {
    const value = this.#field(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#wrong(key, 'an object');
    return new Json(value, this.where);
  }

  list(key: string): Json[] {
    const value = this.#field(key);
    if (!Array.isArray(value)) throw this.#wrong(key, 'a list');
    return value.map((element) => new Json(element, this.where));
  }

  texts(key: string): string[] {
    const value = this.#field(key) ?? [];
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
      throw this.#wrong(key, 'a list of strings');
    return value;
  }

  text(key: string): string | undefined {
    const value = this.#field(key);
    if (value !== undefined && typeof value !== 'string') throw this.#wrong(key, 'a string');
    return value;
  }

  required(key: string): string {
    return this.text(key) ?? this.#fail(key, 'a string');
  }

  number(key: string): number {
    const value = this.#field(key);
    if (typeof value !== 'number') throw this.#wrong(key, 'a number');
    return value;
  }

  map(key: string): ReadonlyMap<string, string> {
    const fields = this.optional(key);
    const entries = Object.entries(fields === undefined ? {} : (fields.#value as object));
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
      throw this.#wrong(key, 'strings by name');
    return new Map(entries);
  }

  #field(key: string): unknown {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.#wrong('the document', 'an object');
    return (Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined) ?? undefined;
  }

  #fail(key: string, want: string): never {
    throw this.#wrong(key, want);
  }

  #wrong(key: string, want: string): FormatError {
    return new FormatError(this.where, `${key} is missing or of another type`, { want });
  }
}

function parse(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(asBuffer(bytes).toString('utf8'));
  } catch (error) {
    throw new FormatError(where, 'no JSON', { cause: error });
  }
}
