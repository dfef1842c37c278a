/**
 * Will the next boot work, and will it be sealed? Looks at what the loader, the initramfs and the kernel will read,
 * changes nothing, and yields what it finds as it finds it. What could not be looked at is `unchecked`: nothing is
 * passed over in silence.
 */
import type { Progress } from '../base/progress.ts';
import type { System } from '../base/system.ts';
import type { BootPolicy } from '../config/settings.ts';
import type { Finding, Severity } from '../image/findings.ts';
import type { Depth } from '../repository/verify-content.ts';
import { BootFileChecker } from './check/boot-files.ts';
import { bootCommand, unsealed } from './check/context.ts';
import { checkInitramfs } from './check/initramfs.ts';
import { checkKernelFacts } from './check/kernel-facts.ts';
import { checkLeftovers } from './check/leftovers.ts';
import { checkMenus, checkPrefix } from './check/menus.ts';
import { checkCounters, checkRefusal, checkSoftReboot } from './check/reboots.ts';
import { checkOverride, checkPin, checkSeals, checkStaged } from './check/seals.ts';
import { type BootFilesSize, checkSpace } from './check/space.ts';
import type { EntryState } from './entries.ts';
import type { InitramfsArchive } from './initramfs/read.ts';
import { keepFindings } from './keep/keep.ts';
import { bootOutlook } from './outlook.ts';
import { findObstacles } from './refusals.ts';
import type { BootState, BootTarget } from './state.ts';
import { storageFindings } from './storage.ts';

export { softRebootNotes } from './check/reboots.ts';

export interface CheckOptions {
  /** How closely to look at objects. */
  readonly depth: Depth;
  readonly progress: Progress;
  /** Tries the boot of a deployment without rebooting; undefined where that is not asked for. */
  readonly rehearse: ((target: BootTarget) => Promise<readonly Finding[]>) | undefined;
}

/** Problems of reading the state that are findings here, in words of the boot, or only keep an install from working. */
const LOOKED_AT_HERE: ReadonlySet<string> = new Set([
  'kernel-unreadable',
  'initramfs-unreadable',
  'initramfs-damaged',
  'initramfs-unknown',
  'addition-impossible',
]);

/**
 * Checks every boot entry, and what they share.
 * @throws IoError where the sysroot cannot be looked at; InterruptedError
 */
export async function* checkBoot(
  state: BootState,
  options: CheckOptions,
  system: System,
): AsyncGenerator<Finding> {
  yield* new BootCheck(state, options, system).run();
}

const nameOf = ({ code, where }: Finding): string => `${code} ${where}`;

/** What entries share, an initramfs for one, is said once, with all the deployments it concerns. */
function united(findings: readonly Finding[]): Finding[] {
  const same = Map.groupBy(findings, ({ severity, code, where, message }) =>
    JSON.stringify([severity, code, where, message]),
  );
  return [...same.values()].map((group): Finding => {
    const deployments = new Set(group.flatMap((finding) => finding.deployments ?? []));
    const [first] = group as [Finding];
    return deployments.size === 0 ? first : { ...first, deployments: [...deployments] };
  });
}

class BootCheck {
  readonly #state: BootState;
  readonly #options: CheckOptions;
  readonly #system: System;
  readonly #files: BootFileChecker;
  readonly #install: readonly string[];
  readonly #sizes: BootFilesSize[] = [];
  /** Targets whose initramfs has the script, with the policy it will follow. */
  readonly #scripts = new Map<BootTarget, BootPolicy>();
  /** Targets that have nothing of ours. */
  readonly #plain: BootTarget[] = [];

  constructor(state: BootState, options: CheckOptions, system: System) {
    this.#state = state;
    this.#options = options;
    this.#system = system;
    this.#files = new BootFileChecker(state.sysroot.path, system);
    this.#install = [bootCommand(state.sysroot.path, 'install')];
  }

