/**
 * The plan: what install and remove would do, in order, computed from the state alone. A plan changes nothing and
 * can be shown; {@link ./transaction.ts} carries it out. Whatever would be found out at boot, too late, is a refusal
 * here: see {@link ./refusals.ts}.
 *
 * The order of install: the machine boots after each step. File system feature; fs-verity on all that the kernel
 * will be asked about; only then the repository's configuration (ostree fails to commit where that asks for fs-verity
 * and it cannot be had); seal pins, which nobody reads yet; the loader's menu; the mount script last, since under
 * `enforce` it refuses entries without a pin. Remove goes the other way.
 */
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ByteString, bytesToText } from '../base/bytes.ts';
import type { Deployment } from '../deployment/deployment.ts';
import {
  type BlsEntry,
  blsOptions,
  blsValues,
  formatBlsEntry,
  parseBlsEntry,
  setBlsValues,
} from '../formats/bls.ts';
import type { Finding } from '../image/findings.ts';
import type { EntryState } from './entries.ts';
import { tailFor } from './initramfs/extended.ts';
import { additionPath, type Installed, installedPath, removerPath } from './journal.ts';
import {
  appGoneSteps,
  areKept,
  type KeeperFile,
  type KeepStep,
  type KeptEntry,
  keeperFiles,
  keeperPaths,
  keepSteps,
  unitsGoneSteps,
  unusedTail,
} from './keep/keep.ts';
import type { InitramfsWay, Regenerate } from './loaders/loader.ts';
import { type MenuEntry, ostreeLink } from './loaders/menu.ts';
import { menuWithOptions } from './loaders/text-menus.ts';
import { overlayLine, overlayPath, sumIn } from './overlays.ts';
import { entryWithSealPin, sealPinValues } from './pin.ts';
import {
  findObstacles,
  installRefusals,
  installWarnings,
  isUnpinnedRefused,
  removeRefusals,
  wayOf,
} from './refusals.ts';
import { renderRemover } from './remover.ts';
import { withIntegrity, withoutIntegrity } from './repo-config.ts';
import { stagedScript } from './room.ts';
import { amendedState } from './staged.ts';
import {
  type BootInitramfs,
  type BootState,
  type BootTarget,
  bootTargets,
  type WantedAddition,
} from './state.ts';
import type { FeatureStep } from './storage.ts';

/** One change, idempotent by itself; the machine boots before it and after it. */
export type BootStep =
  /** Brings settings back in a drop-in of sealtree.conf: the first step of a rollback. */
  | {
      readonly kind: 'settings';
      readonly path: string;
      /** Undefined where there is no such file. */
      readonly before: Buffer | undefined;
      /** Undefined where it is to go. */
      readonly after: Buffer | undefined;
    }
  /** Writes what later runs and the remover need, before anything is changed. */
  | {
      readonly kind: 'record';
      readonly installed: Installed;
      readonly additions: readonly WantedAddition[];
      readonly remover: Buffer;
      readonly keepers: readonly KeeperFile[];
    }
  /** Makes the file system able to have files with fs-verity. */
  | { readonly kind: 'verity-feature'; readonly feature: FeatureStep }
  /** Turns fs-verity on where it is off, on all objects and images. */
  | {
      readonly kind: 'protect';
      readonly total: number;
      /** Files that lack it, as far as could be seen. */
      readonly missing: number;
      readonly deploymentPaths: readonly string[];
    }
  /** A small file gets other content, in one rename. */
  | {
      readonly kind: 'edit';
      readonly what: 'repository-config' | 'seal-pin' | 'overlay-initrd' | 'menu';
      readonly path: string;
      readonly before: Buffer;
      readonly after: Buffer;
      /** The boot entry it is, whose name may change meanwhile: boot counting is in it. */
      readonly entry?: EntryState;
    }
  /** Has ostree write what we want into the boot entry of the staged deployment, which it makes at shutdown. */
  | {
      readonly kind: 'amend';
      readonly path: string;
      readonly before: Buffer;
      readonly after: Buffer;
      readonly deployment: string;
      /** Overlay initrds of ours that are to wait beside it. */
      readonly initrds: readonly WantedAddition[];
    }
  /** Has the loader's menu generated again, as ostree's back end would. */
  | {
      readonly kind: 'menu';
      readonly regenerate: Regenerate & { readonly kind: 'program' };
      /** Of each deployment, as its boot entry has it then: a menu without one of them is not taken. */
      readonly commandLines: readonly ByteString[];
    }
  /** The initramfs becomes the original with the addition behind it. */
  | {
      readonly kind: 'append';
      readonly path: string;
      readonly original: string;
      readonly originalBytes: number;
      readonly addition: WantedAddition;
    }
  /** The initramfs of a staged deployment is left to ostree again, which puts the kernel there at shutdown. */
  | { readonly kind: 'withdraw'; readonly path: string }
  /** The initramfs becomes the original again. */
  | {
      readonly kind: 'restore';
      readonly path: string;
      /** Undefined when the deployment has lost it: then what lies in the extended file is taken. */
      readonly original: string | undefined;
    }
  | { readonly kind: 'overlay'; readonly path: string; readonly addition: WantedAddition }
  /** Takes away additions that nothing uses any more. */
  | { readonly kind: 'unlink'; readonly paths: readonly string[] }
  /** Takes away what `record` wrote: the last step of remove but for the program's own. */
  | { readonly kind: 'forget'; readonly paths: readonly string[] }
  | KeepStep;

