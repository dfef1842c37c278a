/**
 * What keeps a machine from booting sealed, found out before anything is changed: what stands in the way of one
 * deployment, and what refuses the whole installation. Pure: it follows from the state alone.
 *
 * A deployment with an obstacle gets no seal pin. Is it the one that boots next or the one that runs, or would
 * `enforce` refuse to boot it, then installing is refused; else it is left as it is, with a warning.
 */
import { sealCommand } from '../deployment/remedy.ts';
import type { Finding } from '../image/findings.ts';
import { bootFilePath } from './check/boot-files.ts';
import { keepWarnings } from './keep/keep.ts';
import { chooseWay } from './loaders/detect.ts';
import type { InitramfsWay } from './loaders/loader.ts';
import { roomRefusal, stagedScript } from './room.ts';
import { type BootInitramfs, type BootState, type BootTarget, type StagedTarget, UNKNOWN } from './state.ts';
import { storageFindings } from './storage.ts';

/** The way the script takes into the initramfs; undefined where there is none. */
export function wayOf(state: BootState): InitramfsWay | undefined {
  const way = chosenWay(state);
  return typeof way === 'string' ? way : undefined;
}

/** An image whose generator took sealtree along needs nothing else. */
function chosenWay({ settings, loader, initramfs }: BootState): ReturnType<typeof chooseWay> {
  const setting = settings.initramfs.value;
  const byGenerator = initramfs.length > 0 && initramfs.every(isByGenerator);
  return chooseWay(setting === 'auto' && byGenerator ? 'module' : setting, loader);
}

const isByGenerator = ({ facts }: BootInitramfs): boolean => facts?.sealtree?.by === 'generator';

/** Why a deployment cannot be booted sealed; none where it can. */
export function findObstacles(target: BootTarget, state: BootState): Finding[] {
  return [
    ...unsealedObstacles(target, state),
    ...kernelObstacles(target),
    ...composefsObstacles(target, state),
    ...libraryObstacles(target),
    ...initramfsObstacles(target, state),
  ];
}

function obstacle(
  { deployment }: BootTarget,
  code: string,
  where: string,
  message: string,
  remedy: readonly string[] = [],
): Finding {
  const mends = remedy.length === 0 ? {} : { remedy };
  return { severity: 'error', code, where, message, deployments: [deployment.id], ...mends };
}

function unsealedObstacles(target: BootTarget, { sysroot }: BootState): Finding[] {
  const { deployment, image, entry } = target;
  const { id, unlocked, index } = deployment;
  if (unlocked !== undefined)
    return [
      obstacle(
        target,
        'deployment-unlocked',
        id,
        `it is unlocked (${unlocked}): its files may differ from its commit`,
      ),
    ];
  if (image.kind === 'sealed' && entry.expectedPin !== undefined) return [];
  const seal = [sealCommand(sysroot.path, [String(index)])];
  const whys = {
    none: 'it is not sealed',
    foreign: 'its image was made by ostree, and not checked against the commit',
    unlinked: 'it has no image of its own, although one was made of its commit',
    lost: 'its image is gone',
    sealed: 'nothing is recorded of its image',
  };
  return [obstacle(target, 'deployment-unsealed', id, whys[image.kind], seal)];
}

function kernelObstacles(target: BootTarget): Finding[] {
  const { kernel, deployment } = target;
  if (kernel === undefined)
    return [
      obstacle(
        target,
        'kernel-missing',
        deployment.path,
        'there is no kernel in its usr/lib/modules, so nothing can be said of it',
      ),
    ];
  const { release, facts } = kernel;
  const lacks = (
    [
      [facts.erofs, 'cannot read images'],
      [facts.overlayDataOnly, 'has no data-only overlay layers'],
      [facts.overlayVerity, "has no overlay option 'verity='"],
      [facts.verity, 'has no fs-verity'],
    ] as const
  ).filter(([fact]) => fact.state === 'no');
  const [first] = lacks;
  if (first === undefined) return [];
  return [
    obstacle(
      target,
      'kernel-incapable',
      kernel.vmlinuz,
      `kernel ${release} ${lacks.map(([, what]) => what).join(' and ')}: ${first[0].reason}`,
    ),
  ];
}

/** One that was built with composefs mounts the image by itself; any other one ends the boot. */
function composefsObstacles(target: BootTarget, { initramfs }: BootState): Finding[] {
  const { composefs, deployment, initramfsPath } = target;
  const facts = initramfs.find(({ path }) => path === initramfsPath)?.facts;
  if (composefs === undefined || facts?.prepareRoot !== 'plain') return [];
  const message = `${composefs}: the ostree-prepare-root of its initramfs was built without composefs, and boots nothing then`;
  return [obstacle(target, 'composefs-unsupported', deployment.path, message)];
}

