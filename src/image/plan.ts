/**
 * From a commit to the tree of its image, exactly as libostree builds it for `ostree checkout --composefs`
 * and for `.ostree.cfs` (libostree's ostree-repo-composefs.c): nothing inlined, no hard links, no times, the
 * five directories a root needs added, each non-empty file pointing to its object.
 */
import { type ByteString, textToBytes } from '../base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../base/digest.ts';
import { FormatError, UnsupportedError } from '../base/errors.ts';
import { keepYoungHeapSmall } from '../base/heap.ts';
import { isSymlink, S_IFDIR } from '../base/mode.ts';
import type { Progress } from '../base/progress.ts';
import { ImageTree, type NodeFields } from '../formats/erofs/tree.ts';
import { writeImage } from '../formats/erofs/write.ts';
import type { Dirmeta } from '../formats/objects.ts';
import { verityDigest } from '../formats/verity.ts';
import { CHECKSUM_BYTES, ContentTable, Known } from '../repository/content-table.ts';
import { checksumsPresent } from '../repository/presence.ts';
import type { ContentInfo, Repository } from '../repository/repository.ts';
import { dirtreesInPassing, dirtreesOf, type TreeSize, treeSize } from '../repository/tree.ts';
import type { VerityMode } from './digests.ts';
import type { Finding } from './findings.ts';
import { type HelperRequest, HelperThreads } from './helper-threads.ts';
import { learnObjects } from './learn-objects.ts';
import { objectsRead } from './reread-objects.ts';
import { sampleOf } from './sample-objects.ts';

/** Directories that a deployment's root must have so that the boot can mount there. */
const ROOT_DIRECTORIES: readonly ByteString[] = ['usr', 'etc', 'boot', 'var', 'sysroot'].map(textToBytes);

export interface BuiltImage {
  readonly commit: Checksum;
  /** The whole file. */
  readonly bytes: Buffer;
  /** Its fs-verity digest. */
  readonly digest: Digest;
  /** The format version that was written. */
  readonly version: 0 | 1;
  /** How its object digests were found. */
  readonly mode: VerityMode;
  readonly objects: CommitObjects;
  /** What a helper finds that reads the objects again; undefined where no helper does. */
  readonly rereading: Promise<readonly Finding[]> | undefined;
  /** What a helper finds that hashes a sample of the objects again; undefined where no helper does. */
  readonly sampling: Promise<readonly Finding[]> | undefined;
}

/** An object that an image points to: a regular file that is not empty. */
export interface BackingObject {
  readonly checksum: Checksum;
  readonly sizeBytes: number;
  /** 32 bytes that must not be changed; undefined where the mode gives none. */
  readonly digest: Uint8Array | undefined;
}

/** The content objects of a commit, each once, and what an image says of them. */
export class CommitObjects {
  readonly table: ContentTable;
  /** The commit's rows in the table. */
  readonly rows: Uint32Array;
  /** How many objects were read for this image. */
  readonly learnt: number;
  /** How many objects the image points to, and the bytes of them all. */
  readonly backingCount: number;
  readonly backingBytes: number;

  constructor(table: ContentTable, rows: Uint32Array, learnt: number) {
    this.table = table;
    this.rows = rows;
    this.learnt = learnt;
    let count = 0;
    let bytes = 0;
    const { size } = table.columns;
    for (const row of rows) {
      const length = size[row] as number;
      if (length > 0) count++;
      bytes += length;
    }
    this.backingCount = count;
    this.backingBytes = bytes;
  }

  /** What the image points to. */
  *backing(): Generator<BackingObject, void> {
    const { table } = this;
    const { size } = table.columns;
    for (const row of this.rows) {
      const sizeBytes = size[row] as number;
      if (sizeBytes > 0) yield { checksum: table.checksum(row), sizeBytes, digest: table.digest(row) };
    }
  }

  /** Metadata of an object of the commit; undefined for any other. */
  info(checksum: Checksum): ContentInfo | undefined {
    const row = this.table.row(checksum);
    return row === -1 ? undefined : this.table.info(row);
  }

  /** The digest that the image lists for an object, 32 bytes; undefined where it lists none. */
  digest(checksum: Checksum): Uint8Array | undefined {
    const row = this.table.row(checksum);
    return row === -1 ? undefined : this.table.digest(row);
  }
}

/** For fewer objects threads cost more than they give: each takes as long to start as 2,000 small objects to hash. */
const WORTH_THREADS = 2000;

/**
 * From so many objects on that are new, or so many files, it shows what memory each takes. Not sooner where most is known: who
 * has V8 take less makes it compile anew what threads load, and nothing else takes as long there.
 */
const LARGE = { objects: 20_000, files: 100_000 };

/** A few dirtrees that name each other many times can describe more entries than there are atoms. */
const MOST_ENTRIES = 50_000_000;

/**
 * To be asked before a walk of a whole commit.
 * @throws UnsupportedError where it would not come to an end
 */
export function refuseEndless(repository: Repository, commit: Checksum): void {
  refuseMore(commit, treeSize(repository, repository.commit(commit).rootTree));
}