export type StepOf<K extends BootStep['kind']> = Extract<BootStep, { kind: K }>;

/** A file that one might expect to change and that does not. */
export interface Untouched {
  readonly path: string;
  readonly why: string;
}

/** A menu that the loader reads and only a person can bring up to date. */
export interface MenuByHand {
  readonly path: string;
  /** The command line that does it; undefined where none is known. */
  readonly command: string | undefined;
}

export interface BootPlan {
  readonly verb: 'install' | 'remove';
  /** Undefined for remove, and where there is none. */
  readonly way: InitramfsWay | undefined;
  readonly steps: readonly BootStep[];
  /** Why it cannot be done; any of them, and nothing is. */
  readonly refusals: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly untouched: readonly Untouched[];
  /** What the mount script has to wait for: install has to be run once more after that. */
  readonly waitsFor: MenuByHand | undefined;
  /** The staged deployment that gets the mount script at shutdown: until then it would boot plain. */
  readonly atShutdown: Deployment | undefined;
}

/** What install would do. With refusals it has no steps. */
export function planInstall(state: BootState): BootPlan {
  const way = wayOf(state);
  const refusals = installRefusals(state);
  const common = { verb: 'install' as const, way, refusals };
  if (refusals.length > 0 || way === undefined)
    return {
      ...common,
      warnings: installWarnings(state),
      steps: [],
      untouched: untouchedBy(state, new Set()),
      waitsFor: undefined,
      atShutdown: undefined,
    };
  const isSealable = (target: BootTarget): boolean => findObstacles(target, state).length === 0;
  const sealed = state.targets.filter(isSealable);
  const staged = state.staged !== undefined && isSealable(state.staged) ? [state.staged] : [];
  const isNow = stagedScript(state, way).when === 'now';
  const early = isNow ? staged : [];
  const desired: Desired = {
    pinned: new Set([...sealed, ...staged]),
    appended: new Map(way === 'append' ? additionsOf([...sealed, ...early], state) : []),
    overlays: new Map(way === 'overlay' ? additionsOf(sealed, state) : []),
    stagedOverlays: way === 'overlay' ? additionsOf(early, state).map(([, addition]) => addition) : [],
    atShutdown: isNow ? [] : additionsOf(staged, state),
  };
  const pins = pinSteps(state, (target) => (desired.pinned.has(target) ? 'set' : 'keep'));
  const menu = menuSteps(state, afterEdits(pins));
  // A menu that somebody else makes has no pins yet: a script that refuses entries without one has to wait. An overlay
  // has not, since a menu gets it from the entry that has the pin.
  const mustWait = isUnpinnedRefused(state) && way !== 'overlay';
  const waitsFor = mustWait ? menuBehind(state, afterEdits(pins), hasOtherPin) : undefined;
  const scripts = waitsFor === undefined ? scriptSteps(state, desired, afterEdits(pins)) : [];
  const changes: BootStep[] = [
    ...verityFeature(state),
    ...protection(state),
    ...configStep(state),
    ...pins,
    ...(staged.length > 0 ? amendStep(state, desired) : []),
    ...menu,
    ...scripts,
  ];
  const record = recordStep(state, way, desired);
  const prune = waitsFor === undefined ? pruneStep(state, way, desired) : [];
  const steps = [...record, ...changes, ...prune, ...keepSteps(state.keep)];
  return {
    ...common,
    warnings: [...installWarnings(state), ...(waitsFor === undefined ? notActive(state, changes) : [])],
    steps,
    untouched: untouchedBy(state, pathsOf(steps)),
    waitsFor,
    atShutdown: desired.atShutdown.length > 0 ? state.staged?.deployment : undefined,
  };
}

