/** Counts what deployments, refs and images have, one after the other. */
import { SealtreeError } from '../../base/errors.ts';
import type { Progress } from '../../base/progress.ts';
import type { Finding } from '../../image/findings.ts';
import type { Repository } from '../../repository/repository.ts';
import { diskFile, filesBelow } from './disk-file.ts';
import { type Holder, imageOf } from './holders.ts';
import { ObjectTable } from './object-table.ts';
import { type DiskFile, Shares, type Size } from './shares.ts';
import { type TreeObject, treeObjects } from './tree-objects.ts';

/** What one is without the objects of its tree. */
export interface OwnFiles {
  readonly size: Size;
  /** The number of the file, where it is one: an image's. */
  readonly last: number | undefined;
}

export class HeldFiles {
  readonly shares = new Shares();
  readonly objects: ObjectTable;
  /** What could not be looked at. */
  readonly problems: Finding[] = [];
  readonly #repository: Repository;
  readonly #progress: Progress;

  constructor(repository: Repository, progress: Progress) {
    this.#repository = repository;
    this.#progress = progress;
    this.objects = new ObjectTable(repository, this.shares);
  }

  /**
   * Counts all that a holder has; what cannot be read is a problem, and the rest counts. Numbers ascend.
   * Returns what it is by itself: the folder of a deployment, the file of an image, the image of a ref.
   * @throws InterruptedError
   */
  async add(number: number, holder: Holder): Promise<OwnFiles> {
    let last: number | undefined;
    const add = (file: DiskFile): void => {
      last = this.shares.add(file);
    };
    this.shares.begin(number);
    await this.#each(this.#ownFiles(holder), add, holder.name);
    const own = { size: this.shares.held, last };
    if (holder.kind === 'deployment')
      await this.#each(this.#file(`${holder.deployment.path}.origin`), add, holder.name);
    const objects = treeObjects(holder, this.#repository);
    await this.#each(objects, ({ type, checksum }) => this.objects.hold(type, checksum), holder.name);
    return own;
  }

  /** Once more over the objects of a tree; what could not be read the first time is left out without a word. */
  async walk(holder: Holder, use: (object: TreeObject) => void): Promise<void> {
    await this.#each(treeObjects(holder, this.#repository), use);
  }

  /** Something that could not be looked at. */
  readonly report = (where: string, error: SealtreeError): void => {
    this.problems.push({ severity: 'unchecked', code: 'not-counted', where, message: error.message });
  };

  #ownFiles(holder: Holder): Iterable<DiskFile> {
    if (holder.kind === 'deployment')
      return filesBelow(holder.deployment.path, this.#repository.system, this.report);
    const image = holder.kind === 'image' ? holder.path : imageOf(holder, this.#repository);
    return image === undefined ? [] : this.#file(image);
  }

  #file(path: string): DiskFile[] {
    const stats = this.#repository.system.lstatIfExists(path);
    return stats === undefined ? [] : [diskFile(stats)];
  }

  async #each<T>(items: Iterable<T>, use: (item: T) => void, where?: string): Promise<void> {
    try {
      for (const item of items) {
        use(item);
        this.#progress.advance(1);
        await this.#progress.breathe();
      }
    } catch (error) {
      if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
      if (where !== undefined) this.report(where, error);
    }
  }
}
