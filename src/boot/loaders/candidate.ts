/** A loader that may be the one: what each file of this folder that looks for one answers. */
import type { Finding } from '../../image/findings.ts';
import type { LoaderState } from './loader.ts';

export type Candidate = Omit<LoaderState, 'backEnd'>;

/** A finding about what a loader reads. */
export function loaderProblem(
  severity: Finding['severity'],
  code: string,
  where: string,
  message: string,
): Finding {
  return { severity, code, where, message };
}
