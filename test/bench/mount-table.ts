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

export function renderMounts({ machine, date, rounds, ways, works }: MountResults): string {
  const table = alignColumns([
    ['', ...works.map(({ work, cold }) => `${work}, ${cold ? 'cold' : 'warm'}`), 'image'],
    ...ways.map(({ name, imageBytes }, way) => [
      name,
      ...works.map(
        ({ wallMs, ratios }) => `${duration(wallMs[way] ?? 0)} (${(ratios[way] ?? 0).toFixed(2)})`,
      ),
      imageBytes === undefined ? '' : `${(imageBytes / 1e6).toFixed(1)} MB`,
    ]),
  ]);
  return `${machine}\n${date.slice(0, 10)}, medians of ${rounds} rounds\n\n${table}\n`;
}
