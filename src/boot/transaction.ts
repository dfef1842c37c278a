/**
 * Carries a plan out, under the sysroot's lock the whole time: ostree's cleanup would delete an overlay initrd that
 * no entry names yet. Each step is idempotent and leaves a machine that boots; a run that was cut off is gone on with
 * by making the plan anew from what is there. The journal only says that there was one.
 */
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ByteString, displayBytes } from '../base/bytes.ts';
import { errnoOf, FormatError, OperationError, SealtreeError } from '../base/errors.ts';
import { makeFolder, makeFolders } from '../base/folders.ts';
import { run } from '../base/process.ts';
import type { Progress } from '../base/progress.ts';
import type { System, SystemReads } from '../base/system.ts';
import { stagedInitrdsFolder, stagedPath } from '../deployment/staged.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { makeStoreFolder, temporaryName, writeSynced } from '../image/store.ts';
import { Repository } from '../repository/repository.ts';
import { extendInitramfs, splitAddition } from './initramfs/extended.ts';
import {
  additionPath,
  additionsFolder,
  bootFolder,
  formatInstalled,
  formatJournal,
  installedPath,
  journalPath,
  removerPath,
  writeBootFile,
} from './journal.ts';
import { installApp, removeApp } from './keep/app.ts';
import { changeUnits, unitFolders } from './keep/units.ts';
import { parseGrubMenu } from './loaders/grub-menu.ts';
import { ostreeLink } from './loaders/menu.ts';
import { overlaysFolder } from './overlays.ts';
import { sealPinValues } from './pin.ts';
import type { BootPlan, BootStep, StepOf } from './plan.ts';
import { protectRepository } from './protect.ts';
import {
  changed,
  expectContent,
  findLeftovers,
  removeLeftovers,
  removeQuietly,
  renameDurably,
  renameForLoader,
  replaceEntry,
  replaceFile,
  writeAsideOf,
  writeLike,
} from './replace.ts';
import { ROLLBACK_FILE, settingsRoot } from './settings-files.ts';
import { stepTitle } from './step-title.ts';
import { enableFeature } from './storage.ts';

export interface TransactionOptions {
  readonly progress: Progress;
  /** Called before each step. */
  readonly onStep?: (step: BootStep, number: number) => void;
}

/**
 * Carries out all steps. The caller holds the locks, and made the plan under them.
 * @throws whatever a step throws; the journal is left then, and the next run goes on
 */
export async function carryOut(
  plan: BootPlan,
  sysroot: Sysroot,
  options: TransactionOptions,
  system: System,
): Promise<void> {
  const { repositoryPath } = sysroot;
  removeLeftovers(findLeftovers(temporaryFolders(sysroot, system), system), system);
  if (plan.steps.length > 0) {
    const steps = plan.steps.map((step) => stepTitle(step, sysroot.path));
    const journal = formatJournal({ verb: plan.verb, steps });
    writeBootFile(repositoryPath, journalPath(repositoryPath), journal, 0o644, system);
    const transaction = new Transaction(sysroot, options.progress, system);
    for (const [i, step] of plan.steps.entries()) {
      options.progress.check();
      options.onStep?.(step, i + 1);
      await transaction.run(step);
    }
  }
  if (plan.verb === 'remove') removeIfEmpty(overlaysFolder(sysroot.path), system);
  end(repositoryPath, system);
}

/** Takes the journal away, and with it the folders where there is nothing else in them. */
function end(repositoryPath: string, system: System): void {
  const path = journalPath(repositoryPath);
  if (system.lstatIfExists(path) !== undefined) {
    system.unlink(path);
    system.fsyncDirectory(dirname(path));
  }
  for (const folder of ownFolders(repositoryPath)) removeIfEmpty(folder, system);
}

function removeIfEmpty(folder: string, system: System): void {
  if (!isEmpty(folder, system)) return;
  system.rmdir(folder);
  system.fsyncDirectory(dirname(folder));
}

/** The inner one first. */
const ownFolders = (repositoryPath: string): string[] => [
  additionsFolder(repositoryPath),
  bootFolder(repositoryPath),
];

