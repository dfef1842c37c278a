/** Who shares how much with whom. Pure. */
import type { HeldBy, Holding } from './divide.ts';
import type { Size } from './shares.ts';

export interface Partner extends Size {
  /** The number of the holder. */
  readonly holder: number;
}

/** More of them are not compared one with another: that takes room and time by the square. */
const MOST = 2000;

/** By the number of a holder, those of its group with which it shares most, at most `named`. */
export function partnersOf(
  sets: readonly HeldBy[],
  holders: readonly Holding[],
  named: number,
): ReadonlyMap<number, readonly Partner[]> {
  const shown = [...holders.keys()].filter((number) => holders[number]!.group !== undefined);
  if (shown.length > MOST) return new Map();
  const place = new Int32Array(holders.length).fill(-1);
  for (const [i, number] of shown.entries()) place[number] = i;
  const bytes = new Float64Array(shown.length ** 2);
  const counts = new Float64Array(shown.length ** 2);
  for (const set of sets) {
    const having = set.holders.filter((number) => place[number] !== -1);
    for (const a of having)
      for (const b of having) {
        if (a === b || holders[a]!.group !== holders[b]!.group) continue;
        const at = (place[a] as number) * shown.length + (place[b] as number);
        bytes[at] = (bytes[at] as number) + set.bytes;
        counts[at] = (counts[at] as number) + set.count;
      }
  }
  return new Map(
    shown.map((number, row) => {
      const start = row * shown.length;
      const partners = shown.flatMap((holder, column): Partner[] => {
        const count = counts[start + column] as number;
        return count === 0 ? [] : [{ holder, bytes: bytes[start + column] as number, count }];
      });
      return [number, partners.sort((a, b) => b.bytes - a.bytes).slice(0, named)];
    }),
  );
}
