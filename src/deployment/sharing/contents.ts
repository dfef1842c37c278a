/**
 * Which content objects have the same bytes. An object's checksum is over its owner, mode and xattrs too, so the same
 * bytes may be there twice; the object digest (fs-verity) is over the bytes alone, and composefs tells contents apart by
 * that. Only objects of the same size are compared: the rest is not read.
 */
import { type Checksum, type Digest, digestOf } from '../../base/digest.ts';
import { SealtreeError } from '../../base/errors.ts';
import { isRegular } from '../../base/mode.ts';
import type { Progress } from '../../base/progress.ts';
import { objectDigest } from '../../image/digests.ts';
import type { Repository } from '../../repository/repository.ts';
import { DigestTable } from './digest-table.ts';
import { addSize, type HeldBy } from './divide.ts';
import type { ObjectTable } from './object-table.ts';
import type { SharedSet, Size } from './shares.ts';

/** Objects with the same bytes and other metadata: they have one object digest. */
export interface SameContent {
  readonly digest: Digest;
  readonly objects: readonly Checksum[];
  /** What each of them takes on the disk. */
  readonly bytes: number;
}

export interface ContentsOptions {
  readonly repository: Repository;
  readonly progress: Progress;
  /** Hears of objects that cannot be read: they count as different from all others. */
  readonly onProblem: (where: string, error: SealtreeError) => void;
}

/** Compares all content objects of the table. */
export async function findContents(objects: ObjectTable, options: ContentsOptions): Promise<Contents> {
  const contents = new Contents(objects);
  await contents.find(options);
  return contents;
}

const NONE = -1;

class Contents {
  readonly #objects: ObjectTable;
  /** By the number of an object that is no content's first, that of the first one with the same bytes; else its own. */
  readonly #first: Int32Array;
  readonly #digests = new DigestTable();
  /** By the number of a digest, the first object that has it. */
  readonly #firstOf: number[] = [];

  constructor(objects: ObjectTable) {
    this.#objects = objects;
    this.#first = Int32Array.from({ length: objects.count }, (_, number) => number);
  }

  async find(options: ContentsOptions): Promise<void> {
    const { progress } = options;
    const sizes = await this.#sizes(options);
    const bySize = new Uint32Array(this.#objects.contents().filter((number) => sizes[number] !== NONE));
    bySize.sort((a, b) => (sizes[a] as number) - (sizes[b] as number) || a - b);
    progress.begin('comparing contents', bySize.length);
    for (let start = 0, end = 0; start < bySize.length; start = end) {
      const size = sizes[bySize[start] as number] as number;
      while (end < bySize.length && sizes[bySize[end] as number] === size) end++;
      const alike = bySize.subarray(start, end);
      for (const number of alike) {
        if (alike.length > 1) await this.#compare(number, size, options);
        progress.advance(1, alike.length > 1 ? size : 0);
        await progress.breathe();
      }
    }
  }

  /** The contents, each held by whoever has one of its objects. `sets` are those of the files of these. */
  sets(sets: readonly SharedSet[]): HeldBy[] {
    /** Of contents with several objects, the sets of these. */
    const several = new Map<number, Set<number>>();
    for (const number of this.#objects.contents()) {
      const first = this.#first[number] as number;
      if (first === number) continue;
      const ids = several.get(first) ?? new Set([this.#objects.setOf(first)]);
      several.set(first, ids.add(this.#objects.setOf(number)));
    }
    const holdersOf = new Map(sets.map(({ id, holders }) => [id, holders]));
    const found = new Map<string, { holders: readonly number[]; bytes: number; count: number }>();
    for (const number of this.#objects.contents()) {
      if (this.#first[number] !== number) continue;
      const ids = [...(several.get(number) ?? [this.#objects.setOf(number)])].sort((a, b) => a - b);
      const key = ids.join(' ');
      let set = found.get(key);
      if (set === undefined) {
        const holders = [...new Set(ids.flatMap((id) => holdersOf.get(id) ?? []))];
        set = { holders, bytes: 0, count: 0 };
        found.set(key, set);
      }
      addSize(set, { bytes: this.#objects.bytes(number), count: 1 });
    }
    return [...found.values()];
  }

  /**
   * What is there more than once among the objects that are wanted: how much that is without the first of each, and the
   * `named` contents where it is most.
   */
  repeated(
    isWanted: (object: number) => boolean,
    named: number,
  ): { readonly again: Size; readonly same: readonly SameContent[] } {
    const again = { bytes: 0, count: 0 };
    const groups = new Map<number, number[]>();
    for (const number of this.#objects.contents()) {
      const first = this.#first[number] as number;
      if (first !== number) groups.set(first, groups.get(first) ?? []);
    }
    for (const number of this.#objects.contents()) {
      const group = groups.get(this.#first[number] as number);
      if (group === undefined || !isWanted(number)) continue;
      if (group.length > 0) addSize(again, { bytes: this.#objects.bytes(number), count: 1 });
      group.push(number);
    }
    const extra = (group: readonly number[]): number =>
      (group.length - 1) * this.#objects.bytes(group[0] as number);
    const same = [...groups]
      .filter(([, group]) => group.length > 1)
      .sort(([, a], [, b]) => extra(b) - extra(a))
      .slice(0, named)
      .map(([first, group]) => ({
        digest: this.#digests.hex(this.#firstOf.indexOf(first)) as Digest,
        objects: group.map((number) => this.#objects.checksum(number)),
        bytes: this.#objects.bytes(group[0] as number),
      }));
    return { again, same };
  }

  /** By the number of an object, the size of its content. */
  async #sizes({ progress, onProblem }: ContentsOptions): Promise<Float64Array> {
    const sizes = new Float64Array(this.#objects.count).fill(NONE);
    progress.begin('reading sizes', sizes.length);
    for (const number of this.#objects.contents()) {
      try {
        sizes[number] = this.#objects.contentSize(number) ?? NONE;
      } catch (error) {
        onProblem(this.#nameOf(number), expected(error));
      }
      progress.advance(1);
      await progress.breathe();
    }
    return sizes;
  }

  async #compare(number: number, size: number, { repository, onProblem }: ContentsOptions): Promise<void> {
    const checksum = this.#objects.checksum(number);
    try {
      // In bare-user repositories the object of a symlink is a regular file.
      if (repository.mode === 'bare-user' && !isRegular(repository.content(checksum).mode)) return;
      const digest = digestOf(await objectDigest(repository, checksum, size));
      const known = this.#digests.count;
      const found = this.#digests.add(digest);
      if (found === known) this.#firstOf.push(number);
      this.#first[number] = this.#firstOf[found] as number;
    } catch (error) {
      onProblem(this.#nameOf(number), expected(error));
    }
  }

  #nameOf(number: number): string {
    return `${this.#objects.checksum(number)}.file`;
  }
}

export type { Contents };

/** What is no failure of ours goes on. */
function expected(error: unknown): SealtreeError {
  if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
  return error;
}
