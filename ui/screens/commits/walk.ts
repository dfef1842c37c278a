/**
 * All commits that refs lead to, newest first, one by one as they are asked for: of a history of any length only what
 * is shown is loaded. What cannot be loaded is a row too, not the end of the list.
 */
import { displayBytes } from '../../../src/base/bytes.ts';
import type { Checksum } from '../../../src/base/digest.ts';
import { SealtreeError } from '../../../src/base/errors.ts';
import type { Commit } from '../../../src/formats/objects.ts';
import type { Ref } from '../../../src/repository/refs.ts';
import type { PartialState, Repository } from '../../../src/repository/repository.ts';
import { type SignatureType, signaturesIn } from '../../../src/repository/signatures.ts';
import { displayText } from '../../models/text.ts';
import { commitRow, endRow, type Lanes } from './graph.ts';

interface RowBase {
  /** What the cursor stays with when the list is read again. */
  readonly key: string;
  /** See commit-graph.ts. */
  readonly graph: string;
}

export interface CommitRow extends RowBase {
  readonly kind: 'commit';
  readonly checksum: Checksum;
  /** Refspecs that name it. */
  readonly refs: readonly string[];
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly version: string;
  readonly subject: string;
  /** Which signatures there are; whether they are right is not known. */
  readonly signatures: readonly SignatureType[];
  readonly partial: PartialState;
}

/** Where a history goes on outside of the repository, or above in the list. */
export interface EndRow extends RowBase {
  readonly kind: 'end';
  readonly parent: Checksum;
  /** `above`: the parent claims to be newer than its child. */
  readonly why: 'missing' | 'deleted' | 'above';
}

/** A commit that is named but cannot be loaded. */
export interface BrokenRow extends RowBase {
  readonly kind: 'broken';
  readonly checksum: Checksum;
  readonly refs: readonly string[];
  readonly message: string;
}

export type HistoryRow = CommitRow | EndRow | BrokenRow;

/** What the walk needs of a repository. */
export type CommitSource = Pick<
  Repository,
  'commitIfExists' | 'hasObject' | 'hasTombstone' | 'detachedMetadata' | 'partialState'
>;

interface Pending {
  readonly checksum: Checksum;
  readonly commit: Commit | undefined;
  readonly message: string | undefined;
}

/** All rows of the list. */
export function* walkForest(source: CommitSource, refs: readonly Ref[]): Generator<HistoryRow, void> {
  const names = new Map<Checksum, string[]>();
  for (const { checksum, refspec } of refs)
    names.set(checksum, [...(names.get(checksum) ?? []), displayText(refspec)]);
  const queue = new Queue();
  const seen = new Set<Checksum>();
  const shown = new Set<Checksum>();
  let lanes: Lanes<Checksum> = [];

  const enqueue = (checksum: Checksum): void => {
    if (seen.has(checksum)) return;
    seen.add(checksum);
    queue.push(load(source, checksum));
  };
  const end = (child: Checksum, parent: Checksum, why: EndRow['why']): EndRow => {
    const row = endRow(lanes, parent);
    lanes = row.lanes;
    return { kind: 'end', key: `before ${child}`, graph: row.cells, parent, why };
  };

  for (const checksum of names.keys()) enqueue(checksum);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { checksum, commit, message } = next;
    shown.add(checksum);
    const row = commitRow(lanes, checksum, commit?.parent);
    lanes = row.lanes;
    const facts = { key: checksum, graph: row.cells, checksum, refs: names.get(checksum) ?? [] };
    if (commit === undefined) {
      yield { kind: 'broken', ...facts, message: message ?? 'not in this repository' };
      continue;
    }
    yield { kind: 'commit', ...facts, ...summaryOf(source, checksum, commit) };
    const { parent } = commit;
    if (parent === undefined) continue;
    if (shown.has(parent)) yield end(checksum, parent, 'above');
    else if (seen.has(parent) || isThere(source, parent)) enqueue(parent);
    else yield end(checksum, parent, source.hasTombstone(parent) ? 'deleted' : 'missing');
  }
}

/** Whether the commit can be shown; one that is damaged can, as such. */
function isThere(source: CommitSource, checksum: Checksum): boolean {
  const { commit, message } = load(source, checksum);
  return commit !== undefined || message !== undefined;
}

function load(source: CommitSource, checksum: Checksum): Pending {
  try {
    return { checksum, commit: source.commitIfExists(checksum), message: undefined };
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return { checksum, commit: undefined, message: error.message };
  }
}

function summaryOf(source: CommitSource, checksum: Checksum, commit: Commit) {
  const version = commit.metadata.get('version');
  return {
    timestamp: commit.timestamp,
    version: version?.type === 's' ? displayBytes(version.value as Commit['subject']) : '',
    subject: displayBytes((commit.subject.split('\n')[0] ?? '') as Commit['subject']),
    signatures: signatureTypes(source, checksum),
    partial: source.partialState(checksum),
  };
}

function signatureTypes(source: CommitSource, checksum: Checksum): SignatureType[] {
  // Asked first: most commits have none, and a failed reading costs more.
  if (!source.hasObject(checksum, 'commitmeta')) return [];
  try {
    return [...new Set(signaturesIn(source.detachedMetadata(checksum)).map(({ type }) => type))];
  } catch (error) {
    // Nothing vouches for detached metadata; the details of the commit say what is wrong with it.
    if (!(error instanceof SealtreeError)) throw error;
    return [];
  }
}

/** What cannot be loaded comes first: nobody should have to look for it. */
const ageOf = ({ commit }: Pending): number => -(commit?.timestamp ?? Number.POSITIVE_INFINITY);

/** The newest commit first (a binary heap); of the same age, whichever was put in first. */
class Queue {
  readonly #heap: { readonly pending: Pending; readonly age: number; readonly order: number }[] = [];
  #count = 0;

  push(pending: Pending): void {
    const heap = this.#heap;
    heap.push({ pending, age: ageOf(pending), order: this.#count++ });
    for (let at = heap.length - 1; at > 0; ) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(at, above)) break;
      this.#swap(at, above);
      at = above;
    }
  }

  pop(): Pending | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first?.pending;
    heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < heap.length && this.#isBefore(left, least)) least = left;
      if (right < heap.length && this.#isBefore(right, least)) least = right;
      if (least === at) return first.pending;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a]!, this.#heap[b]!];
    return x.age < y.age || (x.age === y.age && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  }
}