/** What remove would do. With refusals it has no steps. */
export function planRemove(state: BootState): BootPlan {
  const common = { verb: 'remove' as const, way: undefined, waitsFor: undefined, atShutdown: undefined };
  const refusals = removeRefusals(state);
  if (refusals.length > 0)
    return { ...common, refusals, warnings: [], steps: [], untouched: untouchedBy(state, new Set()) };
  const nothing: Desired = {
    pinned: new Set(),
    appended: new Map(),
    overlays: new Map(),
    stagedOverlays: [],
    atShutdown: [],
  };
  const scripts = scriptSteps(state, nothing, new Map());
  const pins = pinSteps(state, () => 'take', afterEdits(scripts));
  const menu = menuSteps(state, afterEdits([...scripts, ...pins]));
  const { steps: config, warnings } = unconfigStep(state);
  const amend = amendStep(state, nothing);
  const steps = [
    ...unitsGoneSteps(state.keep),
    ...scripts,
    ...pins,
    ...amend,
    ...menu,
    ...config,
    ...forgetStep(state),
    ...appGoneSteps(state.keep),
  ];
  return {
    ...common,
    steps,
    refusals,
    warnings: [...warnings, ...notActive(state, [...scripts, ...pins])],
    untouched: untouchedBy(state, pathsOf(steps)),
  };
}

/** Where things are to be when all is done. */
interface Desired {
  readonly pinned: ReadonlySet<BootTarget>;
  /** By path of the initramfs. */
  readonly appended: ReadonlyMap<string, WantedAddition>;
  readonly overlays: ReadonlyMap<string, WantedAddition>;
  /** Of the staged deployment, one at most. */
  readonly stagedOverlays: readonly WantedAddition[];
  /** The same, where it has to wait until ostree has finalized; by path of the initramfs. */
  readonly atShutdown: readonly (readonly [string, WantedAddition])[];
}

const additionsIn = ({ appended, overlays, stagedOverlays, atShutdown }: Desired): WantedAddition[] => [
  ...appended.values(),
  ...overlays.values(),
  ...stagedOverlays,
  ...atShutdown.map(([, addition]) => addition),
];

function additionsOf(targets: readonly BootTarget[], state: BootState): [string, WantedAddition][] {
  return state.initramfs.flatMap((initramfs): [string, WantedAddition][] => {
    const isUsed = targets.some((target) => target.initramfsPath === initramfs.path);
    return isUsed && initramfs.wanted !== undefined ? [[initramfs.path, initramfs.wanted]] : [];
  });
}

const verityFeature = ({ storage: { verity } }: BootState): BootStep[] =>
  verity.state === 'needs-feature' ? [{ kind: 'verity-feature', feature: verity.step }] : [];

