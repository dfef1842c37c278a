/**
 * Is this file the image of that commit? Asked of the bytes on disk, before they are published.
 *
 * Nothing here is shared with the writer's side (plan.ts, erofs/write.ts): the commit is walked again, the
 * image is read by the validating reader, every entry's stored form is derived from the rules of the format
 * anew, and the image's digest is recomputed by the second hash engine. Out of scope: the objects' content, of
 * which sample-objects.ts reads a little and `verify --deep` all.
 */
import type { ByteString } from '../base/bytes.ts';
import { bytesToString, displayBytes } from '../base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../base/digest.ts';
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { sortedXattrs, type Xattr, type Xattrs, xattrsEqual } from '../base/xattrs.ts';
import { DataLayout } from '../formats/erofs/layout.ts';
import { ErofsImage, type Inode } from '../formats/erofs/read.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import type { VerityMode } from './digests.ts';
import type { Finding } from './findings.ts';
import { secondDigest } from './second-digest.ts';

export interface ImageExpectation {
  readonly repository: Repository;
  readonly commit: Checksum;
  readonly verity: VerityMode;
  /** The digest the image should have, when it is known beforehand. */
  readonly digest: Digest | undefined;
  /** Metadata of objects that need not be looked at; the repository is asked for all others. */
  readonly believedInfo?: (checksum: Checksum) => ContentInfo | undefined;
  /** The digest an object should be listed with: 32 bytes, or undefined where the image should list none. */
  readonly objectDigest: (checksum: Checksum) => Uint8Array | undefined;
}

/** Findings are cut after this many: a wrong image is wrong in thousands of places. */
const MOST_FINDINGS = 100;

const OVERLAY_PREFIX = 'trusted.overlay.';

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
  const hashing = secondDigest(bytes);
  // Awaited below; a failure of the comparison comes first.
  hashing.catch(() => undefined);
  const walk = new TreeComparison(new ErofsImage(bytes, where), expected, wrong);
  for (const done of walk.steps()) {
    progress.advance(done);
    await progress.breathe();
    if (findings.length >= MOST_FINDINGS) break;
  }
  return [...digestFindings(await hashing, where, expected), ...findings].slice(0, MOST_FINDINGS);
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
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly rdev: number;
  readonly xattrs: Xattrs;
  /** Content length of a regular file. */
  readonly size?: number;
  readonly target?: ByteString;
  readonly directory?: Directory;
}

/** A directory of the commit, or one that the image adds to its root (no tree). */
interface Directory {
  readonly tree: Checksum | undefined;
  readonly isRoot: boolean;
}

class TreeComparison {
  readonly #image: ErofsImage;
  readonly #expected: ImageExpectation;
  readonly #wrong: (code: string, message: string) => void;
  /** Whether an entry met so far should have a POSIX ACL: the kernel mounts an image `noacl` that announces none. */
  #hasAcl = false;

  constructor(image: ErofsImage, expected: ImageExpectation, wrong: (code: string, message: string) => void) {
    this.#image = image;
    this.#expected = expected;
    this.#wrong = wrong;
  }

  /** Compares directory by directory; yields how many entries each had. */
  *steps(): Generator<number> {
    const { repository, commit } = this.#expected;
    const { rootTree, rootMeta } = repository.commit(commit);
    const image = this.#image;
    if (image.composefsVersion !== 0)
      this.#wrong('image-version', `format version ${image.composefsVersion}, want 0`);
    const rootDirectory = { tree: rootTree, isRoot: true };
    const root = this.#directoryOf(rootMeta, rootDirectory);
    const rootInode = image.inode(image.rootNid);
    this.#compare('/', rootInode, root);
    const claims = image.claims();
    image.claim(claims, rootInode);
    let inodes = 1;
    const pending = [
      { path: '', inode: rootInode, parent: rootInode, directory: rootDirectory as Directory },
    ];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const want = this.#entriesOf(next.directory, root);
      let seen = 0;
      for (const found of image.children(next.inode, next.parent)) {
        seen++;
        const path = `${next.path}/${displayBytes(found.name)}`;
        const entry = want.get(found.name);
        if (entry === undefined) {
          this.#wrong('entry-extra', `${path} is in the image but not in the commit`);
          continue;
        }
        want.delete(found.name);
        const inode = image.child(found);
        // An image of a commit has no hard links: an inode met again overlaps itself.
        image.claim(claims, inode);
        if (this.#compare(path, inode, entry) && entry.directory !== undefined)
          pending.push({ path, inode, parent: next.inode, directory: entry.directory });
      }
      for (const name of want.keys())
        this.#wrong(
          'entry-missing',
          `${next.path}/${displayBytes(name)} is in the commit but not in the image`,
        );
      inodes += seen;
      yield seen;
    }
    if (inodes !== image.superblock.inodeCount)
      this.#wrong('inode-count', `${image.superblock.inodeCount} inodes announced, ${inodes} found`);
    if (image.hasAcl !== this.#hasAcl)
      this.#wrong('acl-flag', `the flag for POSIX ACLs is ${image.hasAcl}, want ${this.#hasAcl}`);
  }

