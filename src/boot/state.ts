/**
 * What a machine will boot, read from what is there: the deployments with their boot entries, images, kernels and
 * initramfs files, the loader, the file system below, and what an earlier install left. Everything that
 * {@link ./plan.ts} decides follows from this, and nothing else is looked at.
 */
import { dirname, join } from 'node:path';
import { nativeEngine } from '../base/digest.ts';
import { SealtreeError } from '../base/errors.ts';
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { Settings } from '../config/settings.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { flushFindings } from '../deployment/flushes.ts';
import { type ImageState, readImageState } from '../deployment/image-state.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { Keyfile } from '../formats/keyfile.ts';
import type { Finding } from '../image/findings.ts';
import { Repository, type RepositoryMode } from '../repository/repository.ts';
import { bootFilePath } from './check/boot-files.ts';
import { type EntryState, readBootEntries } from './entries.ts';
import { buildAddition } from './initramfs/addition.ts';
import { decompress } from './initramfs/decompress.ts';
import { splitAddition } from './initramfs/extended.ts';
import { describeInitramfs, type InitramfsFacts, keepForFacts } from './initramfs/facts.ts';
import { firstFiles } from './initramfs/first-files.ts';
import { readInitramfs } from './initramfs/read.ts';
import type { InitramfsSettings } from './initramfs-settings.ts';
import {
  additionsFolder,
  type Installed,
  installedPath,
  type Journal,
  readInstalled,
  readJournal,
  removerPath,
} from './journal.ts';
import { type KeepState, NOTHING_KEPT, readKeep } from './keep/keep.ts';
import { runningPlaces } from './keep/program.ts';
import { copiedBytes, type DeploymentKernel, deploymentKernel } from './kernel.ts';
import { detectLoader } from './loaders/detect.ts';
import type { LoaderState } from './loaders/loader.ts';
import { libraryWithoutOverlayRoot } from './ostree-library.ts';
import { namesIn, type OverlayFile, readOverlays, readStagedOverlays, sumIn } from './overlays.ts';
import { composefsOfOstree } from './prepare-root.ts';
import { type ProtectionState, readProtection } from './protect.ts';
import { type RunningState, readRunning } from './running.ts';
import { asEntryState, readStagedEntry, type StagedEntry } from './staged.ts';
import { readStorage, type StorageState } from './storage.ts';
import { integrationsIn } from './tree-install.ts';

/** A deployment that has a boot entry. */
export interface BootTarget {
  readonly deployment: Deployment;
  readonly entry: EntryState;
  readonly image: ImageState;
  /** Undefined when the deployment has none where ostree looks. */
  readonly kernel: DeploymentKernel | undefined;
  /** The initramfs that the entry names; several deployments may share one. */
  readonly initramfsPath: string | undefined;
  /** Where ostree is told to mount an image by itself; undefined where it is not. */
  readonly composefs: string | undefined;
  /** A libostree of the deployment that cannot tell what runs on a sealed root, as a path in it. */
  readonly oldLibrary: string | undefined;
}

/** The staged deployment, which gets its boot entry at shutdown. */
export interface StagedTarget extends BootTarget {
  readonly staged: StagedEntry;
}

/** An initramfs in /boot that deployments boot with. */
export interface BootInitramfs {
  readonly path: string;
  /** Ids of the deployments. */
  readonly deployments: readonly string[];
  readonly kernelRelease: string | undefined;
  /** The same file in a deployment: what ostree put into /boot. */
  readonly original: string | undefined;
  readonly originalBytes: number;
  /** Bytes that are freed when another file takes its place: a hard link of the original frees none. */
  readonly freedBytes: number;
  /** Of a staged deployment, as long as ostree has not put the kernel beside it. */
  readonly pending: PendingKernel | undefined;
  /**
   * `extended`: with an addition of ours behind it; `damaged`: that, and changed afterwards; `foreign`: neither that
   * nor the original; `absent`: of a staged deployment, before ostree puts it there.
   */
  readonly content: 'original' | 'extended' | 'damaged' | 'foreign' | 'unreadable' | 'absent';
  /** The addition in it, when that lies behind the deployment's own initramfs. */
  readonly appended: Buffer | undefined;
  /** Of the original. */
  readonly facts: InitramfsFacts | undefined;
  /** What an addition for it would be; undefined where none can be made, {@link BootState.problems} says why. */
  readonly wanted: WantedAddition | undefined;
}

/** What ostree puts into /boot when it finalizes. */
export interface PendingKernel {
  /** Of kernel and device trees. */
  readonly bytes: number;
  /** Of the deployment's initramfs, in hex. */
  readonly originalSha256: string;
}

