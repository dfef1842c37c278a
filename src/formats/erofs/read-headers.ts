/** The headers of an image: composefs' own and EROFS' super block. */
import { UnsupportedError } from '../../base/errors.ts';
import { hex, type ImageBytes, type Ranges } from './image-bytes.ts';
import {
  BLOCK_BITS,
  BLOCK_SIZE,
  COMPAT_MTIME,
  COMPAT_XATTR_FILTER,
  HEADER_FLAG_ACL,
  HEADER_MAGIC,
  HEADER_VERSION,
  Header,
  SLOT_SIZE,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_START,
  Superblock,
} from './layout.ts';

export interface HeaderFields {
  readonly composefsVersion: 0 | 1;
  /** Whether it says that some inode has a POSIX ACL. */
  readonly hasAcl: boolean;
}

/** What the super block says, checked. */
export interface SuperblockFields {
  readonly rootNid: number;
  readonly inodeCount: number;
  /** The mtime of compact inodes: the smallest of all. */
  readonly buildTimeSec: bigint;
  /** Its signed upper and unsigned lower half. */
  readonly buildTimeHigh: number;
  readonly buildTimeLow: number;
  readonly buildTimeNsec: number;
  readonly blocks: number;
  /** The block that ids of shared xattrs count from. */
  readonly xattrBlock: number;
}

const HEADER_RESERVED: Ranges = [[Header.composefsVersion + 4, Header.size]];
const SUPERBLOCK_RESERVED: Ranges = [
  [Superblock.checksum, Superblock.featureCompat],
  [Superblock.extraSlots, Superblock.rootNid],
  [Superblock.featureIncompat + 4, Superblock.size],
];

/** Reads composefs' header. UnsupportedError for format versions other than 0 and 1. */
export function readHeader(image: ImageBytes): HeaderFields {
  const { bytes } = image;
  if (bytes.length < BLOCK_SIZE)
    throw image.error('not a composefs image', undefined, `${bytes.length} bytes`, `at least ${BLOCK_SIZE}`);
  const magic = bytes.readUInt32LE(Header.magic);
  if (magic !== HEADER_MAGIC)
    throw image.error('not a composefs image', Header.magic, hex(magic), hex(HEADER_MAGIC));
  const version = bytes.readUInt32LE(Header.version);
  if (version !== HEADER_VERSION)
    throw image.error('unknown kind of image', Header.version, version, HEADER_VERSION);
  const flags = bytes.readUInt32LE(Header.flags);
  if (flags & ~HEADER_FLAG_ACL) throw image.error('unknown flags of the header', Header.flags, hex(flags));
  image.needZeros(0, HEADER_RESERVED, 'reserved byte of header');
  const composefsVersion = bytes.readUInt32LE(Header.composefsVersion);
  if (composefsVersion !== 0 && composefsVersion !== 1)
    throw new UnsupportedError(
      `${image.where}: composefs format version ${composefsVersion} is not supported (0 and 1 are)`,
    );
  return { composefsVersion, hasAcl: flags === HEADER_FLAG_ACL };
}

/** Reads the super block: composefs uses two compatible features of EROFS and no other. */
export function readSuperblock(image: ImageBytes): SuperblockFields {
  const { bytes } = image;
  const at = SUPERBLOCK_START;
  const expect = (offset: number, got: number, want: number, what: string): void => {
    if (got !== want) throw image.error(what, at + offset, hex(got), hex(want));
  };
  const u32 = (offset: number): number => bytes.readUInt32LE(at + offset);
  const features = COMPAT_MTIME | COMPAT_XATTR_FILTER;
  expect(Superblock.magic, u32(Superblock.magic), SUPERBLOCK_MAGIC, 'EROFS magic');
  expect(Superblock.featureCompat, u32(Superblock.featureCompat), features, 'compatible features');
  expect(Superblock.featureIncompat, u32(Superblock.featureIncompat), 0, 'incompatible features');
  expect(Superblock.blockBits, bytes.readUInt8(at + Superblock.blockBits), BLOCK_BITS, 'block size (log2)');
  expect(Superblock.metaBlock, u32(Superblock.metaBlock), 0, 'block of inode 0');
  image.needZeros(at, SUPERBLOCK_RESERVED, 'reserved byte of super block');

  const blocks = u32(Superblock.blocks);
  if (blocks * BLOCK_SIZE !== bytes.length)
    throw image.error(
      'size of the image',
      at + Superblock.blocks,
      `${bytes.length} bytes`,
      `${blocks} blocks`,
    );
  const inodeCount = bytes.readBigUInt64LE(at + Superblock.inodeCount);
  if (inodeCount > BigInt(bytes.length / SLOT_SIZE))
    throw image.error('more inodes than fit', at + Superblock.inodeCount, inodeCount);
  const xattrBlock = u32(Superblock.xattrBlock);
  if (xattrBlock > blocks)
    throw image.error('shared xattrs start outside the image', at + Superblock.xattrBlock, xattrBlock);
  return {
    rootNid: bytes.readUInt16LE(at + Superblock.rootNid),
    inodeCount: Number(inodeCount),
    buildTimeSec: bytes.readBigInt64LE(at + Superblock.buildTime),
    buildTimeHigh: bytes.readInt32LE(at + Superblock.buildTime + 4),
    buildTimeLow: u32(Superblock.buildTime),
    buildTimeNsec: u32(Superblock.buildTimeNsec),
    blocks,
    xattrBlock,
  };
}
