/** What is known of a file's object besides what its tree says: its digest, its fs-verity, and who has the same. */
import type { ByteString } from '../../../src/base/bytes.ts';
import { type Checksum, type Digest, digestOf } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import { VerityHasher } from '../../../src/formats/verity.ts';
import { measureObject } from '../../../src/image/digests.ts';
import type { Repository } from '../../../src/repository/repository.ts';
import { type Subject, subjectName } from '../../models/subject.ts';
import { CommitTree } from '../../trees/commit-tree.ts';
import { findUses, type ObjectUse } from '../../trees/object-uses.ts';
import { Turns } from '../../turns.ts';

/** The same path elsewhere: with this object, with another, not there, or not readable. */
export interface OtherPlace {
  readonly title: string;
  readonly has: 'same' | 'other' | 'nothing' | 'unreadable';
}

export interface ObjectFacts {
  readonly path: ByteString;
  /** The fs-verity digest of its bytes. */
  readonly digest: Digest | undefined;
  /** Who says so: the kernel for a file with fs-verity, else whoever read all of it. */
  readonly digestFrom: 'kernel' | 'content' | undefined;
  /** `compressed`: an archive's files are not what would be protected. */
  readonly verity: 'enabled' | 'disabled' | 'unsupported' | 'compressed' | 'unknown';
  readonly others: readonly OtherPlace[];
  /** All paths of the object, here and there. */
  readonly uses: readonly ObjectUse[];
  /** Why there is no digest. */
  readonly problem: string | undefined;
}

/** Reads the object, in turns with others; undefined once it `isStale`. */
export async function readObjectFacts(
  repository: Repository,
  subject: Subject,
  path: ByteString,
  checksum: Checksum,
  others: readonly Subject[],
  isStale: () => boolean,
): Promise<ObjectFacts | undefined> {
  const places = others.map((other) => placeOf(repository, path, checksum, other));
  const uses = await findUses(repository, checksum, [subject, ...others], isStale);
  if (uses === undefined) return undefined;
  try {
    const measured = measureObject(repository, checksum);
    const verity: ObjectFacts['verity'] = measured?.state ?? 'compressed';
    const common = { path, verity, others: places, uses, problem: undefined };
    if (measured?.state === 'enabled' && measured.algorithm === 'sha256')
      return { ...common, digest: digestOf(measured.digest), digestFrom: 'kernel' };
    const digest = await digestOfContent(repository, checksum, isStale);
    return digest === undefined ? undefined : { ...common, digest, digestFrom: 'content' };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    const unknown = { digest: undefined, digestFrom: undefined, verity: 'unknown' } as const;
    return { ...unknown, path, others: places, uses, problem: error.message };
  }
}

function placeOf(repository: Repository, path: ByteString, checksum: Checksum, subject: Subject): OtherPlace {
  const title = subjectName(subject);
  if (subject.kind === 'image') return { title, has: 'unreadable' };
  try {
    const node = new CommitTree(repository, subject.checksum).lookup(path);
    if (node === undefined) return { title, has: 'nothing' };
    return { title, has: 'checksum' in node && node.checksum === checksum ? 'same' : 'other' };
  } catch (error) {
    // A deployment whose commit was pruned or is damaged: the list of deployments says so.
    if (!(error instanceof SealtreeError)) throw error;
    return { title, has: 'unreadable' };
  }
}

const CHUNK = 1024 * 1024;

async function digestOfContent(
  repository: Repository,
  checksum: Checksum,
  isStale: () => boolean,
): Promise<Digest | undefined> {
  const hasher = new VerityHasher();
  const objectPath = repository.objectPath(checksum, 'file');
  if (!objectPath.endsWith('.file')) {
    await repository.readContent(checksum, (chunk) => hasher.update(chunk));
    return isStale() ? undefined : digestOf(hasher.digest());
  }
  // Read here, since the repository reads such a file in one go, however large it is.
  const { system } = repository;
  const fd = system.openRead(objectPath, { noFollow: true });
  try {
    const chunk = Buffer.alloc(CHUNK);
    const turns = new Turns();
    for (let at = 0; ; ) {
      const length = system.read(fd, chunk, at);
      if (length === 0) return digestOf(hasher.digest());
      hasher.update(chunk.subarray(0, length));
      at += length;
      if (turns.isOver) await turns.next();
      if (isStale()) return undefined;
    }
  } finally {
    system.close(fd);
  }
}
