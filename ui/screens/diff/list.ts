/** What differs as lines: the entries, and beside them sums and what size came or went. */

import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../../../src/base/bytes.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { cell, truncate, widthOf } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import type { Change, Status, Totals } from './changes.ts';
import type { ChangeRow } from './rows.ts';
import type { Diff } from './state.ts';

const GAP = 2;
const BYTES = 9;
const TOTALS = 24;
/** From these widths on there is room for sizes, then for the sums of folders. */
const BYTES_FROM = 38;
const TOTALS_FROM = 64;
/** Deeper than a third of the line nothing is indented further. */
const INDENT_SHARE = 3;

/** One letter a kind, which is also the key that shows or hides it. */
export const LETTERS: Readonly<Record<Status, string>> = {
  added: 'A',
  removed: 'R',
  modified: 'M',
  same: ' ',
};

/** The heading and the visible rows. */
export function diffListLines(
  diff: Diff,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { offset, cursor } = diff.list;
  const columns = columnsOf(width);
  const lines = diff.rows.slice(offset, offset + height).map((row, slot) => {
    const isSelected = offset + slot === cursor;
    const mark = isSelected ? theme.glyphs.cursor : ' ';
    const line = mark + rowText(row, { diff, columns, width, theme }, isSelected ? () => plain : (p) => p);
    return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
  });
  return [theme.dim(headingOf(columns, theme)), ...lines];
}

/** Widths; 0 where there is no room. */
interface Columns {
  readonly name: number;
  readonly totals: number;
  readonly bytes: number;
}

function columnsOf(width: number): Columns {
  const bytes = width < BYTES_FROM ? 0 : BYTES;
  const totals = width < TOTALS_FROM ? 0 : TOTALS;
  const used = [bytes, totals].reduce((sum, one) => sum + (one === 0 ? 0 : one + GAP), 3);
  return { name: Math.max(0, width - used), totals, bytes };
}

function headingOf(columns: Columns, theme: Theme): string {
  const { ellipsis } = theme.glyphs;
  return [
    cell('     name', columns.name + 3, ellipsis),
    ...(columns.totals === 0 ? [] : [cell('below', columns.totals, ellipsis)]),
    ...(columns.bytes === 0 ? [] : [cell('size', columns.bytes, ellipsis, 'right')]),
  ].join(' '.repeat(GAP));
}

interface Drawing {
  readonly diff: Diff;
  readonly columns: Columns;
  readonly width: number;
  readonly theme: Theme;
}

/** The colour of a kind of change. */
export function paintOf(status: Status, { tone, dim }: Theme): Paint {
  switch (status) {
    case 'added':
      return tone.good;
    case 'removed':
      return tone.bad;
    case 'modified':
      return tone.warning;
    case 'same':
      return dim;
  }
}

function rowText({ change, depth }: ChangeRow, drawing: Drawing, pick: (paint: Paint) => Paint): string {
  const { diff, columns, width, theme } = drawing;
  const { glyphs } = theme;
  const { kind, status, totals } = change;
  const indent = ' '.repeat(Math.min(2 * depth, Math.floor(width / INDENT_SHARE)));
  const fold = kind === 'directory' ? (diff.open.has(change.path) ? glyphs.unfolded : glyphs.folded) : ' ';
  const start = `${indent}${fold} `;
  const name = truncate(displayBytes(change.name), columns.name - widthOf(start), glyphs.ellipsis);
  const gap = ' '.repeat(Math.max(0, columns.name - widthOf(start) - widthOf(name)));
  const paint = pick(paintOf(status, theme));
  const isFolder = kind === 'directory';
  return [
    `${paint(LETTERS[status])} ${start}${paint(name)}${gap}`,
    ...(columns.totals === 0
      ? []
      : [cell(isFolder ? totalsBelow(change) : '', columns.totals, glyphs.ellipsis)]),
    ...(columns.bytes === 0 ? [] : [cell(bytesText(totals), columns.bytes, glyphs.ellipsis, 'right')]),
  ].join(' '.repeat(GAP));
}

/** What a row says, in words. */
export function changeSaid({ diff }: Pick<State, 'diff'>, row: number): string {
  const change = diff?.rows[row]?.change;
  if (diff === undefined || change === undefined) return '';
  const { kind, path, status, totals } = change;
  const fold = kind === 'directory' ? [diff.open.has(path) ? 'unfolded' : 'folded'] : [];
  const below = kind === 'directory' ? [totalsBelow(change)] : [];
  return [displayBytes(path), status, ...fold, ...below, bytesText(totals)]
    .filter((text) => text !== '')
    .join(', ');
}

/** `A 12 R 3 M 4`, without the entry itself. */
function totalsBelow({ status, totals }: Change): string {
  const below = { ...totals };
  if (status !== 'same') below[status]--;
  return totalsText(below);
}

/** `A 12 R 3 M 4`, of what there is. */
export function totalsText(totals: Totals): string {
  return (['added', 'removed', 'modified'] as const)
    .filter((status) => totals[status] > 0)
    .map((status) => `${LETTERS[status]} ${totals[status]}`)
    .join(' ');
}

/** How much larger or smaller: `+84 MB`; nothing where that stayed. */
export function bytesText({ bytes }: Totals): string {
  return bytes === 0 ? '' : prettyBytes(bytes, { signed: true });
}
