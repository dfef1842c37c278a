/**
 * Do the deployments still hold what their boot will demand? The image whole, under fs-verity and the one that the
 * seal pin names; every object it points to, there and protected.
 *
 * The severities of `verify` are put into words of the next boot: what keeps an image from being used ends in a
 * refused boot or, under `prefer`, in a plain one; a damaged object is there in both cases, an error whenever it is
 * read.
 */
import { type Digest, digestOf } from '../../base/digest.ts';
import { errnoOf, SealtreeError } from '../../base/errors.ts';
import type { Progress } from '../../base/progress.ts';
import { shellWord } from '../../base/shell.ts';
import type { System } from '../../base/system.ts';
import type { BootPolicy } from '../../config/settings.ts';
import { readImageState } from '../../deployment/image-state.ts';
import { sealCommand } from '../../deployment/remedy.ts';
import type { Sysroot } from '../../deployment/sysroot.ts';
import { verifyDeployments } from '../../deployment/verify.ts';
import { joinKargs } from '../../formats/kargs.ts';
import { verityDigest } from '../../formats/verity.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import { DEPLOYMENT_IMAGE } from '../../image/store.ts';
import { Repository } from '../../repository/repository.ts';
import type { Depth } from '../../repository/verify-content.ts';
import { sealPinOf, sealPinValues } from '../pin.ts';
import type { BootTarget } from '../state.ts';
import { bootCommand, unsealed } from './context.ts';

export interface SealCheckOptions {
  readonly policy: BootPolicy;
  readonly unpinned: 'refuse' | 'plain';
  readonly depth: Depth;
  readonly progress: Progress;
}

/** The script's way out of `enforce` for one boot, typed at the loader's menu. */
const OVERRIDE = 'sealtree.policy=prefer';

/** Whether the way out stands in the entry itself: then it is there at every boot. One finding at most. */
export function checkOverride({ deployment, entry }: BootTarget, policy: BootPolicy | undefined): Finding[] {
  if (policy !== 'enforce' || !entry.options.split(/[ \t]+/).includes(OVERRIDE)) return [];
  const { stateroot, origin, checksum, id } = deployment;
  const revision = shellWord(origin?.refspec ?? checksum);
  return [
    {
      severity: 'warning',
      code: 'policy-overridden',
      where: entry.path,
      message: `${OVERRIDE} takes policy = enforce back at every boot of this entry`,
      deployments: [id],
      remedy: [`ostree admin deploy --os=${shellWord(stateroot)} --karg-delete=${OVERRIDE} ${revision}`],
    },
  ];
}

/** What an entry's seal pin will do. One finding at most. */
export function checkPin(
  { deployment, entry, image }: BootTarget,
  sysroot: Sysroot,
  { policy, unpinned }: Pick<SealCheckOptions, 'policy' | 'unpinned'>,
  system: System,
): Finding[] {
  const install = bootCommand(sysroot.path, 'install');
  const seal = sealCommand(sysroot.path, [deployment.id]);
  const remedy = image.recorded === undefined ? [seal, install] : [install];
  const found = (severity: Severity, code: string, message: string, commands = remedy): Finding[] => [
    { severity, code, where: entry.path, message, deployments: [deployment.id], remedy: commands },
  ];
  const outcome = policy === 'enforce' ? 'it will refuse to boot' : 'it will boot plain';
  const lenient = policy === 'enforce' && unpinned === 'plain';
  const withoutPin = lenient ? 'it will boot plain' : outcome;
  const severity = lenient ? 'warning' : unsealed(policy);
  switch (entry.pin) {
    case 'right':
      return [];
    case 'none':
      if (deployment.unlocked !== undefined)
        return found(
          severity,
          'deployment-unlocked',
          `unlocked (${deployment.unlocked}), so it cannot be sealed: ${withoutPin}`,
          [],
        );
      return found(severity, 'pin-missing', `no seal pin: ${withoutPin}`);
    case 'stale':
      return found(
        severity,
        'pin-stale',
        `the seal pin is of commit ${entry.sealPin?.commitPrefix}, the deployment of ${deployment.checksum.slice(0, 12)}: ${withoutPin}`,
      );
    case 'malformed':
      return found(unsealed(policy), 'pin-malformed', `the seal pin cannot be read: ${outcome}`);
    case 'wrong':
    case 'unknown': {
      const digest = digestOfImage(image.path, system);
      // The record may be lost or older: the boot goes by the image alone.
      if (digest !== undefined && digest === entry.sealPin?.imageDigest)
        return found(
          'warning',
          'pin-unrecorded',
          'the seal pin names the image that is there, and no record says that sealtree made it',
          [seal],
        );
      const there = digest ?? 'none that can be read';
      return found(
        unsealed(policy),
        'pin-wrong',
        `the seal pin demands the image ${entry.sealPin?.imageDigest}, there is ${there}: ${outcome}`,
      );
    }
  }
}

