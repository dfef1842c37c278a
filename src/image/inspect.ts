/** What is in an image: figures, and the objects it points to. */
import type { ByteString } from '../base/bytes.ts';
import { type Digest, digestOf } from '../base/digest.ts';
import {
  isDirectory,
  isRegular,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
} from '../base/mode.ts';
import type { ErofsImage, WalkedEntry } from '../formats/erofs/read.ts';
import { verityDigest } from '../formats/verity.ts';

/** A backing file, as an image describes it. */
export interface ImageObject {
  /** Relative to the folder of objects. */
  readonly payload: ByteString;
  readonly sizeBytes: number;
  /** Undefined where the image lists none: its content is not protected then. */
  readonly digest: Digest | undefined;
  /** The files that have this content, in the order of the tree. */
  readonly paths: readonly ByteString[];
}

/** How many there are; names of one inode count once. */
export interface InodeCounts {
  directories: number;
  /** Files with a backing file. */
  backedFiles: number;
  /** Files whose content is in the image, empty ones among them. */
  inlineFiles: number;
  symlinks: number;
  /** Character and block devices other than whiteouts. */
  devices: number;
  whiteouts: number;
  fifos: number;
  sockets: number;
}

export interface ImageSurvey {
  readonly sizeBytes: number;
  readonly digest: Digest;
  readonly composefsVersion: 0 | 1;
  readonly hasAcl: boolean;
  /** As the super block says, the 256 whiteouts of the root among them. */
  readonly inodes: number;
  readonly blocks: number;
  /** The smallest mtime of all. */
  readonly buildTimeSec: bigint;
  readonly buildTimeNsec: number;
  readonly counts: InodeCounts;
  /** Names that are hard links to an inode counted under another name. */
  readonly hardLinks: number;
  /** Bytes of content in the image. */
  readonly inlineBytes: number;
  /** Bytes of all files as `du --apparent-size` would see them, each inode once. */
  readonly fileBytes: number;
  /** By payload, and where files disagree about one object, by what they say. Sorted by payload. */
  readonly objects: readonly ImageObject[];
  /** Files that should have a backing file but name none. */
  readonly withoutPayload: readonly ByteString[];
}

/**
 * Reads the whole image.
 * @throws FormatError where it is damaged
 */
export function surveyImage(image: ErofsImage): ImageSurvey {
  const surveyor = new ImageSurveyor(image);
  for (const entry of image.walk()) surveyor.add(entry);
  return surveyor.survey(digestOf(verityDigest(image.bytes)));
}

/** Makes a survey entry by entry, for who has other things to do in between. */
export class ImageSurveyor {
  readonly #image: ErofsImage;
  readonly #counts: InodeCounts = {
    directories: 0,
    backedFiles: 0,
    inlineFiles: 0,
    symlinks: 0,
    devices: 0,
    whiteouts: 0,
    fifos: 0,
    sockets: 0,
  };
  readonly #objects = new Map<string, ImageObject & { readonly paths: ByteString[] }>();
  readonly #withoutPayload: ByteString[] = [];
  #hardLinks = 0;
  #inlineBytes = 0;
  #fileBytes = 0;

  constructor(image: ErofsImage) {
    this.#image = image;
  }

  /** Counts an entry of {@link ErofsImage.walk}. @throws FormatError */
  add({ path, inode, linkOf }: WalkedEntry): void {
    if (linkOf !== undefined) {
      this.#hardLinks++;
      return;
    }
    const { mode, size = 0, rdev, content, payload, digest } = this.#image.node(inode);
    const kind = countAs(mode, rdev ?? 0, content === undefined && size > 0);
    this.#counts[kind]++;
    if (!isRegular(mode)) return;
    this.#fileBytes += size;
    if (kind === 'inlineFiles') {
      this.#inlineBytes += size;
    } else if (payload === undefined) {
      this.#withoutPayload.push(path);
    } else {
      const hex = digest === undefined ? undefined : digestOf(digest);
      const key = `${payload}\0${size}\0${hex}`;
      const known = this.#objects.get(key);
      if (known === undefined)
        this.#objects.set(key, { payload, sizeBytes: size, digest: hex, paths: [path] });
      else known.paths.push(path);
    }
  }

  /** Those met so far, sorted by payload. */
  get objects(): ImageObject[] {
    return [...this.#objects.values()].sort((a, b) => (a.payload < b.payload ? -1 : 1));
  }

  /** What was counted; `digest` is the image's. */
  survey(digest: Digest): ImageSurvey {
    const { superblock, bytes, composefsVersion, hasAcl } = this.#image;
    return {
      sizeBytes: bytes.length,
      digest,
      composefsVersion,
      hasAcl,
      inodes: superblock.inodeCount,
      blocks: superblock.blocks,
      buildTimeSec: superblock.buildTimeSec,
      buildTimeNsec: superblock.buildTimeNsec,
      counts: this.#counts,
      hardLinks: this.#hardLinks,
      inlineBytes: this.#inlineBytes,
      fileBytes: this.#fileBytes,
      objects: this.objects,
      withoutPayload: this.#withoutPayload,
    };
  }
}

function countAs(mode: number, rdev: number, isBacked: boolean): keyof InodeCounts {
  if (isDirectory(mode)) return 'directories';
  if (isRegular(mode)) return isBacked ? 'backedFiles' : 'inlineFiles';
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return 'symlinks';
    case S_IFCHR:
      return rdev === 0 ? 'whiteouts' : 'devices';
    case S_IFBLK:
      return 'devices';
    case S_IFIFO:
      return 'fifos';
    case S_IFSOCK:
      return 'sockets';
    default:
      throw new Error(`the reader let a file type pass: ${mode}`);
  }
}
