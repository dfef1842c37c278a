/**
 * The graph beside a list of commits, row by row. A commit of ostree has one parent, so lines part only downwards
 * to the past: each lane is a line of history that waits for its next commit, and where several wait for the same
 * one they end in it.
 */
import type { Glyphs } from '../../glyphs.ts';

/** What each lane waits for; a free one for nothing. */
export type Lanes<T> = readonly (T | undefined)[];

export interface GraphRow<T> {
  /** Two signs a lane, as in {@link drawGraph}. */
  readonly cells: string;
  /** The lanes below this row. */
  readonly lanes: Lanes<T>;
}

/** Lanes further right are not drawn: a list of hundreds of refs would hold nothing but lines. */
const MAX_DRAWN = 24;

const COMMIT = '*';
const PIPE = '|';
const CROSSING = '+';
const DASH = '-';
const CORNER = "'";
const JOINT = '^';
const GAP = ' ';
const END = ':';
const MORE = '~';

/**
 * The row of a commit: in the first lane that waits for it, else in the first free one. Others that wait for it end here.
 * `parent` is what its lane waits for from here on.
 */
export function commitRow<T>(lanes: Lanes<T>, commit: T, parent: T | undefined): GraphRow<T> {
  const waiting = lanes.flatMap((wanted, lane) => (wanted === commit ? [lane] : []));
  const own = waiting[0] ?? firstFree(lanes);
  const ending = new Set(waiting.slice(1));
  const lastEnding = waiting.at(-1) ?? own;
  let cells = '';
  const width = Math.max(lanes.length, own + 1);
  for (let lane = 0; lane < Math.min(width, MAX_DRAWN); lane++) {
    const isSpanned = lane > own && lane < lastEnding;
    if (lane === own) cells += COMMIT;
    else if (ending.has(lane)) cells += lane === lastEnding ? CORNER : JOINT;
    else if (lanes[lane] !== undefined) cells += isSpanned ? CROSSING : PIPE;
    else cells += isSpanned ? DASH : GAP;
    cells += lane >= own && lane < lastEnding ? DASH : GAP;
  }
  if (width > MAX_DRAWN) cells = cells.slice(0, -1) + MORE;
  const after = Array.from({ length: width }, (_, lane) => {
    if (lane === own) return parent;
    return ending.has(lane) ? undefined : lanes[lane];
  });
  return { cells: cells.trimEnd(), lanes: trimmed(after) };
}

/** The row that says that the history of the lanes that wait for `commit` does not go on. */
export function endRow<T>(lanes: Lanes<T>, commit: T): GraphRow<T> {
  const cells = lanes
    .slice(0, MAX_DRAWN)
    .map((wanted) => (wanted === commit ? END : wanted === undefined ? GAP : PIPE) + GAP)
    .join('');
  return {
    cells: cells.trimEnd(),
    lanes: trimmed(lanes.map((wanted) => (wanted === commit ? undefined : wanted))),
  };
}

function firstFree<T>(lanes: Lanes<T>): number {
  const free = lanes.indexOf(undefined);
  return free === -1 ? lanes.length : free;
}

/** Without the free lanes at the end, so that a graph gets narrow again. */
function trimmed<T>(lanes: Lanes<T>): Lanes<T> {
  return lanes.slice(0, lanes.findLastIndex((wanted) => wanted !== undefined) + 1);
}

/** The cells with the signs of this terminal. */
export function drawGraph(cells: string, { isAscii, ellipsis }: Glyphs): string {
  if (isAscii) return cells.replaceAll(JOINT, CORNER).replaceAll(MORE, ellipsis);
  return cells.replace(/[^ ]/g, (sign) => SIGNS[sign] ?? sign);
}

/** Commits and lines stay ASCII: with another sign each row would take ink twice the time. */
const SIGNS: Readonly<Record<string, string>> = {
  [CROSSING]: '┼',
  [DASH]: '─',
  [CORNER]: '┘',
  [JOINT]: '┴',
  [END]: '⋮',
  [MORE]: '…',
};
