/**
 * What of ours the initramfs holds, once the loader has put together those of an entry's initrds that it loads: the
 * script, what calls it, the policy it will follow, and the kernel modules for it.
 */
import { basename } from 'node:path';
import { type ByteString, bytesEqual, bytesToText } from '../../base/bytes.ts';
import { FormatError } from '../../base/errors.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import { type CpioEntry, cpioPath } from '../../formats/cpio.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import type { InitramfsArchive } from '../initramfs/read.ts';
import { type InitramfsSettings, parseSettings } from '../initramfs-settings.ts';
import type { DeploymentKernel } from '../kernel.ts';
import { payloadFile } from '../payload.ts';
import { sealTemplate } from '../template.ts';

/** Folder of everything of ours in an initramfs. */
export const OWN_FOLDER = 'usr/lib/sealtree';

/** The files of ours whose contents are looked at. */
export function isLookedAt({ name, size }: Pick<CpioEntry, 'name' | 'size'>): boolean {
  return size < 1 << 20 && (LOOKED_AT.has(plainPath(name)) || /(^|\/)ORDER$/.test(name));
}

const LOOKED_AT: ReadonlySet<string> = new Set(
  ['seal-root', 'settings', 'kernel', 'modules/LOAD', 'template.head', 'template.tail'].map(
    (name) => `lib/sealtree/${name}`,
  ),
);

/** A path as /usr-merged systems see it: `usr/bin`, `usr/sbin` and `usr/lib` are `bin`, `sbin` and `lib`. */
function plainPath(name: ByteString): string {
  return cpioPath(name).replace(/^usr\/(?=(bin|sbin|lib|lib64)(\/|$))/, '');
}

/** What the initramfs will do at boot. */
export interface SealScript {
  /** Undefined: the file is damaged or missing, and the script goes on as with `prefer`. */
  readonly settings: InitramfsSettings | undefined;
}

export interface InitramfsCheck {
  readonly findings: readonly Finding[];
  /** Undefined when the script is not there, or nothing calls it: the boot is a plain one. */
  readonly script: SealScript | undefined;
}

/**
 * @param archives of all initrds that are loaded, in order
 * @param wanted the settings as configured
 * @param lost what it is when a seal could not be made at boot
 */
export function checkInitramfs(
  archives: readonly InitramfsArchive[],
  where: string,
  kernel: DeploymentKernel | undefined,
  wanted: InitramfsSettings,
  lost: Severity,
  system: SystemReads,
): InitramfsCheck {
  const files = new Map<string, CpioEntry>();
  // The kernel unpacks one after the other: of a name the last entry stays.
  for (const { entries } of archives) for (const entry of entries) files.set(plainPath(entry.name), entry);
  const findings: Finding[] = [];
  const add = (severity: Severity, code: string, message: string): void =>
    void findings.push({ severity, code, where, message });
  const own = (name: string): CpioEntry | undefined => files.get(`lib/sealtree/${name}`);

  const script = own('seal-root');
  if (script === undefined) return { findings, script: undefined };
  if ((script.mode & 0o111) === 0) add(lost, 'initramfs-script', 'the script in it is not executable');
  if (script.content !== undefined && !bytesEqual(script.content, payloadFile('seal-root')))
    add('warning', 'initramfs-outdated', 'its script is of another version of sealtree');
  const { head, tail } = sealTemplate();
  for (const [name, bytes] of [
    ['template.head', head],
    ['template.tail', tail],
  ] as const) {
    const file = own(name);
    if (file === undefined || file.size === 0)
      add(lost, 'initramfs-incomplete', `lacks ${OWN_FOLDER}/${name}`);
    else if (file.content !== undefined && !bytesEqual(file.content, bytes))
      add('warning', 'initramfs-outdated', `its ${name} is of another version of sealtree`);
  }
  if (own('first-files') === undefined) add(lost, 'initramfs-incomplete', `lacks ${OWN_FOLDER}/first-files`);
  const isCalled = checkCall(files, (message) => add(lost, 'initramfs-hook', message));
  const settings = checkSettings(own('settings'), where, wanted, add);
  checkModules(files, kernel, lost, add, system);
  return { findings, script: isCalled ? { settings } : undefined };
}