const isEmpty = (folder: string, system: SystemReads): boolean =>
  system.lstatIfExists(folder)?.isDirectory() === true && system.readdir(folder).length === 0;

/** Whether a run that was killed left something behind. */
export const hasLeftovers = (sysroot: Sysroot, system: SystemReads): boolean =>
  findLeftovers(temporaryFolders(sysroot, system), system).length > 0 ||
  ownFolders(sysroot.repositoryPath).some((folder) => isEmpty(folder, system));

/** Where this transaction writes aside. */
function temporaryFolders(sysroot: Sysroot, system: SystemReads): string[] {
  const { path, bootVersion, repositoryPath, runDirectory } = sysroot;
  const kernels = join(path, 'boot/ostree');
  const names = system.lstatIfExists(kernels)?.isDirectory() ? system.readdir(kernels) : [];
  return [
    repositoryPath,
    bootFolder(repositoryPath),
    additionsFolder(repositoryPath),
    join(path, `boot/loader.${bootVersion}`),
    join(path, `boot/loader.${bootVersion}/entries`),
    kernels,
    ...names.map((name) => join(kernels, name)),
    dirname(join(settingsRoot(sysroot), ROLLBACK_FILE)),
    ...(runDirectory === undefined
      ? []
      : [dirname(stagedPath(runDirectory)), stagedInitrdsFolder(runDirectory)]),
    ...unitFolders(sysroot.deployments),
  ];
}

class Transaction {
  readonly #sysroot: Sysroot;
  readonly #progress: Progress;
  readonly #system: System;

  constructor(sysroot: Sysroot, progress: Progress, system: System) {
    this.#sysroot = sysroot;
    this.#progress = progress;
    this.#system = system;
  }

  async run(step: BootStep): Promise<void> {
    const system = this.#system;
    switch (step.kind) {
      case 'settings':
        return this.#writeSettings(step);
      case 'record':
        return this.#record(step);
      case 'verity-feature':
        return await enableFeature(step.feature, this.#sysroot.path, system, this.#progress.signal);
      case 'protect':
        return await this.#protect(step);
      case 'edit':
        return this.#edit(step);
      case 'amend':
        return this.#amend(step);
      case 'menu':
        return await this.#generateMenu(step);
      case 'append':
        return this.#append(step);
      case 'withdraw':
        return this.#withdraw(step);
      case 'restore':
        return this.#restore(step);
      case 'overlay':
        return this.#writeOverlay(step);
      case 'unlink':
        return this.#unlink(step.paths);
      case 'forget':
        return this.#forget(step);
      case 'app':
        return await installApp(step.folder, step.program, system);
      case 'app-gone':
        return removeApp(step.folder, step.paths, system);
      case 'units':
        return await changeUnits(step, system);
    }
  }

  #writeSettings({ path, before, after }: StepOf<'settings'>): void {
    const system = this.#system;
    if (before !== undefined) expectContent(path, before, system);
    if (after === undefined) this.#unlink([path]);
    else if (before === undefined) {
      makeFolders(dirname(path), system, { durable: true });
      this.#writeNew(path, after);
    } else replaceFile(path, after, system);
  }

