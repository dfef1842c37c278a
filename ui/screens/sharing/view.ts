/** What deployments, refs and images share on the disk, as a list. */
import prettyBytes from 'pretty-bytes';
import { askedAgain } from '../../models/answer.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { doneText } from '../../models/stage.ts';
import type { ViewModel } from '../../view.ts';
import { sharingDetails, sharingTitle } from './details.ts';
import { shareSaid, sharingLines } from './list.ts';
import { isByContent, shareRows, sharingRequests, sharingWords } from './state.ts';

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
  instead: ({ sharing }, width, theme) =>
    sharing.value === undefined
      ? orReading(sharing.failure, width, theme)
      : emptyLines(
          'There are no deployments, refs and images here that could share anything.',
          [],
          [
            ['2', 'shows the commits, and imports some'],
            ['q', 'quits'],
          ],
          { width, theme },
        ),
  summary: ({ sharing }) => [
    ...(sharing.value === undefined ? [] : [`${prettyBytes(sharing.value.total.bytes)} together`]),
    ...(isByContent(sharing) ? ['by content'] : []),
    ...(sharing.isStale && sharing.failure === undefined
      ? [
          sharing.stage === undefined
            ? 'reading'
            : `${sharing.stage.name} ${doneText(sharing.stage)}`.trimEnd(),
        ]
      : []),
  ],
  command: ({ sharing }) => sharingWords(sharing),
  requests: sharingRequests,
  anew: (state) => ({ state: { ...state, sharing: askedAgain(state.sharing) }, effects: [] }),
};
