/** The keys of a screen as a list: what each does, and why it cannot just now. */
import { keyLabel } from '../../keys.ts';
import { commandLine } from '../../models/command-line.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { cell, messageText, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted, type ViewModel } from '../../view.ts';
import { type HelpRow, selectedHelp } from './state.ts';

const KEY_COLUMNS = 10;
const TITLE_COLUMNS = 16;

export const helpView: ViewModel = {
  title: 'Keys',
  mostDetails: 5,
  count: ({ help }) => help.rows.length,
  scroll: ({ help }) => help,
  scrolled: (state, { list, detailsOffset }) => ({ ...state, help: { ...state.help, list, detailsOffset } }),
  list({ help }, width, height, theme, hasKeys) {
    const { offset, cursor } = help.list;
    const rows = help.rows.slice(offset, offset + height);
    return [
      theme.dim(cell(`  ${cell('key', KEY_COLUMNS, '')}does`, width, theme.glyphs.ellipsis)),
      ...rows.map((row, slot) => rowLine(row, offset + slot === cursor, width, theme, hasKeys)),
    ];
  },
  detailsTitle: (state) => selectedHelp(state)?.title ?? '',
  details(state, width, theme) {
    const row = selectedHelp(state);
    const lines = new FactLines(width - 1, theme);
    if (row !== undefined) describe(row, state, lines);
    return lines.lines;
  },
  instead: () => [],
  summary: ({ help }) => [counted(help.rows.length, 'action')],
  said: ({ help }, row) => saidOf(help.rows[row]),
  place: () => 'keys',
};

const labels = ({ keys }: HelpRow, { glyphs }: Theme): string[] =>
  keys.map((key) => keyLabel(key, glyphs.isAscii));

/** What cannot be done just now is dim, and says why. */
function rowLine(row: HelpRow, isSelected: boolean, width: number, theme: Theme, hasKeys: boolean): string {
  const { glyphs } = theme;
  const [first = '', second = ''] = labels(row, theme);
  const both = `${first} ${second}`.trimEnd();
  const keys = cell(both.length < KEY_COLUMNS ? both : first, KEY_COLUMNS, '');
  const does = truncate(
    row.reason === undefined
      ? row.title
      : `${cell(row.title, TITLE_COLUMNS, glyphs.ellipsis)} ${messageText(row.reason)}`,
    width - KEY_COLUMNS - 2,
    glyphs.ellipsis,
  );
  if (isSelected) return cursorRow(`${glyphs.cursor} ${keys}${does}`, width, theme, hasKeys);
  return row.reason === undefined ? `  ${theme.bold(keys)}${does}` : `  ${keys}${theme.dim(does)}`;
}

function describe(row: HelpRow, state: State, lines: FactLines): void {
  lines.text(row.title, lines.theme.bold);
  lines.blank();
  lines.field('keys', labels(row, lines.theme).join('  '));
  lines.field('not now', row.reason, lines.theme.tone.warning);
  if (row.command === undefined) return;
  lines.blank();
  lines.text('the same as a command:', lines.theme.dim);
  lines.command(commandLine(state, ...row.command));
}

function saidOf(row: HelpRow | undefined): string {
  if (row === undefined) return '';
  const keys = row.keys.map((key) => keyLabel(key, true)).join(', ');
  return [keys, row.title, ...(row.reason === undefined ? [] : [`not now: ${row.reason}`])].join(': ');
}