  async *run(): AsyncGenerator<Finding> {
    const { sysroot, entries, targets, problems, journal, loader, wanted } = this.#state;
    yield* sysroot.problems;
    const known = new Set(sysroot.problems.map(nameOf));
    yield* problems.filter(({ code }) => !LOOKED_AT_HERE.has(code));
    yield* this.#loaderFindings();
    const found: Finding[] = [];
    for (const entry of entries) {
      found.push(...entry.problems.filter((problem) => !known.has(nameOf(problem))));
      found.push(...(await this.#entry(entry)));
      await this.#options.progress.breathe();
    }
    yield* united(found);
    const { policy, unpinned, onRefusal } = wanted;
    yield* checkMenus(loader, entries, policy, this.#menuRemedy(), sysroot.path, this.#system);
    yield* checkPrefix(loader, entries, sysroot, this.#state.storage, this.#system);
    yield* this.#untouched();
    const sealing = targets.filter((target) => this.#scripts.has(target));
    yield* await checkSeals(sealing, sysroot, { ...this.#options, policy, unpinned }, this.#system);
    if (this.#scripts.size > 0) yield* checkStaged(sysroot, { policy, unpinned }, this.#system);
    yield* this.#stagedScript();
    yield* this.#kept();
    yield* this.#storage();
    yield* checkCounters(entries);
    yield* checkRefusal(entries, policy, onRefusal);
    yield* checkSoftReboot(sysroot);
    yield* checkLeftovers(sysroot, journal, this.#system);
    yield* await this.#rehearse(sealing);
    this.#options.progress.end();
  }

  async #entry(entry: EntryState): Promise<Finding[]> {
    // Loaders read nothing else; what has no such name is not an entry.
    if (entry.entry === undefined || entry.blsName === undefined) return [];
    const target = this.#state.targets.find((one) => one.entry === entry);
    const kernel = target?.kernel;
    // A foreign entry that does not work is worth a word, and not ours.
    const severity: Severity = entry.owner === 'ostree' ? 'error' : 'warning';
    const files = await this.#files.check(entry, kernel, severity);
    const findings = [...files.findings];
    if (target === undefined) return findings;
    this.#sizes.push({
      kernelBytes: files.kernelBytes,
      initrdBytes: files.initrds.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    });
    const loaded = this.#state.loader.initrds === 'first' ? files.initrds.slice(0, 1) : files.initrds;
    const archives: InitramfsArchive[] = [];
    for (const one of loaded) {
      // Damage was reported; what it holds cannot be known then.
      if (one.archives === undefined) return findings;
      archives.push(...one.archives);
    }
    const where = loaded.map(({ path }) => path).join(' + ') || entry.path;
    const { wanted } = this.#state;
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
      else this.#plain.push(target);
      return findings;
    }
    const overridden = checkOverride(target, script.settings?.policy);
    findings.push(...overridden);
    const policy = overridden.length > 0 ? 'prefer' : (script.settings?.policy ?? 'prefer');
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

  #loaderFindings(): readonly Finding[] {
    const { loader, boot } = this.#state;
    if (loader.readsEntries !== 'none') return loader.problems;
    const message = `no boot loader was found that reads the boot entries, so what it will boot is not known (${loader.evidence.join('; ') || 'nothing of one is there'})`;
    return [...loader.problems, { severity: 'unchecked', code: 'loader-unknown', where: boot.path, message }];
  }

  /** None where neither sealtree nor a command brings the menu up to date. */
  #menuRemedy(): readonly string[] {
    const { regenerate, command } = this.#state.loader;
    if (regenerate !== undefined) return this.#install;
    return command === undefined ? [] : [command];
  }

  /** What boots as if there were no sealtree; where that is all, it is said once. */
  #untouched(): Finding[] {
    const { targets, sysroot, wanted } = this.#state;
    if (this.#scripts.size > 0 || targets.some(({ entry }) => entry.pin !== 'none'))
      return this.#plain.map((target) => {
        const [obstacle] = findObstacles(target, this.#state);
        return {
          severity: wanted.unpinned === 'plain' ? 'warning' : unsealed(wanted.policy),
          code: 'entry-unsealed',
          where: target.entry.path,
          message: `neither seal pin nor mount script: it boots plain${obstacle === undefined ? '' : ` (${obstacle.message})`}`,
          deployments: [target.deployment.id],
          ...(obstacle === undefined ? { remedy: this.#install } : {}),
        };
      });
    return [
      {
        severity: unsealed(wanted.policy),
        code: 'not-installed',
        where: sysroot.path,
        message: 'no boot entry is sealed: everything boots plain, as ostree left it',
        remedy: this.#install,
      },
    ];
  }

  /** Of a deployment that is staged with its seal pin: what will read that. */
  #stagedScript(): Finding[] {
    const { staged, wanted } = this.#state;
    if (staged === undefined || staged.entry.pin !== 'right' || staged.deployment.finalizationLocked)
      return [];
    const { as, reason } = bootOutlook(staged, this.#state);
    if (as === 'sealed') return [];
    const about = {
      code: 'staged-unsealed',
      where: staged.initramfsPath ?? staged.deployment.path,
      deployments: [staged.deployment.id],
    };
    if (as === 'unknown') return [{ ...about, severity: 'unchecked', message: `staged: ${reason}` }];
    const message = `staged, and will ${as === 'plain' ? 'boot plain' : 'refuse to boot'} next: ${reason}`;
    return [{ ...about, severity: unsealed(wanted.policy), message, remedy: this.#install }];
  }

  /** What is deployed next is not sealed by itself: the next boot is, and the one after an upgrade may not be. */
  #kept(): Finding[] {
    const { keep, installed } = this.#state;
    if (installed === undefined) return [];
    return keepFindings(keep).map((finding) => ({ ...finding, remedy: this.#install }));
  }

  #storage(): Finding[] {
    const { sysroot, storage } = this.#state;
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