function libraryObstacles(target: BootTarget): Finding[] {
  const { oldLibrary, deployment } = target;
  if (oldLibrary === undefined) return [];
  const message =
    'this ostree does not know a sealed root: every `ostree admin` command would end in an error there';
  return [obstacle(target, 'ostree-too-old', `${deployment.path}/${oldLibrary}`, message)];
}

function initramfsObstacles(target: BootTarget, state: BootState): Finding[] {
  const { initramfsPath, entry } = target;
  if (initramfsPath === undefined)
    return [obstacle(target, 'initramfs-missing', entry.path, 'the boot entry has no initramfs')];
  const initramfs = state.initramfs.find(({ path }) => path === initramfsPath);
  if (initramfs === undefined) return [];
  const { content, facts, wanted, original } = initramfs;
  const way = wayOf(state);
  const say = (code: string, message: string): Finding[] => [obstacle(target, code, initramfsPath, message)];
  if (content === 'unreadable') return say('initramfs-unreadable', 'it cannot be read');
  if (original === undefined) return say('initramfs-missing', 'the deployment has no initramfs of its own');
  // Whatever the way: only of the deployment's own is it known what it holds.
  if (content === 'foreign')
    return say('initramfs-foreign', "it is not the deployment's own: somebody else has changed it");
  if (facts === undefined) return say('initramfs-unknown', 'it cannot be read to its end');
  if (way === 'module') {
    if (isByGenerator(initramfs)) return [];
    return say('initramfs-without-module', 'it was generated without sealtree');
  }
  if (wanted === undefined) return say('addition-impossible', 'no addition can be made for it');
  return wanted.lacks.map((lack) => ({
    ...lack,
    where: lack.where === 'initramfs' ? initramfsPath : lack.where,
    deployments: [target.deployment.id],
  }));
}

/** Why install does nothing; none where it can be done. */
export function installRefusals(state: BootState): Finding[] {
  const { targets, sysroot, boot } = state;
  const way = chosenWay(state);
  const full = typeof way === 'string' ? roomRefusal(state, way) : undefined;
  const refusal = (code: string, where: string, message: string): Finding => ({
    severity: 'error',
    code,
    where,
    message,
  });
  return [
    ...(targets.length === 0
      ? [refusal('no-deployments', sysroot.path, 'there is no deployment that could be booted')]
      : []),
    ...repositoryRefusals(state),
    ...storageFindings(state.storage)
      .filter(() => state.storage.verity.state !== 'needs-feature')
      .map((finding) => ({ ...finding, severity: 'error' as const })),
    ...(typeof way === 'string' ? [] : [refusal('loader-unsupported', boot.path, way.refusal)]),
    ...deploymentRefusals(state),
    ...(full === undefined ? [] : [full]),
  ];
}

function repositoryRefusals({ sysroot, repositoryMode, problems }: BootState): Finding[] {
  const where = sysroot.repositoryPath;
  const unknown: readonly string[] = Object.values(UNKNOWN);
  const found = problems.filter(({ code }) => unknown.includes(code));
  if (found.length > 0) return found;
  if (repositoryMode !== 'archive') return [];
  const message = 'the objects of an archive repository are compressed and cannot back a root';
  return [{ severity: 'error', code: 'archive-repository', where, message }];
}

/** What a deployment without a seal means for the machine. */
function deploymentRefusals(state: BootState): Finding[] {
  return state.targets.flatMap((target) => {
    const obstacles = findObstacles(target, state);
    if (obstacles.length === 0) return [];
    if (isNeeded(target, state)) return obstacles;
    if (!isUnpinnedRefused(state)) return [];
    return obstacles.map((one) => ({
      ...one,
      message: `${one.message}; with policy = enforce it would not boot`,
    }));
  });
}

const isNeeded = (target: BootTarget, { targets }: BootState): boolean =>
  target === targets[0] || target.deployment.booted;

/** Whether the script refuses entries without a seal pin. */
export const isUnpinnedRefused = ({ wanted }: BootState): boolean =>
  wanted.policy === 'enforce' && wanted.unpinned === 'refuse';

