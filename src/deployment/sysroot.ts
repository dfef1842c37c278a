/**
 * A sysroot as ostree lays it out, read without ostree: boot entries lead through `boot/loader` and the `ostree=`
 * links to deployment folders. The list and its order are those of `ostree admin status` (ostree-sysroot.c,
 * `sysroot_load_from_bootloader_configs`); unlike ostree, which refuses the whole sysroot at the first thing that
 * does not fit, reading goes on and says what is wrong in {@link Sysroot.problems}.
 */
import { join } from 'node:path';
import { type ByteString, bytesToText, displayBytes } from '../base/bytes.ts';
import { errnoOf, isMissing, NotFoundError, SealtreeError } from '../base/errors.ts';
import { shellWord } from '../base/shell.ts';
import type { SystemReads } from '../base/system.ts';
import { blsOptions, blsValue, blsValues, parseBlsEntry, parseBlsName } from '../formats/bls.ts';
import { splitKargs } from '../formats/kargs.ts';
import { compareVersions } from '../formats/version.ts';
import type { Finding, Severity } from '../image/findings.ts';
import {
  type BootEntry,
  type BootLink,
  type Deployment,
  type DeploymentName,
  isDots,
  parseBootLink,
  parseDeploymentName,
  resolveDeployment,
  type Unlocked,
} from './deployment.ts';
import { type Origin, readOrigin } from './origin.ts';
import { type DeviceInode, readBooted, readNextRoot, readStaged } from './staged.ts';

/** A deployment folder that no boot entry leads to: ostree's next cleanup removes it. */
export interface UnlistedFolder extends DeploymentName {
  readonly stateroot: string;
  /** `STATEROOT/CHECKSUM.SERIAL` */
  readonly id: string;
  readonly path: string;
}

export interface Sysroot {
  readonly path: string;
  /** `PATH/ostree/repo`, whether it is there or not. */
  readonly repositoryPath: string;
  /** In the order of `ostree admin status`. */
  readonly deployments: readonly Deployment[];
  /** What `boot/loader` and `ostree/boot.B` point to; 0 when the link is missing, as ostree takes it. */
  readonly bootVersion: 0 | 1;
  readonly subbootVersion: 0 | 1;
  /** Names in `ostree/deploy`, sorted. */
  readonly stateroots: readonly string[];
  /** Whether this is the root of the running system and that was booted from a deployment. */
  readonly isBooted: boolean;
  /** Where the running system's /run was looked at; undefined for any other sysroot. */
  readonly runDirectory: string | undefined;
  readonly unlistedFolders: readonly UnlistedFolder[];
  /** Half states and damage, in the order found. */
  readonly problems: readonly Finding[];
  /** See {@link resolveDeployment}. */
  resolve(spec: string): Deployment;
}

export interface ReadSysrootOptions {
  /**
   * The running system's /run. Given, the sysroot is taken for the running system's root; by default /run is looked
   * at only when `path` is the root folder.
   */
  readonly runDirectory?: string;
}

/**
 * Reads a sysroot.
 * @throws NotFoundError when `path` is no sysroot (has no `ostree/deploy`); IoError when it cannot be looked at.
 */
export function readSysroot(path: string, system: SystemReads, options: ReadSysrootOptions = {}): Sysroot {
  if (system.lstatIfExists(join(path, 'ostree/deploy')) === undefined)
    throw new NotFoundError(`${path} is not an ostree sysroot: it has no folder ostree/deploy`, {
      hint: 'name the sysroot with --sysroot PATH',
      details: { path },
    });
  return new SysrootReader(path, system, options).read();
}

/** A deployment before all are known: without its place in the list. */
type Draft = Omit<Deployment, 'index' | 'pending' | 'rollback'> & { readonly folder: DeviceInode };

class SysrootReader {
  readonly #path: string;
  readonly #system: SystemReads;
  readonly #runDirectory: string | undefined;
  readonly #problems: Finding[] = [];
  #bootedFolder: DeviceInode | undefined;
  #nextRoot: DeviceInode | undefined;

  constructor(path: string, system: SystemReads, options: ReadSysrootOptions) {
    this.#path = path;
    this.#system = system;
    this.#runDirectory = options.runDirectory ?? (this.#isRoot() ? '/run' : undefined);
  }

