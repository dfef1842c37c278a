/**
 * Reads what screens ask for, in turns with the keys. Loaded with the first screen that needs it; what is found goes
 * out as events.
 */
import type { System } from '../src/base/system.ts';
import { ErofsImage } from '../src/formats/erofs/read.ts';
import { Repository } from '../src/repository/repository.ts';
import { repositoryOf } from './models/command-line.ts';
import { type Subject, subjectKey } from './models/subject.ts';
import type { Reader, Source } from './reader.ts';
import { BootReader } from './screens/boot/reader.ts';
import { CommitsReader } from './screens/commits/reader.ts';
import { DiffReader } from './screens/diff/reader.ts';
import { HistoryReader } from './screens/history/reader.ts';
import { ImagesReader } from './screens/images/reader.ts';
import { ImportsReader } from './screens/imports/reader.ts';
import { ObjectsReader } from './screens/objects/reader.ts';
import { SharingReader } from './screens/sharing/reader.ts';
import { TreeReader } from './screens/tree/reader.ts';
import type { Request } from './state.ts';
import { CommitTree } from './trees/commit-tree.ts';
import type { FileTree } from './trees/file-tree.ts';
import { ImageTree } from './trees/image-tree.ts';
import { Turns } from './turns.ts';

export interface ReadersOptions
  extends Pick<Source, 'sysrootPath' | 'repositoryPath' | 'system' | 'dispatch' | 'run'> {}

type Name = Request['reader'];

/** An image is some megabytes; of trees that are compared there are two. */
const KEPT_TREES = 4;

export class Readers {
  readonly tree: TreeReader;
  readonly #readers: { readonly [N in Name]: Reader<Extract<Request, { reader: N }>> };
  readonly #latest = new Map<Request['type'], Request>();
  #repository: Repository | undefined;
  /** By subject, the last used one last. */
  readonly #trees = new Map<string, FileTree>();
  #isStopped = false;

  constructor(options: ReadersOptions) {
    const repository = (): Repository => {
      this.#repository ??= Repository.open(repositoryOf(options), options.system);
      return this.#repository;
    };
    const files = (subject: Subject): FileTree => this.#filesOf(subject, repository, options.system);
    const source: Source = { ...options, repository, files };
    this.tree = new TreeReader(source);
    this.#readers = {
      boot: new BootReader(source),
      history: new HistoryReader(source),
      sharing: new SharingReader(source),
      imports: new ImportsReader(source),
      commits: new CommitsReader(source),
      tree: this.tree,
      diff: new DiffReader(source),
      images: new ImagesReader(source),
      objects: new ObjectsReader(source),
    };
  }

  /** Ends what is under way. */
  stop(): void {
    this.#isStopped = true;
  }

  forget(): void {
    this.#repository = undefined;
    this.#trees.clear();
    for (const reader of Object.values(this.#readers)) reader.forget?.();
  }

  #filesOf(subject: Subject, repository: () => Repository, system: System): FileTree {
    const key = subjectKey(subject);
    const tree =
      this.#trees.get(key) ??
      (subject.kind === 'commit'
        ? new CommitTree(repository(), subject.checksum)
        : new ImageTree(new ErofsImage(system.readFile(subject.path), subject.path), repository));
    this.#trees.delete(key);
    this.#trees.set(key, tree);
    const [oldest] = this.#trees.keys();
    if (this.#trees.size > KEPT_TREES && oldest !== undefined) this.#trees.delete(oldest);
    return tree;
  }

  async answer(request: Request): Promise<void> {
    this.#latest.set(request.type, request);
    await new Turns().next();
    // The table pairs each name with the reader of its requests, which the compiler cannot follow through a union.
    const reader = this.#readers[request.reader] as Reader<Request>;
    await reader.answer(request, () => this.#isStopped || this.#latest.get(request.type) !== request);
  }
}
