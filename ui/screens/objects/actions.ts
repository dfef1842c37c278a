/** What keys do among the objects of an image, and how one gets there. */
import { type Action, close, hasRows, only, open } from '../../action.ts';
import type { State, Step } from '../../state.ts';
import { imageSubject, selectedImage } from '../images/state.ts';
import { type Objects, openObjects, withObjectRows } from './state.ts';

const inObjects = (state: State, change: (objects: Objects) => Objects): Step =>
  only(state.objects === undefined ? state : { ...state, objects: change(state.objects) });

function browse(state: State): Step {
  const file = selectedImage(state);
  const subject = file && imageSubject(file);
  if (subject?.kind !== 'image') return only(state);
  return only({ ...state, modes: [...state.modes, 'objects'], objects: openObjects(subject) });
}

export const OBJECTS_ACTIONS: readonly Action[] = [
  {
    id: 'objects',
    keys: ['o'],
    title: 'objects',
    modes: ['images', 'details'],
    detailsOf: ['images'],
    when: (s) => selectedImage(s) !== undefined,
    run: browse,
    footer: 4,
  },
  {
    id: 'bad-only',
    keys: ['b'],
    title: 'bad only',
    modes: ['objects'],
    when: (s) => s.objects?.all !== undefined,
    run: (s) => inObjects(s, (objects) => withObjectRows({ ...objects, badOnly: !objects.badOnly })),
    footer: 4,
  },
  {
    id: 'open-object',
    keys: ['enter', 'right', 'l'],
    title: 'details',
    modes: ['objects'],
    when: hasRows,
    run: (s) => open(s, 'details'),
    footer: 5,
  },
  {
    id: 'close-objects',
    keys: ['esc', 'q'],
    title: 'back',
    modes: ['objects'],
    run: (s) => only({ ...close(s).state, objects: undefined }),
    footer: 4,
  },
];
