/** The state of a system's boot as text. */
import { displayBytes, displayMessage } from '../../base/bytes.ts';
import { bootCommand } from '../../boot/check/context.ts';
import type { EntryState, PinKind } from '../../boot/entries.ts';
import { type BootOutlook, bootOutlook, isForShutdown } from '../../boot/outlook.ts';
import { findObstacles, installRefusals, wayOf } from '../../boot/refusals.ts';
import { type BootState, type BootTarget, bootTargets } from '../../boot/state.ts';
import type { Setting } from '../../config/settings.ts';
import { blsValue } from '../../formats/bls.ts';
import { fieldLines, jsonBytes, type Style } from '../output.ts';
import { renderFindings } from './findings.ts';
import { wrap } from './wrap.ts';

const PINS: Readonly<Record<PinKind, string>> = {
  none: 'none',
  right: 'of the sealed image',
  stale: 'stale: of another commit',
  wrong: 'of another image than the one sealed',
  unknown: 'of an image that is not recorded here',
  malformed: 'cannot be read',
};

export function renderBootStatus(state: BootState, style: Style): string[] {
  const { targets, sysroot, problems, journal } = state;
  const lines: string[] = [];
  if (targets.length === 0) lines.push(`${sysroot.path} has no deployment that could be booted.`);
  for (const target of bootTargets(state)) lines.push(...renderTarget(target, state, style));
  lines.push('', ...fieldLines([...runningField(state, style), ...systemFields(state, style)]));
  const findings = [...sysroot.problems, ...problems];
  if (findings.length > 0) lines.push('', ...renderFindings(findings, style));
  if (journal !== undefined)
    lines.push(
      '',
      ...wrap(
        `${style.yellow('cut off')}: sealtree boot ${journal.verb} did not come to its end. Running it again goes on.`,
      ),
    );
  return [...lines, '', ...renderNext(state, style)];
}

function renderTarget(target: BootTarget, state: BootState, style: Style): string[] {
  const { deployment, entry } = target;
  const { booted, staged, pending, rollback, pinned } = deployment;
  const marks = Object.entries({ booted, staged, pending, rollback, pinned })
    .filter(([, is]) => is)
    .map(([name]) => name);
  const title = entry.entry === undefined ? undefined : blsValue(entry.entry, 'title');
  const fields: [string, string][] = [];
  if (title !== undefined) fields.push(['title', displayBytes(title)]);
  fields.push(['entry', staged ? 'written by ostree at shutdown' : entry.name]);
  fields.push(['seal pin', PINS[entry.pin]]);
  fields.push(['boots', outlookText(bootOutlook(target, state), style)]);
  return [
    `${booted ? '*' : ' '} ${deployment.index}  ${style.bold(deployment.id)}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}`,
    ...fieldLines(fields, '    '),
  ];
}

function outlookText({ as, reason }: BootOutlook, style: Style): string {
  switch (as) {
    case 'sealed':
      return style.green('sealed: pinned, not authenticated');
    case 'plain':
      return `${style.yellow('plain')}: ${reason}`;
    case 'refused':
      return `${style.red('not at all')}: ${reason}`;
    case 'unknown':
      return `${style.yellow('?')}: ${reason}`;
  }
}

/** What runs now is told apart from what would boot next. */
function runningField({ running }: BootState, style: Style): [string, string][] {
  if (running === undefined) return [];
  switch (running.as) {
    case 'sealed':
      return [['this boot', `${style.green('sealed')}, image ${running.imageDigest}`]];
    case 'unsealed':
      return [['this boot', `${style.red('NOT SEALED')}: ${displayMessage(running.reason)}`]];
    case 'plain':
      return [['this boot', 'plain']];
  }
}

/** Whether what is deployed next is sealed by itself. */
function keptText({ keep: { app, otherApps, units } }: BootState, style: Style): string {
  const lacks = [
    ...[app, ...otherApps]
      .filter((one) => one?.current === undefined)
      .map((one) => `no copy of this program in ${one?.folder ?? '/var/lib/sealtree'}/app`),
    ...units
      .filter(({ wanted, problem }) => wanted.length > 0 || problem !== undefined)
      .map(
        ({ deployment, problem }) =>
          `${deployment} lacks units${problem === undefined ? '' : `: ${problem}`}`,
      ),
  ];
  if (lacks.length === 0) return style.green('by units that seal what is deployed');
  return `${style.yellow('by hand')}: ${lacks.join('; ')}`;
}

