/**
 * How deployments, refs and images share the disk: their files are hard links of the repository's objects, so the sizes
 * of folders say little. Counted is what du(1) counts, blocks of inodes, in the folders as they are and in the objects
 * of the commits; and, where that is asked for, each content once whatever the metadata of its objects.
 */
import { SealtreeError } from '../../base/errors.ts';
import type { Progress } from '../../base/progress.ts';
import type { Repository } from '../../repository/repository.ts';
import { unusedImagesIn } from '../gc.ts';
import type { Sysroot } from '../sysroot.ts';
import { type Contents, findContents } from './contents.ts';
import { addSize, type Division, divide, type HeldBy, type Holding, isAlone, sumOf } from './divide.ts';
import { type FolderShare, FolderTally } from './folders.ts';
import { HeldFiles, type OwnFiles } from './held.ts';
import { type Holder, isSameHolder, keepsObjects, listHolders } from './holders.ts';
import { partnersOf } from './partners.ts';
import type { ContentsReport, Share, SharingReport } from './report.ts';
import type { SharedSet, Size } from './shares.ts';

export interface SharingOptions {
  /** Only these are shown, and compared with one another; all by default, each with those of its kind. */
  readonly chosen?: readonly Holder[] | undefined;
  /** Whether to find out which objects have the same bytes: those of one size are read, or measured by the kernel. */
  readonly byContent: boolean;
  readonly progress: Progress;
}

/** So many folders, and contents that are there twice, are named. */
const NAMED = 10;
/** So many others are named that one shares with. */
const PARTNERS = 20;

/**
 * @param sysroot where the repository is one's
 * @throws IoError where refs or images cannot be listed; InterruptedError
 */
export async function readSharing(
  repository: Repository,
  sysroot: Sysroot | undefined,
  options: SharingOptions,
): Promise<SharingReport> {
  return await new SharingReader(repository, sysroot, options).read();
}

const KINDS = ['deployment', 'ref', 'image', 'commit'] as const;
const STAGES = {
  deployment: 'looking at deployments',
  ref: 'looking at refs',
  image: 'looking at images',
  commit: 'looking at commits',
} as const;

class SharingReader {
  readonly #repository: Repository;
  readonly #sysroot: Sysroot | undefined;
  readonly #options: SharingOptions;
  readonly #held: HeldFiles;
  readonly #holders: readonly Holder[];
  /** What is shown, as numbers of holders. */
  readonly #shown: readonly number[];
  /** By the number of the holder. */
  readonly #holdings: readonly Holding[];

