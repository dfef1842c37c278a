/** The lines around every screen: header, footer and the help. */
import { ACTIONS, type Action, isAvailable } from '../actions.ts';
import { keyLabel } from '../keys.ts';
import type { State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { imageVerdict } from './image.ts';
import { cell, displayText, truncate, widthOf } from './text.ts';

/** The path stays readable before the counts are complete. */
const PATH_COLUMNS = 12;

/** Whose deployments these are, and how they are. */
export function headerLine(state: State, theme: Theme): string {
  const { ellipsis, separator } = theme.glyphs;
  const name = ' sealtree ';
  const path = displayText(state.sysrootPath);
  const room = state.size.columns - name.length - 3;
  const parts = summaryOf(state);
  const joined = (): string => parts.join(` ${separator} `);
  while (parts.length > 1 && widthOf(joined()) > room - Math.min(PATH_COLUMNS, widthOf(path))) parts.pop();
  const summary = joined();
  const left = cell(path, room - widthOf(summary), ellipsis);
  return `${theme.inverse(theme.bold(name))} ${left} ${theme.dim(summary)}`;
}

function summaryOf({ isReading, sysroot, images }: State): string[] {
  if (sysroot === undefined) return isReading ? ['reading'] : [];
  const { deployments, problems } = sysroot;
  const sealed = deployments.filter(({ id }) => imageVerdict(images.get(id)).tone === 'good').length;
  return [
    counted(deployments.length, 'deployment'),
    ...(deployments.length === 0 ? [] : [`${sealed} sealed`]),
    ...(problems.length === 0 ? [] : [counted(problems.length, 'problem')]),
    ...(isReading ? ['reading'] : []),
  ];
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The keys that do something now; the most needed ones stay where there is little room. */
export function footerLine(state: State, theme: Theme): string {
  const shown = ACTIONS.filter((action) => action.footer !== undefined && isAvailable(action, state));
  const { columns } = state.size;
  const kept = new Set<Action>();
  let used = 0;
  for (const action of shown.toSorted((a, b) => (b.footer ?? 0) - (a.footer ?? 0))) {
    used += widthOf(`${label(action.keys[0] as string, theme)} ${action.title}`) + 2;
    if (used <= columns - 1) kept.add(action);
  }
  const texts = shown
    .filter((action) => kept.has(action))
    .map((action) => `${theme.bold(label(action.keys[0] as string, theme))} ${theme.dim(action.title)}`);
  return ` ${texts.join('  ')}`;
}

function label(key: string, theme: Theme): string {
  return keyLabel(key, theme.glyphs.isAscii);
}

const HELP_KEYS = 8;
const HELP_TITLE = 11;

/** All keys of the screen, in as many columns as fit. */
export function helpLines(state: State, theme: Theme): string[] {
  const below = state.modes.slice(0, -1);
  const actions = ACTIONS.filter((action) => action.modes.some((mode) => below.includes(mode)));
  const entries = actions.map(({ keys, title }) => {
    const [first = '', second = ''] = keys.map((key) => label(key, theme));
    const both = `${first} ${second}`.trimEnd();
    const shown = both.length < HELP_KEYS ? both : first;
    return theme.bold(cell(shown, HELP_KEYS, '')) + cell(title, HELP_TITLE, theme.glyphs.ellipsis);
  });
  const across = Math.max(1, Math.floor((state.size.columns - 1) / (HELP_KEYS + HELP_TITLE)));
  const height = Math.ceil(entries.length / across);
  return Array.from({ length: height }, (_, row) =>
    ` ${entries.filter((_entry, i) => i % height === row).join('')}`.trimEnd(),
  );
}

/** A line across, with a title in it. */
export function ruleLine(
  title: string,
  width: number,
  theme: Theme,
  { isActive = false, note = '' } = {},
): string {
  const { rule, ellipsis } = theme.glyphs;
  const text = truncate(title, width - 6 - widthOf(note), ellipsis);
  const name = text === '' ? '' : ` ${isActive ? theme.inverse(` ${text} `) : theme.bold(text)} `;
  const used =
    2 + (text === '' ? 0 : widthOf(text) + (isActive ? 4 : 2)) + (note === '' ? 0 : widthOf(note) + 2);
  const tail = note === '' ? '' : ` ${theme.dim(note)} `;
  return `${theme.dim(rule.repeat(2))}${name}${theme.dim(rule.repeat(Math.max(0, width - used)))}${tail}`;
}
