/**
 * Is a repository whole? Every object in it, every commit with all that it needs, every ref: what `ostree fsck --all`
 * checks, with all findings collected instead of the first. Threads recompute the checksums while the trees are walked.
 */
import type { Checksum } from '../base/digest.ts';
import type { Progress } from '../base/progress.ts';
import { linuxSystem } from '../base/system-linux.ts';
import { processors, startThreads, type Thread } from '../base/threads.ts';
import type { ObjectName, ObjectType, Repository } from './repository.ts';
import {
  type CheckedObjects,
  type Depth,
  ObjectChecker,
  objectTitle,
  problemOf,
  type RepositoryProblem,
} from './verify-content.ts';
import type { CheckRequest } from './verify-worker.ts';

export interface VerifyRepositoryOptions {
  readonly depth: Depth;
  readonly progress: Progress;
  /** Told of each problem when it is found. */
  readonly onProblem?: ((problem: RepositoryProblem) => void) | undefined;
  /** At most this many; 0 for none. Default: as many as there are processors, up to four. */
  readonly threads?: number;
}

export interface RepositoryReport {
  readonly problems: readonly RepositoryProblem[];
  readonly refs: number;
  /** Commits, and all objects with them, in this repository and of what it needs in its parents. */
  readonly commits: number;
  readonly objects: number;
  /** Objects whose checksum was recomputed from the disk: with `metadata` none that is content. */
  readonly objectsRead: number;
}

/** @throws InterruptedError, and where nothing can be looked at */
export async function verifyRepository(
  repository: Repository,
  options: VerifyRepositoryOptions,
): Promise<RepositoryReport> {
  return await new Verification(repository, options).run();
}

/** Types whose name is the checksum of what they are. */
const HASHED: ReadonlySet<ObjectType> = new Set<ObjectType>(['commit', 'dirtree', 'dirmeta', 'file']);

const MAX_THREADS = 4;
/** Objects for a thread at a time, and how many such lists may wait for each. */
const LIST_LENGTH = 256;
const PER_THREAD = 3;

class Verification {
  readonly #repository: Repository;
  readonly #options: VerifyRepositoryOptions;
  readonly #problems: RepositoryProblem[] = [];
  /** `CHECKSUM.TYPE` of what was reported: an object that is read twice has one problem. */
  readonly #reported = new Set<string>();
  /** By type, all that were found or needed so far. */
  readonly #known = new Map<ObjectType, Set<Checksum>>([...HASHED].map((type) => [type, new Set()]));
  readonly #dirtreesWalked = new Set<Checksum>();
  /** What is needed and found in a parent. */
  readonly #inParents: ObjectName[] = [];
  #objectsRead = 0;

  constructor(repository: Repository, options: VerifyRepositoryOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<RepositoryReport> {
    const { progress, depth } = this.#options;
    progress.begin('listing objects');
    const listed: ObjectName[] = [];
    for (const name of this.#repository.listObjects()) {
      if (!HASHED.has(name.type)) continue;
      listed.push(name);
      this.#of(name.type).add(name.checksum);
      await progress.breathe();
    }
    const refs = this.#checkRefs();
    await using checks = new ListChecks(this.#repository, this.#options, (checked, count) => {
      this.#objectsRead += count;
      for (const problem of checked.problems) this.#add(problem);
      progress.advance(count, checked.bytes);
    });
    progress.begin(depth === 'metadata' ? 'looking at objects' : 'reading objects', listed.length);
    const hashing = depth === 'metadata' ? undefined : checks.check(listed);
    // Awaited below; until then a failure must not count as unhandled.
    hashing?.catch(() => undefined);
    await this.#checkCommits();
    await this.#checkUnreachable();
    if (depth === 'metadata') await this.#lookAtContents();
    await hashing;
    if (depth !== 'metadata') await checks.check(this.#inParents);
    progress.end();
    const objects = [...this.#known.values()].reduce((sum, { size }) => sum + size, 0);
    return {
      problems: this.#problems,
      refs,
      commits: this.#of('commit').size,
      objects,
      objectsRead: this.#objectsRead,
    };
  }

  #of(type: ObjectType): Set<Checksum> {
    return this.#known.get(type) as Set<Checksum>;
  }

  #add(problem: RepositoryProblem): void {
    if (this.#reported.has(problem.where)) return;
    this.#reported.add(problem.where);
    this.#problems.push(problem);
    this.#options.onProblem?.(problem);
  }

  #checkRefs(): number {
    const refs = this.#repository.listRefs();
    for (const { refspec, checksum } of refs) {
      if (this.#need({ checksum, type: 'commit' }, [])) continue;
      this.#add({
        severity: 'error',
        code: 'ref-dangling',
        where: `ref ${refspec}`,
        message: `names commit ${checksum}, which is missing`,
      });
    }
    return refs.length;
  }

  /** Complete ones first: what both kinds need and is missing is an error. */
  async #checkCommits(): Promise<void> {
    // Where an earlier check marked it, objects were lost.
    const isPartial = (commit: Checksum): boolean => this.#repository.partialState(commit) === 'partial';
    const commits = [...this.#of('commit')].map((commit) => ({ commit, isPartial: isPartial(commit) }));
    for (const wanted of [false, true])
      for (const { commit, isPartial } of commits)
        if (isPartial === wanted) await this.#checkCommit(commit, isPartial);
  }

  async #checkCommit(commit: Checksum, isPartial: boolean): Promise<void> {
    const missing: ObjectName[] = [];
    const found = this.#attempt({ checksum: commit, type: 'commit' }, () => this.#repository.commit(commit));
    if (found === undefined) return;
    this.#need({ checksum: found.rootMeta, type: 'dirmeta' }, missing);
    const pending = [found.rootTree];
    for (let tree = pending.pop(); tree !== undefined; tree = pending.pop()) {
      if (this.#dirtreesWalked.has(tree)) continue;
      if (!this.#need({ checksum: tree, type: 'dirtree' }, missing)) continue;
      this.#dirtreesWalked.add(tree);
      const dirtree = this.#attempt({ checksum: tree, type: 'dirtree' }, () =>
        this.#repository.dirtree(tree),
      );
      for (const { checksum } of dirtree?.files ?? []) this.#need({ checksum, type: 'file' }, missing);
      for (const { tree, meta } of dirtree?.dirs ?? []) {
        this.#need({ checksum: meta, type: 'dirmeta' }, missing);
        pending.push(tree);
      }
      await this.#options.progress.breathe();
    }
    if (isPartial)
      this.#add({
        severity: 'unchecked',
        code: 'commit-partial',
        where: `commit ${commit}`,
        message: `was not fetched completely: ${missing.length} of the objects that are known to belong to it are missing`,
      });
    else for (const name of missing) this.#add(missingOf(name, commit));
  }

  /** Whether an object exists, here or in a parent; otherwise it is put on the list. */
  #need(name: ObjectName, missing: ObjectName[]): boolean {
    const known = this.#of(name.type);
    if (known.has(name.checksum)) return true;
    if (!this.#repository.hasObject(name.checksum, name.type)) {
      missing.push(name);
      return false;
    }
    known.add(name.checksum);
    this.#inParents.push(name);
    return true;
  }

  /** Metadata objects that were not met on the way, and all dirmetas: read, hashed and understood. */
  async #checkUnreachable(): Promise<void> {
    for (const checksum of this.#of('dirtree')) {
      if (this.#dirtreesWalked.has(checksum)) continue;
      this.#attempt({ checksum, type: 'dirtree' }, () => this.#repository.dirtree(checksum));
      await this.#options.progress.breathe();
    }
    for (const checksum of this.#of('dirmeta'))
      this.#attempt({ checksum, type: 'dirmeta' }, () => this.#repository.dirmeta(checksum));
  }

  /** What can be said of content without reading it. */
  async #lookAtContents(): Promise<void> {
    const { progress } = this.#options;
    for (const checksum of this.#of('file')) {
      this.#attempt({ checksum, type: 'file' }, () => this.#repository.content(checksum));
      progress.advance(1);
      await progress.breathe();
    }
  }

  #attempt<T>(name: ObjectName, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#add(problemOf(name, error));
      return undefined;
    }
  }
}