function protection(state: BootState): BootStep[] {
  const { total, enabled } = state.protection;
  if (enabled === total) return [];
  const deploymentPaths = bootTargets(state).map(({ deployment }) => deployment.path);
  return [{ kind: 'protect', total, missing: total - enabled, deploymentPaths }];
}

function configStep({ config: { path, bytes } }: BootState): BootStep[] {
  const edit = withIntegrity(bytes, path);
  if (edit === undefined) return [];
  return [{ kind: 'edit', what: 'repository-config', path, before: bytes, after: edit.bytes }];
}

function unconfigStep({ config: { path, bytes }, installed }: BootState): {
  steps: BootStep[];
  warnings: Finding[];
} {
  if (installed?.integrityBefore === undefined) return { steps: [], warnings: [] };
  const after = withoutIntegrity(bytes, installed.integrityBefore);
  if (after !== undefined)
    return {
      steps: [{ kind: 'edit', what: 'repository-config', path, before: bytes, after }],
      warnings: [],
    };
  const message = 'ex-integrity.fsverity no longer says what install wrote: it is left as it is';
  return { steps: [], warnings: [{ severity: 'warning', code: 'config-changed', where: path, message }] };
}

/** The content of boot entries once the steps so far are done, by path. */
type Edited = ReadonlyMap<string, Buffer>;

function afterEdits(steps: readonly BootStep[]): Edited {
  return new Map(steps.flatMap((step) => (step.kind === 'edit' ? [[step.path, step.after] as const] : [])));
}

function pinSteps(
  state: BootState,
  decide: (target: BootTarget) => 'set' | 'take' | 'keep',
  edited: Edited = new Map(),
): StepOf<'edit'>[] {
  return state.targets.flatMap((target): StepOf<'edit'>[] => {
    const { entry } = target;
    const decision = decide(target);
    if (decision === 'keep') return [];
    return editEntry(entry, 'seal-pin', edited, (content) =>
      entryWithSealPin(content, decision === 'set' ? entry.expectedPin : undefined, entry.path),
    );
  });
}

function editEntry(
  entry: EntryState,
  what: 'seal-pin' | 'overlay-initrd',
  edited: Edited,
  change: (content: BlsEntry) => BlsEntry,
): StepOf<'edit'>[] {
  const before = edited.get(entry.path) ?? entry.bytes;
  const content = contentOf(entry, edited);
  if (content === undefined) return [];
  const after = formatBlsEntry(change(content));
  return after.equals(before) ? [] : [{ kind: 'edit', what, path: entry.path, before, after, entry }];
}

function contentOf(entry: EntryState, edited: Edited): BlsEntry | undefined {
  const bytes = edited.get(entry.path);
  return bytes === undefined ? entry.entry : parseBlsEntry(bytes, entry.path);
}

/** What the entry of the staged deployment is to have of ours. */
function amendStep(state: BootState, { pinned, stagedOverlays: initrds }: Desired): BootStep[] {
  const target = state.staged;
  if (target === undefined) return [];
  const { staged, entry, deployment } = target;
  const ours = new Set([
    ...(state.installed?.additions ?? []),
    ...state.stagedOverlays.map(({ sha256 }) => sha256),
  ]);
  const sums = [
    ...staged.overlayInitrds.filter((sum) => !ours.has(sum)),
    ...initrds.map(({ sha256 }) => sha256),
  ];
  const isInheriting = deployment.kargs === undefined && sums.length === staged.overlayInitrds.length;
  // Without kernel arguments of its own it gets those of another deployment's entry, which has none of ours any more.
  if (!pinned.has(target) && isInheriting) return [];
  const after = amendedState(staged, pinned.has(target) ? entry.expectedPin : undefined, sums);
  const isWaiting = ({ sha256 }: WantedAddition): boolean =>
    state.stagedOverlays.some((one) => one.sha256 === sha256 && one.isWhole);
  const { path, bytes: before } = staged;
  if (after.equals(before) && initrds.every(isWaiting)) return [];
  return [{ kind: 'amend', path, before, after, deployment: deployment.id, initrds }];
}