function systemFields(state: BootState, style: Style): [string, string][] {
  const { loader, settings, storage, protection, installed, integrations } = state;
  const reads = {
    bls: 'reads the boot entries',
    generated: 'reads a menu made of the boot entries',
    none: 'does not read the boot entries',
  };
  const way = wayOf(state);
  const ways = {
    append: 'behind the initramfs file',
    overlay: 'an initramfs of its own, named in the entry',
    module: 'in the initramfs by its generator',
  };
  const { type, device, mountPoint } = storage.sysroot;
  const verity = {
    ready: `${protection.enabled} of ${protection.total} files have fs-verity`,
    'needs-feature': 'its verity feature is off, and can be turned on',
    impossible: 'cannot have fs-verity',
    unknown: 'whether it can have fs-verity is unknown',
  };
  return [
    ['policy', settingText(settings.policy)],
    ['loader', loader.name === 'none' ? 'none found' : `${loader.name}, ${reads[loader.readsEntries]}`],
    ['script', way === undefined ? 'has no way into the initramfs' : ways[way]],
    ['storage', `${type} on ${device?.path ?? mountPoint}: ${verity[storage.verity.state]}`],
    ['installed', installed === undefined ? 'no' : 'yes'],
    ...(integrations.length === 0
      ? []
      : [['works with', `${integrations.join(', ')} (files in the deployment)`] as [string, string]]),
    ...(installed === undefined ? [] : [['kept', keptText(state, style)] as [string, string]]),
  ];
}

function settingText({ value, origin }: Setting<string>): string {
  return `${value} (${origin ?? 'default'})`;
}

/** What to do next, and why not if nothing can be done. */
function renderNext(state: BootState, style: Style): string[] {
  const { sysroot, installed } = state;
  const refusals = installRefusals(state);
  if (refusals.length > 0) {
    const heading = installed === undefined ? 'What keeps it from booting sealed' : 'What is wrong';
    return [style.bold(heading), ...renderFindings(refusals, style)];
  }
  const isSealed = bootTargets(state).every(
    (target) =>
      findObstacles(target, state).length > 0 ||
      bootOutlook(target, state).as === 'sealed' ||
      isForShutdown(target, state),
  );
  const check = `  ${bootCommand(sysroot.path, 'check')}`;
  if (isSealed) return ['Told by what is on the disk. To try it, without a reboot:', check];
  return [
    'Next: see every change that would be made, then make them',
    `  ${bootCommand(sysroot.path, 'preview')}`,
    `  ${bootCommand(sysroot.path, 'install')}`,
  ];
}

/** In the order of a boot menu. */
function entryJson(entry: EntryState): Record<string, unknown> {
  const title = entry.entry === undefined ? undefined : blsValue(entry.entry, 'title');
  return {
    path: entry.path,
    name: entry.name,
    owner: entry.owner,
    title: title === undefined ? null : jsonBytes(title),
    deployment: entry.deployment?.id ?? null,
    kernel: entry.linux === undefined ? null : jsonBytes(entry.linux),
    initrds: entry.initrds.map(jsonBytes),
    options: jsonBytes(entry.options),
    sealPin: entry.pin,
    triesLeft: entry.blsName?.counters?.left ?? null,
    problems: entry.problems,
  };
}

/** For `--json`. */
export function bootStatusJson(state: BootState): Record<string, unknown> {
  const { sysroot, loader, settings, storage, protection, installed, journal, running } = state;
  return {
    sysroot: sysroot.path,
    deployments: bootTargets(state).map((target) => ({
      index: target.deployment.index,
      id: target.deployment.id,
      booted: target.deployment.booted,
      staged: target.deployment.staged,
      entry: target.entry.path,
      sealPin: target.entry.pin,
      boots: bootOutlook(target, state),
      obstacles: findObstacles(target, state),
    })),
    entries: state.entries.map((entry) => entryJson(entry)),
    initramfs: state.initramfs.map(({ path, content, deployments, kernelRelease }) => ({
      path,
      content,
      deployments,
      kernelRelease: kernelRelease ?? null,
    })),
    policy: settings.policy.value,
    loader: {
      name: loader.name,
      readsEntries: loader.readsEntries,
      initrds: loader.initrds,
      evidence: loader.evidence,
    },
    way: wayOf(state) ?? null,
    verity: storage.verity.state,
    protectedFiles: protection.enabled,
    files: protection.total,
    installed: installed !== undefined,
    integrations: state.integrations,
    kept: {
      program: state.keep.app?.current ?? null,
      units: state.keep.units.map(({ deployment, problem, found, wanted }) => ({
        deployment,
        problem: problem ?? null,
        found,
        missing: wanted.map(({ path }) => path),
      })),
    },
    running: running ?? null,
    unfinished: journal?.verb ?? null,
    refusals: installRefusals(state),
    problems: [...sysroot.problems, ...state.problems],
  };
}
