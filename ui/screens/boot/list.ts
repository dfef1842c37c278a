/** What boots, as lines: the system, the entries in the order of the boot menu, and what is wrong. */
import { cursorRow } from '../../models/cursor-row.ts';
import { findingSaid, findingText, TONES } from '../../models/finding.ts';
import { cell, displayText, truncate, widthOf } from '../../models/text.ts';
import type { Verdict } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { shortId } from '../jobs/result.ts';
import {
  type BootEntryReport,
  type BootReport,
  type BootTargetReport,
  bootVerdict,
  pinVerdict,
  runningVerdict,
  targetOf,
  textOf,
} from './report.ts';
import { type BootRow, bootRows } from './state.ts';

const GAP = 2;
const NAME_COLUMNS = 18;
const PIN_COLUMNS = 11;
const BOOTS_COLUMNS = 9;
/** From this width on a column is shown. */
const PIN_FROM = 52;
const DEPLOYMENT_FROM = 64;
/** Number, checksum and serial. */
const DEPLOYMENT_COLUMNS = 12;

/** Widths; 0 where a column has no room. The title takes what is left. */
interface Columns {
  readonly name: number;
  readonly title: number;
  readonly deployment: number;
  readonly pin: number;
  readonly boots: number;
}

function columnsOf(width: number, report: BootReport): Columns {
  const names = report.entries.map(({ name }) => widthOf(displayText(name)));
  const name = Math.min(NAME_COLUMNS, Math.max(5, ...names));
  const pin = width >= PIN_FROM ? PIN_COLUMNS : 0;
  const deployment = width >= DEPLOYMENT_FROM ? DEPLOYMENT_COLUMNS : 0;
  const used = [name, pin, deployment, BOOTS_COLUMNS].reduce(
    (sum, one) => sum + (one === 0 ? 0 : one + GAP),
    1,
  );
  return { name, pin, deployment, boots: BOOTS_COLUMNS, title: Math.max(0, width - used) };
}

/** The heading and the visible rows. */
export function bootLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { boot } = state;
  const { value: report } = boot;
  if (report === undefined) return [];
  const { offset, cursor } = boot.list;
  const columns = columnsOf(width - 2, report);
  const { ellipsis } = theme.glyphs;
  const heading = joined(
    ['entry', 'title', 'deployment', 'seal pin', 'boots'].map((title, i) =>
      cell(title, widthsOf(columns)[i] ?? 0, ellipsis),
    ),
  );
  const rows = bootRows(boot).slice(offset, offset + height);
  return [
    theme.dim(`  ${heading}`.trimEnd()),
    ...rows.map((row, slot) => {
      const isSelected = offset + slot === cursor;
      const mark = isSelected ? theme.glyphs.cursor : ' ';
      const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
      const line = `${mark}${rowText(row, report, columns, width - 1, theme, pick)}`;
      return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
    }),
  ];
}

const widthsOf = ({ name, title, deployment, pin, boots }: Columns): number[] => [
  name,
  title,
  deployment,
  pin,
  boots,
];

const joined = (cells: readonly string[]): string =>
  cells.filter((text) => text !== '').join(' '.repeat(GAP));

type Pick = (paint: Paint) => Paint;

function rowText(
  row: BootRow,
  report: BootReport,
  columns: Columns,
  width: number,
  theme: Theme,
  pick: Pick,
): string {
  const { glyphs, tone } = theme;
  switch (row.kind) {
    case 'system':
      return ` ${pick(theme.bold)(truncate(systemText(report), width - 1, glyphs.ellipsis))}`;
    case 'entry':
      return ` ${entryText(row.entry, report, columns, theme, pick)}`;
    case 'finding': {
      const severity = TONES[row.finding.severity];
      return `${pick(tone[severity])(glyphs[severity])} ${findingText(row.finding, width - 3, glyphs)}`;
    }
  }
}

/** The machine in one line, what matters most first. */
export function systemText(report: BootReport): string {
  const { loader, installed, policy, unfinished } = report;
  const running = runningVerdict(report);
  return [
    ...(unfinished === null ? [] : [`${unfinished} was cut off`]),
    ...(running === undefined ? [] : [`runs ${running.word}`]),
    loader.name === 'none' ? 'no boot loader found' : loader.name,
    installed ? `installed, policy ${policy}` : 'not installed',
  ].join(', ');
}

function entryText(
  entry: BootEntryReport,
  report: BootReport,
  columns: Columns,
  theme: Theme,
  pick: Pick,
): string {
  const { ellipsis } = theme.glyphs;
  const target = entry.deployment === null ? undefined : targetOf(report, entry.deployment);
  const column = (text: string, width: number, paint: Paint = plain): string =>
    width === 0 ? '' : pick(paint)(cell(text, width, ellipsis));
  const judged = (verdict: Verdict, width: number): string =>
    column(`${theme.glyphs[verdict.tone]} ${verdict.word}`, width, theme.tone[verdict.tone]);
  const stray: Verdict =
    entry.owner === 'foreign'
      ? { tone: 'none', word: 'foreign', sentence: '' }
      : { tone: 'bad', word: 'stale', sentence: '' };
  return joined([
    column(displayText(entry.name), columns.name),
    column(displayText(textOf(entry.title)), columns.title),
    column(target === undefined ? '' : targetName(target), columns.deployment),
    entry.deployment === null ? column('', columns.pin) : judged(pinVerdict(entry.sealPin), columns.pin),
    judged(target === undefined ? stray : bootVerdict(target.boots), columns.boots),
  ]);
}

/** What a row says, in words. */
export function bootSaid({ boot }: State, row: number): string {
  const { value: report } = boot;
  const found = bootRows(boot)[row];
  if (report === undefined || found === undefined) return '';
  switch (found.kind) {
    case 'system':
      return systemText(report);
    case 'finding':
      return findingSaid(found.finding);
    case 'entry': {
      const { name, title, deployment, sealPin, owner } = found.entry;
      const target = deployment === null ? undefined : targetOf(report, deployment);
      const boots = target === undefined ? (owner === 'foreign' ? 'foreign' : 'stale') : target.boots.as;
      const pin = deployment === null ? [] : [`seal pin ${sealPin}`];
      return [displayText(name), displayText(textOf(title)), ...pin, `boots ${boots}`].join(', ');
    }
  }
}

/** `0 b641f9e4.0`: a deployment by its number and the name of its folder. */
const targetName = ({ index, id }: BootTargetReport): string =>
  `${index} ${shortId(id.slice(id.indexOf('/') + 1))}`;
