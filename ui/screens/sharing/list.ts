/** What is shared, as lines: sizes, and a bar of what each has alone and what it shares. */

import prettyBytes from 'pretty-bytes';
import { cursorRow } from '../../models/cursor-row.ts';
import { cell, displayText } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { shortId } from '../jobs/result.ts';
import type { SharingReport } from './report.ts';
import { type ShareRow, shareRows } from './state.ts';

const SIZE_COLUMNS = 8;
const NAME_COLUMNS = 19;
const BAR_COLUMNS = 20;
const GAP = 2;

/** The heading and the visible rows. */
export function sharingLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { sharing } = state;
  const { value: report } = sharing;
  if (report === undefined) return [];
  const { offset, cursor } = sharing.list;
  const columns = columnsOf(width);
  const { ellipsis } = theme.glyphs;
  const rows = shareRows(sharing).slice(offset, offset + height);
  const heading = columns.map(({ title, width: columnWidth, align }) =>
    cell(title, columnWidth, ellipsis, align),
  );
  return [
    theme.dim(` ${heading.join(' '.repeat(GAP))}`.trimEnd()),
    ...rows.map((row, slot) => {
      const isSelected = offset + slot === cursor;
      const mark = isSelected ? theme.glyphs.cursor : ' ';
      const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
      const line = `${mark}${rowText(row, report, columns, theme, pick)}`;
      return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
    }),
  ];
}

type ColumnName = 'name' | 'bar' | 'total' | 'unique' | 'shared' | 'freed';

interface Column {
  readonly name: ColumnName;
  readonly title: string;
  readonly width: number;
  readonly align?: 'right';
}

/** Who gets room first, after the name and the total. */
const PRIORITY: readonly Column[] = [
  { name: 'freed', title: 'frees', width: SIZE_COLUMNS, align: 'right' },
  { name: 'unique', title: 'unique', width: SIZE_COLUMNS, align: 'right' },
  { name: 'shared', title: 'shared', width: SIZE_COLUMNS, align: 'right' },
  { name: 'bar', title: 'unique and shared', width: BAR_COLUMNS },
];
const TOTAL: Column = { name: 'total', title: 'total', width: SIZE_COLUMNS, align: 'right' };
const ORDER: readonly ColumnName[] = ['name', 'bar', 'total', 'unique', 'shared', 'freed'];

/** The columns that fit, in the order shown; the name gets what is left. */
function columnsOf(width: number): Column[] {
  let room = width - 1 - Math.min(NAME_COLUMNS, width - SIZE_COLUMNS - GAP - 1) - GAP - SIZE_COLUMNS;
  const taken = [TOTAL];
  for (const column of PRIORITY) {
    if (column.width + GAP > room) break;
    taken.push(column);
    room -= column.width + GAP;
  }
  const used = taken.reduce((sum, column) => sum + column.width + GAP, 1);
  const name: Column = { name: 'name', title: 'deployment or image', width: Math.max(8, width - used) };
  return [name, ...taken].toSorted((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
}

function rowText(
  row: ShareRow,
  report: SharingReport,
  columns: readonly Column[],
  theme: Theme,
  pick: (paint: Paint) => Paint,
): string {
  const { ellipsis } = theme.glyphs;
  const texts = textsOf(row, report);
  const largest = Math.max(
    1,
    ...[...report.deployments, ...report.images].map(({ totalBytes }) => totalBytes),
  );
  return columns
    .map(({ name, width, align }) =>
      name === 'bar' ? barOf(row, largest, width, theme, pick) : cell(texts[name], width, ellipsis, align),
    )
    .join(' '.repeat(GAP))
    .trimEnd();
}

function textsOf(row: ShareRow, report: SharingReport): Readonly<Record<Exclude<ColumnName, 'bar'>, string>> {
  if (row.kind === 'total')
    return { name: 'together', total: prettyBytes(report.totalBytes), unique: '', shared: '', freed: '' };
  const { totalBytes, uniqueBytes, sharedBytes, freedBytes } = row.share;
  return {
    name: displayText(shareName(row)),
    total: prettyBytes(totalBytes),
    unique: prettyBytes(uniqueBytes),
    shared: prettyBytes(sharedBytes),
    freed: prettyBytes(freedBytes),
  };
}

/** What a row says, in words. */
export function shareSaid({ sharing }: State, row: number): string {
  const found = shareRows(sharing)[row];
  if (sharing.value === undefined || found === undefined) return '';
  const { name, total, unique, shared, freed } = textsOf(found, sharing.value);
  const facts = found.kind === 'total' ? [] : [`unique ${unique}`, `shared ${shared}`, `frees ${freed}`];
  return [name, `total ${total}`, ...facts].join(', ');
}

/** A deployment by number and short name, an image by the start of its digest. */
export function shareName(row: Exclude<ShareRow, { kind: 'total' }>): string {
  return row.kind === 'deployment' ? `${row.index} ${shortId(row.name)}` : `image ${row.name.slice(0, 12)}`;
}

/** Of the largest: what it has alone, then what it shares. */
function barOf(
  row: ShareRow,
  largest: number,
  width: number,
  { glyphs, accent, dim }: Theme,
  pick: (paint: Paint) => Paint,
): string {
  if (row.kind === 'total') return ' '.repeat(width);
  const { totalBytes, uniqueBytes } = row.share;
  const all = Math.round((totalBytes / largest) * width);
  const unique = Math.min(all, Math.round((uniqueBytes / largest) * width));
  return (
    pick(accent)(glyphs.filled.repeat(unique)) +
    pick(dim)(glyphs.empty.repeat(all - unique)) +
    ' '.repeat(width - all)
  );
}
