/** The history of what boots, as a list. */
import { askedAgain } from '../../models/answer.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { counted, type ViewModel } from '../../view.ts';
import { historyDetails, historyTitle } from './details.ts';
import { historyLines, historySaid } from './list.ts';
import { historyRequests, historyRows, selectedHistoryEntry } from './state.ts';

export const historyView: ViewModel = {
  title: 'Boot history',
  count: ({ history }) => historyRows(history).length,
  scroll: ({ history }) => history,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    history: { ...state.history, list, detailsOffset },
  }),
  list: historyLines,
  said: historySaid,
  detailsTitle: historyTitle,
  details: historyDetails,
  instead: ({ history }, width, theme) =>
    history.value === undefined
      ? orReading(history.failure, width, theme, 'goes back')
      : emptyLines(
          'What boots was not changed by sealtree yet.',
          [['sealtree boot install', 'begins the history: what was there before it, and after it']],
          [['Esc', 'goes back']],
          { width, theme },
        ),
  summary: ({ history }) => [
    ...(history.value === undefined
      ? []
      : [counted(history.value.entries.length, 'entry').replace('entrys', 'entries')]),
    ...(history.isStale && history.failure === undefined ? ['reading'] : []),
  ],
  command(state) {
    const entry = selectedHistoryEntry(state);
    return ['boot', 'history', ...(entry === undefined ? [] : [String(entry.number)])];
  },
  requests: historyRequests,
  anew: (state) => ({ state: { ...state, history: askedAgain(state.history) }, effects: [] }),
  place: () => 'history',
};