export interface WantedAddition {
  readonly sha256: string;
  readonly bytes: Buffer;
  /** What is needed and nowhere to be had. */
  readonly lacks: readonly Finding[];
}

export interface BootState {
  readonly sysroot: Sysroot;
  readonly settings: Settings;
  /** The settings as the initramfs gets them. */
  readonly wanted: InitramfsSettings;
  readonly loader: LoaderState;
  /** All entries, ostree's and others, in the order of a boot menu. */
  readonly entries: readonly EntryState[];
  /** In the order of `ostree admin status`. */
  readonly targets: readonly BootTarget[];
  /** What boots next once it is finalized. */
  readonly staged: StagedTarget | undefined;
  readonly initramfs: readonly BootInitramfs[];
  readonly overlays: readonly OverlayFile[];
  /** Those that wait in /run for the staged deployment. */
  readonly stagedOverlays: readonly OverlayFile[];
  /** Undefined when it cannot be opened, {@link problems} says why. */
  readonly repositoryMode: RepositoryMode | undefined;
  /** The repository's configuration. */
  readonly config: { readonly path: string; readonly bytes: Buffer };
  readonly storage: StorageState;
  readonly protection: ProtectionState;
  /** The file system /boot is on. */
  readonly boot: { readonly path: string; readonly availableBytes: number };
  /** What install changed; undefined where nothing is installed, or the record is damaged. */
  readonly installed: Installed | undefined;
  /** Whether there is a record at all. */
  readonly hasInstalled: boolean;
  /** The sh remover as it is there. */
  readonly remover: Buffer | undefined;
  /** SHA-256 of the master copies of additions. */
  readonly additions: readonly string[];
  /** A transaction that was cut off, or that is under way just now. */
  readonly journal: Journal | undefined;
  /** What keeps the machine sealed. */
  readonly keep: KeepState;
  /** Names of the programs that the deployment that boots first has files of ours for. */
  readonly integrations: readonly string[];
  /** What the running system came up as; undefined for any other sysroot. */
  readonly running: RunningState | undefined;
  /** What could not be read. */
  readonly problems: readonly Finding[];
}

/** Whatever can boot, in the order of `ostree admin status`: first the staged deployment, where there is one. */
export const bootTargets = ({
  staged,
  targets,
}: Pick<BootState, 'staged' | 'targets'>): readonly BootTarget[] =>
  staged === undefined ? targets : [staged, ...targets];

/** Reads all of it. @throws IoError where /boot or the repository cannot be looked at; InterruptedError */
export async function readBootState(
  sysroot: Sysroot,
  settings: Settings,
  progress: Progress,
  system: System,
): Promise<BootState> {
  return await new StateReader(sysroot, settings, progress, system).read();
}

/** Codes of problems that leave something unknown which a plan goes by: with one of them nothing is installed. */
export const UNKNOWN = {
  repository: 'repository-unreadable',
  config: 'config-unreadable',
  protection: 'protection-unreadable',
  overlays: 'overlays-unreadable',
  additions: 'additions-unreadable',
  boot: 'boot-unreadable',
} as const;

const NO_PROTECTION: ProtectionState = { total: 0, enabled: 0, disabled: 0, unsupported: 0, unreadable: [] };

class StateReader {
  readonly #sysroot: Sysroot;
  readonly #settings: Settings;
  readonly #progress: Progress;
  readonly #system: System;
  readonly #problems: Finding[] = [];

  constructor(sysroot: Sysroot, settings: Settings, progress: Progress, system: System) {
    this.#sysroot = sysroot;
    this.#settings = settings;
    this.#progress = progress;
    this.#system = system;
  }

