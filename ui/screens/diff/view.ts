/** What differs between two commits or images, as a list that unfolds. */
import { emptyLines, failureLines } from '../../models/failure.ts';
import { TOP } from '../../models/list.ts';
import { subjectName } from '../../models/subject.ts';
import { displayText } from '../../models/text.ts';
import type { Theme } from '../../theme.ts';
import type { ViewModel } from '../../view.ts';
import { changeDetails, changeTitle } from './details.ts';
import { bytesText, changeSaid, diffListLines, totalsText } from './list.ts';
import { type Diff, diffAnew, diffRequests } from './state.ts';

export const diffView: ViewModel = {
  title: 'Differences',
  count: ({ diff }) => diff?.rows.length ?? 0,
  scroll: ({ diff }) => diff ?? TOP,
  scrolled: (state, { list, detailsOffset }) =>
    state.diff === undefined ? state : { ...state, diff: { ...state.diff, list, detailsOffset } },
  list: ({ diff }, width, height, theme, hasKeys) =>
    diff === undefined ? [] : diffListLines(diff, width, height, theme, hasKeys),
  said: changeSaid,
  detailsTitle: changeTitle,
  details: changeDetails,
  instead: ({ diff }, width, theme) => (diff === undefined ? [] : noChangesLines(diff, width, theme)),
  summary: ({ diff }) => (diff === undefined ? [] : summaryOf(diff)),
  requests: diffRequests,
  anew: (state) =>
    state.diff === undefined
      ? undefined
      : { state: { ...state, diff: diffAnew(state.diff) }, effects: ['reopen'] },
  place: ({ diff }) => (diff === undefined ? '' : `from ${name(diff.before)} to ${name(diff.after)}`),
};

const name = (subject: Diff['before']): string => displayText(subjectName(subject));

function summaryOf({ comparison, shown, failure, compared }: Diff): string[] {
  if (failure !== undefined) return [];
  if (comparison === undefined) return [`comparing, ${compared} entries`];
  const { totals } = comparison.root;
  const hidden = (['added', 'removed', 'modified'] as const).filter((status) => !shown[status]);
  return [
    totalsText(totals) || 'no differences',
    ...(hidden.length === 0 ? [] : [`${hidden.join(', ')} hidden`]),
    ...(comparison.isCut ? ['and more'] : []),
    ...(bytesText(totals) === '' ? [] : [bytesText(totals)]),
  ];
}

/** No rows: being compared, not to be compared, nothing differs, or all of it is hidden. */
function noChangesLines(diff: Diff, width: number, theme: Theme): string[] {
  const { comparison, failure, compared } = diff;
  if (failure !== undefined)
    return ['', ...failureLines({ message: failure, advice: [], commands: [] }, width, theme, 'goes back')];
  if (comparison === undefined)
    return ['', ` comparing ${theme.glyphs.busy} ${compared} entries so far`, '', '  Esc goes back'];
  const { added, removed, modified } = comparison.root.totals;
  const context = { width, theme };
  if (added + removed + modified === 0)
    return emptyLines(
      `Nothing differs between ${name(diff.before)} and ${name(diff.after)}.`,
      [],
      [
        ['u', 'shows what is in both'],
        ['Esc', 'goes back'],
      ],
      context,
    );
  return emptyLines(
    'All changes are hidden.',
    [],
    [
      ['a', 'shows what was added'],
      ['r', 'shows what was removed'],
      ['m', 'shows what was modified'],
      ['u', 'shows what is unmodified'],
    ],
    context,
  );
}
