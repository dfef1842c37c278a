/**
 * Will the next boot work, and will it be sealed? Looks at what the loader, the initramfs and the kernel will read,
 * changes nothing, and yields what it finds as it finds it. What could not be looked at is `unchecked`: nothing is
 * passed over in silence.
 */
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { BootPolicy } from '../config/settings.ts';
import type { Finding, Severity } from '../image/findings.ts';
import type { Depth } from '../image/verify-objects.ts';
import { BootFileChecker } from './check/boot-files.ts';
import { bootCommand, unsealed } from './check/context.ts';
import { checkInitramfs } from './check/initramfs.ts';
import { checkKernelFacts } from './check/kernel-facts.ts';
import { checkLeftovers } from './check/leftovers.ts';
import { checkMenus } from './check/menus.ts';
import { checkCounters, checkRefusal, checkSoftReboot } from './check/reboots.ts';
import { checkPin, checkSeals } from './check/seals.ts';
import { type BootFilesSize, checkSpace } from './check/space.ts';
import type { EntryState } from './entries.ts';
import type { InitramfsArchive } from './initramfs/read.ts';
import type { InitramfsSettings } from './initramfs-settings.ts';
import { deploymentKernel } from './kernel.ts';
import { detectLoader } from './loaders/detect.ts';
import type { LoaderState } from './loaders/loader.ts';
import type { BootState, BootTarget } from './state.ts';
import { readStorage, storageFindings } from './storage.ts';

export { softRebootNotes } from './check/reboots.ts';

export interface CheckOptions {
  /** How closely to look at objects. */
  readonly depth: Depth;
  readonly progress: Progress;
  /** What the initramfs ought to carry: the settings with `on-refusal = auto` decided. */
  readonly wanted: InitramfsSettings;
  /** Tries the boot of a deployment without rebooting; undefined where that is not asked for. */
  readonly rehearse: ((target: BootTarget) => Promise<readonly Finding[]>) | undefined;
}

/**
 * Checks every boot entry, and what they share.
 * @throws IoError where the sysroot cannot be looked at; InterruptedError
 */
export async function* checkBoot(
  state: BootState,
  options: CheckOptions,
  system: System,
): AsyncGenerator<Finding> {
  const seen = new Set<string>();
  for await (const finding of new BootCheck(state, options, system).run()) {
    // What an entry shares with others, or with the sysroot's own problems, is said once.
    const key = JSON.stringify([finding.code, finding.where, finding.message]);
    if (seen.has(key)) continue;
    seen.add(key);
    yield finding;
  }
}

class BootCheck {
  readonly #state: BootState;
  readonly #options: CheckOptions;
  readonly #system: System;
  readonly #loader: LoaderState;
  readonly #files: BootFileChecker;
  readonly #install: readonly string[];
  readonly #sizes: BootFilesSize[] = [];
  /** Targets whose initramfs has the script, with the policy it will follow. */
  readonly #scripts = new Map<BootTarget, BootPolicy>();

  constructor(state: BootState, options: CheckOptions, system: System) {
    this.#state = state;
    this.#options = options;
    this.#system = system;
    this.#loader = detectLoader(state.sysroot, system);
    this.#files = new BootFileChecker(state.sysroot.path, system);
    this.#install = [bootCommand(state.sysroot.path, 'install')];
  }