/** Has the menu follow the entries, where it does not say the same as they will. */
function menuSteps(state: BootState, edited: Edited): BootStep[] {
  const { loader } = state;
  const { regenerate } = loader;
  if (regenerate === undefined) return [];
  const wanted = wantedEntries(state, edited);
  const optionsOf = ({ options }: MenuEntry): ByteString => {
    const link = ostreeLink(options);
    const entry = link === undefined ? undefined : wanted.get(link);
    return entry === undefined ? options : blsOptions(entry);
  };
  if (regenerate.kind === 'edit') {
    const { menu, output } = regenerate;
    const after = menuWithOptions(menu, optionsOf);
    if (after.equals(menu.bytes)) return [];
    return [{ kind: 'edit', what: 'menu', path: output, before: menu.bytes, after }];
  }
  const isBehind = loader.menus.some(({ entries }) =>
    entries.some((entry) => optionsOf(entry) !== entry.options),
  );
  return isBehind ? [{ kind: 'menu', regenerate, commandLines: [...wanted.values()].map(blsOptions) }] : [];
}

/** The entry of each deployment by its `ostree=` link: what a menu is to have. */
function wantedEntries(state: BootState, edited: Edited): Map<ByteString, BlsEntry> {
  return new Map(
    state.targets.flatMap(({ entry }): [ByteString, BlsEntry][] => {
      const content = contentOf(entry, edited);
      const options = content === undefined ? undefined : blsOptions(content);
      const link = options === undefined ? undefined : ostreeLink(options);
      return link === undefined || content === undefined ? [] : [[link, content]];
    }),
  );
}

/** The menu that has something else than the entries will, and that sealtree does not write; undefined without one. */
function menuBehind(
  state: BootState,
  edited: Edited,
  isOther: (menu: MenuEntry, entry: BlsEntry) => boolean,
): MenuByHand | undefined {
  const { regenerate, menus, command } = state.loader;
  if (regenerate !== undefined) return undefined;
  const wanted = wantedEntries(state, edited);
  const behind = menus.find(({ entries }) =>
    entries.some((one) => {
      const link = ostreeLink(one.options);
      const entry = link === undefined ? undefined : wanted.get(link);
      return entry !== undefined && isOther(one, entry);
    }),
  );
  return behind === undefined ? undefined : { path: behind.path, command };
}

const hasOtherPin = ({ options }: MenuEntry, entry: BlsEntry): boolean =>
  !isDeepStrictEqual(sealPinValues(options), sealPinValues(blsOptions(entry)));

const hasOtherOverlays = ({ initrds }: MenuEntry, entry: BlsEntry): boolean =>
  !isDeepStrictEqual(overlaysIn(initrds), overlaysIn(blsValues(entry, 'initrd')));

const overlaysIn = (initrds: readonly ByteString[]): string[] =>
  initrds.flatMap((initrd) => sumIn(basename(bytesToText(initrd))) ?? []);

/** @param changes all that is done to the entries */
function notActive(state: BootState, changes: readonly BootStep[]): Finding[] {
  const { initrds } = state.loader;
  const menu = menuBehind(
    state,
    afterEdits(changes),
    (one, entry) => hasOtherPin(one, entry) || (initrds === 'all' && hasOtherOverlays(one, entry)),
  );
  if (menu === undefined) return [];
  const message =
    'the boot loader reads this, and nothing that sealtree may run makes it follow the boot entries';
  const remedy = menu.command === undefined ? {} : { remedy: [menu.command] };
  return [{ severity: 'warning', code: 'menu-behind', where: menu.path, message, ...remedy }];
}

