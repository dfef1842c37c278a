/** `sealtree verify --repository`: every object, commit and ref of a repository, as `ostree fsck` checks them. */
import { ExitCode, UsageError } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import { withSharedRepositoryLock } from '../deployment/locks.ts';
import type { Finding } from '../image/findings.ts';
import type { Repository } from '../repository/repository.ts';
import { type RepositoryReport, verifyRepository } from '../repository/verify.ts';
import type { Depth, RepositoryProblem } from '../repository/verify-content.ts';
import type { Context } from './context.ts';
import { countFindings, renderFindings } from './text/findings.ts';

export async function verifyWhole(
  context: Context,
  { depth, isAlone }: { readonly depth: Depth; readonly isAlone: boolean },
): Promise<number> {
  if (!isAlone)
    throw new UsageError(
      '--repository is for a whole repository: no deployments, --require-verity or --record',
    );
  const repository = await context.openRepository();
  const progress = context.progress();
  const toFinding = (problem: RepositoryProblem): Finding => ({
    ...problem,
    ...remedyOf(problem, repository),
  });
  // Nothing is pruned while we look.
  const report = await withSharedRepositoryLock(repository.path, { progress }, context.system, () =>
    verifyRepository(repository, {
      depth,
      progress,
      onProblem: (problem) => context.tell({ finding: toFinding(problem) }),
    }),
  );
  const findings = report.problems.map(toFinding);
  const { refs, commits, objects, objectsRead } = report;
  if (context.options.json) {
    context.printJson('verify-repository', { depth, refs, commits, objects, objectsRead, findings });
  } else {
    for (const line of renderFindings(findings, context.style)) context.print(line);
    if (!context.options.quiet || findings.length > 0)
      context.print(`${summary(report, depth)}: ${countFindings(findings)}`);
  }
  return findings.some(({ severity }) => severity === 'error') ? ExitCode.findings : ExitCode.ok;
}

/** What was looked at, and never more than that. */
function summary({ refs, commits, objects, objectsRead }: RepositoryReport, depth: Depth): string {
  const what = `${count(commits, 'commit')}, ${count(refs, 'ref')}`;
  return depth === 'metadata'
    ? `${what}; ${objects} objects looked at, content not read (--deep reads it)`
    : `${what}; ${objectsRead} of ${objects} objects read and hashed`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** ostree deletes what is damaged and marks the commits; a pull then fetches what is missing. */
function remedyOf({ severity, code }: RepositoryProblem, { path }: Repository): Pick<Finding, 'remedy'> {
  const repo = `--repo=${shellWord(path)}`;
  if (code === 'ref-dangling') return {};
  if (code === 'commit-partial') return { remedy: [`ostree pull ${repo} REMOTE REF`] };
  if (severity === 'unchecked') return {};
  return { remedy: [`ostree fsck ${repo} --delete`, `ostree pull ${repo} REMOTE REF`] };
}