function refuseMore(commit: Checksum, { files, directories }: TreeSize): void {
  const entries = files + directories;
  if (entries > MOST_ENTRIES)
    throw new UnsupportedError(`commit ${commit} has ${entries} entries, more than an image is made of`, {
      details: { commit, entries, limit: MOST_ENTRIES },
    });
}

/**
 * Finds the content objects of a commit: their rows in `table`, which gets those it lacks; and counts its entries.
 * @param onMany called as soon as it is seen that many are new
 * @throws UnsupportedError where a walk of the commit would not come to an end
 */
async function findObjects(
  repository: Repository,
  commit: Checksum,
  table: ContentTable,
  { progress, onMany }: { readonly progress: Progress; readonly onMany: () => void },
): Promise<{ readonly rows: Uint32Array; readonly entries: number }> {
  progress.begin('reading the commit');
  const before = table.count;
  const isFound = new Uint8Array(before);
  let isMany = false;
  let isLarge = false;
  let passed = 0;
  const dirtrees = dirtreesOf(dirtreesInPassing(repository), repository.commit(commit).rootTree);
  let next = dirtrees.next();
  for (; !next.done; next = dirtrees.next()) {
    const { files } = next.value;
    for (const { checksum } of files) {
      const row = table.add(checksum);
      if (row < before) isFound[row] = 1;
    }
    passed += files.length;
    if (!isMany && table.count - before >= WORTH_THREADS) {
      isMany = true;
      onMany();
    }
    if (!isLarge && (table.count - before > LARGE.objects || passed > LARGE.files)) {
      isLarge = true;
      keepYoungHeapSmall();
    }
    progress.advance(files.length);
    await progress.breathe();
  }
  refuseMore(commit, next.value);
  const entries = next.value.files + next.value.directories;
  const rows = Uint32Array.from({ length: table.count }, (_, row) => row);
  return { rows: before === 0 ? rows : rows.filter((row) => row >= before || isFound[row] === 1), entries };
}

/** Which of the objects are there of which something was known before, and of the packed dirtrees. */
interface Presence {
  /** By row of the table; undefined for those that it did not have. */
  readonly objects: Uint8Array;
  /** By place in the repository's pack. */
  readonly dirtrees: Uint8Array;
}

/** Has a helper look that, or looks itself where that is not worth one, or there is none. */
function lookForObjects(
  repository: Repository,
  { columns, count }: ContentTable,
  helpers: HelperThreads | undefined,
): () => Promise<Presence> {
  const { path: repositoryPath, pack } = repository;
  const all = count + (pack?.count ?? 0);
  const checksums = new Uint8Array(all * CHECKSUM_BYTES);
  checksums.set(columns.checksums.subarray(0, count * CHECKSUM_BYTES));
  if (pack !== undefined) checksums.set(pack.checksums, count * CHECKSUM_BYTES);
  const asked =
    all < WORTH_THREADS
      ? undefined
      : helpers?.idlest()?.ask({ kind: 'present', repositoryPath, checksums, count: all });
  // Whoever awaits it is told; what fails before that comes first.
  asked?.catch(() => undefined);
  return async () => {
    const looked = (await asked) as Uint8Array | undefined;
    const isPresent = looked ?? checksumsPresent(repository, checksums, all);
    return { objects: isPresent.subarray(0, count), dirtrees: isPresent.subarray(count) };
  };
}

/**
 * What is known of objects says nothing of whether they are there still. An object that is not among the names of a
 * repository may lie in its parent, or have been put there since: it is looked for by itself then.
 * @throws NotFoundError
 */
function requirePresent(
  repository: Repository,
  table: ContentTable,
  rows: Uint32Array,
  { objects, dirtrees }: Presence,
): void {
  for (const row of rows) if (objects[row] === 0) repository.requireObject(table.checksum(row), 'file');
  const { pack } = repository;
  for (let place = 0; place < dirtrees.length; place++) {
    if (dirtrees[place] === 0 && pack?.isUsed(place) === true)
      repository.requireObject(pack.checksum(place), 'dirtree');
  }
}

/** Of these rows those of which something is still to be learnt, folder by folder as objects lie on the disk. */
function unknownRows({ columns }: ContentTable, rows: Uint32Array, mode: VerityMode): Uint32Array {
  const { known, size, checksums } = columns;
  const unknown = rows.filter((row) => {
    const bits = known[row] as number;
    return (bits & Known.info) === 0 || (mode !== 'no' && size[row] !== 0 && (bits & Known.digest) === 0);
  });
  const folder = (row: number): number => checksums[row * CHECKSUM_BYTES] as number;
  const ends = new Uint32Array(256);
  for (const row of unknown) ends[folder(row)]!++;
  for (let i = 1; i < ends.length; i++) ends[i]! += ends[i - 1]!;
  const sorted = new Uint32Array(unknown.length);
  for (let i = unknown.length - 1; i >= 0; i--) {
    const row = unknown[i] as number;
    sorted[--ends[folder(row)]!] = row;
  }
  return sorted;
}