  async *run(): AsyncGenerator<Finding> {
    const { sysroot, entries, targets, problems, journal } = this.#state;
    yield* sysroot.problems;
    yield* problems;
    yield* this.#loader.problems;
    for (const entry of entries) {
      yield* entry.problems;
      yield* await this.#entry(entry);
      await this.#options.progress.breathe();
    }
    const { policy } = this.#options.wanted;
    yield* checkMenus(this.#loader, entries, policy, this.#menuRemedy());
    yield* this.#notInstalled();
    const sealing = targets.filter((target) => this.#scripts.has(target));
    yield* await checkSeals(
      sealing,
      sysroot,
      { ...this.#options, policy, unpinned: this.#options.wanted.unpinned },
      this.#system,
    );
    yield* this.#storage();
    yield* checkCounters(entries);
    yield* checkRefusal(entries, policy, this.#options.wanted.onRefusal);
    yield* checkSoftReboot(sysroot);
    yield* checkLeftovers(sysroot, journal, this.#system);
    yield* await this.#rehearse(sealing);
    this.#options.progress.end();
  }

  async #entry(entry: EntryState): Promise<Finding[]> {
    if (entry.entry === undefined) return [];
    const target = this.#state.targets.find((one) => one.entry === entry);
    const kernel = entry.deployment && deploymentKernel(entry.deployment, this.#system);
    // A foreign entry that does not work is worth a word, and not ours.
    const severity: Severity = entry.owner === 'ostree' ? 'error' : 'warning';
    const files = await this.#files.check(entry, kernel, severity);
    const findings = [...files.findings];
    if (target === undefined) return findings;
    this.#sizes.push({
      kernelBytes: files.kernelBytes,
      initrdBytes: files.initrds.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    });
    const loaded = this.#loader.initrds === 'first' ? files.initrds.slice(0, 1) : files.initrds;
    const archives: InitramfsArchive[] = [];
    for (const one of loaded) {
      // Damage was reported; what it holds cannot be known then.
      if (one.archives === undefined) return findings;
      archives.push(...one.archives);
    }
    const where = loaded.map(({ path }) => path).join(' + ');
    const { wanted } = this.#options;
    const lost = unsealed(wanted.policy);
    const { findings: found, script } = checkInitramfs(archives, where, kernel, wanted, lost, this.#system);
    const about = { deployments: [target.deployment.id], remedy: this.#install };
    findings.push(...found.map((finding) => ({ ...finding, ...about })));
    if (script === undefined) {
      if (entry.pin !== 'none')
        findings.push({
          severity: lost,
          code: 'initramfs-without-script',
          where,
          message:
            'the entry has a seal pin, and nothing in its initramfs reads it: it boots plain, without a word',
          ...about,
        });
      return findings;
    }
    const policy = script.settings?.policy ?? 'prefer';
    this.#scripts.set(target, policy);
    findings.push(
      ...checkPin(
        target,
        this.#state.sysroot,
        { policy, unpinned: script.settings?.unpinned ?? 'refuse' },
        this.#system,
      ),
    );
    if (entry.pin !== 'none') findings.push(...checkKernelFacts(target, kernel, policy));
    return findings;
  }

  #menuRemedy(): readonly string[] {
    return this.#loader.command === undefined ? this.#install : [this.#loader.command];
  }

  /** Said once, not of each entry: this machine is as ostree left it. */
  #notInstalled(): Finding[] {
    const { targets, sysroot } = this.#state;
    if (this.#scripts.size > 0 || targets.some(({ entry }) => entry.pin !== 'none')) return [];
    return [
      {
        severity: unsealed(this.#options.wanted.policy),
        code: 'not-installed',
        where: sysroot.path,
        message: 'no boot entry is sealed: everything boots plain, as ostree left it',
        remedy: this.#install,
      },
    ];
  }

  #storage(): Finding[] {
    const { sysroot } = this.#state;
    const storage = readStorage(sysroot.path, this.#system);
    const space = checkSpace(storage, this.#sizes, sysroot, this.#system);
    if (this.#scripts.size === 0) return space;
    return [...storageFindings(storage), ...space];
  }

  async #rehearse(targets: readonly BootTarget[]): Promise<Finding[]> {
    const { rehearse } = this.#options;
    if (rehearse === undefined) return [];
    const findings: Finding[] = [];
    for (const target of targets) {
      findings.push(...(await rehearse(target)));
      await this.#options.progress.breathe();
    }
    return findings;
  }
}