const missingOf = (name: ObjectName, commit: Checksum): RepositoryProblem => ({
  severity: 'error',
  code: 'object-missing',
  where: objectTitle(name),
  message: `the object is missing, and commit ${commit} needs it`,
});

const PROGRAM = new URL('./verify-worker.ts', import.meta.url);

type CheckThread = Thread<CheckRequest, CheckedObjects>;

/** Hands lists of objects to threads; without threads, or with a System other than the kernel's, checks them itself. */
class ListChecks {
  readonly #repository: Repository;
  readonly #options: VerifyRepositoryOptions;
  readonly #onChecked: (checked: CheckedObjects, count: number) => void;
  #maxThreads: number;
  readonly #threads: CheckThread[] = [];

  constructor(
    repository: Repository,
    options: VerifyRepositoryOptions,
    onChecked: (checked: CheckedObjects, count: number) => void,
  ) {
    this.#repository = repository;
    this.#options = options;
    this.#onChecked = onChecked;
    const wanted = options.threads ?? Math.min(processors(), MAX_THREADS);
    this.#maxThreads = repository.system === linuxSystem ? wanted : 0;
  }

  /** Resolves when all were checked. */
  async check(names: readonly ObjectName[]): Promise<void> {
    const lists: (readonly ObjectName[])[] = [];
    for (let i = 0; i < names.length; i += LIST_LENGTH) lists.push(names.slice(i, i + LIST_LENGTH));
    if (this.#maxThreads === 0 || lists.length <= 1) return await this.#checkHere(lists);
    const wanted = Math.min(this.#maxThreads, lists.length);
    this.#threads.push(...startThreads<CheckRequest, CheckedObjects>(PROGRAM, wanted - this.#threads.length));
    // The system has no more for us.
    if (this.#threads.length < wanted) this.#maxThreads = this.#threads.length;
    if (this.#threads.length === 0) return await this.#checkHere(lists);
    const next = lists.values();
    // Each of these takes the next list as soon as its last one is answered.
    const takers = this.#threads.flatMap((thread) =>
      Array.from({ length: PER_THREAD }, () => this.#feed(thread, next)),
    );
    await Promise.all(takers);
  }

  async #feed(thread: CheckThread, lists: Iterator<readonly ObjectName[]>): Promise<void> {
    const { depth, progress } = this.#options;
    for (let list = lists.next(); !list.done; list = lists.next()) {
      const names = list.value;
      const checked = await thread.ask({ repositoryPath: this.#repository.path, depth, names });
      this.#onChecked(checked, names.length);
      progress.check();
    }
  }

  async #checkHere(lists: readonly (readonly ObjectName[])[]): Promise<void> {
    const { depth, progress } = this.#options;
    const checker = new ObjectChecker(this.#repository, depth);
    for (const names of lists) {
      this.#onChecked(await checker.check(names), names.length);
      await progress.breathe();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}