/** Why remove does nothing: as long as the script is there and refuses what has no seal pin, the pins have to stay. */
export function removeRefusals({ initramfs }: BootState): Finding[] {
  return initramfs.flatMap((one): Finding[] => {
    const { path, deployments } = one;
    const refusal = (code: string, message: string): Finding[] => [
      { severity: 'error', code, where: path, message, deployments },
    ];
    if (one.content === 'unreadable')
      return refusal(
        'initramfs-unreadable',
        'it cannot be read: whether the mount script is in it is not known',
      );
    if (one.content === 'damaged' && one.original === undefined)
      return refusal(
        'initramfs-damaged',
        'it is damaged, and the deployment has no other: the script stays in it',
      );
    if (needsPins(one)) return refusal('script-in-initramfs', GENERATED_ENFORCING);
    return [];
  });
}

/** What to say where taking the pins would leave a system that does not boot. */
export const GENERATED_ENFORCING =
  'it was generated with the mount script and policy = enforce, which refuses entries without a seal pin: deploy one that was generated without, or with policy = prefer, first';

/** Whether a generator put a script into it that refuses entries without a pin. */
export function needsPins({ facts }: Pick<BootInitramfs, 'facts'>): boolean {
  const { sealtree } = facts ?? {};
  if (sealtree?.by !== 'generator' || !sealtree.isHooked) return false;
  return sealtree.settings?.policy === 'enforce' && sealtree.settings.unpinned === 'refuse';
}

/** What does not keep install from its work, and should be known. */
export function installWarnings(state: BootState): Finding[] {
  const { loader, settings, problems } = state;
  const left = state.targets
    .filter((target) => !isNeeded(target, state) && !isUnpinnedRefused(state))
    .flatMap((target) => findObstacles(target, state))
    .map((one): Finding => ({ ...one, severity: 'warning', message: `left as it is: ${one.message}` }));
  const staged = state.staged === undefined ? [] : stagedWarnings(state.staged, state);
  return [
    ...problems.map((problem): Finding => ({ ...problem, severity: 'warning' })),
    ...settings.problems.map(
      ({ path, message }): Finding => ({ severity: 'warning', code: 'settings', where: path, message }),
    ),
    ...loader.problems.map((problem): Finding => ({ ...problem, severity: 'warning' })),
    ...left,
    ...staged,
    ...foreignEntryWarnings(state),
    ...settingsWarnings(state),
    ...keepWarnings(state.keep),
  ];
}

/** One that cannot be sealed is ostree's to finalize as it is: nothing else waits for it. */
function stagedWarnings(target: StagedTarget, state: BootState): Finding[] {
  const end = isUnpinnedRefused(state) ? 'with policy = enforce it will not boot' : 'it will boot plain';
  const obstacles = findObstacles(target, state).map(
    (one): Finding => ({ ...one, severity: 'warning', message: `${one.message}: once finalized ${end}` }),
  );
  const { lack } = stagedScript(state, wayOf(state));
  if (obstacles.length > 0 || lack === undefined) return obstacles;
  const message = `${lack.message}: the mount script gets in at shutdown, where ostree has made room by then; else it boots plain once`;
  return [{ ...lack, message, deployments: [target.deployment.id] }];
}

/** Somebody else's entry for a deployment gets no seal pin from us, and the script is in the initramfs that it names. */
function foreignEntryWarnings(state: BootState): Finding[] {
  if (!isUnpinnedRefused(state)) return [];
  const named = new Set(state.initramfs.map(({ path }) => path));
  return state.entries
    .filter(
      ({ owner, pin, options }) => owner === 'foreign' && pin !== 'right' && /(^|\s)ostree=/.test(options),
    )
    .filter(({ initrds }) => initrds.some((initrd) => named.has(bootFilePath(state.sysroot.path, initrd))))
    .map(({ path }) => ({
      severity: 'warning',
      code: 'entry-foreign',
      where: path,
      message:
        "it is not ostree's, so it gets no seal pin, and shares its initramfs with what gets one: with policy = enforce it will not boot where the script is behind that",
    }));
}

/** A generator took the settings along as they were then. */
function settingsWarnings({ initramfs, wanted }: BootState): Finding[] {
  return initramfs.flatMap(({ facts, path, deployments }): Finding[] => {
    const { sealtree } = facts ?? {};
    if (sealtree?.by !== 'generator') return [];
    const found = sealtree.settings;
    const isSame =
      found !== undefined &&
      found.policy === wanted.policy &&
      found.unpinned === wanted.unpinned &&
      found.onRefusal === wanted.onRefusal;
    if (isSame) return [];
    const message = 'it was generated with other settings than sealtree.conf has now, and those hold at boot';
    return [{ severity: 'warning', code: 'initramfs-settings', where: path, message, deployments }];
  });
}
