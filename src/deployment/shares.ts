/**
 * Who shares what on a disk. Files are told apart by their inode, as du(1) does it, and each is counted for all that
 * hold it: deployments, images, refs, or whatever else has files. Pure.
 */

/** A file, a folder or a link as the disk has it. */
export interface DiskFile {
  /** Tells inodes apart. */
  readonly inode: string;
  /** Bytes it takes on the disk, not bytes in it: st_blocks times 512. */
  readonly bytes: number;
}

export interface Amount {
  readonly bytes: number;
  /** Inodes. */
  readonly files: number;
}

/** Holders that have the same files, and how much those are. Each file is in one of these. */
export interface SharedSet<H> extends Amount {
  readonly holders: readonly H[];
}

/** Collects the files of one holder after the other. */
export class Shares<H> {
  /** By inode the number of its set. */
  readonly #setOf = new Map<string, number>();
  /** The first set is that of files nobody holds. */
  readonly #sets: { holders: readonly H[]; bytes: number; files: number }[] = [
    { holders: [], bytes: 0, files: 0 },
  ];
  /** The holder that was added last, and by the number of a set that of the same with this holder. */
  #last: { readonly holder: H; readonly widened: Map<number, number> } | undefined;

  /** Adds what a holder has, all of it before the next holder comes; a file that comes twice counts once. */
  add(holder: H, files: Iterable<DiskFile>): void {
    if (this.#last?.holder !== holder) this.#last = { holder, widened: new Map() };
    const { widened } = this.#last;
    for (const { inode, bytes } of files) {
      const before = this.#setOf.get(inode) ?? 0;
      const set = this.#sets[before]!;
      if (set.holders.at(-1) === holder) continue;
      let after = widened.get(before);
      if (after === undefined) {
        after = this.#sets.push({ holders: [...set.holders, holder], bytes: 0, files: 0 }) - 1;
        widened.set(before, after);
      }
      this.#setOf.set(inode, after);
      const wider = this.#sets[after]!;
      wider.bytes += bytes;
      wider.files++;
      if (before === 0) continue;
      set.bytes -= bytes;
      set.files--;
    }
  }

  /** All of it, each file once. */
  sets(): SharedSet<H>[] {
    return this.#sets.filter(({ files }) => files > 0);
  }
}

/** What is in those sets together. */
export function amountOf<H>(
  sets: readonly SharedSet<H>[],
  isWanted: (holders: readonly H[]) => boolean,
): Amount {
  let [bytes, files] = [0, 0];
  for (const set of sets) {
    if (!isWanted(set.holders)) continue;
    bytes += set.bytes;
    files += set.files;
  }
  return { bytes, files };
}