/** Brings the script where it is to be, then takes it from where it is not. */
function scriptSteps(state: BootState, desired: Desired, edited: Edited): BootStep[] {
  const { overlays, appended } = desired;
  const files = [...new Map([...overlays.values()].map((addition) => [addition.sha256, addition])).values()];
  const writes = files
    .filter(({ sha256 }) => !state.overlays.some((overlay) => overlay.sha256 === sha256 && overlay.isWhole))
    .map(
      (addition): BootStep => ({
        kind: 'overlay',
        path: overlayPath(state.sysroot.path, addition.sha256),
        addition,
      }),
    );
  const ours = new Set([
    ...(state.installed?.additions ?? []),
    ...[...files, ...state.overlays].map(({ sha256 }) => sha256),
  ]);
  const lines = state.targets.flatMap(({ entry, initramfsPath }) => {
    const addition = initramfsPath === undefined ? undefined : overlays.get(initramfsPath);
    return editEntry(entry, 'overlay-initrd', edited, (content) => withOverlay(content, addition, ours));
  });
  const appends = state.initramfs.flatMap((one) => appendStep(one, appended.get(one.path)));
  const restores = state.initramfs.flatMap((one) => restoreStep(one, appended.get(one.path)));
  // By what a loader reads: our own temporary files are in that folder, too.
  const isNamedElsewhere = (sha256: string): boolean =>
    state.entries.some(
      ({ blsName, deployment, initrds }) =>
        blsName !== undefined &&
        deployment === undefined &&
        initrds.some((initrd) => initrd.endsWith(`/${sha256}.img`)),
    );
  const unused = state.overlays
    .filter(({ sha256 }) => !files.some((file) => file.sha256 === sha256) && !isNamedElsewhere(sha256))
    .map(({ path }) => path);
  return [
    ...writes,
    ...lines,
    ...appends,
    ...restores,
    ...(unused.length === 0 ? [] : [{ kind: 'unlink', paths: unused } as const]),
  ];
}

function appendStep(initramfs: BootInitramfs, wanted: WantedAddition | undefined): BootStep[] {
  const { path, original, originalBytes, appended } = initramfs;
  if (wanted === undefined || original === undefined || appended?.equals(wanted.bytes)) return [];
  return [{ kind: 'append', path, original, originalBytes, addition: wanted }];
}

function restoreStep(
  { path, original, content, pending }: BootInitramfs,
  wanted: WantedAddition | undefined,
): BootStep[] {
  if (wanted !== undefined || (content !== 'extended' && content !== 'damaged')) return [];
  if (pending !== undefined) return [{ kind: 'withdraw', path }];
  return [{ kind: 'restore', path, original }];
}

/** The entry with this overlay initrd of ours as its last one, or with none of ours; those of others stay. */
function withOverlay(
  entry: BlsEntry,
  addition: WantedAddition | undefined,
  ours: ReadonlySet<string>,
): BlsEntry {
  const sumOf = (initrd: ByteString): string => sumIn(basename(bytesToText(initrd))) ?? '';
  const kept = blsValues(entry, 'initrd').filter(
    (initrd) => !ours.has(sumOf(initrd)) || sumOf(initrd) === addition?.sha256,
  );
  const isThere = kept.some((initrd) => sumOf(initrd) === addition?.sha256);
  // With sysroot.bootprefix ostree writes paths from the root of the system.
  const prefix = kept[0]?.startsWith('/boot/') === true ? '/boot' : '';
  const line = addition === undefined || isThere ? [] : [overlayLine(prefix, addition.sha256) as ByteString];
  return setBlsValues(entry, 'initrd' as ByteString, [...kept, ...line]);
}

