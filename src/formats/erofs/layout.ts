/**
 * The layout of a composefs image: an EROFS image as libcomposefs writes it. Declarations only.
 *
 * Offsets are in bytes, integers little-endian. Sources: the kernel's fs/erofs/erofs_fs.h and xattr.c for EROFS,
 * composefs 1.0.8 (lcfs-erofs.h, lcfs-writer-erofs.c) for the header and for the choices made among what EROFS
 * allows.
 *
 *     0       composefs header, zeros up to 1024
 *     1024    super block
 *     1152    inodes in breadth-first order, each: inode, xattrs, inline tail
 *     …       shared xattrs, zeros to a multiple of a block
 *     …       data blocks, in inode order
 */

export const BLOCK_BITS = 12;
export const BLOCK_SIZE = 1 << BLOCK_BITS;

/** Inodes start at multiples of a slot; an inode's number (nid) is its offset in slots. */
export const SLOT_SIZE = 32;

/** Where the first inode may start: right after the super block. */
export const INODES_START = 1152;

/** The header of composefs, at offset 0. Unnamed bytes are zero. */
export const Header = {
  magic: 0,
  /** The flavour: always {@link HEADER_VERSION}. */
  version: 4,
  flags: 8,
  /** The format version, 0 or 1: whether parents of whiteouts are marked opaque. */
  composefsVersion: 12,
  size: 32,
} as const;

export const HEADER_MAGIC = 0xd078629a;
export const HEADER_VERSION = 1;
/** Some inode has a POSIX ACL: without it the image is mounted `noacl`. */
export const HEADER_FLAG_ACL = 1;

/** The super block; offsets from {@link SUPERBLOCK_START}. Unnamed bytes are zero. */
export const Superblock = {
  magic: 0,
  checksum: 4,
  featureCompat: 8,
  blockBits: 12,
  extraSlots: 13,
  rootNid: 14,
  /** u64: number of inodes. */
  inodeCount: 16,
  /** i64 seconds and u32 nanoseconds: the mtime of compact inodes. */
  buildTime: 24,
  buildTimeNsec: 32,
  blocks: 36,
  /** In blocks: what nids count from. */
  metaBlock: 40,
  /** In blocks: what ids of shared xattrs count from. */
  xattrBlock: 44,
  uuid: 48,
  volumeName: 64,
  featureIncompat: 80,
  size: 128,
} as const;

export const SUPERBLOCK_START = 1024;
export const SUPERBLOCK_MAGIC = 0xe0f5e1e2;
/** EROFS_FEATURE_COMPAT_MTIME: times are modification times. */
export const COMPAT_MTIME = 2;
/** EROFS_FEATURE_COMPAT_XATTR_FILTER: xattr areas carry a name filter. */
export const COMPAT_XATTR_FILTER = 4;

/** `i_format`, the first u16 of an inode: bit 0 = extended, bits 1-3 = data layout. */
export const FORMAT_EXTENDED = 1;
export const FORMAT_LAYOUT_SHIFT = 1;
export const FORMAT_LAYOUT_MASK = 7;
export const FORMAT_KNOWN = 0x0f;

/** Where an inode's data is. */
export const DataLayout = {
  /** Whole blocks only (the last one zero padded). */
  flatPlain: 0,
  /** Whole blocks, then a tail right after the inode. */
  flatInline: 2,
  /** An array of chunk addresses after the inode; composefs only has holes: the data is in the backing file. */
  chunkBased: 4,
} as const;

/** An inode of 32 bytes: its mtime is the super block's build time. */
export const CompactInode = {
  format: 0,
  xattrCount: 2,
  mode: 4,
  /** u16 */
  nlink: 6,
  /** u32 */
  fileSize: 8,
  reserved: 12,
  /** Block number, rdev, or chunk format. */
  data: 16,
  ino: 20,
  /** u16 */
  uid: 24,
  gid: 26,
  reserved2: 28,
  size: 32,
} as const;

/** An inode of 64 bytes. */
export const ExtendedInode = {
  format: 0,
  xattrCount: 2,
  mode: 4,
  reserved: 6,
  /** u64 */
  fileSize: 8,
  /** Block number, rdev, or chunk format. */
  data: 16,
  ino: 20,
  /** u32 */
  uid: 24,
  gid: 28,
  /** i64 seconds */
  mtime: 32,
  mtimeNsec: 40,
  nlink: 44,
  reserved2: 48,
  size: 64,
} as const;