/** Builds the image tree of a commit from its loaded objects. */
async function planTree(
  repository: Repository,
  commit: Checksum,
  table: ContentTable,
  { entries, progress }: { readonly entries: number; readonly progress: Progress },
): Promise<ImageTree> {
  const { checksums, digests, known } = table.columns;
  const hasDigest = (row: number): boolean => ((known[row] as number) & Known.digest) !== 0;
  const capacity = 1 + entries + ROOT_DIRECTORIES.length;
  const image = new ImageTree({ capacity, objects: { checksums, digests, hasDigest } });
  const { rootTree, rootMeta } = repository.commit(commit);
  progress.begin('planning the image');
  const root = image.addRoot(directoryFields(repository.dirmeta(rootMeta)));
  const dirtrees = dirtreesInPassing(repository);
  const pending: { node: number; tree: Checksum }[] = [{ node: root, tree: rootTree }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { files, dirs } = dirtrees.dirtree(next.tree);
    for (const { name, checksum } of files) {
      image.add(next.node, name, fileFields(checksum, table));
    }
    for (const { name, tree, meta } of dirs) {
      const node = image.add(next.node, name, directoryFields(repository.dirmeta(meta)));
      pending.push({ node, tree });
    }
    progress.advance(files.length + dirs.length);
    await progress.breathe();
  }
  for (const name of ROOT_DIRECTORIES) {
    if (image.childByName(root, name) === -1) image.add(root, name, { mode: S_IFDIR | 0o755 });
  }
  return image;
}

function directoryFields({ mode, uid, gid, xattrs }: Dirmeta): NodeFields {
  return { mode, uid, gid, xattrs };
}

function fileFields(checksum: Checksum, table: ContentTable): NodeFields {
  const row = table.row(checksum);
  const info = table.info(row);
  if (info === undefined) throw new FormatError(`object ${checksum}.file`, 'is not of this commit');
  const { mode, uid, gid, xattrs, size, target } = info;
  // libostree leaves the size of a symlink node 0; only targets too long to be inline show it.
  if (isSymlink(mode)) return { mode, uid, gid, xattrs, payload: target, size: 0 };
  if (size === 0) return { mode, uid, gid, xattrs };
  return { mode, uid, gid, xattrs, size, object: row };
}

export interface BuildOptions {
  /** How object digests are found; `yes` by default. */
  readonly verity?: VerityMode;
  /** What earlier runs learnt of objects, to be believed and added to; nothing by default. */
  readonly known?: ContentTable | undefined;
  /** To be had for more than the building: they go on reading objects again. By default they come and go with it. */
  readonly helpers?: HelperThreads;
  readonly progress: Progress;
}

/**
 * The image of a commit as bytes in memory, and its digest. Nothing is written.
 * @throws NotFoundError when an object is missing, FormatError when one is damaged.
 */
export async function buildImage(
  repository: Repository,
  commit: Checksum,
  options: BuildOptions,
): Promise<BuiltImage> {
  const { verity: mode = 'yes', progress, known: table = new ContentTable() } = options;
  await using own = options.helpers === undefined ? new HelperThreads(repository.system) : undefined;
  const helpers = options.helpers ?? own;
  // They come to work while the commit is still being read.
  const onMany = (): void => void helpers?.start();
  const looking = lookForObjects(repository, table, helpers);
  const { rows, entries } = await findObjects(repository, commit, table, { progress, onMany });
  const unknown = unknownRows(table, rows, mode);
  const isWorthHelp = unknown.length >= WORTH_THREADS;
  await learnObjects(repository, table, unknown, {
    mode,
    helpers: isWorthHelp ? helpers : undefined,
    progress,
  });
  await helpers?.dismissExtra();
  const { path: repositoryPath } = repository;
  const read = objectsRead(table, rows);
  const sample = sampleOf(table, rows);
  const rereading = lookAgain(
    { kind: 'reread', repositoryPath, objects: read },
    read.rows.length,
    options.helpers,
  );
  const sampling = lookAgain(
    { kind: 'sample', repositoryPath, objects: sample },
    rows.length,
    options.helpers,
  );
  const tree = await planTree(repository, commit, table, { entries, progress });
  progress.begin('writing the image');
  const { bytes, version } = writeImage(tree);
  await progress.breathe();
  // Only now: it takes another thread as long as all this.
  requirePresent(repository, table, rows, await progress.waitFor(looking()));
  const objects = new CommitObjects(table, rows, unknown.length);
  return {
    commit,
    bytes,
    version,
    digest: digestOf(verityDigest(bytes)),
    mode,
    objects,
    rereading,
    sampling,
  };
}

/** Has a helper look at so many objects again, for whoever validates the image; undefined where that is not worth one. */
function lookAgain(
  request: HelperRequest,
  count: number,
  helpers: HelperThreads | undefined,
): Promise<readonly Finding[]> | undefined {
  if (count < WORTH_THREADS) return undefined;
  const findings = helpers?.idlest()?.ask(request) as Promise<readonly Finding[]> | undefined;
  // Whoever awaits it is told; what fails before that comes first.
  findings?.catch(() => undefined);
  return findings;
}
