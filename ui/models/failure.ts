/** Why there is nothing to show, and what to do about it. */
import { ExitCode, errnoOf, type SealtreeError } from '../../src/base/errors.ts';
import { shellWord } from '../../src/base/shell.ts';
import { errorOf, type Outcome } from '../program.ts';
import type { State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { commandLine } from './command-line.ts';
import { messageText, wrap } from './text.ts';

export interface Failure {
  readonly message: string;
  /** Sentences. */
  readonly advice: readonly string[];
  /** Command lines to try, each with what it does. */
  readonly commands: readonly (readonly [line: string, does: string])[];
  /** Whether there is nothing here at all, so that something to try things on would help. */
  readonly offersDemo?: boolean;
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
      offersDemo: true,
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
      offersDemo: true,
    };
  return { message: error.message, advice: error.hint === undefined ? [] : [error.hint], commands: [] };
}

/** What it means that the program ended without an answer. */
export function programFailure(
  outcome: Outcome,
  places: Pick<State, 'sysrootPath' | 'repositoryPath'>,
): Failure {
  const { message, code, hint } = errorOf(outcome);
  const advice = hint === undefined ? [] : [hint];
  if (outcome.exitCode !== ExitCode.permission && code !== 'permission')
    return { message, advice, commands: [] };
  return { message, advice, commands: [[`sudo ${commandLine(places)}`, 'the same with all rights']] };
}

type Keys = readonly (readonly [key: string, does: string])[];

/** Why there is nothing, commands that would change that, and the keys that lead away. */
export function emptyLines(
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
    ...keys.flatMap(([key, does]) =>
      wrap(does, width - key.length - 3).map(
        (part, i) => `  ${i === 0 ? bold(key) : ' '.repeat(key.length)} ${dim(part)}`,
      ),
    ),
  ];
}

function commandLines(commands: Failure['commands'], width: number, { bold, dim }: Theme): string[] {
  return commands.flatMap(([line, does]) => [
    ...wrap(messageText(line), width - 2).map((part) => `  ${bold(part)}`),
    ...wrap(does, width - 4).map((part) => `    ${dim(part)}`),
  ]);
}

/** Fits on the smallest screen. */
const DEMO_DOES = 'makes a demo in ./demo, opens it';

/** The failure as lines for the middle of the screen. */
export function failureLines(
  { message, advice, commands, offersDemo = false }: Failure,
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
    // Before the commands, which may not fit on a small screen.
    ...(offersDemo ? [`  ${bold('D')} ${dim(DEMO_DOES)}`] : []),
    `  ${bold('R')} ${dim('reads again')}`,
    `  ${bold('q')} ${dim(quits)}`,
    ...(commands.length === 0 ? [] : ['']),
    ...commandLines(commands, width, theme),
  ];
}

/** What stands in for a list that is not there: why it could not be read, or that it is being read. */
export function orReading(
  failure: Failure | undefined,
  width: number,
  theme: Theme,
  quits = 'quits',
): string[] {
  return [
    '',
    ...(failure === undefined
      ? [` reading ${theme.glyphs.busy}`]
      : failureLines(failure, width, theme, quits)),
  ];
}