  read(): Sysroot {
    const isBooted = this.#readRunState();
    const bootVersion = this.#linkVersion(join(this.#path, 'boot/loader'), /^loader\.([01])$/);
    const bootLink = join(this.#path, `ostree/boot.${bootVersion}`);
    const subbootVersion = this.#linkVersion(bootLink, /^boot\.[01]\.([01])$/);

    const drafts = this.#readEntries(join(this.#path, `boot/loader.${bootVersion}/entries`))
      .sort(byVersionDescending)
      .flatMap((entry) => this.#fromEntry(entry) ?? []);
    const staged = isBooted ? this.#staged() : undefined;
    if (staged !== undefined) drafts.unshift(staged);
    const deployments = inOrder(drafts);
    if (isBooted && !deployments.some((deployment) => deployment.booted))
      this.#problem(
        'error',
        'booted-deployment-not-found',
        this.#path,
        'the running system was booted from a deployment, but no boot entry leads to it',
      );

    const stateroots = this.#folders(join(this.#path, 'ostree/deploy'));
    return {
      path: this.#path,
      repositoryPath: join(this.#path, 'ostree/repo'),
      deployments,
      bootVersion,
      subbootVersion,
      stateroots,
      isBooted,
      runDirectory: this.#runDirectory,
      unlistedFolders: this.#unlisted(stateroots, new Set(deployments.map((deployment) => deployment.id))),
      problems: this.#problems,
      resolve: (spec) => resolveDeployment(deployments, spec),
    };
  }

  #isRoot(): boolean {
    const here = this.#system.stat(this.#path);
    const root = this.#system.stat('/');
    return here.dev === root.dev && here.ino === root.ino;
  }

  /** Whether the sysroot is booted; finds out from which folder. */
  #readRunState(): boolean {
    const run = this.#runDirectory;
    if (run === undefined) return false;
    const booted = this.#attempt('run-state-unreadable', () => readBooted(run, this.#system));
    if (booted === undefined) return false;
    this.#bootedFolder = booted.folder ?? this.#statFolder('/');
    this.#nextRoot = this.#attempt('run-state-unreadable', () => readNextRoot(run, this.#system));
    return true;
  }

