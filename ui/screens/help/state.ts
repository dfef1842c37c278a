/** What keys did where help was asked for, as plain data. */
import { type Scroll, TOP } from '../../models/list.ts';
import type { State } from '../../state.ts';

/** An action there. */
export interface HelpRow {
  readonly id: string;
  /** Names as in keys.ts, the one to show first. */
  readonly keys: readonly string[];
  readonly title: string;
  /** Why it could not be done. */
  readonly reason: string | undefined;
  /** Words of the command that does the same. */
  readonly command: readonly string[] | undefined;
}

export interface Help extends Scroll {
  readonly rows: readonly HelpRow[];
}

export const NO_HELP: Help = { ...TOP, rows: [] };

export const selectedHelp = ({ help }: State): HelpRow | undefined => help.rows[help.list.cursor];
