/** `sealtree status`: every deployment and its image, and what stands between this host and a seal. */
import prettyBytes from 'pretty-bytes';
import prettyMilliseconds from 'pretty-ms';
import { type ByteString, displayBytes, displayMessage } from '../base/bytes.ts';
import { ExitCode, NotFoundError, SealtreeError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import { type RunningState, readRunning } from '../boot/running.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readFlushFindings } from '../deployment/flushes.ts';
import { type SealOutlook, sealOutlook } from '../deployment/outlook.ts';
import { stateFolder } from '../deployment/state-folder.ts';
import { type DeploymentReport, type ImageReport, reportDeployments } from '../deployment/status.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { readVerified, type Verified } from '../deployment/verified.ts';
import { blsValue } from '../formats/bls.ts';
import type { Finding } from '../image/findings.ts';
import type { CommandModule } from './command.ts';
import type { Context } from './context.ts';
import { fieldLines, jsonBytes, rfc3339, type Style } from './output.ts';
import { countFindings, renderFindings } from './text/findings.ts';

export const command: CommandModule = {
  name: 'status',
  summary: 'Show every deployment and its image',
  details: [
    'Reads each image and recomputes its digest, but neither objects nor commits: verify does that. On a host that was never sealed it says what sealing would give and what stands in the way. It begins with NOT SEALED where the running system was to be sealed and is not, and ends with what the weekly check found last. Exits with 2 when an image is wrong or missing that should be there, or the running system is not sealed.',
  ],
  examples: [
    ['status', 'this system'],
    ['status --json --sysroot /mnt', 'another one, for programs'],
  ],
  define(command, run) {
    command.action(run(status));
  },
};

/** Shows the sysroot the context opens. */
export async function status(context: Context): Promise<number> {
  const sysroot = await context.openSysroot();
  const reports = reportDeployments(sysroot, context.system);
  const outlook = sealOutlook(sysroot, context.system);
  const problems = [...sysroot.problems, ...readFlushFindings(sysroot, context.system)];
  const running = sysroot.isBooted ? readRunning(context.system) : undefined;
  const last = lastVerification(sysroot, context.system);
  if (context.options.json) {
    context.printJson('status', {
      sysroot: sysroot.path,
      deployments: reports.map(deploymentJson),
      running: running ?? null,
      verified: 'at' in last ? { ...last, at: rfc3339(last.at) } : null,
      problems,
      outlook,
    });
  } else {
    for (const line of renderRunning(running, context.style)) context.print(line);
    for (const line of render(sysroot, reports, problems, outlook, context)) context.print(line);
    for (const line of renderLast(last, sysroot, context.style)) context.print(line);
  }
  const isWrong = reports.some(
    ({ image }) => image.valid === false || image.state === 'lost' || isMissing(image),
  );
  const isUnsealed = running?.as === 'unsealed';
  return isWrong || isUnsealed ? ExitCode.findings : ExitCode.ok;
}

/** What the timer found last; why that cannot be said; or nothing. */
function lastVerification(sysroot: Sysroot, system: System): Verified | { readonly problem?: string } {
  try {
    return readVerified(stateFolder(sysroot), system) ?? {};
  } catch (error) {
    if (error instanceof NotFoundError) return {};
    if (!(error instanceof SealtreeError)) throw error;
    return { problem: error.message };
  }
}

/** First of all, where it is not what was asked for. */
function renderRunning(running: RunningState | undefined, style: Style): string[] {
  if (running?.as !== 'unsealed') return [];
  return [
    `${style.red('NOT SEALED')}: this system is not running from the image that its boot entry pins:`,
    `  ${displayMessage(running.reason)}`,
    '',
  ];
}

function renderLast(
  last: Verified | { readonly problem?: string },
  { deployments }: Sysroot,
  style: Style,
): string[] {
  if (!('at' in last)) return last.problem === undefined ? [] : ['', `Last check: ? ${last.problem}`];
  const { at, depth, findings } = last;
  // What was wrong with deployments that are gone is wrong no more.
  const still = findings.filter(
    ({ deployments: of = [] }) =>
      of.length === 0 || of.some((id) => deployments.some((one) => one.id === id)),
  );
  const looked = depth === 'metadata' ? 'objects looked at' : 'objects read and hashed';
  const heading = `Last check: ${ageText(at)}, ${looked}: ${countFindings(still)}`;
  return ['', heading, ...renderFindings(still, style)];
}

/** Sealed once, and the image is gone from the deployment. */
const isMissing = (image: ImageReport): boolean =>
  image.recorded !== undefined && image.sizeBytes === undefined;

function deploymentJson({ deployment, image }: DeploymentReport): Record<string, unknown> {
  const {
    index,
    checksum,
    stateroot,
    serial,
    id,
    booted,
    pending,
    rollback,
    staged,
    pinned,
    unlocked,
    origin,
  } = deployment;
  return {
    index,
    id,
    checksum,
    stateroot,
    serial,
    booted,
    pending,
    rollback,
    staged,
    pinned,
    unlocked: unlocked ?? null,
    title: jsonTitle(deployment),
    refspec: origin?.refspec ?? null,
    image: {
      state: image.state,
      valid: image.valid ?? null,
      imageDigest: image.digest ?? null,
      recordedDigest: image.recorded ?? null,
      path: image.path,
      bytes: image.sizeBytes ?? null,
      made: image.madeAt === undefined ? null : rfc3339(image.madeAt),
      verity: image.verity,
      problem: image.problem ?? null,
    },
  };
}

function render(
  sysroot: Sysroot,
  reports: readonly DeploymentReport[],
  problems: readonly Finding[],
  outlook: SealOutlook,
  context: Context,
): string[] {
  const { style } = context;
  const lines: string[] = [];
  if (reports.length === 0) lines.push(`${sysroot.path} has no deployments.`);
  for (const report of reports) lines.push(...renderDeployment(report, style));
  if (problems.length > 0) lines.push('', ...renderFindings(problems, style));
  if (reports.some(({ image }) => image.state !== 'sealed'))
    lines.push('', ...renderOutlook(outlook, reports, style));
  else if (reports.some(({ image }) => image.verity !== 'enabled') && outlook.obstacles.length > 0)
    lines.push('', 'What stands in the way of fs-verity:', ...renderObstacles(outlook, style));
  return lines;
}

function renderDeployment({ deployment, image }: DeploymentReport, style: Style): string[] {
  const { booted, pending, rollback, staged, pinned, unlocked, origin } = deployment;
  const marks = Object.entries({ booted, staged, pending, rollback, pinned })
    .filter(([, is]) => is)
    .map(([name]) => name);
  if (unlocked !== undefined) marks.push(`unlocked: ${unlocked}`);
  const heading = `${booted ? '*' : ' '} ${deployment.index}  ${style.bold(deployment.id)}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`;
  const fields: [string, string][] = [];
  const title = titleOf(deployment);
  if (title !== undefined) fields.push(['title', displayBytes(title)]);
  if (origin?.refspec !== undefined) fields.push(['ref', origin.refspec]);
  fields.push(['image', imageText(image, style)]);
  if (image.digest !== undefined) fields.push(['digest', image.digest]);
  if (image.sizeBytes !== undefined) fields.push(['made', madeText(image)]);
  if (image.sizeBytes !== undefined) fields.push(['fs-verity', verityText(image, style)]);
  if (image.problem !== undefined) fields.push(['problem', style.red(image.problem)]);
  // With this indent a digest ends before column 80.
  return [heading, ...fieldLines(fields, '    ')];
}

function imageText({ state, valid, recorded, sizeBytes }: ImageReport, style: Style): string {
  if (valid === false) return style.red(state === 'foreign' ? 'no image at all' : 'not what was sealed');
  switch (state) {
    case 'sealed':
      return valid ? style.green('sealed') : style.yellow('sealed, but it could not be read');
    case 'unlinked':
      return sizeBytes === undefined
        ? style.red(`missing; sealed was ${recorded}`)
        : style.yellow('right, but a copy of the stored image');
    case 'lost':
      return style.red('the stored image is gone');
    case 'foreign':
      return style.yellow('made by ostree, not checked against the commit');
    case 'none':
      return style.yellow('not sealed');
  }
}

/** What the boot menu calls it; a staged deployment has no entry yet. */
const titleOf = ({ entry }: Deployment): ByteString | undefined =>
  entry === undefined ? undefined : blsValue(entry.content, 'title');

const jsonTitle = (deployment: Deployment): ReturnType<typeof jsonBytes> | null => {
  const title = titleOf(deployment);
  return title === undefined ? null : jsonBytes(title);
};

function madeText({ madeAt = 0, sizeBytes = 0 }: ImageReport): string {
  return `${ageText(madeAt)}, ${prettyBytes(sizeBytes)}`;
}

function ageText(at: number): string {
  const ageMs = Math.max(0, Date.now() - at * 1000);
  return ageMs < 1000 ? 'just now' : `${prettyMilliseconds(ageMs, { compact: true, verbose: true })} ago`;
}

function verityText({ verity }: ImageReport, style: Style): string {
  const texts = {
    enabled: style.green('on'),
    disabled: style.yellow('off'),
    unsupported: 'cannot be had here',
    unknown: '?',
  };
  return texts[verity];
}

function renderOutlook(outlook: SealOutlook, reports: readonly DeploymentReport[], style: Style): string[] {
  const unsealed = reports.filter(({ image }) => image.state !== 'sealed').length;
  const lines = [
    `${unsealed} of ${reports.length} deployments are not sealed. sealtree seal makes a composefs image of each beside the`,
    "repository's objects: every file's name, owner, mode, xattrs and content digest in one file with one digest.",
  ];
  lines.push(...renderObstacles(outlook, style));
  if (!outlook.obstacles.some(({ severity }) => severity === 'error'))
    lines.push(`  next: ${style.bold(outlook.next)}`);
  return lines;
}

function renderObstacles({ obstacles }: SealOutlook, style: Style): string[] {
  return obstacles.map(({ severity, message }) => {
    const label = severity === 'error' ? style.red('in the way') : style.yellow('limit');
    return `  ${label}: ${message}`;
  });
}
