/** The files of a commit or an image as a list that unfolds. */
import { emptyLines, failureLines } from '../../models/failure.ts';
import { TOP } from '../../models/list.ts';
import { subjectName } from '../../models/subject.ts';
import { displayText } from '../../models/text.ts';
import type { Theme } from '../../theme.ts';
import type { ViewModel } from '../../view.ts';
import { entryDetails, entryTitle } from './details.ts';
import { treeLines, treeSaid } from './list.ts';
import { ROOT } from './rows.ts';
import { type Tree, treeAnew, treeRequests, treeRows } from './state.ts';

export const treeView: ViewModel = {
  title: 'Files',
  count: ({ tree }) => (tree === undefined ? 0 : treeRows(tree).length),
  scroll: ({ tree }) => tree ?? TOP,
  scrolled: (state, { list, detailsOffset }) =>
    state.tree === undefined ? state : { ...state, tree: { ...state.tree, list, detailsOffset } },
  list: ({ tree }, width, height, theme, hasKeys) =>
    tree === undefined ? [] : treeLines(tree, width, height, theme, hasKeys),
  said: treeSaid,
  detailsTitle: entryTitle,
  details: entryDetails,
  instead: ({ tree }, width, theme) => (tree === undefined ? [] : emptyTreeLines(tree, width, theme)),
  summary: ({ tree }) => (tree === undefined ? [] : treeSummary(tree)),
  requests: treeRequests,
  anew: (state) =>
    state.tree === undefined
      ? undefined
      : { state: { ...state, tree: treeAnew(state.tree) }, effects: ['reopen'] },
  place: ({ tree }) => (tree === undefined ? '' : `files of ${displayText(subjectName(tree.subject))}`),
};

function treeSummary({ search, subject }: Tree): string[] {
  if (search === undefined || search.text === '')
    return subject.kind === 'commit'
      ? [`commit ${subject.checksum.slice(0, 8)}`, displayText(subject.title)]
      : [`image ${displayText(subject.title)}`];
  const found = `${search.rows.length} found`;
  return [search.isDone ? found : `${found}, ${search.passed} looked at`];
}

/** A tree without rows: not read yet, unreadable, empty, or nothing was found in it. */
function emptyTreeLines(tree: Tree, width: number, theme: Theme): string[] {
  const { search, broken, folders } = tree;
  if (search !== undefined && search.text !== '') {
    if (!search.isDone) return ['', ` searching, ${search.passed} entries so far`];
    const message = `No path has the letters of ${JSON.stringify(search.text)}.`;
    return emptyLines(
      message,
      [],
      [
        ['/', 'searches anew'],
        ['Esc', 'shows the tree again'],
      ],
      { width, theme },
    );
  }
  const message = broken.get(ROOT);
  if (message !== undefined)
    return [
      '',
      ...failureLines(
        { message, advice: ['Its root folder cannot be read, so nothing below it can be.'], commands: [] },
        width,
        theme,
        'goes back',
      ),
    ];
  if (!folders.has(ROOT)) return ['', ` reading ${theme.glyphs.busy}`];
  return emptyLines('There are no files in it.', [], [['Esc', 'goes back']], { width, theme });
}
