/** The lines around every screen: header, footer and the help. */
import { type Action, isAvailable } from '../action.ts';
import { ACTIONS } from '../actions.ts';
import { keyLabel } from '../keys.ts';
import { jobNote } from '../screens/jobs/list.ts';
import { activeJobs } from '../screens/jobs/state.ts';
import { isReady, isTyped } from '../screens/proposal/state.ts';
import { isView, modeOf, SCREEN_KEYS, SCREENS, type State, screenOf } from '../state.ts';
import type { Theme } from '../theme.ts';
import { VIEW_MODELS, viewModelOf } from '../views.ts';
import { layoutOf } from './layout.ts';
import { cell, displayText, messageText, stripped, truncate, widthOf } from './text.ts';

/** The path stays readable before the counts are complete. */
const PATH_COLUMNS = 12;

/** What is looked at, and how it is. */
export function headerLine(state: State, theme: Theme): string {
  const { ellipsis, separator } = theme.glyphs;
  const name = ' sealtree ';
  const path = displayText(state.repositoryPath ?? state.sysrootPath);
  const mode = modeMark(state, theme);
  const room = state.size.columns - name.length - 3 - widthOf(stripped(mode));
  const { hasTabs } = layoutOf(state.size, 0);
  // Where no other line has room for it, what runs is more important than what is shown.
  const note = hasTabs ? undefined : jobNote(activeJobs(state), room - 2, theme);
  if (note !== undefined) return `${theme.inverse(theme.bold(name))} ${cellOf(note, room + 1)}${mode}`;
  const parts = viewModelOf(state).summary(state);
  const joined = (): string => parts.join(` ${separator} `);
  while (parts.length > 1 && widthOf(joined()) > room - Math.min(PATH_COLUMNS, widthOf(path))) parts.pop();
  const summary = truncate(joined(), room, ellipsis);
  const left = cell(path, room - widthOf(summary), ellipsis);
  return `${theme.inverse(theme.bold(name))} ${left} ${theme.dim(summary)}${mode}`;
}

/** Whether changes are allowed; where there is little room, only that they are. */
function modeMark({ isWriting, repositoryPath, size }: State, theme: Theme): string {
  if (isWriting) return ` ${theme.inverse(theme.tone.warning(' WRITE '))}`;
  return size.columns < 60 || repositoryPath !== undefined ? '' : ` ${theme.dim('read-only')}`;
}

/** The screens with their numbers, and what was opened from the one that is shown. */
export function tabsLine(state: State, theme: Theme): string {
  const { ellipsis, deeper } = theme.glyphs;
  const shown = screenOf(state);
  const tabs = SCREENS.map((screen) => ({
    screen,
    text: ` ${SCREEN_KEYS[screen]} ${VIEW_MODELS[screen].title} `,
  }));
  const texts = tabs.map(({ screen, text }) => (screen === shown ? theme.inverse(text) : theme.dim(text)));
  const used = tabs.reduce((sum, { text }) => sum + text.length, 1);
  const room = state.size.columns - used - 1;
  const note = jobNote(activeJobs(state), Math.min(room - 2, MOST_NOTE_COLUMNS), theme);
  const noteColumns = note === undefined ? 0 : widthOf(stripped(note)) + 2;
  const trail = trailOf(state)
    .map((place) => ` ${deeper} ${place}`)
    .join('');
  const left = ` ${texts.join('')}${cell(trail, room - noteColumns, ellipsis)}`;
  return note === undefined ? left.trimEnd() : `${left}  ${note}`;
}

/** What runs gets no more of the line of the screens, however wide that is. */
const MOST_NOTE_COLUMNS = 50;

/** A painted text in exactly `width` columns. */
const cellOf = (painted: string, width: number): string =>
  painted + ' '.repeat(Math.max(0, width - widthOf(stripped(painted))));

/** What lies open over the list of a screen. */
function trailOf(state: State): string[] {
  return state.modes.filter(isView).flatMap((view) => VIEW_MODELS[view].place?.(state) ?? []);
}

/** The keys that do something now; the most needed ones stay where there is little room. */
export function footerLine(state: State, theme: Theme): string {
  const { glyphs, tone } = theme;
  // A line that is being typed stays visible.
  const typed =
    state.notice === undefined || ['find', 'ref'].includes(modeOf(state)) ? typedText(state, theme) : '';
  const room = state.size.columns - 1 - widthOf(stripped(typed));
  if (state.notice === undefined) return `${typed}${keysLine(state, room, theme)}`;
  return `${typed} ${tone.warning(truncate(`${glyphs.warning} ${messageText(state.notice)}`, room, glyphs.ellipsis))}`;
}

/** What is being typed, where something is. */
function typedText(state: State, theme: Theme): string {
  switch (modeOf(state)) {
    case 'search':
      return typedLine('/', state.tree?.search?.text ?? '', state, theme);
    case 'find':
      return typedLine('/', state.find?.text ?? '', state, theme);
    case 'ref':
      return typedLine('ref: ', state.imports.asked?.ref ?? '', state, theme);
    case 'palette':
      return typedLine(':', state.palette.text, state, theme);
    case 'proposal':
      return confirmLine(state, theme);
    default:
      return '';
  }
}

/** What has to be typed before a change that is not to be made by a slip. */
function confirmLine(state: State, theme: Theme): string {
  const { proposal } = state;
  if (proposal === undefined || !isReady(state) || !isTyped(proposal)) return '';
  return ` ${theme.bold(`type ${proposal.accept}:`)} ${proposal.typed}${theme.inverse(' ')} `;
}

/** What was typed so far, its end visible. */
function typedLine(sign: string, typed: string, { size }: State, theme: Theme): string {
  const text = displayText(typed);
  const room = Math.max(10, Math.floor(size.columns / 2));
  const shown = widthOf(text) > room ? theme.glyphs.ellipsis + text.slice(-room + 1) : text;
  return ` ${theme.bold(sign)}${shown}${theme.inverse(' ')} `;
}

function keysLine(state: State, room: number, theme: Theme): string {
  const { hasTabs } = layoutOf(state.size, 0);
  const shown = ACTIONS.filter(
    (action) =>
      action.footer !== undefined &&
      isAvailable(action, state) &&
      (action.footerWhen?.(state) ?? true) &&
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
