/** What the frame, the store and the keys ask of a list that can be shown, whatever it lists. */
import type { Scroll } from './models/list.ts';
import type { Subject } from './models/subject.ts';
import type { Request, State, Step } from './state.ts';
import type { Theme } from './theme.ts';

export interface ViewModel {
  readonly title: string;
  /** Lines that the details need at most, where that is few. */
  readonly mostDetails?: number;
  count(state: State): number;
  scroll(state: State): Scroll;
  scrolled(state: State, scroll: Scroll): State;
  /** The heading and the visible rows. */
  list(state: State, width: number, height: number, theme: Theme, hasKeys: boolean): string[];
  detailsTitle(state: State): string;
  details(state: State, width: number, theme: Theme): string[];
  /** What is shown instead of both where there are no rows: why, and what to press. */
  instead(state: State, width: number, theme: Theme): string[];
  /** For the header, the most important part first. */
  summary(state: State): string[];
  /** What is shown, or soon will be, and was not read yet. */
  requests?(state: State): readonly Request[];
  /** What is selected, as something that has files and can be compared. */
  subject?(state: State): Subject | undefined;
  /** What came before the selected one: its parent, the deployment it took the place of. */
  former?(state: State): Subject | undefined;
  /** Words of the command that prints what is shown. */
  command?(state: State): readonly string[] | undefined;
  /** What a row says, in words: what is searched, and what is read aloud. */
  said?(state: State, row: number): string;
  /** Whether there are rows that are read only when they are asked for. */
  isOpenEnded?(state: State): boolean;
  /** Reads what is shown anew; undefined where there is nothing to read. */
  anew?(state: State): Step | undefined;
  /** What it is of, where it was opened from another list. */
  place?(state: State): string;
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
