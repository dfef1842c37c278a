/** Why there is nothing to show, and what to do about it. */
import { errnoOf, type SealtreeError } from '../../src/base/errors.ts';
import { shellWord } from '../../src/base/shell.ts';
import type { Theme } from '../theme.ts';
import { messageText, wrap } from './text.ts';

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

/** The failure as lines for the middle of the screen. */
export function failureLines({ message, advice, commands }: Failure, width: number, theme: Theme): string[] {
  const { glyphs, tone, bold, dim } = theme;
  const lines = wrap(messageText(message), width - 2);
  return [
    ...lines.map((line, i) => `${i === 0 ? tone.bad(glyphs.bad) : ' '} ${bold(line)}`),
    '',
    ...advice.flatMap((sentence) => wrap(messageText(sentence), width - 2).map((line) => `  ${line}`)),
    ...(advice.length === 0 ? [] : ['']),
    ...commands.flatMap(([line, does]) => [`  ${bold(line)}`, `    ${dim(does)}`]),
    `  ${bold('r')} ${dim('reads again')}`,
    `  ${bold('q')} ${dim('quits')}`,
  ];
}
