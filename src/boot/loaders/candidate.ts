/** A loader that may be the one: what each file of this folder that looks for one answers. */
import { errnoOf, SealtreeError } from '../../base/errors.ts';
import type { Finding } from '../../image/findings.ts';
import type { LoaderState } from './loader.ts';

export type Candidate = Omit<LoaderState, 'backEnd'>;

/**
 * What an action gives; undefined and a finding where what it looks at cannot be read or makes no sense. What this user
 * must not read is unchecked.
 */
export function attempt<T>(where: string, problems: Finding[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    const errno = errnoOf(error);
    const severity = errno === 'EACCES' || errno === 'EPERM' ? 'unchecked' : 'error';
    problems.push(loaderProblem(severity, 'menu-unreadable', where, error.message));
    return undefined;
  }
}

/** A finding about what a loader reads. */
export function loaderProblem(
  severity: Finding['severity'],
  code: string,
  where: string,
  message: string,
): Finding {
  return { severity, code, where, message };
}