  async read(): Promise<BootState> {
    const sysroot = this.#sysroot;
    const system = this.#system;
    const { repositoryPath } = sysroot;
    const loader = detectLoader(sysroot, system);
    const entries = this.#attempt('entries-unreadable', () => readBootEntries(sysroot, system)) ?? [];
    const targets = entries
      .flatMap((entry) => this.#target(entry))
      .sort((a, b) => a.deployment.index - b.deployment.index);
    const staged = this.#attempt('staged-unreadable', () => this.#staged());
    const wanted = initramfsSettings(this.#settings);
    const initramfs: BootInitramfs[] = [];
    const all = staged === undefined ? targets : [...targets, staged];
    for (const [path, sharing] of Map.groupBy(all, ({ initramfsPath }) => initramfsPath)) {
      this.#progress.check();
      if (path !== undefined) initramfs.push(await this.#initramfs(path, sharing, wanted));
    }
    const repository = this.#attempt(UNKNOWN.repository, () => Repository.open(repositoryPath, system));
    const config = join(repositoryPath, 'config');
    const configBytes = this.#attempt(UNKNOWN.config, () => system.readFile(config));
    if (configBytes !== undefined)
      this.#problems.push(
        ...(this.#attempt(UNKNOWN.config, () => flushFindings(configBytes, sysroot)) ?? []),
      );
    const bootPath = join(sysroot.path, 'boot');
    const deploymentPaths = all.map(({ deployment }) => deployment.path);
    return {
      sysroot,
      settings: this.#settings,
      wanted,
      loader,
      entries,
      targets,
      staged,
      initramfs,
      overlays: this.#attempt(UNKNOWN.overlays, () => readOverlays(sysroot.path, system)) ?? [],
      stagedOverlays: readStagedOverlays(sysroot, system),
      repositoryMode: repository?.mode,
      config: { path: config, bytes: configBytes ?? Buffer.alloc(0) },
      storage: readStorage(sysroot.path, system),
      protection:
        (repository &&
          (await this.#attemptLater(UNKNOWN.protection, () =>
            readProtection(repository, deploymentPaths, this.#progress),
          ))) ??
        NO_PROTECTION,
      boot: {
        path: bootPath,
        availableBytes: this.#attempt(UNKNOWN.boot, () => system.statfs(bootPath).availableBytes) ?? 0,
      },
      installed: this.#attempt('installed-unreadable', () => readInstalled(repositoryPath, system)),
      hasInstalled: system.lstatIfExists(installedPath(repositoryPath)) !== undefined,
      remover: this.#attempt('remover-unreadable', () => readIfExists(removerPath(repositoryPath), system)),
      additions: (
        this.#attempt(UNKNOWN.additions, () => namesIn(additionsFolder(repositoryPath), system)) ?? []
      ).flatMap((name) => sumIn(name) ?? []),
      journal: this.#attempt('journal-unreadable', () => readJournal(repositoryPath, system)),
      keep:
        this.#attempt('keep-unreadable', () => readKeep(sysroot, runningPlaces(), system)) ?? NOTHING_KEPT,
      integrations: this.#integrations(targets[0]?.deployment),
      running: sysroot.isBooted ? readRunning(system) : undefined,
      problems: this.#problems,
    };
  }

  #target(entry: EntryState): BootTarget[] {
    const { deployment, initrds } = entry;
    if (deployment === undefined) return [];
    const { path, repositoryPath } = this.#sysroot;
    const [first] = initrds;
    return [
      {
        deployment,
        entry,
        image: readImageState(deployment, repositoryPath, this.#system),
        kernel: this.#kernel(deployment),
        initramfsPath: first === undefined ? undefined : bootFilePath(path, first),
        composefs: this.#attempt('prepare-root-unreadable', () =>
          composefsOfOstree(deployment, entry.options, this.#system),
        ),
        oldLibrary: this.#attempt('ostree-unreadable', () =>
          libraryWithoutOverlayRoot(deployment.path, this.#system),
        ),
      },
    ];
  }

  #kernel(deployment: Deployment): DeploymentKernel | undefined {
    const booted = this.#sysroot.deployments.find((one) => one.booted);
    return this.#attempt('kernel-unreadable', () => deploymentKernel(deployment, this.#system, booted));
  }

  #staged(): StagedTarget | undefined {
    const staged = readStagedEntry(this.#sysroot, (deployment) => this.#kernel(deployment), this.#system);
    if (staged === undefined) return undefined;
    const [target] = this.#target(asEntryState(staged, this.#sysroot, this.#system));
    return target && { ...target, initramfsPath: staged.initramfsPath, staged };
  }

  /** Reads one initramfs and finds out what it is and what an addition for it would be. */
  async #initramfs(
    path: string,
    sharing: readonly BootTarget[],
    settings: InitramfsSettings,
  ): Promise<BootInitramfs> {
    const system = this.#system;
    const [first] = sharing as [BootTarget, ...BootTarget[]];
    const original = first.kernel?.initramfs;
    const stats = system.lstatIfExists(path);
    const isStaged = sharing.every(({ deployment }) => deployment.staged);
    const isAbsent = stats === undefined && isStaged;
    const bytes = isAbsent ? undefined : this.#attempt('initramfs-unreadable', () => system.readFile(path));
    const originalBytes =
      original === undefined
        ? undefined
        : this.#attempt('initramfs-unreadable', () => system.readFile(original));
    const found = bytes && this.#contentOf(bytes, path, originalBytes);
    // What somebody else made is judged by itself: a generator may have put the script into it.
    const [judged, where] = found?.content === 'foreign' ? [bytes, path] : [originalBytes, original];
    const facts =
      judged === undefined || where === undefined
        ? undefined
        : await this.#attemptLater('initramfs-unknown', async () =>
            describeInitramfs(await readInitramfs(judged, where, decompress, keepForFacts)),
          );
    return {
      path,
      deployments: sharing.map(({ deployment }) => deployment.id),
      kernelRelease: first.kernel?.release,
      original,
      originalBytes: originalBytes?.length ?? 0,
      freedBytes: stats === undefined || stats.nlink > 1 ? 0 : stats.size,
      pending: isStaged ? this.#pending(path, first.kernel, originalBytes) : undefined,
      content: isAbsent ? 'absent' : (found?.content ?? 'unreadable'),
      appended: found?.appended,
      facts,
      wanted: facts && this.#addition(first, sharing, facts, settings),
    };
  }

