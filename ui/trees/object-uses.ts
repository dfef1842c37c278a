/** Where an object is used: the paths it has in commits. Each folder of their trees is looked at once, however often it occurs. */
import type { ByteString } from '../../src/base/bytes.ts';
import type { Checksum } from '../../src/base/digest.ts';
import { SealtreeError } from '../../src/base/errors.ts';
import type { Steps } from '../../src/base/steps.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { rootOf } from '../../src/repository/tree.ts';
import { type Subject, subjectName } from '../models/subject.ts';
import { Turns } from '../turns.ts';

/** In one commit. */
export interface ObjectUse {
  /** What has this commit: deployments, or the commit itself. */
  readonly titles: readonly string[];
  /** The first ones. */
  readonly paths: readonly ByteString[];
  readonly count: number;
  /** Why not all of it was looked at. */
  readonly problem: string | undefined;
}

/** An empty file may have thousands of names: nobody reads them. */
const MAX_PATHS = 100;

/** The uses in those of `subjects` that are commits, also where there are none; undefined once it `isStale`. */
export async function findUses(
  repository: Repository,
  object: Checksum,
  subjects: readonly Subject[],
  isStale: () => boolean,
): Promise<ObjectUse[] | undefined> {
  const titles = new Map<Checksum, string[]>();
  for (const subject of subjects) {
    if (subject.kind !== 'commit') continue;
    titles.set(subject.checksum, [...(titles.get(subject.checksum) ?? []), subjectName(subject)]);
  }
  const counter = new UseCounter(repository, object);
  const turns = new Turns();
  const uses: ObjectUse[] = [];
  for (const [commit, names] of titles) {
    try {
      for (const _ of counter.count(rootOf(repository, commit).tree)) {
        if (!turns.isOver) continue;
        await turns.next();
        if (isStale()) return undefined;
      }
      const { tree } = rootOf(repository, commit);
      const paths = counter.paths(tree);
      uses.push({ titles: names, paths, count: counter.known(tree), problem: undefined });
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      uses.push({ titles: names, paths: [], count: 0, problem: error.message });
    }
  }
  return uses;
}

class UseCounter {
  readonly #repository: Repository;
  readonly #object: Checksum;
  /** How often the object occurs below a dirtree. */
  readonly #counts = new Map<Checksum, number>();

  constructor(repository: Repository, object: Checksum) {
    this.#repository = repository;
    this.#object = object;
  }

  known(tree: Checksum): number {
    return this.#counts.get(tree) ?? 0;
  }

  /** Counts below a dirtree, those it needs first; yields now and then. */
  *count(root: Checksum): Steps<void> {
    const stack = [root];
    for (let tree = stack.at(-1); tree !== undefined; tree = stack.at(-1)) {
      const { files, dirs } = yield* this.#repository.dirtreeSteps(tree);
      const open = dirs.filter((dir) => !this.#counts.has(dir.tree));
      if (!this.#counts.has(tree) && open.length > 0) {
        stack.push(...open.map((dir) => dir.tree));
        continue;
      }
      const own = files.filter(({ checksum }) => checksum === this.#object).length;
      this.#counts.set(
        tree,
        dirs.reduce((sum, dir) => sum + this.known(dir.tree), own),
      );
      stack.pop();
      yield;
    }
  }

  /** The first paths below a dirtree that was counted. */
  paths(root: Checksum): ByteString[] {
    const found: ByteString[] = [];
    const stack = [{ tree: root, path: '' }];
    for (let next = stack.pop(); next !== undefined && found.length < MAX_PATHS; next = stack.pop()) {
      const { tree, path } = next;
      const { files, dirs } = this.#repository.dirtree(tree);
      for (const { name, checksum } of files)
        if (checksum === this.#object) found.push(`${path}/${name}` as ByteString);
      for (const dir of dirs.toReversed())
        if (this.known(dir.tree) > 0) stack.push({ tree: dir.tree, path: `${path}/${dir.name}` });
    }
    return found.slice(0, MAX_PATHS);
  }
}
