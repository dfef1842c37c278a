/**
 * Revisions: what a person types to name a commit. The order is libostree's (ostree-repo-refs.c,
 * `_ostree_repo_resolve_rev_internal`): a full checksum, a unique short checksum, a ref; each `^` at the end goes
 * to the parent. A ref without a remote is looked for among heads, then as `REMOTE/NAME`, then in every remote;
 * then all that in the parent repository.
 */
import { type Checksum, isHex64 } from '../base/digest.ts';
import { NotFoundError, UsageError } from '../base/errors.ts';
import { parseRefspec, type Refspec, readRef, readRemotePath, remotesWithRefs } from './refs.ts';
import type { Repository } from './repository.ts';

/** At most this many candidates are listed in an error. */
const MAX_CANDIDATES = 10;

/**
 * The commit a revision means. A full checksum is taken as it is, whether that commit exists or not.
 * @throws NotFoundError when nothing matches or a parent is missing, UsageError when it is ambiguous or malformed
 */
export function resolveRevision(repository: Repository, revision: string): Checksum {
  const base = revision.replace(/\^+$/, '');
  let checksum = resolveBase(repository, base);
  for (let step = base.length; step < revision.length; step++) {
    const { parent } = repository.commit(checksum);
    if (parent === undefined)
      throw new NotFoundError(`${revision}: commit ${checksum} has no parent`, {
        details: { revision, commit: checksum },
      });
    checksum = parent;
  }
  return checksum;
}

function resolveBase(repository: Repository, name: string): Checksum {
  if (isHex64(name)) return name as Checksum;
  const short = /^[0-9a-f]{1,63}$/.test(name) ? resolveShort(repository, name) : undefined;
  if (short !== undefined) return short;
  const refspec = parseRefspec(name);
  if (refspec === undefined)
    throw new UsageError(`not a revision: ${JSON.stringify(name)}`, {
      hint: 'give a ref, REMOTE:REF, a checksum or the beginning of one, with ^ for the parent',
    });
  const checksum = resolveRefspec(repository, refspec);
  if (checksum === undefined) throw notFound(repository, name, refspec);
  return checksum;
}

/** What a ref names, where a ref is meant: `beef` is a name then, no beginning of a checksum. Undefined where there is none. */
export function commitOfRef(repository: Repository, ref: string): Checksum | undefined {
  const refspec = parseRefspec(ref);
  return refspec && resolveRefspec(repository, refspec);
}

function resolveRefspec(repository: Repository, refspec: Refspec): Checksum | undefined {
  for (let at: Repository | undefined = repository; at !== undefined; at = at.parent) {
    const checksum = resolveRef(at, refspec);
    if (checksum !== undefined) return checksum;
  }
  return undefined;
}

function resolveRef(repository: Repository, refspec: Refspec): Checksum | undefined {
  if (refspec.scope !== undefined)
    return readRef(repository, 'remote', refspec) ?? readRef(repository, 'mirror', refspec);
  const local = readRef(repository, 'head', refspec) ?? readRemotePath(repository, refspec.name);
  if (local !== undefined) return local;
  for (const scope of remotesWithRefs(repository)) {
    const checksum = readRef(repository, 'remote', { scope, name: refspec.name });
    if (checksum !== undefined) return checksum;
  }
  return undefined;
}

function resolveShort(repository: Repository, prefix: string): Checksum | undefined {
  const found = new Set<Checksum>();
  for (let at: Repository | undefined = repository; at !== undefined; at = at.parent) {
    for (const { checksum, type } of at.listObjects(prefix)) if (type === 'commit') found.add(checksum);
  }
  if (found.size <= 1) return found.values().next().value;
  const candidates = [...found].sort();
  throw new UsageError(`short checksum ${prefix} is not unique: ${list(candidates)}`, {
    details: { revision: prefix, candidates },
  });
}

function notFound(repository: Repository, name: string, refspec: Refspec): NotFoundError {
  const candidates = similarRefs(repository, refspec);
  return new NotFoundError(`${repository.path}: no ref or commit ${JSON.stringify(name)}`, {
    ...(candidates.length === 0 ? {} : { hint: `did you mean ${list(candidates)}?` }),
    details: { revision: name, candidates },
  });
}

/** Refspecs that share a path fragment with what was asked for, those sharing most first. */
function similarRefs(repository: Repository, { name }: Refspec): string[] {
  const wanted = new Set(name.toLowerCase().split('/'));
  const scored: { refspec: string; score: number }[] = [];
  for (let at: Repository | undefined = repository; at !== undefined; at = at.parent) {
    for (const ref of at.listRefs()) {
      const score = ref.name
        .toLowerCase()
        .split('/')
        .filter((part) => wanted.has(part)).length;
      if (score > 0 || ref.name.includes(name)) scored.push({ refspec: ref.refspec, score });
    }
  }
  return scored
    .sort((a, b) => b.score - a.score || (a.refspec < b.refspec ? -1 : 1))
    .map(({ refspec }) => refspec);
}

function list(candidates: readonly string[]): string {
  const shown = candidates.slice(0, MAX_CANDIDATES).join(', ');
  return candidates.length > MAX_CANDIDATES
    ? `${shown} and ${candidates.length - MAX_CANDIDATES} more`
    : shown;
}
