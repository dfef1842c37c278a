/** How the row with the cursor is set off. */
import type { Theme } from '../theme.ts';
import { cell } from './text.ts';

/**
 * The line inverse while its list has the keys, bold while its details have them. It should have no colours of its own,
 * which would fight with that.
 */
export function cursorRow(line: string, width: number, theme: Theme, hasKeys: boolean): string {
  return hasKeys ? theme.inverse(cell(line, width, theme.glyphs.ellipsis)) : theme.bold(line);
}
