/**
 * Is this file the image of that commit? Asked of the bytes on disk, before they are published.
 *
 * No code here is shared with the writer's side (plan.ts, erofs/write.ts): the commit is walked again, the
 * image is read by the validating reader, every entry's stored form is derived from the rules of the format
 * anew, and the image's digest is recomputed by the second hash engine. Only what a seal has learnt of objects is the
 * planner's own, compared with the objects by reread-objects.ts. Out of scope: the objects' content, of which
 * sample-objects.ts reads a little and `verify --deep` all.
 */
import type { ByteString } from '../base/bytes.ts';
import { bytesToString, displayBytes, textToBytes } from '../base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../base/digest.ts';
import { isDirectory, isRegular, isSymlink, S_IFMT } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import {
  InternedXattrs,
  NO_XATTRS,
  sortedXattrs,
  type Xattr,
  type Xattrs,
  xattrsEqual,
} from '../base/xattrs.ts';
import { DataLayout } from '../formats/erofs/layout.ts';
import { type DirectoryCursor, ErofsImage, type Inode, StoredInode } from '../formats/erofs/read.ts';
import type { DirtreeDirectory } from '../formats/objects.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import { type DirtreeSource, dirtreesInPassing } from '../repository/tree.ts';
import type { VerityMode } from './digests.ts';
import type { Finding } from './findings.ts';
import type { HelperThreads } from './helper-threads.ts';
import { SecondDigest } from './second-digest.ts';

export interface ImageExpectation {
  readonly repository: Repository;
  readonly commit: Checksum;
  readonly verity: VerityMode;
  /** The digest the image should have, when it is known beforehand. */
  readonly digest: Digest | undefined;
  /** Metadata of objects that was compared with them (./reread-objects.ts); the repository is asked for all others. */
  readonly objectInfo?: (checksum: Checksum) => ContentInfo | undefined;
  /** The digest an object should be listed with: 32 bytes, or undefined where the image should list none. */
  readonly objectDigest: (checksum: Checksum) => Uint8Array | undefined;
  /** Who can hash the image beside the comparison; otherwise a thread is started for it. */
  readonly helpers?: HelperThreads;
}

/** Findings are cut after this many: a wrong image is wrong in thousands of places. */
const MOST_FINDINGS = 100;

const NO_NAME = '' as ByteString;
const OVERLAY_PREFIX = 'trusted.overlay.';
const METACOPY = 'trusted.overlay.metacopy' as ByteString;
const REDIRECT = 'trusted.overlay.redirect' as ByteString;
const OPAQUE: Xattr = ['trusted.overlay.opaque' as ByteString, 'y' as ByteString];
/** Version 0, length 36, no flags, SHA-256; then comes the digest. */
const METACOPY_HEAD = '\x00\x24\x00\x01';

const ACLS: ReadonlySet<string> = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/**
 * Compares an image, entry by entry, with the commit it should be of.
 * @param where how messages name the image
 * @returns what differs; empty when nothing does
 * @throws FormatError when the bytes are no readable image
 */
export async function validateImage(
  bytes: Uint8Array,
  where: string,
  expected: ImageExpectation,
  progress: Progress,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const wrong = (code: string, message: string) => {
    findings.push({ severity: 'error', code, where, message });
  };
  progress.begin('validating the image');
  await using hashing = new SecondDigest(bytes, expected.helpers);
  const walk = new TreeComparison(new ErofsImage(bytes, where), expected, wrong);
  for (const done of walk.steps()) {
    progress.advance(done);
    await progress.breathe();
    if (findings.length >= MOST_FINDINGS) break;
  }
  return [...digestFindings(await hashing.finish(progress), where, expected), ...findings].slice(
    0,
    MOST_FINDINGS,
  );
}

