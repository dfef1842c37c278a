/** A change before it is made: its steps, each with what it would write. */
import { commandLine } from '../../models/command-line.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { describeFinding, findingSaid, findingText, TONES } from '../../models/finding.ts';
import { bar, doneText, shareDone, stageFacts } from '../../models/stage.ts';
import { cell, displayText, messageText, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import type { ViewModel } from '../../view.ts';
import type { PlanRow } from './plan.ts';
import { type Proposal, planAnew } from './state.ts';

const rowsOf = ({ proposal }: State): readonly PlanRow[] => proposal?.plan?.rows ?? [];

export const proposalView: ViewModel = {
  title: 'Plan',
  count: (state) => rowsOf(state).length,
  scroll: ({ proposal }) => proposal ?? { list: { cursor: 0, offset: 0 }, detailsOffset: 0 },
  scrolled: (state, { list, detailsOffset }) =>
    state.proposal === undefined ? state : { ...state, proposal: { ...state.proposal, list, detailsOffset } },
  list(state, width, height, theme, hasKeys) {
    const { proposal } = state;
    if (proposal === undefined) return [];
    const { offset, cursor } = proposal.list;
    const rows = rowsOf(state).slice(offset, offset + height);
    return [
      theme.dim(truncate(` ${proposal.plan?.summary || 'steps'}`, width, theme.glyphs.ellipsis)),
      ...rows.map((row, slot) => rowLine(row, offset + slot === cursor, width, theme, hasKeys)),
    ];
  },
  said: (state, row) => rowSaid(rowsOf(state)[row]),
  detailsTitle(state) {
    const row = rowsOf(state)[state.proposal?.list.cursor ?? 0];
    return row === undefined ? '' : TITLES[row.kind];
  },
  details(state, width, theme) {
    const { proposal } = state;
    const row = rowsOf(state)[proposal?.list.cursor ?? 0];
    const lines = new FactLines(width - 1, theme);
    if (row !== undefined) describeRow(row, lines, width);
    if (proposal !== undefined) describeCommand(proposal, state, lines);
    return lines.lines;
  },
  instead(state, width, theme) {
    const { proposal } = state;
    if (proposal === undefined) return [];
    const { failure, plan, stage } = proposal;
    if (plan !== undefined)
      return emptyLines(plan.summary || 'There is nothing to do.', [], [['Esc', 'goes back']], {
        width,
        theme,
      });
    if (failure !== undefined) return orReading(failure, width, theme, 'goes back');
    const reading = ['', ` finding out what it would do ${theme.glyphs.busy}`];
    if (stage === undefined) return reading;
    const share = shareDone(stage);
    return [
      ...reading,
      '',
      ` ${stage.name}`,
      ...(share === undefined ? [] : [` ${bar(share, Math.min(40, width - 8), theme)} ${doneText(stage)}`]),
      ` ${theme.dim(stageFacts(stage).join(', '))}`,
    ];
  },
  summary: ({ proposal }) => (proposal === undefined ? [] : [proposal.title]),
  command: ({ proposal }) => proposal && [...proposal.words, ...(proposal.plan?.words ?? [])],
  anew: planAnew,
  place: ({ proposal }) => (proposal === undefined ? '' : displayText(proposal.title)),
};

const TITLES: Readonly<Record<PlanRow['kind'], string>> = {
  step: 'step',
  untouched: 'left alone',
  finding: 'found',
};

function rowLine(row: PlanRow, isSelected: boolean, width: number, theme: Theme, hasKeys: boolean): string {
  const { glyphs } = theme;
  const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
  const mark = isSelected ? glyphs.cursor : ' ';
  const line = `${mark}${rowText(row, width - 1, theme, pick)}`;
  if (!isSelected) return line;
  return hasKeys ? theme.inverse(cell(line, width, glyphs.ellipsis)) : theme.bold(line);
}

function rowSaid(row: PlanRow | undefined): string {
  switch (row?.kind) {
    case undefined:
      return '';
    case 'step':
      return messageText(row.text);
    case 'untouched':
      return messageText(`left alone: ${row.text}, ${row.why}`);
    case 'finding':
      return findingSaid(row.finding);
  }
}

function rowText(row: PlanRow, width: number, theme: Theme, pick: (paint: Paint) => Paint): string {
  const { glyphs, tone, accent, dim } = theme;
  switch (row.kind) {
    case 'step':
      return ` ${pick(accent)(glyphs.next)} ${truncate(messageText(row.text), width - 3, glyphs.ellipsis)}`;
    case 'untouched':
      return ` ${pick(dim)(`${glyphs.none} ${truncate(`left alone: ${messageText(row.text)}`, width - 3, glyphs.ellipsis)}`)}`;
    case 'finding': {
      const severity = TONES[row.finding.severity];
      return ` ${pick(tone[severity])(glyphs[severity])} ${findingText(row.finding, width - 3, glyphs)}`;
    }
  }
}

function describeRow(row: PlanRow, lines: FactLines, width: number): void {
  const { theme } = lines;
  switch (row.kind) {
    case 'step':
      lines.text(row.text, theme.bold);
      for (const note of row.notes) lines.text(note, undefined, 3);
      if (row.diff.length > 0) lines.blank();
      for (const line of row.diff) lines.wide(line, paintOfDiff(line, theme), width);
      return;
    case 'untouched':
      lines.text(row.text, theme.bold);
      lines.text(row.why);
      return;
    case 'finding':
      describeFinding(row.finding, lines);
  }
}

/** As git and diff(1) colour it. */
export function paintOfDiff(line: string, { bold, accent, tone }: Theme): Paint {
  if (/^(---|\+\+\+)/.test(line)) return bold;
  if (line.startsWith('@@')) return accent;
  if (line.startsWith('+')) return tone.good;
  return line.startsWith('-') ? tone.bad : plain;
}

function describeCommand(proposal: Proposal, state: State, lines: FactLines): void {
  const { words, plan } = proposal;
  lines.blank();
  lines.text('the same as a command:', lines.theme.dim);
  lines.command(commandLine(state, ...words, ...(plan?.words ?? [])));
}
