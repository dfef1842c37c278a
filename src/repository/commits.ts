/**
 * History: a commit and its parents, loaded one by one as they are asked for. A parent that is not in the
 * repository is where its history was cut (a shallow pull, a prune), not an error.
 */
import type { Checksum } from '../base/digest.ts';
import type { Commit } from '../formats/objects.ts';
import type { Repository } from './repository.ts';

/** Why history ends: the first commit, a parent that was never fetched or was pruned, one that was deleted. */
export type HistoryEnd = 'root' | 'missing' | 'deleted';

export interface HistoryEntry {
  readonly checksum: Checksum;
  readonly commit: Commit;
  /** Set on the last entry. */
  readonly end: HistoryEnd | undefined;
}

/**
 * The commit and its ancestors, newest first. To know where history ends the walk is one commit ahead.
 * @throws NotFoundError when the first commit is missing, FormatError when one is corrupted
 */
export function* walkHistory(repository: Repository, start: Checksum): Generator<HistoryEntry, void> {
  let checksum = start;
  let commit: Commit | undefined = repository.commit(start);
  while (commit !== undefined) {
    const parent: Checksum | undefined = commit.parent;
    const next: Commit | undefined = parent === undefined ? undefined : repository.commitIfExists(parent);
    let end: HistoryEnd | undefined;
    if (parent === undefined) end = 'root';
    else if (next === undefined) end = repository.hasTombstone(parent) ? 'deleted' : 'missing';
    yield { checksum, commit, end };
    if (parent !== undefined) checksum = parent;
    commit = next;
  }
}
