/** What can be imported from a folder, as a list. */
import { emptyLines, orReading } from '../../models/failure.ts';
import { displayText } from '../../models/text.ts';
import { counted, type ViewModel } from '../../view.ts';
import { importDetails, importTitle } from './details.ts';
import { importLines, importSaid } from './list.ts';
import { importsRequests, lookInto } from './state.ts';

export const importsView: ViewModel = {
  title: 'Import',
  count: ({ imports }) => imports.rows?.length ?? 0,
  scroll: ({ imports }) => imports,
  scrolled: (state, { list, detailsOffset }) => ({
    ...state,
    imports: { ...state.imports, list, detailsOffset },
  }),
  list: importLines,
  said: importSaid,
  detailsTitle: importTitle,
  details: importDetails,
  instead: ({ imports: { rows, failure } }, width, theme) =>
    rows === undefined
      ? orReading(failure, width, theme, 'goes back')
      : emptyLines('There is nothing in this folder.', [], [['Esc', 'goes back']], { width, theme }),
  summary({ imports: { path, rows } }) {
    const found = rows?.filter(({ kind }) => kind === 'archive' || kind === 'image').length;
    return [
      ...(path === undefined ? [] : [displayText(path)]),
      ...(found === undefined ? [] : [`${counted(found, 'archive')} and images`]),
    ];
  },
  requests: importsRequests,
  anew: (state) => ({ state: { ...state, imports: lookInto(state.imports) }, effects: [] }),
  place: () => 'import',
};