  /** The 0 or 1 a symlink's target ends in; 0 and a problem when there is none to read. */
  #linkVersion(path: string, pattern: RegExp): 0 | 1 {
    let target: string;
    try {
      target = this.#system.readlink(path);
    } catch (error) {
      // A sysroot nothing was deployed to has no such links.
      if (isMissing(error)) return 0;
      if (errnoOf(error) !== 'EINVAL') throw error;
      this.#problem('error', 'boot-link-invalid', path, 'not a symbolic link');
      return 0;
    }
    const match = pattern.exec(target);
    if (match === null)
      this.#problem('error', 'boot-link-invalid', path, `points to ${displayBytes(target as ByteString)}`);
    return match?.[1] === '1' ? 1 : 0;
  }

  /** The entries that are ostree's: `ostree-*.conf`, in all the forms its versions have named them. */
  #readEntries(folder: string): BootEntry[] {
    const names = this.#list(folder)
      .filter((name) => name.startsWith('ostree-') && name.endsWith('.conf'))
      .sort();
    return names.flatMap((bytes) => {
      const path = join(folder, bytesToText(bytes));
      const name = parseBlsName(bytes);
      if (name === undefined) {
        this.#problem(
          'warning',
          'entry-name-invalid',
          path,
          'not a file name the Boot Loader Specification allows',
        );
        return [];
      }
      const content = this.#attempt('entry-unreadable', () =>
        parseBlsEntry(this.#system.readFile(path), path),
      );
      return content === undefined ? [] : [{ path, name, content }];
    });
  }

  #fromEntry(entry: BootEntry): Draft | undefined {
    this.#checkForOstree(entry);
    const options = blsOptions(entry.content);
    const kargs = splitKargs(options);
    const argument = ostreeArgument(options);
    const bootLink = argument === undefined ? '' : bytesToText(argument);
    const link = parseBootLink(bootLink);
    if (link === undefined) {
      const found =
        argument === undefined ? 'no ostree= kernel argument' : `ostree=${displayBytes(argument)}`;
      this.#problem(
        'error',
        'entry-invalid',
        entry.path,
        `boot entry with ${found}, which leads to no deployment`,
      );
      return undefined;
    }
    const name = this.#followBootLink(bootLink, link, entry);
    if (name === undefined) return undefined;
    return this.#draft(name, link.stateroot, {
      entry,
      kargs,
      bootcsum: link.bootcsum,
      bootLink,
      staged: false,
      finalizationLocked: false,
    });
  }

  /** What we can read and ostree cannot: it then refuses the whole sysroot. */
  #checkForOstree({ content, path }: BootEntry): void {
    if (blsValues(content, 'options').length > 1)
      this.#problem(
        'error',
        'entry-options-repeated',
        path,
        'ostree takes only the last of several options lines',
      );
    const [, ...overlays] = blsValues(content, 'initrd');
    // ostree-sysroot.c checks the length alone.
    const isNamedByDigest = (name: string) => /(?:^|\/)[^/]{64}\.[^/]{3}$/.test(name);
    for (const name of overlays.filter((overlay) => !isNamedByDigest(overlay)))
      this.#problem(
        'error',
        'entry-initrd-name',
        path,
        `ostree refuses overlay initrd ${displayBytes(name)}: not SHA256.img`,
      );
  }

  /** The deployment an `ostree=` link leads to, by the last name of its target as ostree does it. */
  #followBootLink(bootLink: string, link: BootLink, entry: BootEntry): DeploymentName | undefined {
    const path = join(this.#path, bootLink);
    let target: string;
    try {
      target = bytesToText(this.#system.readlink(path));
    } catch (error) {
      const isOther = errnoOf(error) === 'EINVAL';
      if (!isOther && !isMissing(error)) throw error;
      const what = isOther ? 'is not a symbolic link' : 'does not exist';
      this.#problem('error', 'entry-without-deployment', entry.path, `leads to ${bootLink}, which ${what}`);
      return undefined;
    }
    const last = target.slice(target.lastIndexOf('/') + 1);
    const name = parseDeploymentName(last);
    if (name === undefined) {
      this.#problem('error', 'boot-link-invalid', path, `points to ${JSON.stringify(target)}`);
      return undefined;
    }
    const expected = `../../../deploy/${link.stateroot}/deploy/${last}`;
    if (target !== expected)
      this.#problem(
        'warning',
        'boot-link-elsewhere',
        path,
        `points to ${JSON.stringify(target)}, not to ${expected}`,
      );
    return name;
  }

  #staged(): Draft | undefined {
    const run = this.#runDirectory as string;
    const staged = this.#attempt('staged-unreadable', () => readStaged(run, this.#system));
    if (staged === undefined) return undefined;
    return this.#draft(staged.name, staged.stateroot, {
      entry: undefined,
      kargs: staged.kargs,
      bootcsum: staged.bootcsum,
      bootLink: undefined,
      staged: true,
      finalizationLocked: staged.locked,
    });
  }

  /** All that the deployment's folder and `.origin` file say; undefined and a problem when the folder is missing. */
  #draft(
    name: DeploymentName,
    stateroot: string,
    known: Pick<Draft, 'entry' | 'kargs' | 'bootcsum' | 'bootLink' | 'staged' | 'finalizationLocked'>,
  ): Draft | undefined {
    const folderName = `${name.checksum}.${name.serial}`;
    const id = `${stateroot}/${folderName}`;
    const path = join(this.#path, 'ostree/deploy', stateroot, 'deploy', folderName);
    const where = known.entry?.path ?? join(this.#runDirectory ?? '', 'ostree/staged-deployment');
    const folder = this.#statFolder(path);
    if (folder === undefined) {
      this.#problem('error', 'entry-without-deployment', where, `leads to ${id}, which is not a folder`, [
        id,
      ]);
      return undefined;
    }
    const origin = this.#attempt('origin-unreadable', () => readOrigin(`${path}.origin`, this.#system));
    return {
      ...known,
      ...name,
      stateroot,
      id,
      path,
      folder,
      booted: !known.staged && isSame(folder, this.#bootedFolder),
      softRebootTarget: isSame(folder, this.#nextRoot),
      pinned: origin?.pinned ?? false,
      unlocked: this.#unlocked(folderName, origin),
      origin,
    };
  }

  #unlocked(folderName: string, origin: Origin | undefined): Unlocked | undefined {
    if (this.#runDirectory !== undefined) {
      const state = join(this.#runDirectory, 'ostree/deployment-state', folderName);
      for (const kind of ['development', 'transient'] as const)
        if (this.#system.lstatIfExists(join(state, `unlocked-${kind}`)) !== undefined) return kind;
    }
    return origin?.unlocked === 'hotfix' ? 'hotfix' : undefined;
  }

  #unlisted(stateroots: readonly string[], listed: ReadonlySet<string>): UnlistedFolder[] {
    return stateroots.flatMap((stateroot) => {
      const parent = join(this.#path, 'ostree/deploy', stateroot, 'deploy');
      return this.#folders(parent).flatMap((folderName): UnlistedFolder[] => {
        const name = parseDeploymentName(folderName);
        const id = `${stateroot}/${folderName}`;
        if (name === undefined || listed.has(id)) return [];
        const path = join(parent, folderName);
        this.#problem(
          'warning',
          'deployment-without-entry',
          path,
          'no boot entry leads to this deployment',
          [id],
          [`ostree admin cleanup --sysroot=${shellWord(this.#path)}`],
        );
        return [{ ...name, stateroot, id, path }];
      });
    });
  }

  /** Names of the folders in a folder, sorted; none when that does not exist. */
  #folders(path: string): string[] {
    return this.#list(path)
      .map(bytesToText)
      .filter((name) => !isDots(name) && this.#statFolder(join(path, name)) !== undefined)
      .sort();
  }

  #list(path: string): ByteString[] {
    try {
      return this.#system.readdir(path);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #statFolder(path: string): DeviceInode | undefined {
    const stats = this.#system.lstatIfExists(path);
    return stats?.isDirectory() ? { device: stats.dev, inode: stats.ino } : undefined;
  }

  /** What could not be read or understood becomes a problem; bugs stay exceptions. */
  #attempt<T>(code: string, action: () => T | undefined): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof SealtreeError)) throw error;
      const where = error.details.where ?? error.details.path;
      this.#problem('error', code, typeof where === 'string' ? where : this.#path, error.message);
      return undefined;
    }
  }

  #problem(
    severity: Severity,
    code: string,
    where: string,
    message: string,
    deployments: readonly string[] = [],
    remedy: readonly string[] = [],
  ): void {
    this.#problems.push({
      severity,
      code,
      where,
      message,
      ...(deployments.length === 0 ? {} : { deployments }),
      ...(remedy.length === 0 ? {} : { remedy }),
    });
  }
}

