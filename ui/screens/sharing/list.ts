/** What is shared, as lines: sizes, and a bar of what each has alone and what it shares. */

import prettyBytes from 'pretty-bytes';
import { cursorRow } from '../../models/cursor-row.ts';
import { cell, displayText } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { shortId } from '../jobs/result.ts';
import type { AmountReport, SharingReport } from './report.ts';
import { isByContent, type ShareRow, shareRows } from './state.ts';

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
  const drawing = drawingOf(report, isByContent(sharing));
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
      const line = `${mark}${rowText(row, drawing, columns, theme, pick)}`;
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
/** How bytes are counted, and the most that a row has. */
interface Drawing {
  readonly report: SharingReport;
  readonly bytes: (amount: AmountReport) => number;
  readonly largest: number;
}

function drawingOf(report: SharingReport, byContent: boolean): Drawing {
  const bytes = ({ bytes, contentBytes }: AmountReport): number =>
    byContent ? (contentBytes ?? bytes) : bytes;
  const shares = [...report.deployments, ...report.refs, ...report.images];
  return { report, bytes, largest: shares.reduce((most, { total }) => Math.max(most, bytes(total)), 1) };
}

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
  const name: Column = { name: 'name', title: 'deployment, ref, image', width: Math.max(8, width - used) };
  return [name, ...taken].toSorted((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name));
}

function rowText(
  row: ShareRow,
  drawing: Drawing,
  columns: readonly Column[],
  theme: Theme,
  pick: (paint: Paint) => Paint,
): string {
  const { ellipsis } = theme.glyphs;
  const texts = textsOf(row, drawing);
  return columns
    .map(({ name, width, align }) =>
      name === 'bar' ? barOf(row, drawing, width, theme, pick) : cell(texts[name], width, ellipsis, align),
    )
    .join(' '.repeat(GAP))
    .trimEnd();
}

function textsOf(
  row: ShareRow,
  { report, bytes }: Drawing,
): Readonly<Record<Exclude<ColumnName, 'bar'>, string>> {
  const text = (amount: AmountReport): string => prettyBytes(bytes(amount));
  if (row.kind === 'total')
    return { name: 'together', total: text(report.total), unique: '', shared: '', freed: '' };
  const { total, unique, shared, freed } = row.share;
  return {
    name: displayText(shareName(row)),
    total: text(total),
    unique: text(unique),
    shared: text(shared),
    // What the disk has back: no content is there once only.
    freed: prettyBytes(freed.bytes),
  };
}

/** What a row says, in words. */
export function shareSaid({ sharing }: State, row: number): string {
  const found = shareRows(sharing)[row];
  if (sharing.value === undefined || found === undefined) return '';
  const { name, total, unique, shared, freed } = textsOf(
    found,
    drawingOf(sharing.value, isByContent(sharing)),
  );
  const facts = found.kind === 'total' ? [] : [`unique ${unique}`, `shared ${shared}`, `frees ${freed}`];
  return [name, `total ${total}`, ...facts].join(', ');
}

/** A deployment by number and short name, a ref by its name, an image by the start of its digest. */
export function shareName(row: Exclude<ShareRow, { kind: 'total' }>): string {
  switch (row.kind) {
    case 'deployment':
      return `${row.index} ${shortId(row.name)}`;
    case 'ref':
      return row.name;
    case 'image':
      return `image ${row.name.slice(0, 12)}`;
  }
}

/** Of the largest: what it has alone, then what it shares. */
function barOf(
  row: ShareRow,
  { bytes, largest }: Drawing,
  width: number,
  { glyphs, accent, dim }: Theme,
  pick: (paint: Paint) => Paint,
): string {
  if (row.kind === 'total') return ' '.repeat(width);
  const { total, unique } = row.share;
  const all = Math.round((bytes(total) / largest) * width);
  const alone = Math.min(all, Math.round((bytes(unique) / largest) * width));
  return (
    pick(accent)(glyphs.filled.repeat(alone)) +
    pick(dim)(glyphs.empty.repeat(all - alone)) +
    ' '.repeat(width - all)
  );
}
