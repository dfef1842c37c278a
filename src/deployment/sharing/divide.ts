/** Who has how much of all that is held, alone and with others, and what is free when one of them is gone. Pure. */
import type { Size } from './shares.ts';

export interface HeldBy extends Size {
  /** Numbers of those who have it. */
  readonly holders: readonly number[];
}

/** What one of them has; {@link Division.unique} and {@link Division.shared} together are all of it. */
export interface Division {
  readonly total: Size;
  /** What no other one that it is compared with has. */
  readonly unique: Size;
  readonly shared: Size;
  /** What nobody keeps once this one is gone. */
  readonly freed: Size;
}

export interface Holding {
  /** It is compared with those of the same group; undefined where it is not shown. */
  readonly group: number | undefined;
  /** Whether what it has stays for it. */
  readonly keeps: boolean;
}

/** By the number of the holder. */
export function divide(sets: Iterable<HeldBy>, holders: readonly Holding[]): Division[] {
  const divisions = holders.map(() => ({
    total: { bytes: 0, count: 0 },
    unique: { bytes: 0, count: 0 },
    shared: { bytes: 0, count: 0 },
    freed: { bytes: 0, count: 0 },
  }));
  for (const set of sets) {
    const keepers = set.holders.filter((number) => holders[number]!.keeps).length;
    for (const number of set.holders) {
      const { group, keeps } = holders[number]!;
      if (group === undefined) continue;
      const division = divisions[number]!;
      addSize(division.total, set);
      addSize(isAlone(set, number, holders) ? division.unique : division.shared, set);
      if (keepers === (keeps ? 1 : 0)) addSize(division.freed, set);
    }
  }
  return divisions;
}

/** Whether no other one of its group has it. */
export const isAlone = ({ holders: having }: HeldBy, number: number, holders: readonly Holding[]): boolean =>
  having.every((other) => other === number || holders[other]!.group !== holders[number]!.group);

/** All that is held by one of those, each once. */
export function sumOf(sets: Iterable<HeldBy>, isWanted: (set: HeldBy) => boolean): Size {
  const sum = { bytes: 0, count: 0 };
  for (const set of sets) if (isWanted(set)) addSize(sum, set);
  return sum;
}

export function addSize(sum: { bytes: number; count: number }, { bytes, count }: Size): void {
  sum.bytes += bytes;
  sum.count += count;
}
