/** `sealtree verify`: do the sealed deployments still hold what was sealed? */
import { ExitCode, UsageError } from '../base/errors.ts';
import { withSharedRepositoryLock } from '../deployment/locks.ts';
import { selectDeployments } from '../deployment/seal.ts';
import { stateFolder } from '../deployment/state-folder.ts';
import { writeVerified } from '../deployment/verified.ts';
import { type VerifyReport, verifyDeployments } from '../deployment/verify.ts';
import type { Finding } from '../image/findings.ts';
import { Repository } from '../repository/repository.ts';
import type { Depth } from '../repository/verify-content.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { countFindings, renderFindings } from './text/findings.ts';
import { verifyWhole } from './verify-repository.ts';

interface Options {
  readonly all?: boolean;
  readonly deep?: boolean;
  readonly paranoid?: boolean;
  readonly requireVerity?: boolean;
  readonly record?: boolean;
  readonly repository?: boolean;
}

export const command: CommandModule = {
  name: 'verify',
  summary: 'Check deployments, or a whole repository',
  details: [
    'Reads every image, compares it with its commit and looks at every object it points to. All findings are listed, each with the paths and deployments it touches and what mends it. Errors make the exit code 2; what could not be checked is listed as unchecked and never counts as right.',
    'With --repository no deployments are looked at, but the repository (of --repo, or of the sysroot): every ref names a commit, every commit has all its objects, and with --deep every object, whether a commit needs it or not, hashes to its name: what ostree fsck --all checks, on all processors.',
  ],
  examples: [
    ['verify', 'images, and the presence, length and fs-verity of their objects'],
    ['verify --deep booted', 'also read and hash every object'],
    ['verify --repository --deep --repo /srv/repo', 'every object, commit and ref of a repository'],
  ],
  define(command, run) {
    command
      .argument('[deployment...]', 'deployments to check; all when none is named')
      .option('--all', 'all deployments (also what no argument means)')
      .option('--deep', 'recompute checksum and digest of every object, 1 % also with the second hash engine')
      .option('--paranoid', 'recompute all with both hash engines')
      .option('--repository', 'no deployments, but the repository: all its objects, commits and refs')
      .option('--require-verity', 'missing fs-verity is an error, also where it cannot be had')
      .option('--record', 'write down what is found, for status: what the weekly timer of boot install does')
      .action(
        run(async (context, specs: readonly string[], options: Options) => {
          if (options.all && specs.length > 0)
            throw new UsageError('--all is for all deployments: name none');
          if (options.record && specs.length > 0)
            throw new UsageError('--record is for all deployments: name none');
          const depth = options.paranoid ? 'paranoid' : options.deep ? 'deep' : 'metadata';
          if (!options.repository) return await verify(context, specs, options, depth);
          const isAlone = specs.length === 0 && !options.all && !options.record && !options.requireVerity;
          return await verifyWhole(context, { depth, isAlone });
        }),
      );
  },
};

async function verify(
  context: Context,
  specs: readonly string[],
  options: Options,
  depth: Depth,
): Promise<number> {
  const { repositoryPath } = await context.openSysroot();
  const progress = context.progress();
  const requireVerity = options.requireVerity ?? false;
  // Nothing is pruned while we look; what the deployments are is asked again, now that it stays.
  const report = await withSharedRepositoryLock(repositoryPath, { progress }, context.system, async () => {
    const sysroot = await context.openSysroot();
    const chosen = selectDeployments(sysroot, specs);
    const repository = Repository.open(repositoryPath, context.system);
    return await verifyDeployments(repository, chosen, {
      sysrootPath: sysroot.path,
      depth,
      requireVerity,
      progress,
      onFinding: (finding) => context.tell({ finding }),
    });
  });
  const { findings, deployments, images, objects, objectsRead } = report;
  if (options.record) await record(context, depth, findings);
  if (context.options.json) {
    context.printJson('verify', { depth, deployments, images, objects, objectsRead, findings });
  } else {
    for (const line of renderFindings(findings, context.style)) context.print(line);
    if (!context.options.quiet || findings.length > 0) context.print(summary(report, depth));
  }
  return findings.some(({ severity }) => severity === 'error') ? ExitCode.findings : ExitCode.ok;
}

async function record(context: Context, depth: Depth, findings: readonly Finding[]): Promise<void> {
  const sysroot = await context.openSysroot();
  const deployments = sysroot.deployments.map(({ id }) => id);
  const at = Math.floor(Date.now() / 1000);
  writeVerified(stateFolder(sysroot), { at, depth, deployments, findings }, context.system);
}

/** One line that says what was looked at, and never more than that. */
function summary(
  { findings, deployments, images, objects, objectsRead }: VerifyReport,
  depth: Depth,
): string {
  const content =
    depth === 'metadata'
      ? `${objects} objects looked at, content not read (--deep reads it)`
      : `${objectsRead} of ${objects} objects read and hashed`;
  const have = deployments === 1 ? 'deployment has' : 'deployments have';
  return `${images} of ${deployments} ${have} an image; ${content}: ${countFindings(findings)}`;
}