/**
 * A staged deployment gets its entry at shutdown, with the kernel arguments that stand in its state, or else with
 * those of the deployment it was merged from: by then nobody is there to look.
 */
export function checkStaged(
  sysroot: Sysroot,
  options: Pick<SealCheckOptions, 'policy' | 'unpinned'>,
  system: System,
): Finding[] {
  const staged = sysroot.deployments.find((deployment) => deployment.staged);
  if (staged === undefined || staged.finalizationLocked) return [];
  const image = readImageState(staged, sysroot.repositoryPath, system);
  const [value, ...others] = sealPinValues(joinKargs(staged.kargs ?? []));
  const expected = image.recorded === undefined ? undefined : sealPinOf(staged.checksum, image.recorded);
  if (value !== undefined && others.length === 0 && expected !== undefined) {
    if (value === `${expected.commitPrefix}:${expected.imageDigest}`) return [];
  }
  const what =
    staged.kargs === undefined
      ? "no kernel arguments of its own, so it gets those of the deployment it follows, another one's seal pin with them"
      : value === undefined
        ? 'no seal pin'
        : 'a seal pin that is not of its image';
  const install = bootCommand(sysroot.path, 'install');
  const seal = sealCommand(sysroot.path, [staged.id]);
  const isLenient = options.policy === 'prefer' || options.unpinned === 'plain';
  return [
    {
      severity: isLenient ? 'warning' : 'error',
      code: 'staged-pin',
      where: staged.path,
      message: `staged with ${what}: it will ${isLenient ? 'boot plain' : 'refuse to boot'} next`,
      deployments: [staged.id],
      remedy: image.recorded === undefined ? [seal, install] : [install],
    },
  ];
}

function digestOfImage(path: string, system: System): Digest | undefined {
  try {
    return digestOf(verityDigest(system.readFile(path)));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Verifies images and objects of the targets whose entries have a pin: the others boot without them. */
export async function checkSeals(
  targets: readonly BootTarget[],
  sysroot: Sysroot,
  options: SealCheckOptions,
  system: System,
): Promise<Finding[]> {
  const pinned = targets.filter(({ entry }) => entry.pin !== 'none');
  if (pinned.length === 0) return [];
  let repository: Repository;
  try {
    repository = Repository.open(sysroot.repositoryPath, system);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return [{ severity: 'error', code: 'repository', where: sysroot.repositoryPath, message: error.message }];
  }
  if (repository.mode === 'archive')
    return [
      {
        severity: unsealed(options.policy),
        code: 'archive-repository',
        where: sysroot.repositoryPath,
        message: 'objects of an archive repository are compressed and cannot back a root',
      },
    ];
  const { findings } = await verifyDeployments(
    repository,
    pinned.map(({ deployment }) => deployment),
    { sysrootPath: sysroot.path, depth: options.depth, requireVerity: false, progress: options.progress },
  );
  return findings.map((finding) => ({ ...finding, severity: severityAtBoot(finding, options.policy) }));
}

/** An object without fs-verity gives EIO in a sealed root, whatever the policy. */
const OBJECT_CODES: ReadonlySet<string> = new Set(['object-without-verity', 'objects-without-verity']);

/** What the check at boot sees, though it may be less than an error to `verify`. */
const DEMANDED: ReadonlySet<string> = new Set(['image-verity', 'not-sealed']);

function severityAtBoot({ severity, code, where }: Finding, policy: BootPolicy): Severity {
  if (OBJECT_CODES.has(code)) return severity === 'warning' ? 'error' : severity;
  if (!where.endsWith(`/${DEPLOYMENT_IMAGE}`)) return severity;
  // An image that cannot be used is not used.
  return severity === 'error' || DEMANDED.has(code) ? unsealed(policy) : severity;
}
