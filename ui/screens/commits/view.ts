/** All commits as a list. */
import { shellWord } from '../../../src/base/shell.ts';
import { repositoryOf } from '../../models/command-line.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { displayText } from '../../models/text.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted, type ViewModel } from '../../view.ts';
import { commitDetails, commitTitle } from './details.ts';
import { commitLines, commitSaid, commitSubject } from './list.ts';
import { commitRequests, commitsAnew, selectedRow } from './state.ts';

export const commitsView: ViewModel = {
  title: 'Commits',
  count: (state) => state.commits.rows.length,
  scroll: (state) => state.commits,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    commits: { ...state.commits, list, detailsOffset },
  }),
  list: commitLines,
  said: commitSaid,
  isOpenEnded: ({ commits }) => !commits.isComplete && commits.failure === undefined,
  detailsTitle: commitTitle,
  details: commitDetails,
  instead(state, width, theme) {
    const { failure, isComplete } = state.commits;
    return isComplete ? noCommitsLines(state, width, theme) : orReading(failure, width, theme);
  },
  summary(state) {
    const { commitCount, refCount, isComplete, failure, rows } = state.commits;
    const seeksOn = state.commits.seeksEnd || state.find?.passed !== undefined;
    if (failure !== undefined) return [];
    if (rows.length === 0 && !isComplete) return ['reading'];
    const read = counted(commitCount, 'commit');
    const more = seeksOn ? ['reading on'] : ['more below'];
    return [read, ...(isComplete ? [] : more), counted(refCount, 'ref')];
  },
  requests: commitRequests,
  subject(state) {
    const row = selectedRow(state);
    return row?.kind === 'commit' ? commitSubject(row) : undefined;
  },
  former({ commits: { facts, rows, list } }) {
    const row = rows.at(list.cursor);
    const parent = row?.kind === 'commit' && facts?.checksum === row.checksum ? facts.parent : undefined;
    return parent === undefined ? undefined : { kind: 'commit', checksum: parent, title: '' };
  },
  anew: (state) => ({ state: commitsAnew(state), effects: ['reopen'] }),
};

/** A repository to which nothing was committed or pulled. */
function noCommitsLines(state: State, width: number, theme: Theme): string[] {
  const repository = shellWord(repositoryOf(state));
  return emptyLines(
    `${displayText(repositoryOf(state))} has no refs, so there are no commits to show.`,
    [
      [`ostree pull --repo=${repository} REMOTE REF`, 'fetches some'],
      [`ostree commit --repo=${repository} --branch=REF FOLDER`, 'makes one'],
    ],
    [
      ['i', 'imports an archive or a container image'],
      ['R', 'reads again'],
      ['1', 'shows the deployments'],
    ],
    { width, theme },
  );
}