  constructor(repository: Repository, sysroot: Sysroot | undefined, options: SharingOptions) {
    this.#repository = repository;
    this.#sysroot = sysroot;
    this.#options = options;
    this.#held = new HeldFiles(repository, options.progress);
    const { chosen } = options;
    const listed = listHolders(repository, sysroot);
    const others = (chosen ?? []).filter((holder) => !listed.some((one) => isSameHolder(one, holder)));
    this.#holders = [...listed, ...others];
    const numberOf = (holder: Holder): number => this.#holders.findIndex((one) => isSameHolder(one, holder));
    this.#shown = chosen === undefined ? [...listed.keys()] : [...new Set(chosen.map(numberOf))];
    const shown = new Set(this.#shown);
    this.#holdings = this.#holders.map((holder, number) => ({
      keeps: keepsObjects(holder),
      group: !shown.has(number) ? undefined : chosen === undefined ? KINDS.indexOf(holder.kind) : 0,
    }));
  }

  async read(): Promise<SharingReport> {
    const { progress, byContent } = this.#options;
    const { objects, shares: files, problems, report } = this.#held;
    const own: OwnFiles[] = [];
    for (const [number, holder] of this.#holders.entries()) {
      progress.begin(STAGES[holder.kind]);
      own.push(await this.#held.add(number, holder));
    }
    const contents = byContent
      ? await findContents(objects, { repository: this.#repository, progress, onProblem: report })
      : undefined;
    const sets = files.sets();
    const objectSets = this.#objectSets(sets);
    const contentSets = contents?.sets(sets);
    const folders = await this.#folders(sets);
    progress.end();
    return {
      shares: this.#shares({ sets, objectSets, contentSets, own, folders: folders.of }),
      total: sumOf(sets, this.#isShown),
      totalObjects: sumOf(objectSets, this.#isShown),
      contents: contents && this.#contentsReport(contents, contentSets ?? [], sets),
      folders: folders.all,
      problems,
    };
  }

  readonly #isShown = ({ holders }: HeldBy): boolean =>
    holders.some((number) => this.#holdings[number]!.group !== undefined);

  /** The sets again, with the content objects in them only. */
  #objectSets(sets: readonly SharedSet[]): HeldBy[] {
    const { objects } = this.#held;
    const sums = new Map<number, { bytes: number; count: number }>();
    for (const number of objects.contents()) {
      const id = objects.setOf(number);
      let sum = sums.get(id);
      if (sum === undefined) {
        sum = { bytes: 0, count: 0 };
        sums.set(id, sum);
      }
      addSize(sum, { bytes: objects.bytes(number), count: 1 });
    }
    return sets.flatMap(({ id, holders }) => {
      const sum = sums.get(id);
      return sum === undefined ? [] : [{ ...sum, holders }];
    });
  }

  #shares({ sets, objectSets, contentSets, own, folders }: Counted): Share[] {
    const holdings = this.#holdings;
    const files = divide(sets, holdings);
    const objects = divide(objectSets, holdings);
    const contents = contentSets && divide(contentSets, holdings);
    const partners = partnersOf(sets, holdings, PARTNERS);
    const keepers = this.#keepers(sets, own);
    const unused = this.#unusedImages();
    return this.#shown.map((number): Share => {
      const holder = this.#holders[number]!;
      const folder = own[number]!.size;
      // An image keeps no object: with it goes its file, where nothing else uses that.
      const isUnused = holder.kind === 'image' && unused.has(holder.path);
      const freed = holder.kind === 'image' ? (isUnused ? folder : NOTHING) : undefined;
      return {
        holder,
        files: withFreed(files[number]!, freed),
        objects: withFreed(objects[number]!, freed && NOTHING),
        contents: contents && withFreed(contents[number]!, freed && NOTHING),
        keptBy: Array.from(keepers.get(number) ?? [], (keeper) => this.#holders[keeper]!.name),
        partners: (partners.get(number) ?? []).map(({ holder: partner, ...size }) => ({
          name: this.#holders[partner]!.name,
          ...size,
        })),
        folder,
        folders: folders.get(number) ?? [],
      };
    });
  }

  /** By the number of a holder, who keeps what would be free without it: of an image its file, which is all that goes. */
  #keepers(sets: readonly SharedSet[], own: readonly OwnFiles[]): ReadonlyMap<number, ReadonlySet<number>> {
    const { shares } = this.#held;
    const keepers = new Map(this.#shown.map((number) => [number, new Set<number>()]));
    for (const set of sets)
      for (const number of set.holders) {
        const found = keepers.get(number);
        if (found === undefined) continue;
        const { last } = own[number]!;
        const isKept =
          this.#holders[number]!.kind === 'image'
            ? last !== undefined && shares.setOf(last) === set.id
            : isAlone(set, number, this.#holdings);
        if (!isKept) continue;
        for (const other of set.holders)
          if (other !== number && this.#holdings[other]!.keeps) found.add(other);
      }
    return keepers;
  }

  /** Paths of image files that `sealtree gc` would remove, or that are no concern of it. */
  #unusedImages(): ReadonlySet<string> {
    const { path, system } = this.#repository;
    const elsewhere = this.#holders.flatMap((holder) =>
      holder.kind === 'image' && holder.digest === undefined ? [holder.path] : [],
    );
    const { deployments = [], unlistedFolders = [] } = this.#sysroot ?? {};
    try {
      const unused = unusedImagesIn(path, [...deployments, ...unlistedFolders], system);
      return new Set([...elsewhere, ...unused.map((image) => image.path)]);
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      this.#held.report('images', error);
      return new Set(elsewhere);
    }
  }

  #contentsReport(
    contents: Contents,
    contentSets: readonly HeldBy[],
    sets: readonly SharedSet[],
  ): ContentsReport {
    const { objects } = this.#held;
    const shown = new Set(sets.filter(this.#isShown).map(({ id }) => id));
    return {
      total: sumOf(contentSets, this.#isShown),
      ...contents.repeated((number) => shown.has(objects.setOf(number)), NAMED),
    };
  }

  /** The trees once more, now that it is known who shares what. */
  async #folders(sets: readonly SharedSet[]): Promise<{
    readonly of: ReadonlyMap<number, readonly FolderShare[]>;
    readonly all: readonly FolderShare[];
  }> {
    const { progress } = this.#options;
    const { objects } = this.#held;
    const byId = new Map(sets.map((set) => [set.id, set]));
    const isSharedBy = (id: number, number: number): boolean =>
      !isAlone(byId.get(id)!, number, this.#holdings);
    const isShown = (number: number): boolean => this.#holdings[number]!.group !== undefined;
    const all = new FolderTally(objects, (id) =>
      byId.get(id)!.holders.some((number) => isShown(number) && isSharedBy(id, number)),
    );
    const of = new Map<number, readonly FolderShare[]>();
    progress.begin('looking at folders');
    for (const number of this.#shown) {
      const tally = new FolderTally(objects, (id) => isSharedBy(id, number));
      await this.#held.walk(this.#holders[number]!, (object) => {
        tally.add(object);
        all.add(object);
      });
      of.set(number, tally.largest(NAMED));
    }
    return { of, all: all.largest(NAMED) };
  }
}

interface Counted {
  readonly sets: readonly SharedSet[];
  readonly objectSets: readonly HeldBy[];
  readonly contentSets: readonly HeldBy[] | undefined;
  /** By the number of the holder. */
  readonly own: readonly OwnFiles[];
  readonly folders: ReadonlyMap<number, readonly FolderShare[]>;
}

const NOTHING: Size = { bytes: 0, count: 0 };

const withFreed = (division: Division, freed: Size | undefined): Division =>
  freed === undefined ? division : { ...division, freed };
