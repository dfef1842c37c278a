/** Why there is nothing to show, and what to do about it. */
import { errnoOf, type SealtreeError } from '../../src/base/errors.ts';
import { shellWord } from '../../src/base/shell.ts';
import type { State, Tree } from '../state.ts';
import type { Theme } from '../theme.ts';
import { commandLine, repositoryOf } from './command-line.ts';
import { displayText, messageText, wrap } from './text.ts';
import { ROOT } from './tree-rows.ts';

export interface Failure {
  readonly message: string;
  /** Sentences. */
  readonly advice: readonly string[];
  /** Command lines to try, each with what it does. */
  readonly commands: readonly (readonly [line: string, does: string])[];
}

/** What a failed reading of the sysroot means for the person. Bugs are not for here. */
export function failureOf(error: SealtreeError, sysrootPath: string): Failure {
  const errno = errnoOf(error);
  if (errno === 'EACCES' || errno === 'EPERM')
    return {
      message: error.message,
      advice: ['This user may not read the sysroot.'],
      commands: [[`sudo sealtree --sysroot ${shellWord(sysrootPath)}`, 'the same with all rights']],
    };
  if (error.code === 'not-found')
    return {
      message: error.message,
      advice: ['sealtree works on the deployments of an ostree system.'],
      commands: [
        ['sealtree --sysroot PATH', 'another system, such as one mounted at /mnt'],
        ['sealtree demo', 'makes a small system to try things on'],
      ],
    };
  return { message: error.message, advice: error.hint === undefined ? [] : [error.hint], commands: [] };
}

/** What it means that the repository could not be read. */
export function repositoryFailure(
  error: SealtreeError,
  places: Pick<State, 'sysrootPath' | 'repositoryPath'>,
): Failure {
  const errno = errnoOf(error);
  if (errno === 'EACCES' || errno === 'EPERM' || error.code === 'permission')
    return {
      message: error.message,
      advice: ['This user may not read the repository.'],
      commands: [[`sudo ${commandLine(places)}`, 'the same with all rights']],
    };
  if (error.code === 'not-found')
    return {
      message: error.message,
      advice: ['Commits lie in an ostree repository.'],
      commands: [
        ['sealtree --repo PATH', 'any repository, such as one of a build'],
        ['sealtree demo', 'makes a small system to try things on'],
      ],
    };
  return { message: error.message, advice: error.hint === undefined ? [] : [error.hint], commands: [] };
}

/** The first screen where only a repository was named. */
export function noSysrootLines(width: number, theme: Theme): string[] {
  return emptyLines(
    'A repository alone has no deployments.',
    [['sealtree --sysroot PATH', 'shows a system and its deployments']],
    [
      ['2', 'shows its commits'],
      ['q', 'quits'],
    ],
    { width, theme },
  );
}

/** A repository to which nothing was committed or pulled. */
export function emptyCommitsLines(state: State, width: number, theme: Theme): string[] {
  const repository = shellWord(repositoryOf(state));
  return emptyLines(
    `${displayText(repositoryOf(state))} has no refs, so there are no commits to show.`,
    [
      [`ostree pull --repo=${repository} REMOTE REF`, 'fetches some'],
      [`ostree commit --repo=${repository} --branch=REF FOLDER`, 'makes one'],
    ],
    [
      ['R', 'reads again'],
      ['1', 'shows the deployments'],
    ],
    { width, theme },
  );
}

/** A tree without rows: not read yet, unreadable, empty, or nothing was found in it. */
export function emptyTreeLines(tree: Tree, width: number, theme: Theme): string[] {
  const { search, broken, folders } = tree;
  const back: Keys = [['Esc', 'goes back']];
  if (search !== undefined && search.text !== '') {
    if (!search.isDone) return ['', ` searching, ${search.passed} entries so far`];
    const message = `No path holds ${JSON.stringify(search.text)}.`;
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
  return emptyLines('There is nothing in this commit.', [], back, { width, theme });
}

type Keys = readonly (readonly [key: string, does: string])[];

function emptyLines(
  message: string,
  commands: Failure['commands'],
  keys: Keys,
  { width, theme }: { readonly width: number; readonly theme: Theme },
): string[] {
  const { glyphs, tone, bold, dim } = theme;
  return [
    '',
    ...wrap(messageText(message), width - 2).map(
      (line, i) => `${i === 0 ? tone.none(glyphs.none) : ' '} ${bold(line)}`,
    ),
    '',
    ...commandLines(commands, width, theme),
    ...(commands.length === 0 ? [] : ['']),
    ...keys.map(([key, does]) => `  ${bold(key)} ${dim(does)}`),
  ];
}

function commandLines(commands: Failure['commands'], width: number, { bold, dim }: Theme): string[] {
  return commands.flatMap(([line, does]) => [
    ...wrap(messageText(line), width - 2).map((part) => `  ${bold(part)}`),
    ...wrap(does, width - 4).map((part) => `    ${dim(part)}`),
  ]);
}

/** The failure as lines for the middle of the screen. */
export function failureLines(
  { message, advice, commands }: Failure,
  width: number,
  theme: Theme,
  quits = 'quits',
): string[] {
  const { glyphs, tone, bold, dim } = theme;
  const lines = wrap(messageText(message), width - 2);
  return [
    ...lines.map((line, i) => `${i === 0 ? tone.bad(glyphs.bad) : ' '} ${bold(line)}`),
    '',
    ...advice.flatMap((sentence) => wrap(messageText(sentence), width - 2).map((line) => `  ${line}`)),
    ...(advice.length === 0 ? [] : ['']),
    ...commandLines(commands, width, theme),
    `  ${bold('R')} ${dim('reads again')}`,
    `  ${bold('q')} ${dim(quits)}`,
  ];
}
