/** The keys of the interface, for its manual page: from the table that the interface itself runs. */
import type { Action } from '../../ui/action.ts';
import { ACTIONS } from '../../ui/actions.ts';
import { keyLabel } from '../../ui/keys.ts';
import { isView, type Mode, SCREENS } from '../../ui/state.ts';

/** What belongs together, in the order of the page. */
export interface KeyGroup {
  readonly heading: string;
  readonly keys: readonly { readonly keys: string; readonly does: string }[];
}

export function keyGroups(): KeyGroup[] {
  const groups = Map.groupBy(ACTIONS, headingOf);
  return [...groups].map(([heading, actions]) => ({
    heading,
    keys: actions.map(({ keys, title, changes }) => ({
      keys: keys.map((key) => keyLabel(key, true)).join(', '),
      does: changes ? `${title} (in write mode)` : title,
    })),
  }));
}

function headingOf({ modes }: Action): string {
  const views = modes.filter(isView);
  if (views.length > SCREENS.length) return 'everywhere';
  if (views.length === SCREENS.length) return 'the numbered screens';
  const named = views.length > 0 ? views : modes.slice(0, 1);
  return named.map((mode) => WORDS[mode] ?? mode).join(', ');
}

/** What people call the places that are not called as they are named. */
const WORDS: Readonly<Partial<Record<Mode, string>>> = {
  proposal: 'a plan',
  tree: 'files',
  diff: 'differences',
  history: 'boot history',
  find: 'search in a list',
  search: 'search in files',
  palette: 'all actions',
  help: 'keys',
};