function digestFindings(digest: Digest, where: string, expected: ImageExpectation): Finding[] {
  const findings: Finding[] = [];
  const wrong = (code: string, message: string) => {
    findings.push({ severity: 'error', code, where, message });
  };
  if (expected.digest !== undefined && digest !== expected.digest)
    wrong('image-digest', `the image's digest is ${digest}, expected ${expected.digest}`);
  const recorded =
    expected.verity === 'yes' ? recordedDigest(expected.repository, expected.commit) : undefined;
  if (recorded !== undefined && recorded !== digest)
    wrong(
      'commit-digest',
      `the image's digest is ${digest}, but commit ${expected.commit} records ${recorded}`,
    );
  return findings;
}

/** `ostree.composefs.digest.v0` of a commit's metadata, when it is there and is 32 bytes. */
export function recordedDigest(repository: Repository, commit: Checksum): Digest | undefined {
  const value = repository.commit(commit).metadata.get('ostree.composefs.digest.v0')?.value;
  return value instanceof Uint8Array && value.length === 32 ? digestOf(value) : undefined;
}

/** The expected form of one entry, as the image must store it. */
interface Expected {
  readonly name: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  /** Content length of a regular file. */
  readonly size: number;
  readonly target: ByteString;
  /** Its xattrs but for those that point to an object. */
  readonly xattrs: StoredSet;
  /** The object that a regular file which is not empty points to. */
  readonly object: Checksum | undefined;
  readonly directory: Directory | undefined;
}

/** A directory of the commit, or one that the image adds to its root (no tree). */
interface Directory {
  readonly tree: Checksum | undefined;
  readonly isRoot: boolean;
}

/** An xattr set as images store it: of the tens of thousands of entries of a tree many have the same. */
interface StoredSet {
  readonly list: Xattrs;
  readonly hasAcl: boolean;
}

const ROOT_DIRECTORIES: readonly ByteString[] = ['boot', 'etc', 'sysroot', 'usr', 'var'].map(textToBytes);

/**
 * Compares numbers with numbers and bytes with bytes where they lie; only for what differs names, values and
 * messages are made of them.
 */
class TreeComparison {
  readonly #image: ErofsImage;
  readonly #expected: ImageExpectation;
  readonly #wrong: (code: string, message: string) => void;
  readonly #dirtrees: DirtreeSource;
  readonly #sets = new InternedXattrs();
  readonly #storedSets: StoredSet[] = [];
  /** Whether an entry met so far should have a POSIX ACL: the kernel mounts an image `noacl` that announces none. */
  #hasAcl = false;

  constructor(image: ErofsImage, expected: ImageExpectation, wrong: (code: string, message: string) => void) {
    this.#image = image;
    this.#expected = expected;
    this.#dirtrees = dirtreesInPassing(expected.repository);
    this.#wrong = wrong;
  }

  /** Compares directory by directory; yields how many entries each had. */
  *steps(): Generator<number> {
    const { repository, commit } = this.#expected;
    const { rootTree, rootMeta } = repository.commit(commit);
    const image = this.#image;
    if (image.composefsVersion !== 0)
      this.#wrong('image-version', `format version ${image.composefsVersion}, want 0`);
    const rootDirectory: Directory = { tree: rootTree, isRoot: true };
    const root = this.#directoryOf(NO_NAME, rootMeta, rootDirectory);
    const rootInode = image.inode(image.rootNid);
    this.#compare(rootInode, root, () => '/');
    const claims = image.claims();
    image.claim(claims, rootInode);
    let inodes = 1;
    const pending = [{ path: '', inode: rootInode, parent: image.rootNid, directory: rootDirectory }];
    const found = image.cursor();
    const inode = new StoredInode();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const pathOf = (name: ByteString): string => `${next?.path}/${displayBytes(name)}`;
      const missing = ({ name }: Expected): void =>
        this.#wrong('entry-missing', `${pathOf(name)} is in the commit but not in the image`);
      const wanted = this.#entriesOf(next.directory, root);
      let entry = wanted.next();
      let seen = 0;
      found.open(next.inode, next.parent);
      while (found.next()) {
        seen++;
        let order = 1;
        for (; !entry.done; entry = wanted.next()) {
          order = this.#orderOf(entry.value.name, found);
          if (order >= 0) break;
          missing(entry.value);
        }
        if (entry.done || order > 0) {
          this.#wrong('entry-extra', `${pathOf(found.name)} is in the image but not in the commit`);
          continue;
        }
        const want = entry.value;
        entry = wanted.next();
        image.readChild(found, inode);
        // An image of a commit has no hard links: an inode met again overlaps itself.
        image.claim(claims, inode);
        const isRightKind = this.#compare(inode, want, () => pathOf(want.name));
        if (!isRightKind || want.directory === undefined) continue;
        const path = pathOf(want.name);
        pending.push({
          path,
          inode: image.inode(found.nid),
          parent: next.inode.nid,
          directory: want.directory,
        });
      }
      for (; !entry.done; entry = wanted.next()) missing(entry.value);
      inodes += seen;
      yield seen;
    }
    if (inodes !== image.superblock.inodeCount)
      this.#wrong('inode-count', `${image.superblock.inodeCount} inodes announced, ${inodes} found`);
    if (image.hasAcl !== this.#hasAcl)
      this.#wrong('acl-flag', `the flag for POSIX ACLs is ${image.hasAcl}, want ${this.#hasAcl}`);
  }