  /** What must stand in a directory, by name. */
  #entriesOf(directory: Directory, root: Expected): Map<ByteString, Expected> {
    const { repository } = this.#expected;
    const want = new Map<ByteString, Expected>();
    if (directory.tree !== undefined) {
      const { files, dirs } = repository.dirtree(directory.tree);
      for (const file of files) want.set(file.name, this.#fileOf(file.checksum));
      for (const dir of dirs)
        want.set(dir.name, this.#directoryOf(dir.meta, { tree: dir.tree, isRoot: false }));
    }
    if (directory.isRoot) {
      for (const name of ['boot', 'etc', 'sysroot', 'usr', 'var'] as ByteString[]) {
        const added = { tree: undefined, isRoot: false };
        if (!want.has(name))
          want.set(name, { mode: 0o40755, uid: 0, gid: 0, nlink: 2, rdev: 0, xattrs: [], directory: added });
      }
      // The object folders 00..ff lie in the data layer's root: whiteouts hide them.
      const label = root.xattrs.filter(([name]) => name === 'security.selinux');
      for (let i = 0; i < 256; i++) {
        const name = i.toString(16).padStart(2, '0') as ByteString;
        if (!want.has(name))
          want.set(name, { mode: 0o20644, uid: root.uid, gid: root.gid, nlink: 1, rdev: 0, xattrs: label });
      }
    }
    return want;
  }

  #directoryOf(meta: Checksum, directory: Directory): Expected {
    const { repository } = this.#expected;
    const { mode, uid, gid, xattrs } = repository.dirmeta(meta);
    const subdirectories = directory.tree === undefined ? [] : repository.dirtree(directory.tree).dirs;
    let nlink = 2 + subdirectories.length;
    if (directory.isRoot) {
      const present = new Set<string>(subdirectories.map((dir) => dir.name));
      if (directory.tree !== undefined)
        for (const file of repository.dirtree(directory.tree).files) present.add(file.name);
      nlink += ['boot', 'etc', 'sysroot', 'usr', 'var'].filter((name) => !present.has(name)).length;
    }
    const opaque: Xattr[] = directory.isRoot ? [['trusted.overlay.opaque', 'y'] as unknown as Xattr] : [];
    return { mode, uid, gid, nlink, rdev: 0, xattrs: stored(xattrs, opaque), directory };
  }

  #fileOf(checksum: Checksum): Expected {
    const { repository, objectDigest, believedInfo } = this.#expected;
    const info = believedInfo?.(checksum) ?? repository.content(checksum);
    const { mode, uid, gid, xattrs, size, target } = info;
    const common = { mode, uid, gid, nlink: 1, rdev: 0 };
    if (isSymlink(mode)) return { ...common, target, xattrs: stored(xattrs, []) };
    if (size === 0) return { ...common, size, xattrs: stored(xattrs, []) };
    const digest = objectDigest(checksum);
    const metacopy = digest === undefined ? '' : `\x00\x24\x00\x01${bytesToString(digest)}`;
    const redirect = `/${checksum.slice(0, 2)}/${checksum.slice(2)}.file`;
    const overlay = [
      ['trusted.overlay.metacopy', metacopy],
      ['trusted.overlay.redirect', redirect],
    ] as unknown as Xattr[];
    return { ...common, size, xattrs: stored(xattrs, overlay) };
  }

  /** Compares one inode; returns whether its kind is right, so that a directory can be entered. */
  #compare(path: string, inode: Inode, want: Expected): boolean {
    const differ = (field: string, got: unknown, wanted: unknown) =>
      this.#wrong('entry-differs', `${path}: ${field} is ${String(got)}, the commit says ${String(wanted)}`);
    if (inode.mode !== want.mode) differ('mode', inode.mode.toString(8), want.mode.toString(8));
    if (inode.uid !== want.uid) differ('uid', inode.uid, want.uid);
    if (inode.gid !== want.gid) differ('gid', inode.gid, want.gid);
    if (inode.nlink !== want.nlink) differ('link count', inode.nlink, want.nlink);
    if (inode.rdev !== want.rdev) differ('device number', inode.rdev, want.rdev);
    if (inode.mtimeSec !== 0n || inode.mtimeNsec !== 0)
      differ('time', `${inode.mtimeSec}.${inode.mtimeNsec}`, '0.0');
    const xattrs = sortedXattrs(this.#image.xattrs(inode));
    if (want.xattrs.some(([name]) => ACLS.has(name))) this.#hasAcl = true;
    if (!xattrsEqual(xattrs, want.xattrs)) differ('xattrs', listed(xattrs), listed(want.xattrs));
    const sameKind = ((inode.mode ^ want.mode) & 0o170000) === 0;
    if (!sameKind) return false;
    if (isRegular(want.mode)) {
      if (inode.size !== want.size) differ('size', inode.size, want.size);
      if (inode.dataLayout !== DataLayout.chunkBased && inode.size > 0)
        differ('content', 'inline', 'an object');
    }
    if (isSymlink(want.mode)) {
      const target = this.#image.node(inode).payload;
      if (target !== want.target)
        differ(
          'target',
          displayBytes(target ?? ('' as ByteString)),
          displayBytes(want.target ?? ('' as ByteString)),
        );
    }
    return isDirectory(want.mode);
  }
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