/** The chunk format (u16): log2 of the chunk size in blocks, and flags of which composefs uses none. */
export const CHUNK_BITS_MASK = 0x1f;
/** The largest chunk: 2^31 blocks. */
export const MAX_CHUNK_BITS = BLOCK_BITS + CHUNK_BITS_MASK;
/** A chunk without data. */
export const CHUNK_HOLE = 0xffffffff;
export const CHUNK_ADDRESS_SIZE = 4;

/** The head of an inode's xattrs; then the ids of shared entries (u32 each), then unshared entries. */
export const XattrArea = {
  /** Bit set = no xattr of the inode hashes to this bit. */
  filter: 0,
  /** u8 */
  sharedCount: 4,
  size: 12,
} as const;

/** `i_xattr_icount` counts the area's 4-byte units after its head, plus one. 0 = no area. */
export const XATTR_UNIT = 4;

/** The head of an xattr entry; then the name without its prefix, then the value, then zeros to a unit. */
export const XattrEntry = {
  /** u8 */
  nameLength: 0,
  /** u8: which prefix */
  nameIndex: 1,
  /** u16 */
  valueSize: 2,
  size: 4,
} as const;

/** XATTR_FILTER_SEED of the kernel: seeds the hash of names, plus the prefix' index. */
export const XATTR_FILTER_SEED = 0x25bbe08f;

/**
 * Prefixes of xattr names in the order they are tried. The ACL names are prefixes as well (with whatever
 * follows them as the name). Names without a prefix have index 0.
 */
export const XATTR_PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [1, 'user.'],
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [4, 'trusted.'],
  [6, 'security.'],
];

export const XATTR_ACL_ACCESS = 'system.posix_acl_access';
export const XATTR_ACL_DEFAULT = 'system.posix_acl_default';

/** A directory entry; all entries of a block come first, then their names. */
export const Dirent = {
  /** u64 */
  nid: 0,
  /** u16, from the start of the block or tail. `nameOffset` of the first entry tells the number of entries. */
  nameOffset: 8,
  /** u8, {@link FileType} */
  fileType: 10,
  reserved: 11,
  size: 12,
} as const;

export const FileType = {
  regular: 1,
  directory: 2,
  characterDevice: 3,
  blockDevice: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const;

/** What the format, or libcomposefs, does not go beyond. */
export const Limit = {
  nameLength: 255,
  /** A symlink's target or a backing path; PATH_MAX - 1. */
  payloadLength: 4095,
  inlineContent: 5000,
  chunks: 1024,
  /** 1024 chunks of the largest size: the largest file. */
  fileSize: 2 ** 53,
  xattrNameLength: 255,
  xattrValueLength: 65535,
  /** Sum over an inode's xattrs of name + value + {@link XATTR_COST}, plus {@link XATTR_AREA_COST}. */
  xattrBudget: 32767,
  /** An inode refers to no more shared xattrs than this. */
  sharedXattrs: 128,
} as const;

/** What one xattr costs besides its name and value: a head and padding. */
export const XATTR_COST = XattrEntry.size + XATTR_UNIT - 1;
export const XATTR_AREA_COST = XattrArea.size;

/** A directory's rest goes inline, and small content too, when it is no longer than this. */
export const MAX_INLINE_TAIL = BLOCK_SIZE / 2;

/** The xattrs by which overlayfs finds data, and by which composefs carries a tree's own overlay xattrs. */
export const Overlay = {
  prefix: 'trusted.overlay.',
  /** An image's own names with {@link Overlay.prefix} are carried with this one. */
  escapedPrefix: 'trusted.overlay.overlay.',
  metacopy: 'trusted.overlay.metacopy',
  redirect: 'trusted.overlay.redirect',
  opaque: 'trusted.overlay.opaque',
  /** Mark of a regular file that stands for a whiteout, for privileged and user-namespace mounts. */
  whiteout: 'trusted.overlay.overlay.whiteout',
  userWhiteout: 'user.overlay.whiteout',
  /** Mark of a directory with such files. */
  whiteouts: 'trusted.overlay.overlay.whiteouts',
  userWhiteouts: 'user.overlay.whiteouts',
  escapedOpaque: 'trusted.overlay.overlay.opaque',
  userOpaque: 'user.overlay.opaque',
} as const;

/** A metacopy value: version 0, length 36, flags 0, algorithm 1 (SHA-256); then the digest. */
export const METACOPY_HEAD = [0x00, 0x24, 0x00, 0x01] as const;
export const METACOPY_SIZE = 36;

export const SELINUX_XATTR = 'security.selinux';

/** The root hides the object folders `00` to `ff` by this many whiteouts. */
export const ROOT_WHITEOUTS = 256;
export const ROOT_WHITEOUT_MODE = 0o020644;
