/** The list of commits as lines: the graph, then columns as far as there is room. */

import type { Checksum } from '../../../src/base/digest.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { dayOf } from '../../models/dates.ts';
import { isSameSubject, type Subject } from '../../models/subject.ts';
import { cell, messageText, truncate, widthOf } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { drawGraph } from './graph.ts';
import type { BrokenRow, CommitRow, EndRow, HistoryRow } from './walk.ts';

const SHORT_CHECKSUM = 8;
const GAP = 2;
/** The graph gets at most a third of the line; more lanes than that are cut. */
const GRAPH_SHARE = 3;
/** A version longer than this is cut where others are not shorter. */
const VERSION_COLUMNS = 12;

/** From this width on a column is shown. */
const DATE_FROM = 56;
const VERSION_FROM = 64;
const MARKS_FROM = 90;
const MARKS_COLUMNS = 20;

/** The heading and the visible rows. */
export function commitLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { commits } = state;
  const { offset, cursor } = commits.list;
  const rows = commits.rows.slice(offset, offset + height);
  const drawing = { columns: columnsOf(rows, width), width, theme, deployed: deployedIn(state) };
  const lines = rows.map((row, slot) => {
    const isSelected = offset + slot === cursor;
    const isMarked = row.kind === 'commit' && isSameSubject(commitSubject(row), state.marked);
    const mark = isSelected ? theme.glyphs.cursor : isMarked ? theme.glyphs.marked : ' ';
    const line = `${mark}${rowText(row, drawing, (paint) => (isSelected ? plain : paint))}`;
    return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
  });
  return [theme.dim(headingOf(drawing)), ...lines];
}

export const commitSubject = ({ checksum, refs }: CommitRow): Subject => ({
  kind: 'commit',
  checksum,
  title: refs[0] ?? '',
});

/** Widths; 0 where a column has no room. The last one, refs and subject, takes what is left. */
interface Columns {
  readonly graph: number;
  readonly date: number;
  readonly version: number;
  readonly subject: number;
  readonly marks: number;
}

interface Drawing {
  readonly columns: Columns;
  readonly width: number;
  readonly theme: Theme;
  /** Numbers of the deployments of a commit. */
  readonly deployed: ReadonlyMap<Checksum, readonly number[]>;
}

function columnsOf(rows: readonly HistoryRow[], width: number): Columns {
  const widest = Math.max(1, ...rows.map(({ graph }) => graph.length));
  const graph = Math.min(widest, Math.floor(width / GRAPH_SHARE));
  const versions = rows.map((row) => (row.kind === 'commit' ? widthOf(row.version) : 0));
  const longest = Math.min(VERSION_COLUMNS, Math.max(0, ...versions));
  const date = width < DATE_FROM ? 0 : 'YYYY-MM-DD'.length;
  const version = width < VERSION_FROM || longest === 0 ? 0 : Math.max('version'.length, longest);
  const marks = width < MARKS_FROM ? 0 : MARKS_COLUMNS;
  const fixed = [graph, SHORT_CHECKSUM, date, version, marks].filter((columns) => columns > 0);
  const used = 1 + fixed.reduce((sum, columns) => sum + columns + GAP, -1);
  return { graph, date, version, marks, subject: Math.max(0, width - used) };
}

/** The graph is followed by one space, everything else by two. */
function joined(graph: string, cells: readonly string[]): string {
  return `${graph} ${cells.filter((text) => text !== '').join(' '.repeat(GAP))}`;
}

function headingOf({ columns, theme }: Drawing): string {
  const title = (text: string, width: number): string =>
    width === 0 ? '' : cell(text, width, theme.glyphs.ellipsis);
  return ` ${joined(' '.repeat(columns.graph), [
    title('commit', SHORT_CHECKSUM),
    title('date', columns.date),
    title('version', columns.version),
    title('refs and subject', columns.subject),
    title('marks', columns.marks),
  ])}`.trimEnd();
}

type Pick = (paint: Paint) => Paint;

function rowText(row: HistoryRow, drawing: Drawing, pick: Pick): string {
  const { theme, columns } = drawing;
  const { ellipsis } = theme.glyphs;
  const graph = pick(theme.accent)(cell(drawGraph(row.graph, theme.glyphs), columns.graph, ellipsis));
  return row.kind === 'commit'
    ? joined(graph, commitCells(row, drawing, pick))
    : `${graph} ${noteText(row, drawing, pick)}`;
}

