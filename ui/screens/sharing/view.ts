/** What deployments and images share on the disk, as a list. */
import prettyBytes from 'pretty-bytes';
import { askedAgain } from '../../models/answer.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { doneText } from '../../models/stage.ts';
import type { ViewModel } from '../../view.ts';
import { sharingDetails, sharingTitle } from './details.ts';
import { shareSaid, sharingLines } from './list.ts';
import { shareRows, sharingRequests } from './state.ts';

export const sharingView: ViewModel = {
  title: 'Sharing',
  count: ({ sharing }) => shareRows(sharing).length,
  scroll: ({ sharing }) => sharing,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    sharing: { ...state.sharing, list, detailsOffset },
  }),
  list: sharingLines,
  said: shareSaid,
  detailsTitle: sharingTitle,
  details: sharingDetails,
  instead: ({ sharing, repositoryPath }, width, theme) =>
    repositoryPath === undefined
      ? orReading(sharing.failure, width, theme)
      : emptyLines(
          'A repository alone has no deployments that could share anything.',
          [['sealtree --sysroot PATH', 'shows a system and what its deployments share']],
          [
            ['2', 'shows its commits'],
            ['q', 'quits'],
          ],
          { width, theme },
        ),
  summary: ({ sharing, repositoryPath }) => [
    ...(sharing.value === undefined ? [] : [`${prettyBytes(sharing.value.totalBytes)} together`]),
    ...(sharing.isStale && sharing.failure === undefined && repositoryPath === undefined
      ? [
          sharing.stage === undefined
            ? 'reading'
            : `${sharing.stage.name} ${doneText(sharing.stage)}`.trimEnd(),
        ]
      : []),
  ],
  command: () => ['sharing'],
  requests: sharingRequests,
  anew: (state) =>
    state.repositoryPath === undefined
      ? { state: { ...state, sharing: askedAgain(state.sharing) }, effects: [] }
      : undefined,
};