  #record({ installed, remover, additions, keepers }: StepOf<'record'>): void {
    const { repositoryPath } = this.#sysroot;
    const system = this.#system;
    makeStoreFolder(repositoryPath, 'boot', system);
    for (const { sha256, bytes } of additions) {
      const path = additionPath(repositoryPath, sha256);
      makeFolders(dirname(path), system, { durable: true });
      this.#writeNew(path, bytes);
    }
    // The remover first: once it is recorded that something is installed, there is a way back.
    writeBootFile(repositoryPath, removerPath(repositoryPath), remover, 0o755, system);
    for (const { name, bytes, mode } of keepers)
      writeBootFile(repositoryPath, join(bootFolder(repositoryPath), name), bytes, mode, system);
    const record = formatInstalled(installed);
    writeBootFile(repositoryPath, installedPath(repositoryPath), record, 0o644, system);
  }

  async #protect({ deploymentPaths }: StepOf<'protect'>): Promise<void> {
    const repository = Repository.open(this.#sysroot.repositoryPath, this.#system);
    const { failed } = await protectRepository(repository, deploymentPaths, this.#progress);
    const [first] = failed;
    if (first === undefined) return;
    const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
    throw new OperationError(
      'protect',
      `fs-verity cannot be enabled: ${first.where}: ${first.message}${more}`,
      {
        hint: 'sealtree verify --deep says what is damaged; nothing that boots was changed yet',
        details: { findings: failed },
      },
    );
  }

  #edit({ path, before, after, entry }: StepOf<'edit'>): void {
    if (entry?.blsName !== undefined) {
      replaceEntry(dirname(path), entry.blsName, before, after, this.#system);
    } else {
      expectContent(path, before, this.#system);
      replaceFile(path, after, this.#system);
    }
  }

  /** The overlay initrds first: ostree fails to finalize what names one that is not there. */
  #amend({ path, before, after, initrds }: StepOf<'amend'>): void {
    const system = this.#system;
    const folder = join(dirname(path), basename(stagedInitrdsFolder('')));
    for (const { sha256, bytes } of initrds) {
      makeFolders(folder, system);
      const temporary = join(folder, temporaryName());
      writeSynced(temporary, bytes, 0o600, system);
      renameDurably(temporary, join(folder, sha256), system);
    }
    expectContent(path, before, system);
    renameDurably(writeLike(path, after, system), path, system);
  }

  async #generateMenu(step: StepOf<'menu'>): Promise<void> {
    const temporary = join(dirname(step.regenerate.output), temporaryName());
    try {
      await this.#generateInto(temporary, step);
      renameForLoader(temporary, step.regenerate.output, this.#system);
    } catch (error) {
      // grub-mkconfig writes aside, too, and leaves that where it fails.
      if (errnoOf(error) !== undefined || error instanceof SealtreeError)
        for (const path of [temporary, `${temporary}.new`]) removeQuietly(path, this.#system);
      throw error;
    }
  }

  async #generateInto(path: string, { regenerate, commandLines }: StepOf<'menu'>): Promise<void> {
    const [program = '', ...args] = regenerate.argv;
    await run(program, [...args, path], {
      env: regenerate.env,
      timeoutMs: 300_000,
      ...(this.#progress.signal === undefined ? {} : { signal: this.#progress.signal }),
    });
    const fd = this.#system.openRead(path, { noFollow: true });
    try {
      // The script that asks ostree ends well, too, where it finds that there is nothing for it to do.
      const lacking = lackingIn(this.#system.readFile(path), commandLines, program);
      if (lacking !== undefined)
        throw new OperationError(
          'menu',
          `${program} wrote a menu without ${lacking}: the one before is kept`,
        );
      this.#system.fsync(fd);
    } finally {
      this.#system.close(fd);
    }
  }

  /**
   * The deployment's own initramfs, padded, with the addition behind it, in the place of what boots. Where that is not
   * there yet, because the deployment is staged, ostree will keep what it then finds; it takes an empty folder of a
   * kernel for a mistake of its own, so the file is whole before the folder is made.
   */
  #append({ path, original, addition }: StepOf<'append'>): void {
    const system = this.#system;
    const bytes = Buffer.concat(extendInitramfs(system.readFile(original), addition.bytes));
    const isThere = system.lstatIfExists(path) !== undefined;
    const folder = dirname(path);
    const temporary = isThere
      ? writeLike(path, bytes, system)
      : writeAsideOf(folder, original, bytes, system);
    if (!system.readFile(temporary).equals(bytes))
      throw new OperationError('append', `${temporary}: the disk gave back other bytes than were written`);
    if (isThere) renameForLoader(temporary, path, system);
    else {
      makeFolder(folder, system);
      renameDurably(temporary, path, system);
      system.fsyncDirectory(dirname(folder));
    }
  }

  #withdraw({ path }: StepOf<'withdraw'>): void {
    const folder = dirname(path);
    this.#unlink([path]);
    // One that ostree has begun to fill is its own.
    removeIfEmpty(folder, this.#system);
  }

  /** The deployment's own initramfs again, as the hard link that ostree made where it could. */
  #restore({ path, original }: StepOf<'restore'>): void {
    const system = this.#system;
    const inside = originalInside(system.readFile(path), path);
    const own = original === undefined ? undefined : system.readFile(original);
    if (original !== undefined && own !== undefined && (inside === 'damaged' || inside.equals(own))) {
      const temporary = join(dirname(path), temporaryName());
      if (this.#link(original, temporary)) renameForLoader(temporary, path, system);
      else renameForLoader(writeLike(path, own, system), path, system);
    } else if (inside === 'damaged') {
      throw changed(path, 'it is damaged, and there is no other');
    } else renameForLoader(writeLike(path, inside, system), path, system);
  }

  /** False where there has to be a copy: /boot of its own, or more links than the file system allows. */
  #link(from: string, to: string): boolean {
    const system = this.#system;
    const [a, b] = [from, to].map((path) => physicalPath(path, this.#sysroot, system)) as [string, string];
    try {
      system.link(a, b);
      return true;
    } catch (error) {
      if (!['EXDEV', 'EMLINK', 'EPERM', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) throw error;
      return false;
    }
  }

  #writeOverlay({ path, addition }: StepOf<'overlay'>): void {
    makeFolders(dirname(path), this.#system, { durable: true });
    this.#writeNew(path, addition.bytes);
    this.#system.checkpoint(dirname(path));
  }

  /** A file that nothing else has the name of, unless it is the same file. */
  #writeNew(path: string, bytes: Uint8Array): void {
    const temporary = join(dirname(path), temporaryName());
    writeSynced(temporary, bytes, 0o644, this.#system);
    renameDurably(temporary, path, this.#system);
  }

  #unlink(paths: readonly string[]): void {
    for (const path of paths) this.#system.unlink(path);
    for (const folder of new Set(paths.map(dirname))) this.#system.fsyncDirectory(folder);
  }

  #forget({ paths }: StepOf<'forget'>): void {
    this.#unlink(paths.filter((path) => basename(path) !== 'remove.sh'));
    // Last: as long as anything is left, so is the way back.
    for (const path of paths.filter((path) => basename(path) === 'remove.sh')) this.#system.unlink(path);
    this.#system.fsyncDirectory(bootFolder(this.#sysroot.repositoryPath));
  }
}

/**
 * What a generated menu lacks of these command lines: a deployment, or its seal pin; undefined where it has all.
 * @throws FormatError for what GRUB would not read
 */
function lackingIn(menu: Buffer, commandLines: readonly ByteString[], program: string): string | undefined {
  const { entries } = parseGrubMenu(menu, `the menu of ${program}`);
  for (const options of commandLines) {
    const link = ostreeLink(options);
    if (link === undefined) continue;
    const shown = entries.find((entry) => ostreeLink(entry.options) === link);
    if (shown === undefined) return `an entry for ${displayBytes(link)}`;
    if (!isDeepStrictEqual(sealPinValues(shown.options), sealPinValues(options)))
      return `what the boot entry of ${displayBytes(link)} says of its seal pin`;
  }
  return undefined;
}

/** @throws OperationError when the file is not one of ours any more */
function originalInside(bytes: Buffer, path: string): Buffer | 'damaged' {
  try {
    const parts = splitAddition(bytes, path);
    if (parts === undefined) throw changed(path, 'nothing is behind the initramfs any more');
    return bytes.subarray(0, parts.originalEnd);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return 'damaged';
  }
}

/**
 * A path of the running system as it is called on the physical root. /boot is a mount of its own there, of the same
 * folder, and a hard link cannot cross mounts.
 */
function physicalPath(path: string, sysroot: Sysroot, system: SystemReads): string {
  const physical = dirname(system.realpath(join(sysroot.path, 'ostree')));
  const boot = join(sysroot.path, 'boot');
  if (path.startsWith(`${boot}/`)) {
    const other = join(physical, 'boot');
    const [a, b] = [system.stat(boot), system.lstatIfExists(other)];
    return b !== undefined && a.dev === b.dev && a.ino === b.ino ? other + path.slice(boot.length) : path;
  }
  return join(system.realpath(dirname(path)), basename(path));
}
