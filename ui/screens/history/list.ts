/** The history as lines: number, when, who, why, and what was to boot. */
import { cursorRow } from '../../models/cursor-row.ts';
import { timeOf } from '../../models/dates.ts';
import { cell, displayText } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { textOf } from '../boot/report.ts';
import { causeOf, type HistoryEntryReport } from './report.ts';
import { historyRows } from './state.ts';

const GAP = 2;
const NUMBER_COLUMNS = 4;
const TIME_COLUMNS = 16;
const WHO_COLUMNS = 10;
const BOOTS_COLUMNS = 14;
/** From this width on a column is shown. */
const BOOTS_FROM = 56;
const WHO_FROM = 68;

/** Widths; 0 where a column has no room. The cause takes what is left. */
function columnsOf(width: number): readonly [number, number, number, number, number] {
  const boots = width >= BOOTS_FROM ? BOOTS_COLUMNS : 0;
  const who = width >= WHO_FROM ? WHO_COLUMNS : 0;
  const used = [NUMBER_COLUMNS, TIME_COLUMNS, who, boots].reduce(
    (sum, one) => sum + (one === 0 ? 0 : one + GAP),
    1,
  );
  return [NUMBER_COLUMNS, TIME_COLUMNS, who, Math.max(0, width - used), boots];
}

/** The heading and the visible rows. */
export function historyLines(
  { history }: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { offset, cursor } = history.list;
  const columns = columnsOf(width);
  const { ellipsis } = theme.glyphs;
  const joined = (texts: readonly string[], paints: readonly Paint[] = []): string =>
    columns
      .flatMap((room, i) => (room === 0 ? [] : [(paints[i] ?? plain)(cell(texts[i] ?? '', room, ellipsis))]))
      .join(' '.repeat(GAP));
  return [
    theme.dim(` ${joined(['', 'when', 'who', 'why', 'first boots'])}`.trimEnd()),
    ...historyRows(history)
      .slice(offset, offset + height)
      .map((entry, slot) => {
        const isSelected = offset + slot === cursor;
        const mark = isSelected ? theme.glyphs.cursor : ' ';
        const paints = isSelected ? [] : [theme.dim, plain, theme.dim, plain, plain];
        const line = `${mark}${joined(textsOf(entry), paints)}`;
        return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
      }),
  ];
}

function textsOf(entry: HistoryEntryReport): string[] {
  const { number, by, time } = entry;
  return [
    String(number).padStart(NUMBER_COLUMNS),
    timeOf(Date.parse(time) / 1000),
    displayText(by),
    displayText(causeOf(entry)),
    firstBoots(entry),
  ];
}

/** What a row says, in words. */
export function historySaid({ history }: State, row: number): string {
  const entry = historyRows(history)[row];
  return entry === undefined ? '' : textsOf(entry).join(', ').trimStart();
}

/** The image that the first entry demands, by its first digits. */
function firstBoots({ deployments, installed }: HistoryEntryReport): string {
  const [first] = deployments;
  if (first === undefined) return 'nothing';
  const pin = first.sealPin === null ? undefined : textOf(first.sealPin);
  if (pin === undefined) return installed ? 'not pinned' : 'plain';
  return displayText(pin.slice(pin.indexOf(':') + 1).slice(0, 12));
}
