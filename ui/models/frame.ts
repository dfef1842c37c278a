/** The lines around every screen: header, footer and the help. */
import type { Action } from '../action.ts';
import { ACTIONS, isAvailable } from '../actions.ts';
import { keyLabel } from '../keys.ts';
import { isView, type Mode, modeOf, SCREENS, type State, screenOf } from '../state.ts';
import type { Theme } from '../theme.ts';
import { VIEW_MODELS, viewModelOf } from '../views.ts';
import { layoutOf } from './layout.ts';
import { cell, displayText, messageText, truncate, widthOf } from './text.ts';

/** The path stays readable before the counts are complete. */
const PATH_COLUMNS = 12;

/** What is looked at, and how it is. */
export function headerLine(state: State, theme: Theme): string {
  const { ellipsis, separator } = theme.glyphs;
  const name = ' sealtree ';
  const path = displayText(state.repositoryPath ?? state.sysrootPath);
  const room = state.size.columns - name.length - 3;
  const parts = viewModelOf(state).summary(state);
  const joined = (): string => parts.join(` ${separator} `);
  while (parts.length > 1 && widthOf(joined()) > room - Math.min(PATH_COLUMNS, widthOf(path))) parts.pop();
  const summary = joined();
  const left = cell(path, room - widthOf(summary), ellipsis);
  return `${theme.inverse(theme.bold(name))} ${left} ${theme.dim(summary)}`;
}

/** The screens with their numbers, and what was opened from the one that is shown. */
export function tabsLine(state: State, theme: Theme): string {
  const { ellipsis, deeper } = theme.glyphs;
  const shown = screenOf(state);
  const tabs = SCREENS.map((screen, i) => ({ screen, text: ` ${i + 1} ${VIEW_MODELS[screen].title} ` }));
  const texts = tabs.map(({ screen, text }) => (screen === shown ? theme.inverse(text) : theme.dim(text)));
  const used = tabs.reduce((sum, { text }) => sum + text.length, 1);
  const trail = trailOf(state).map((place) => ` ${deeper} ${place}`);
  return ` ${texts.join('')}${truncate(trail.join(''), state.size.columns - used - 1, ellipsis)}`;
}

/** What lies open over the list of a screen. */
function trailOf(state: State): string[] {
  return state.modes.filter(isView).flatMap((view) => VIEW_MODELS[view].place?.(state) ?? []);
}

/** The keys that do something now; the most needed ones stay where there is little room. */
export function footerLine(state: State, theme: Theme): string {
  const { columns } = state.size;
  if (state.notice !== undefined) {
    const { glyphs, tone } = theme;
    return ` ${tone.warning(truncate(`${glyphs.warning} ${messageText(state.notice)}`, columns - 1, glyphs.ellipsis))}`;
  }
  const typed = modeOf(state) === 'search' ? searchLine(state, theme) : '';
  return `${typed}${keysLine(state, columns - 1 - widthOf(stripped(typed)), theme)}`;
}

/** What was typed so far, its end visible. */
function searchLine({ tree, size }: State, theme: Theme): string {
  const text = displayText(tree?.search?.text ?? '');
  const room = Math.max(10, Math.floor(size.columns / 2));
  const shown = widthOf(text) > room ? theme.glyphs.ellipsis + text.slice(-room + 1) : text;
  return ` ${theme.bold('/')}${shown}${theme.inverse(' ')} `;
}

const stripped = (text: string): string => text.replace(/\x1b\[[0-9;]*m/g, '');

function keysLine(state: State, room: number, theme: Theme): string {
  const { hasTabs } = layoutOf(state.size, 0, false);
  const shown = ACTIONS.filter(
    (action) =>
      action.footer !== undefined &&
      isAvailable(action, state) &&
      // The line of the screens names these keys already, and nobody goes where one is.
      !(action.id.startsWith('screen-') && (hasTabs || action.id === `screen-${screenOf(state)}`)),
  );
  const kept = new Set<Action>();
  // No gap before the first one.
  let used = -2;
  for (const action of shown.toSorted((a, b) => (b.footer ?? 0) - (a.footer ?? 0))) {
    used += widthOf(`${label(action.keys[0] as string, theme)} ${action.title}`) + 2;
    if (used <= room) kept.add(action);
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
const HELP_TITLE = 12;

/** All keys of the screen, in as many columns as fit. */
export function helpLines(state: State, theme: Theme): string[] {
  const [first, ...opened] = state.modes.slice(0, -1) as [Mode, ...Mode[]];
  const behind: State = { ...state, modes: [first, ...opened] };
  const below = modeOf(behind);
  const actions = ACTIONS.filter(
    (action) =>
      action.modes.includes(below) &&
      // What details can do depends on what they are of.
      (below !== 'details' || isAvailable(action, behind)),
  );
  const entries = actions.map(({ keys, title }) => {
    const [first = '', second = ''] = keys.map((key) => label(key, theme));
    const both = `${first} ${second}`.trimEnd();
    const shown = both.length < HELP_KEYS ? both : first;
    return theme.bold(cell(shown, HELP_KEYS, '')) + cell(title, HELP_TITLE, theme.glyphs.ellipsis);
  });
  const across = Math.max(1, Math.floor(state.size.columns / (HELP_KEYS + HELP_TITLE)));
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