function commitCells(row: CommitRow, { columns, theme, deployed }: Drawing, pick: Pick): string[] {
  const { ellipsis, separator } = theme.glyphs;
  const marks = commitMarks(row, deployed.get(row.checksum) ?? []);
  const column = (text: string, width: number, paint: Paint = plain): string =>
    width === 0 ? '' : pick(paint)(cell(text, width, ellipsis));
  const refs = row.refs.map((ref) => `[${ref}]`).join(' ');
  // Where marks have no column, only a commit that is not whole is told apart.
  const notWhole =
    columns.marks === 0 && row.partial !== 'complete' ? `${theme.glyphs.warning} partial ` : '';
  return [
    column(row.checksum.slice(0, SHORT_CHECKSUM), SHORT_CHECKSUM),
    column(dayOf(row.timestamp), columns.date, theme.dim),
    column(row.version, columns.version),
    namedText([notWhole, refs, row.subject], columns.subject, theme, pick),
    column(
      marks.join(` ${separator} `),
      columns.marks,
      row.partial === 'complete' ? plain : theme.tone.warning,
    ),
  ];
}

/** What is not whole, refs and subject in `width` columns, each in its colour. */
function namedText(
  [notWhole, refs, subject]: readonly [string, string, string],
  width: number,
  theme: Theme,
  pick: Pick,
): string {
  const { ellipsis } = theme.glyphs;
  const warning = truncate(notWhole, width, ellipsis);
  const names = truncate(refs, width - widthOf(warning), ellipsis);
  const used = widthOf(warning) + widthOf(names) + (names === '' ? 0 : 1);
  const rest = used >= width ? '' : cell(subject, width - used, ellipsis);
  const gap = names === '' || rest === '' ? '' : ' ';
  return `${pick(theme.tone.warning)(warning)}${pick(theme.bold)(names)}${gap}${rest}`;
}

/** What a row says, in words. */
export function commitSaid(state: State, row: number): string {
  const found = state.commits.rows.at(row);
  if (found === undefined) return '';
  if (found.kind === 'end') return endText(found);
  const short = found.checksum.slice(0, SHORT_CHECKSUM);
  if (found.kind === 'broken') return `error: ${short}, ${messageText(found.message)}`;
  const { refs, subject, version, timestamp, checksum } = found;
  const deployed = (state.sysroot?.deployments ?? []).filter((one) => one.checksum === checksum);
  const marks = commitMarks(
    found,
    deployed.map(({ index }) => index),
  );
  return [short, ...refs, subject, version, dayOf(timestamp), ...marks]
    .filter((text) => text !== '')
    .join(', ');
}

/** What is special about a commit, in few words. */
function commitMarks({ signatures, partial }: CommitRow, deployed: readonly number[]): string[] {
  return [
    ...deployed.map((index) => `#${index}`),
    ...(partial === 'complete' ? [] : ['partial']),
    ...signatures,
  ];
}

function noteText(row: EndRow | BrokenRow, { columns, width, theme }: Drawing, pick: Pick): string {
  const { glyphs, tone } = theme;
  const room = width - columns.graph - 2;
  if (row.kind === 'end') return pick(theme.dim)(truncate(endText(row), room, glyphs.ellipsis));
  const text = `${glyphs.bad} ${row.checksum.slice(0, SHORT_CHECKSUM)} ${messageText(row.message)}`;
  return pick(tone.bad)(truncate(text, room, glyphs.ellipsis));
}

/** Why the line ends here. */
export function endText({ parent, why }: EndRow): string {
  const short = parent.slice(0, SHORT_CHECKSUM);
  if (why === 'above') return `(parent ${short}: further up, its date is later)`;
  return why === 'deleted'
    ? `(parent ${short}: deleted, a tombstone is left)`
    : `(parent ${short}: not in this repository)`;
}

function deployedIn({ sysroot }: State): Map<Checksum, number[]> {
  const found = new Map<Checksum, number[]>();
  for (const { checksum, index } of sysroot?.deployments ?? [])
    found.set(checksum, [...(found.get(checksum) ?? []), index]);
  return found;
}
