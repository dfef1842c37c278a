/** The way from the commits to what can be imported: a folder, a file or an image is chosen, then the ref that will name it. */
import { dirname } from 'node:path';
import { type Action, close, only, open } from '../../action.ts';
import { displayText } from '../../models/text.ts';
import { type State, type Step, viewOf } from '../../state.ts';
import { propose } from '../proposal/state.ts';
import { type Asked, importWords, lookInto, selectedImport, sourceOf, suggestedRef } from './state.ts';

const goTo = (state: State, path: string): Step => only({ ...state, imports: lookInto(state.imports, path) });

/** Asks for the ref. */
function ask(state: State, what: Asked['what']): Step {
  const row = selectedImport(state);
  const source = sourceOf(row, what);
  if (row === undefined || source === undefined) return only(state);
  const asked = { what, source, ref: suggestedRef(row) };
  return open({ ...state, imports: { ...state.imports, asked } }, 'ref');
}

/** Changes the ref that is asked for. */
export function typeRef(state: State, change: (ref: string) => string): Step {
  const { asked } = state.imports;
  if (asked === undefined) return only(state);
  return only({ ...state, imports: { ...state.imports, asked: { ...asked, ref: change(asked.ref) } } });
}

function leaveRef(state: State): State {
  return { ...close(state).state, imports: { ...state.imports, asked: undefined } };
}

/** Has the plan read. */
function plan(state: State): Step {
  const { asked } = state.imports;
  if (asked === undefined || asked.ref === '')
    return only({ ...state, notice: 'a commit is found by its ref' });
  const name = asked.source.split('/').at(-1) ?? '';
  return propose(leaveRef(state), {
    kind: `import-${asked.what}`,
    title: `import ${displayText(name)}`,
    words: importWords(asked),
    accept: 'y',
  });
}

const isKind = (state: State, ...kinds: readonly string[]): boolean =>
  viewOf(state) === 'imports' && kinds.includes(selectedImport(state)?.kind ?? '');

/** Out of a folder that cannot be read there is a way, too. */
const aboveOf = ({ imports: { rows, failure, path } }: State): string | undefined =>
  failure !== undefined && path !== undefined && path !== '/'
    ? dirname(path)
    : rows?.find(({ kind, name }) => kind === 'folder' && name === '..')?.path;

/** What a row is imported as, where nothing else is asked for. */
function usual(state: State): Asked['what'] {
  const kind = selectedImport(state)?.kind;
  return kind === 'folder' ? 'dir' : kind === 'archive' ? 'tar' : 'oci';
}

const commandOf = (state: State, what: Asked['what']): string[] | undefined => {
  const row = selectedImport(state);
  const source = sourceOf(row, what);
  if (row === undefined || source === undefined) return undefined;
  return importWords({ what, source, ref: suggestedRef(row) });
};

export const IMPORT_ACTIONS: readonly Action[] = [
  {
    id: 'imports',
    keys: ['i'],
    title: 'import',
    modes: ['commits', 'details'],
    detailsOf: ['commits'],
    when: (s) => viewOf(s) === 'commits' && s.commits.failure === undefined,
    run: (s) => only({ ...s, modes: ['commits', 'imports'] }),
    footer: 2,
  },
  {
    id: 'import-folder',
    keys: ['enter', 'right', 'l'],
    title: 'look into it',
    modes: ['imports'],
    when: (s) => isKind(s, 'folder'),
    run: (s) => goTo(s, selectedImport(s)?.path ?? '/'),
    footer: 5,
  },
  {
    id: 'import-above',
    keys: ['backspace', 'left', 'h'],
    title: 'folder above',
    modes: ['imports'],
    when: (s) => aboveOf(s) !== undefined,
    run: (s) => goTo(s, aboveOf(s) ?? '/'),
    footer: 1,
  },
  {
    id: 'import',
    keys: ['i'],
    title: 'import',
    modes: ['imports', 'details'],
    detailsOf: ['imports'],
    when: (s) => sourceOf(selectedImport(s), usual(s)) !== undefined,
    changes: true,
    command: (s) => commandOf(s, usual(s)),
    run: (s) => ask(s, usual(s)),
    footer: 5,
  },
  {
    id: 'import-image',
    keys: ['o'],
    title: 'import image',
    modes: ['imports', 'details'],
    detailsOf: ['imports'],
    when: (s) => isKind(s, 'archive'),
    changes: true,
    command: (s) => commandOf(s, 'oci'),
    run: (s) => ask(s, 'oci'),
    footer: 4,
  },
  { id: 'close-imports', keys: ['esc', 'q'], title: 'back', modes: ['imports'], run: close, footer: 4 },
  { id: 'ref-plan', keys: ['enter'], title: 'show the plan', modes: ['ref'], run: plan, footer: 8 },
  {
    id: 'ref-leave',
    keys: ['esc'],
    title: 'leave it',
    modes: ['ref'],
    run: (s) => only(leaveRef(s)),
    footer: 7,
  },
  {
    id: 'ref-rub',
    keys: ['backspace', 'delete'],
    title: 'rub out',
    modes: ['ref'],
    run: (s) => typeRef(s, (ref) => [...ref].slice(0, -1).join('')),
  },
  { id: 'ref-clear', keys: ['ctrl-u'], title: 'clear', modes: ['ref'], run: (s) => typeRef(s, () => '') },
];