  /** Below 0 where a name comes before that of the entry in the image, 0 where it is the same. */
  #orderOf(name: ByteString, { nameStart, nameEnd }: DirectoryCursor): number {
    const { bytes } = this.#image;
    const length = Math.min(name.length, nameEnd - nameStart);
    for (let i = 0; i < length; i++) {
      const difference = name.charCodeAt(i) - (bytes[nameStart + i] as number);
      if (difference !== 0) return difference;
    }
    return name.length - (nameEnd - nameStart);
  }

  /** What must stand in a directory, in the order of names. */
  *#entriesOf({ tree, isRoot }: Directory, root: Expected): Generator<Expected, void> {
    if (isRoot) {
      yield* [...this.#committed(tree), ...this.#added(tree, root)].sort((a, b) =>
        a.name < b.name ? -1 : 1,
      );
    } else {
      yield* this.#committed(tree);
    }
  }

  /** The commit's own entries of a directory: a dirtree has files and folders apart, each sorted by name. */
  *#committed(tree: Checksum | undefined): Generator<Expected, void> {
    if (tree === undefined) return;
    const { files, dirs } = this.#dirtrees.dirtree(tree);
    let folders = 0;
    for (const file of files) {
      for (; folders < dirs.length && dirs[folders]!.name < file.name; folders++)
        yield this.#folderOf(dirs[folders]!);
      yield this.#fileOf(file.name, file.checksum);
    }
    for (; folders < dirs.length; folders++) yield this.#folderOf(dirs[folders]!);
  }

  /** What an image adds to a root where the commit has nothing of that name. */
  *#added(tree: Checksum | undefined, root: Expected): Generator<Expected, void> {
    const { files, dirs } = tree === undefined ? { files: [], dirs: [] } : this.#dirtrees.dirtree(tree);
    const taken = new Set([...files, ...dirs].map(({ name }) => name));
    const plain = { size: 0, target: NO_NAME, object: undefined };
    for (const name of ROOT_DIRECTORIES) {
      if (taken.has(name)) continue;
      const directory = { tree: undefined, isRoot: false };
      const xattrs = this.#stored(NO_XATTRS);
      yield { ...plain, name, mode: 0o40755, uid: 0, gid: 0, nlink: 2, xattrs, directory };
    }
    // The object folders 00..ff lie in the data layer's root: whiteouts hide them.
    const { uid, gid } = root;
    const xattrs = this.#stored(root.xattrs.list.filter(([name]) => name === 'security.selinux'));
    for (let i = 0; i < 256; i++) {
      const name = textToBytes(i.toString(16).padStart(2, '0'));
      if (!taken.has(name))
        yield { ...plain, name, mode: 0o20644, uid, gid, nlink: 1, xattrs, directory: undefined };
    }
  }

  #folderOf({ name, tree, meta }: DirtreeDirectory): Expected {
    return this.#directoryOf(name, meta, { tree, isRoot: false });
  }

  #directoryOf(name: ByteString, meta: Checksum, directory: Directory): Expected {
    const { repository } = this.#expected;
    const { mode, uid, gid, xattrs } = repository.dirmeta(meta);
    const tree = directory.tree === undefined ? undefined : this.#dirtrees.dirtree(directory.tree);
    let nlink = 2 + (tree?.dirs.length ?? 0);
    if (directory.isRoot) {
      const present = new Set([...(tree?.dirs ?? []), ...(tree?.files ?? [])].map((entry) => entry.name));
      for (const name of ROOT_DIRECTORIES) if (!present.has(name)) nlink++;
    }
    const stored = this.#stored(xattrs, directory.isRoot ? [OPAQUE] : []);
    const plain = { size: 0, target: NO_NAME, object: undefined };
    return { ...plain, name, mode, uid, gid, nlink, xattrs: stored, directory };
  }

  #fileOf(name: ByteString, checksum: Checksum): Expected {
    const { repository, objectInfo } = this.#expected;
    const { mode, uid, gid, size, target, xattrs } = objectInfo?.(checksum) ?? repository.content(checksum);
    return {
      name,
      mode,
      uid,
      gid,
      nlink: 1,
      size,
      target,
      xattrs: this.#stored(xattrs),
      object: isSymlink(mode) || size === 0 ? undefined : checksum,
      directory: undefined,
    };
  }

  /** The stored form of an xattr set, made once. */
  #stored(xattrs: Xattrs, added: readonly Xattr[] = []): StoredSet {
    const id = this.#sets.id(xattrs);
    const known = this.#storedSets[id];
    if (known !== undefined && added.length === 0) return known;
    const list = stored(xattrs, added);
    const set = { list, hasAcl: list.some(([name]) => ACLS.has(name)) };
    if (added.length === 0) this.#storedSets[id] = set;
    return set;
  }

  /** Compares one inode; returns whether its kind is right, so that a directory can be entered. */
  #compare(inode: Inode, want: Expected, path: () => string): boolean {
    if (want.xattrs.hasAcl) this.#hasAcl = true;
    if (!this.#isSame(inode, want)) this.#tellDifferences(inode, want, path());
    return ((inode.mode ^ want.mode) & S_IFMT) === 0 && isDirectory(want.mode);
  }

  #isSame(inode: Inode, want: Expected): boolean {
    const { mode, size } = want;
    return (
      inode.mode === mode &&
      inode.uid === want.uid &&
      inode.gid === want.gid &&
      inode.nlink === want.nlink &&
      inode.rdev === 0 &&
      inode.mtimeHigh === 0 &&
      inode.mtimeLow === 0 &&
      inode.mtimeNsec === 0 &&
      this.#hasXattrs(inode, want) &&
      (!isRegular(mode) ||
        (inode.size === size && (inode.dataLayout === DataLayout.chunkBased || size === 0))) &&
      (!isSymlink(mode) || this.#hasTarget(inode, want.target))
    );
  }

  /** Whether the xattrs are those that are wanted. No name is twice in an image, so as many that are right are all. */
  #hasXattrs(inode: Inode, { xattrs, object }: Expected): boolean {
    const count = xattrs.list.length + (object === undefined ? 0 : 2);
    if (inode.xattrSize === 0) return count === 0;
    const places = this.#image.xattrPlaces(inode);
    if (places.count !== count) return false;
    for (let i = 0; i < count; i++) {
      const name = places.name(places.names[i] as number);
      const start = places.valueStarts[i] as number;
      const length = (places.valueEnds[i] as number) - start;
      if (object !== undefined && name === METACOPY) {
        if (!this.#isMetacopy(start, length, object)) return false;
      } else if (object !== undefined && name === REDIRECT) {
        if (!this.#areBytes(start, length, redirectTo(object))) return false;
      } else {
        const value = valueIn(xattrs.list, name);
        if (value === undefined || !this.#areBytes(start, length, value)) return false;
      }
    }
    return true;
  }

  #isMetacopy(start: number, length: number, object: Checksum): boolean {
    const digest = this.#expected.objectDigest(object);
    if (digest === undefined) return length === 0;
    if (length !== METACOPY_HEAD.length + digest.length) return false;
    if (!this.#areBytes(start, METACOPY_HEAD.length, METACOPY_HEAD)) return false;
    const { bytes } = this.#image;
    for (let i = 0; i < digest.length; i++)
      if (bytes[start + METACOPY_HEAD.length + i] !== digest[i]) return false;
    return true;
  }

  /** Whether a symlink's target lies after its inode and is this one. The reader knows what else there is. */
  #hasTarget({ size, dataSize, tailStart }: Inode, target: ByteString): boolean {
    if (size !== target.length || dataSize !== 0 || target.includes('\0')) return false;
    return this.#areBytes(tailStart, size, target);
  }

  #areBytes(start: number, length: number, text: string): boolean {
    if (length !== text.length) return false;
    const { bytes } = this.#image;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** Says all that differs, after {@link #isSame} has found that something does or might. */
  #tellDifferences(inode: Inode, want: Expected, path: string): void {
    const differ = (field: string, got: unknown, wanted: unknown) =>
      this.#wrong('entry-differs', `${path}: ${field} is ${String(got)}, the commit says ${String(wanted)}`);
    if (inode.mode !== want.mode) differ('mode', inode.mode.toString(8), want.mode.toString(8));
    if (inode.uid !== want.uid) differ('uid', inode.uid, want.uid);
    if (inode.gid !== want.gid) differ('gid', inode.gid, want.gid);
    if (inode.nlink !== want.nlink) differ('link count', inode.nlink, want.nlink);
    if (inode.rdev !== 0) differ('device number', inode.rdev, 0);
    if (inode.mtimeSec !== 0n || inode.mtimeNsec !== 0)
      differ('time', `${inode.mtimeSec}.${inode.mtimeNsec}`, '0.0');
    const xattrs = sortedXattrs(this.#image.xattrs(inode));
    const wanted = this.#allXattrs(want);
    if (!xattrsEqual(xattrs, wanted)) differ('xattrs', listed(xattrs), listed(wanted));
    if (((inode.mode ^ want.mode) & S_IFMT) !== 0) return;
    if (isRegular(want.mode)) {
      if (inode.size !== want.size) differ('size', inode.size, want.size);
      if (inode.dataLayout !== DataLayout.chunkBased && inode.size > 0)
        differ('content', 'inline', 'an object');
    }
    if (isSymlink(want.mode)) {
      const target = this.#image.node(inode).payload ?? NO_NAME;
      if (target !== want.target) differ('target', displayBytes(target), displayBytes(want.target));
    }
  }

  #allXattrs({ xattrs, object }: Expected): Xattrs {
    if (object === undefined) return xattrs.list;
    const digest = this.#expected.objectDigest(object);
    const metacopy =
      digest === undefined ? NO_NAME : (`${METACOPY_HEAD}${bytesToString(digest)}` as ByteString);
    return sortedXattrs([...xattrs.list, [METACOPY, metacopy], [REDIRECT, redirectTo(object)]]);
  }
}

function valueIn(xattrs: Xattrs, name: ByteString): ByteString | undefined {
  for (const xattr of xattrs) if (xattr[0] === name) return xattr[1];
  return undefined;
}

/** Where an object lies, from the folder of objects. */
function redirectTo(object: Checksum): ByteString {
  return `/${object.slice(0, 2)}/${object.slice(2)}.file` as ByteString;
}

/** Xattrs as the image stores them: overlayfs's own names escaped by one level, the image's added. */
function stored(xattrs: Xattrs, added: readonly Xattr[]): Xattrs {
  const escaped = xattrs.map(
    ([name, value]): Xattr =>
      name.startsWith(OVERLAY_PREFIX)
        ? [`${OVERLAY_PREFIX}overlay.${name.slice(OVERLAY_PREFIX.length)}` as ByteString, value]
        : [name, value],
  );
  return sortedXattrs([...escaped, ...added]);
}

function listed(xattrs: Xattrs): string {
  return `{${xattrs.map(([name, value]) => `${displayBytes(name)}=${displayBytes(value)}`).join(', ')}}`;
}