function recordStep(state: BootState, way: InitramfsWay, desired: Desired): BootStep[] {
  const additions = [
    ...new Map(additionsIn(desired).map((addition) => [addition.sha256, addition])).values(),
  ];
  const before = state.installed;
  const installed: Installed = {
    way,
    integrityBefore: before?.integrityBefore ?? withIntegrity(state.config.bytes, state.config.path)?.before,
    additions: [...new Set([...(before?.additions ?? []), ...additions.map(({ sha256 }) => sha256)])],
  };
  const remover = renderRemover(installed, state);
  const keepers = keeperFiles(keptEntries(way, desired), tailOf(state, way, desired));
  const isThere =
    before !== undefined &&
    isDeepStrictEqual(before, installed) &&
    state.remover?.equals(remover) === true &&
    areKept(state.keep, keepers) &&
    additions.every(({ sha256 }) => state.additions.includes(sha256));
  return isThere ? [] : [{ kind: 'record', installed, additions, remover, keepers }];
}

/** What each boot entry is to have, for whoever mends one without us. */
function keptEntries(
  way: InitramfsWay,
  { pinned, overlays, stagedOverlays, atShutdown }: Desired,
): KeptEntry[] {
  return [...pinned].flatMap(({ deployment, entry, initramfsPath = '' }): KeptEntry[] => {
    const later = deployment.staged ? atShutdown[0]?.[1] : undefined;
    const overlay = deployment.staged ? (stagedOverlays[0] ?? later) : overlays.get(initramfsPath);
    const append = later === undefined ? 'append' : 'tail';
    const script = { module: '-', append, overlay: overlay?.sha256 ?? '-' }[way];
    const pin = entry.expectedPin;
    return pin === undefined ? [] : [{ deployment: deployment.id, pin, script }];
  });
}

/** What `mend-entries` puts behind the initramfs of the staged deployment once ostree has put that there. */
function tailOf(state: BootState, way: InitramfsWay, { atShutdown }: Desired): Buffer | undefined {
  const [first] = atShutdown;
  if (way !== 'append' || first === undefined) return undefined;
  const [path, addition] = first;
  const initramfs = state.initramfs.find((one) => one.path === path);
  if (initramfs?.pending === undefined) return undefined;
  const original = { size: initramfs.originalBytes, sha256: initramfs.pending.originalSha256 };
  return Buffer.concat(tailFor(original, addition.bytes));
}

/** Master copies of additions that are not used any more. */
function pruneStep(state: BootState, way: InitramfsWay, desired: Desired): BootStep[] {
  const used = new Set(additionsIn(desired).map(({ sha256 }) => sha256));
  const { repositoryPath } = state.sysroot;
  const paths = [
    ...state.additions
      .filter((sha256) => !used.has(sha256))
      .map((sha256) => additionPath(repositoryPath, sha256)),
    ...unusedTail(state.keep, tailOf(state, way, desired), repositoryPath),
  ];
  return paths.length === 0 ? [] : [{ kind: 'unlink', paths }];
}

function forgetStep(state: BootState): BootStep[] {
  const { repositoryPath } = state.sysroot;
  const paths = [
    ...state.additions.map((sha256) => additionPath(repositoryPath, sha256)),
    ...(state.hasInstalled ? [installedPath(repositoryPath)] : []),
    ...keeperPaths(state.keep, repositoryPath),
    ...(state.remover === undefined ? [] : [removerPath(repositoryPath)]),
  ];
  return paths.length === 0 ? [] : [{ kind: 'forget', paths }];
}

function pathsOf(steps: readonly BootStep[]): Set<string> {
  return new Set(steps.flatMap((step) => ('path' in step ? [step.path] : [])));
}

/** What of /boot stays as it is, and why. */
function untouchedBy(state: BootState, changed: ReadonlySet<string>): Untouched[] {
  const foreign = state.entries
    .filter(({ owner }) => owner === 'foreign')
    .map(({ path }) => ({ path, why: "not ostree's" }));
  const own = state.targets
    .filter(({ entry }) => !changed.has(entry.path))
    .map((target) => ({ path: target.entry.path, why: whyUntouched(target, state) }));
  return [...own, ...foreign];
}

function whyUntouched(target: BootTarget, state: BootState): string {
  const [obstacle] = findObstacles(target, state);
  if (obstacle !== undefined) return obstacle.message;
  return target.entry.pin === 'right' ? 'has its seal pin' : 'has none';
}