/**
 * The value of the first `ostree=`, words split at each space as ostree and its prepare-root do: quotes mean nothing to
 * them, and ostree 2022.7 adds a quote each time it inherits a quoted argument, which would hide what follows.
 */
function ostreeArgument(options: ByteString): ByteString | undefined {
  const word = options.split(' ').find((one) => one.startsWith('ostree='));
  return word === undefined ? undefined : (word.slice('ostree='.length) as ByteString);
}

function isSame(a: DeviceInode, b: DeviceInode | undefined): boolean {
  return b !== undefined && a.device === b.device && a.inode === b.inode;
}

/** ostree's order: the larger version boots first; entries without one come last. */
function byVersionDescending(a: BootEntry, b: BootEntry): number {
  const [x, y] = [blsValue(a.content, 'version'), blsValue(b.content, 'version')];
  if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
  return compareVersions(y, x);
}

/** Numbers the deployments; pending and rollback are what surrounds the booted one in its own stateroot. */
function inOrder(drafts: readonly Draft[]): Deployment[] {
  const booted = drafts.find((draft) => draft.booted);
  const related = drafts.filter((draft) => draft.stateroot === booted?.stateroot);
  const at = booted === undefined ? -1 : related.indexOf(booted);
  const pending = at > 0 ? related[0] : undefined;
  const rollback = booted === undefined ? undefined : related[at + 1];
  return drafts.map(({ folder: _, ...draft }, index) => ({
    ...draft,
    index,
    pending: drafts[index] === pending,
    rollback: drafts[index] === rollback,
  }));
}
