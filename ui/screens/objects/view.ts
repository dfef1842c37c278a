/** The objects of an image as a list. */
import type { ObjectFinding } from '../../../src/image/verify-objects.ts';
import { emptyLines, failureLines } from '../../models/failure.ts';
import { TOP } from '../../models/list.ts';
import { subjectName } from '../../models/subject.ts';
import { displayText } from '../../models/text.ts';
import type { Theme } from '../../theme.ts';
import { counted, type ViewModel } from '../../view.ts';
import { objectDetails, objectTitle } from './details.ts';
import { objectLines, objectSaid } from './list.ts';
import { type Objects, objectsAnew, objectsRequests } from './state.ts';

export const objectsView: ViewModel = {
  title: 'Objects',
  count: ({ objects }) => objects?.rows.length ?? 0,
  scroll: ({ objects }) => objects ?? TOP,
  scrolled: (state, { list, detailsOffset }) =>
    state.objects === undefined ? state : { ...state, objects: { ...state.objects, list, detailsOffset } },
  list: ({ objects }, width, height, theme, hasKeys) =>
    objects === undefined ? [] : objectLines(objects, width, height, theme, hasKeys),
  said: objectSaid,
  detailsTitle: objectTitle,
  details: objectDetails,
  instead: ({ objects }, width, theme) =>
    objects === undefined ? [] : noObjectsLines(objects, width, theme),
  summary: ({ objects }) => (objects === undefined ? [] : summaryOf(objects)),
  requests: objectsRequests,
  anew: (state) =>
    state.objects === undefined
      ? undefined
      : { state: { ...state, objects: objectsAnew(state.objects) }, effects: ['reopen'] },
  place: ({ objects }) =>
    objects === undefined ? '' : `objects of ${displayText(subjectName(objects.image))}`,
};

function summaryOf({ all, findings, checked, isChecked, failure, unprotected }: Objects): string[] {
  if (failure !== undefined) return [];
  if (all === undefined) return ['reading'];
  const isError = (one: ObjectFinding): boolean => one.severity === 'error';
  const bad = [...findings.values()].filter((found) => found.some(isError)).length;
  const unknown = findings.size - bad;
  return [
    isChecked
      ? `${bad} of ${counted(all.length, 'object')} bad`
      : `${bad} bad, ${checked} of ${all.length} looked at`,
    ...(unknown === 0 ? [] : [`${unknown} not readable`]),
    ...(unprotected.size === 0 ? [] : [`${unprotected.size} without fs-verity`]),
  ];
}

/** No rows: being read, damaged, none at all, or none that is bad. */
function noObjectsLines(
  { all, failure, badOnly, isChecked }: Objects,
  width: number,
  theme: Theme,
): string[] {
  const context = { width, theme };
  if (failure !== undefined)
    return ['', ...failureLines({ message: failure, advice: [], commands: [] }, width, theme, 'goes back')];
  if (all === undefined) return ['', ` reading ${theme.glyphs.busy}`];
  if (!badOnly) return emptyLines('The image points to no objects.', [], [['Esc', 'goes back']], context);
  const message = isChecked
    ? `None of ${counted(all.length, 'object')} is bad, as far as that shows without reading them.`
    : 'No object is bad so far; they are still being looked at.';
  return emptyLines(
    message,
    [['sealtree verify --deep', 'reads and hashes all of them']],
    [
      ['b', 'shows all objects'],
      ['Esc', 'goes back'],
    ],
    context,
  );
}
