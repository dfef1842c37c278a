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
import type { ErofsImage } from '../formats/erofs/read.ts';
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
  const counts: InodeCounts = {
    directories: 0,
    backedFiles: 0,
    inlineFiles: 0,
    symlinks: 0,
    devices: 0,
    whiteouts: 0,
    fifos: 0,
    sockets: 0,
  };
  const objects = new Map<string, ImageObject & { readonly paths: ByteString[] }>();
  const withoutPayload: ByteString[] = [];
  let hardLinks = 0;
  let inlineBytes = 0;
  let fileBytes = 0;

  for (const { path, inode, linkOf } of image.walk()) {
    if (linkOf !== undefined) {
      hardLinks++;
      continue;
    }
    const { mode, size = 0, rdev, content, payload, digest } = image.node(inode);
    const kind = countAs(mode, rdev ?? 0, content === undefined && size > 0);
    counts[kind]++;
    if (!isRegular(mode)) continue;
    fileBytes += size;
    if (kind === 'inlineFiles') {
      inlineBytes += size;
    } else if (payload === undefined) {
      withoutPayload.push(path);
    } else {
      const hex = digest === undefined ? undefined : digestOf(digest);
      const key = `${payload}\0${size}\0${hex}`;
      const known = objects.get(key);
      if (known === undefined) objects.set(key, { payload, sizeBytes: size, digest: hex, paths: [path] });
      else known.paths.push(path);
    }
  }

  const { superblock } = image;
  return {
    sizeBytes: image.bytes.length,
    digest: digestOf(verityDigest(image.bytes)),
    composefsVersion: image.composefsVersion,
    hasAcl: image.hasAcl,
    inodes: superblock.inodeCount,
    blocks: superblock.blocks,
    buildTimeSec: superblock.buildTimeSec,
    buildTimeNsec: superblock.buildTimeNsec,
    counts,
    hardLinks,
    inlineBytes,
    fileBytes,
    objects: [...objects.values()].sort((a, b) => (a.payload < b.payload ? -1 : 1)),
    withoutPayload,
  };
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