/** Who calls the script: a unit of systemd, or a script of initramfs-tools. */
function checkCall(files: ReadonlyMap<string, CpioEntry>, lacks: (message: string) => void): boolean {
  const isSystemd = files.has('lib/systemd/systemd') && !files.has('scripts/functions');
  if (isSystemd) {
    const unit = files.has('lib/systemd/system/sealtree-root.service');
    const wanted = ['requires', 'wants'].some((kind) =>
      ['etc', 'lib'].some((folder) =>
        files.has(`${folder}/systemd/system/initrd-root-fs.target.${kind}/sealtree-root.service`),
      ),
    );
    if (!unit) lacks('nothing calls the script: sealtree-root.service is missing');
    else if (!wanted) lacks('nothing calls the script: no target asks for sealtree-root.service');
    return unit && wanted;
  }
  const isOrdered =
    files.has('scripts/init-bottom/sealtree') &&
    (files.get('scripts/init-bottom/ORDER')?.content?.toString('latin1') ?? '').includes(
      '/scripts/init-bottom/sealtree',
    );
  const isConfigured = files.has('conf/conf.d/zz-sealtree') && files.has('scripts/sealtree');
  if (!isOrdered && !isConfigured) lacks('nothing calls the script: its initramfs-tools part is missing');
  return isOrdered || isConfigured;
}

function checkSettings(
  file: CpioEntry | undefined,
  where: string,
  wanted: InitramfsSettings,
  add: (severity: Severity, code: string, message: string) => void,
): InitramfsSettings | undefined {
  if (file?.content === undefined) {
    add(
      'error',
      'initramfs-settings',
      `lacks ${OWN_FOLDER}/settings: the boot goes on as with policy = prefer`,
    );
    return undefined;
  }
  try {
    const got = parseSettings(file.content, `${where}: ${OWN_FOLDER}/settings`);
    const differ = (
      [
        ['policy', got.policy, wanted.policy],
        ['unpinned', got.unpinned, wanted.unpinned],
        ['on-refusal', got.onRefusal, wanted.onRefusal],
      ] as const
    ).filter(([, is, want]) => is !== want);
    if (differ.length > 0)
      add(
        'error',
        'initramfs-settings',
        `carries other settings than configured: ${differ.map(([key, is, want]) => `${key} is ${is}, configured ${want}`).join('; ')}`,
      );
    return got;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    add('error', 'initramfs-settings', `${error.message}: the boot goes on as with policy = prefer`);
    return undefined;
  }
}

const NEEDED_MODULES = ['erofs', 'overlay'] as const;

/** Each in the kernel, in the base of the initramfs, or among ours; ours only for the kernel they were made for. */
function checkModules(
  files: ReadonlyMap<string, CpioEntry>,
  kernel: DeploymentKernel | undefined,
  lost: Severity,
  add: (severity: Severity, code: string, message: string) => void,
  system: SystemReads,
): void {
  if (kernel === undefined) {
    add('unchecked', 'initramfs-modules', 'the deployment has no kernel in usr/lib/modules to compare with');
    return;
  }
  const release = files.get('lib/sealtree/kernel')?.content?.toString('latin1').trim();
  const ownModules = [...files.keys()].filter((path) => path.startsWith('lib/sealtree/modules/'));
  if (ownModules.length > 0 && release !== kernel.release)
    add(
      lost,
      'initramfs-modules',
      `its modules are for kernel ${release ?? 'none that is named'}, the deployment's is ${kernel.release}`,
    );
  const builtin = readIfExists(`${kernel.modulesFolder}/modules.builtin`, system)?.toString('latin1');
  const there = new Set(
    [...files.keys()]
      .filter(
        (path) =>
          path.startsWith(`lib/modules/${kernel.release}/`) ||
          (release === kernel.release && path.startsWith('lib/sealtree/modules/')),
      )
      .map(moduleName),
  );
  for (const name of NEEDED_MODULES) {
    if (there.has(name) || builtin?.includes(`/${name}.ko`)) continue;
    if (builtin === undefined)
      add(
        'unchecked',
        'initramfs-modules',
        `whether the kernel has ${name} built in cannot be told: no modules.builtin`,
      );
    else add(lost, 'initramfs-modules', `lacks the kernel module ${name}`);
  }
}

const moduleName = (path: string): string =>
  basename(bytesToText(path as ByteString))
    .replace(/\.ko(\.[a-z0-9]+)?$/, '')
    .replaceAll('-', '_');
