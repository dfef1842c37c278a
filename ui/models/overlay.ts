/** What can lie over the lower part of a screen: all actions, or the command lines that do the same. */
import { isMeant, whyNot } from '../action.ts';
import { ACTIONS } from '../actions.ts';
import { keyLabel } from '../keys.ts';
import { paletteRows } from '../palette.ts';
import { behind, modeOf, type State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { viewModelOf } from '../views.ts';
import { commandLine } from './command-line.ts';
import { ruleLine } from './frame.ts';
import { cell, truncate, wrap } from './text.ts';

/** A rule and what is below it, at most `height` lines; none where nothing lies over the screen. */
export function overlayLines(state: State, height: number, theme: Theme): string[] {
  const { columns } = state.size;
  const titled = (title: string, lines: readonly string[]): string[] => [
    ruleLine(title, columns, theme),
    ...lines.slice(0, Math.max(0, height - 1)),
  ];
  switch (modeOf(state)) {
    case 'palette':
      return titled('all actions', paletteLines(state, Math.min(height - 1, PALETTE_ROWS), theme));
    case 'commands':
      return titled('the same as commands', commandsLines(state, theme));
    default:
      return [];
  }
}

const PALETTE_ROWS = 10;
const PALETTE_KEY = 9;
const PALETTE_TITLE = 16;

/** What fits the letters, with its key, and why it cannot be done where it cannot. */
function paletteLines(state: State, height: number, theme: Theme): string[] {
  const { columns } = state.size;
  const { glyphs } = theme;
  const below = behind(state);
  const rows = paletteRows(ACTIONS, state);
  const { cursor } = state.palette;
  if (rows.length === 0) return [`  ${theme.dim('nothing is called so')}`];
  const offset = Math.max(0, Math.min(cursor - height + 1, rows.length - height));
  return rows.slice(offset, offset + height).map((action, slot) => {
    const isSelected = offset + slot === cursor;
    const reason = whyNot(action, below) ?? '';
    const key = cell(keyLabel(action.keys[0] ?? '', glyphs.isAscii), PALETTE_KEY, '');
    const text = `${isSelected ? glyphs.cursor : ' '} ${key}${cell(action.title, PALETTE_TITLE, glyphs.ellipsis)}`;
    const line = truncate(`${text} ${reason}`, columns, glyphs.ellipsis);
    if (isSelected) return theme.inverse(cell(line, columns, glyphs.ellipsis));
    return reason === '' ? line : theme.dim(line);
  });
}

/** The command that prints what is shown, and those that do what keys do here. */
function commandsLines(state: State, theme: Theme): string[] {
  const below = behind(state);
  const shown = viewModelOf(below).command?.(below);
  const done = ACTIONS.filter((action) => isMeant(action, below)).flatMap(({ title, command }) => {
    const words = command?.(below);
    return words === undefined ? [] : [[title, words] as const];
  });
  const all = [...(shown === undefined ? [] : [['shown here', shown] as const]), ...done];
  if (all.length === 0) return [`  ${theme.dim('there is no command for this')}`];
  return all.flatMap(([title, words]) => [
    `  ${theme.dim(title)}`,
    ...wrap(commandLine(below, ...words), state.size.columns - 4).map((line) => `    ${theme.bold(line)}`),
  ]);
}