  #pending(
    path: string,
    kernel: DeploymentKernel | undefined,
    original: Buffer | undefined,
  ): PendingKernel | undefined {
    if (kernel === undefined || original === undefined) return undefined;
    const placed = join(dirname(path), `vmlinuz-${kernel.release}`);
    if (this.#system.lstatIfExists(placed) !== undefined) return undefined;
    return { bytes: copiedBytes(kernel, this.#system), originalSha256: sha256(original) };
  }

  #contentOf(
    bytes: Buffer,
    path: string,
    original: Buffer | undefined,
  ): Pick<BootInitramfs, 'content' | 'appended'> {
    try {
      const parts = splitAddition(bytes, path);
      const base = parts === undefined ? bytes : bytes.subarray(0, parts.originalEnd);
      const isOriginal = original?.equals(base) === true;
      if (parts === undefined) return { content: isOriginal ? 'original' : 'foreign', appended: undefined };
      const appended = isOriginal ? bytes.subarray(parts.additionStart, parts.additionEnd) : undefined;
      return { content: 'extended', appended };
    } catch (error) {
      this.#report('initramfs-damaged', error);
      return { content: 'damaged', appended: undefined };
    }
  }

  #addition(
    first: BootTarget,
    sharing: readonly BootTarget[],
    facts: InitramfsFacts,
    settings: InitramfsSettings,
  ): WantedAddition | undefined {
    const { kernel } = first;
    if (kernel === undefined) return undefined;
    return this.#attempt('addition-impossible', () => {
      const { bytes, lacks } = buildAddition(
        {
          deployment: first.deployment.path,
          kernelRelease: kernel.release,
          needsLoop: kernel.facts.erofsFromFile.state !== 'yes',
          facts,
          settings,
          firstFiles: firstFiles(
            sharing.map(({ deployment }) => deployment.path),
            this.#system,
          ),
          sysrootReadOnly: this.#isSysrootReadOnly(),
        },
        this.#system,
      );
      return { sha256: sha256(bytes), bytes, lacks };
    });
  }

  #integrations(first: Deployment | undefined): string[] {
    if (first === undefined) return [];
    return this.#attempt('integrations-unreadable', () => integrationsIn(first.path, this.#system)) ?? [];
  }

  /** What ostree-prepare-root goes by where its own settings say nothing. */
  #isSysrootReadOnly(): boolean {
    const path = join(this.#sysroot.repositoryPath, 'config');
    return Keyfile.parse(this.#system.readFile(path), path).getBoolean('sysroot', 'readonly') ?? false;
  }

  #attempt<T>(code: string, read: () => T | undefined): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#report(code, error);
      return undefined;
    }
  }

  async #attemptLater<T>(code: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.#report(code, error);
      return undefined;
    }
  }

  /** What could not be read becomes a problem; bugs and interruptions stay exceptions. */
  #report(code: string, error: unknown): void {
    if (!(error instanceof SealtreeError) || error.code === 'interrupted') throw error;
    const named = error.details.where ?? error.details.path;
    const where = typeof named === 'string' ? named : this.#sysroot.path;
    // Most messages begin with the place, which is said already.
    const message = error.message.startsWith(where)
      ? error.message.slice(where.length).replace(/^(: | (?=at ))/, '')
      : error.message;
    this.#problems.push({ severity: 'error', code, where, message });
  }
}

const sha256 = (bytes: Uint8Array): string => nativeEngine.sha256(bytes).toString('hex');

const initramfsSettings = ({ policy, unpinned, onRefusal }: Settings): InitramfsSettings => ({
  policy: policy.value,
  unpinned: unpinned.value,
  onRefusal: onRefusal.value,
});
