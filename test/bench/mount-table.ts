/** The comparison of mounts as text: milliseconds, and in brackets the ratio to the checkout. */
import { alignColumns, duration } from './table.ts';

export interface MountResults {
  readonly machine: string;
  /** RFC 3339. */
  readonly date: string;
  readonly rounds: number;
  readonly ways: readonly {
    readonly name: string;
    /** The image's; the checkout has none, and what composefs points to is the repository's. */
    readonly imageBytes?: number;
  }[];
  readonly works: readonly {
    readonly work: string;
    readonly cold: boolean;
    /** By way, in their order. */
    readonly wallMs: readonly number[];
    /** Of times by the clock, to the first way. */
    readonly ratios: readonly number[];
  }[];
}

/** A line for each work, cold above warm, and a column for each way. */
export function renderMounts({ machine, date, rounds, ways, works }: MountResults): string {
  const names = [...new Set(works.map(({ work }) => work))];
  const lines = names.flatMap((name) =>
    works
      .filter(({ work }) => work === name)
      .sort((a, b) => Number(b.cold) - Number(a.cold))
      .map(({ work, cold, wallMs, ratios }) => [
        `${work}, ${cold ? 'cold' : 'warm'}`,
        ...wallMs.map((ms, way) => `${duration(ms)} (${(ratios[way] ?? 0).toFixed(2)})`),
      ]),
  );
  const table = alignColumns([
    ['', ...ways.map(({ name }) => name)],
    ...lines,
    [
      'image',
      ...ways.map(({ imageBytes }) =>
        imageBytes === undefined ? 'none' : `${(imageBytes / 1e6).toFixed(1)} MB`,
      ),
    ],
  ]);
  return `${machine}\n${date.slice(0, 10)}, medians of ${rounds} rounds\n\n${table}\n`;
}
