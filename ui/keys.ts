/** Key presses by name: what ink hands over, one key at a time. */
import type { Key } from 'ink';

const NAMED = {
  upArrow: 'up',
  downArrow: 'down',
  leftArrow: 'left',
  rightArrow: 'right',
  pageUp: 'pageup',
  pageDown: 'pagedown',
  home: 'home',
  end: 'end',
  return: 'enter',
  escape: 'esc',
  tab: 'tab',
  backspace: 'backspace',
  delete: 'delete',
} as const satisfies Partial<Record<keyof Key, string>>;

const CONTROLS: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x1b': 'esc',
  '\x7f': 'backspace',
  ' ': 'space',
};

/**
 * The keys of one `useInput` call. Keys that come faster than they are read (auto-repeat, a slow line, a script)
 * arrive as one text, in which Enter and control keys are bytes among letters.
 */
export function keysOf(input: string, key: Key): string[] {
  for (const [flag, name] of Object.entries(NAMED)) if (key[flag as keyof typeof NAMED]) return [name];
  if (key.ctrl) return [`ctrl-${input}`];
  if (key.meta) return [`alt-${input}`];
  return Array.from(input, nameOf);
}

function nameOf(character: string): string {
  const code = character.charCodeAt(0);
  const named = CONTROLS[character];
  if (named !== undefined) return named;
  return code < 0x20 ? `ctrl-${String.fromCharCode(code + 0x60)}` : character;
}

const LABELS: Readonly<Record<string, string>> = {
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
  enter: 'Enter',
  esc: 'Esc',
  space: 'Space',
  tab: 'Tab',
  backspace: 'Backspace',
};

/** A key as it is called in help and footer. */
export function keyLabel(key: string, isAscii: boolean): string {
  if (key.startsWith('ctrl-')) return `^${key.slice(5).toUpperCase()}`;
  const label = LABELS[key] ?? key;
  return isAscii && label > '~' ? (key[0] as string).toUpperCase() + key.slice(1) : label;
}
