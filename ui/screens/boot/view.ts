/** What boots, as a list. */
import { askedAgain } from '../../models/answer.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { doneText } from '../../models/stage.ts';
import type { State } from '../../state.ts';
import { counted, type ViewModel } from '../../view.ts';
import { bootDetails, bootTitle } from './details.ts';
import { bootLines, bootSaid } from './list.ts';
import { bootRequests, bootRows } from './state.ts';

export const bootView: ViewModel = {
  title: 'Boot',
  count: ({ boot }) => bootRows(boot).length,
  scroll: ({ boot }) => boot,
  scrolled: (state, { list, detailsOffset }) => ({ ...state, boot: { ...state.boot, list, detailsOffset } }),
  list: bootLines,
  said: bootSaid,
  detailsTitle: bootTitle,
  details: bootDetails,
  instead(state, width, theme) {
    if (state.repositoryPath !== undefined)
      return emptyLines(
        'A repository alone boots nothing.',
        [['sealtree --sysroot PATH', 'shows a system and what it boots']],
        [
          ['2', 'shows its commits'],
          ['q', 'quits'],
        ],
        { width, theme },
      );
    return orReading(state.boot.failure ?? state.failure, width, theme);
  },
  summary: ({ boot }) => [
    ...(boot.value === undefined
      ? []
      : [
          counted(boot.value.entries.length, 'entry').replace('entrys', 'entries'),
          `${boot.value.deployments.filter(({ boots }) => boots.as === 'sealed').length} sealed`,
          boot.value.installed ? 'installed' : 'not installed',
        ]),
    ...(boot.isStale && boot.failure === undefined
      ? [boot.stage === undefined ? 'reading' : `${boot.stage.name} ${doneText(boot.stage)}`.trimEnd()]
      : []),
  ],
  command: () => ['boot', 'status'],
  requests: bootRequests,
  anew: (state) => (state.repositoryPath === undefined ? anew(state) : undefined),
};

/** The deployments are read as well: what boots is told by both. */
const anew = (state: State) => ({
  state: { ...state, boot: askedAgain(state.boot), isReading: true },
  effects: ['read-sysroot' as const],
});
