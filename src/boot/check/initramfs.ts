/**
 * What of ours the initramfs holds, once the loader has put together those of an entry's initrds that it loads: the
 * script, what calls it, the policy it will follow, and the programs and kernel modules it needs.
 */
import { bytesEqual } from '../../base/bytes.ts';
import type { SystemReads } from '../../base/system.ts';
import { readIfExists } from '../../deployment/read-if-exists.ts';
import { cpioPath } from '../../formats/cpio.ts';
import type { Finding, Severity } from '../../image/findings.ts';
import { describeInitramfs, type InitramfsFacts, OWN } from '../initramfs/facts.ts';
import { isModuleFile, moduleName } from '../initramfs/modules.ts';
import type { InitramfsArchive } from '../initramfs/read.ts';
import type { InitramfsSettings } from '../initramfs-settings.ts';
import type { DeploymentKernel } from '../kernel.ts';
import { payloadFile } from '../payload.ts';
import { sealTemplate } from '../template.ts';

/** What the script in an initramfs will do. */
export interface SealScript {
  /** Undefined: the file is damaged or missing, and the script goes on as with `prefer`. */
  readonly settings: InitramfsSettings | undefined;
}

export interface InitramfsCheck {
  readonly findings: readonly Finding[];
  /** Undefined when the script is not there, or nothing calls it: the boot is a plain one. */
  readonly script: SealScript | undefined;
}

type Add = (severity: Severity, code: string, message: string) => void;

/**
 * @param archives of all initrds that are loaded, in order
 * @param wanted the settings as configured
 * @param lost how bad it is that a boot cannot be sealed
 */
export function checkInitramfs(
  archives: readonly InitramfsArchive[],
  where: string,
  kernel: DeploymentKernel | undefined,
  wanted: InitramfsSettings,
  lost: Severity,
  system: SystemReads,
): InitramfsCheck {
  const findings: Finding[] = [];
  const add: Add = (severity, code, message) => void findings.push({ severity, code, where, message });
  const facts = describeInitramfs(archives);
  const { sealtree } = facts;
  if (sealtree === undefined) return { findings, script: undefined };
  const own = new OwnFiles(archives);
  checkScript(own, lost, add);
  if (!sealtree.isHooked)
    add(lost, 'initramfs-hook', `nothing in this initramfs (${facts.kind}) calls ${OWN}/seal-root`);
  checkSettings(sealtree.settings, wanted, add);
  checkPrograms(facts, own, lost, add);
  checkModules(facts, own, kernel, lost, add, system);
  return { findings, script: sealtree.isHooked ? { settings: sealtree.settings } : undefined };
}

/** What lies in our folder, by the path in it. */
class OwnFiles {
  readonly #files = new Map<string, { readonly mode: number; readonly content: Buffer | undefined }>();

  constructor(archives: readonly InitramfsArchive[]) {
    // Of a name that occurs twice the last one stays.
    for (const { entries } of archives)
      for (const { name, mode, content } of entries) {
        const path = cpioPath(name);
        if (path.startsWith(`${OWN}/`)) this.#files.set(path.slice(OWN.length + 1), { mode, content });
      }
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  isExecutable(path: string): boolean {
    return ((this.#files.get(path)?.mode ?? 0) & 0o111) !== 0;
  }

  content(path: string): Buffer | undefined {
    return this.#files.get(path)?.content;
  }

  below(folder: string): string[] {
    return [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
  }
}

function checkScript(own: OwnFiles, lost: Severity, add: Add): void {
  if (!own.isExecutable('seal-root')) add(lost, 'initramfs-script', `${OWN}/seal-root is not executable`);
  const { head, tail } = sealTemplate();
  const ours = {
    'seal-root': payloadFile('seal-root'),
    'template.head': head,
    'template.tail': tail,
  };
  const outdated: string[] = [];
  for (const [name, bytes] of Object.entries(ours)) {
    const content = own.content(name);
    if (content === undefined || content.length === 0)
      add(lost, 'initramfs-incomplete', `lacks ${OWN}/${name}`);
    else if (!bytesEqual(content, bytes)) outdated.push(name);
  }
  if (outdated.length > 0)
    add(
      'warning',
      'initramfs-outdated',
      `${outdated.join(', ')}: of another version of sealtree, or changed`,
    );
}

function checkSettings(settings: InitramfsSettings | undefined, wanted: InitramfsSettings, add: Add): void {
  if (settings === undefined) {
    add(
      'error',
      'initramfs-settings',
      `${OWN}/settings is missing or damaged: the boot goes on as with policy = prefer`,
    );
    return;
  }
  const pairs = [
    ['policy', settings.policy, wanted.policy],
    ['unpinned', settings.unpinned, wanted.unpinned],
    ['on-refusal', settings.onRefusal, wanted.onRefusal],
  ] as const;
  const differ = pairs.filter(([, is, want]) => is !== want);
  if (differ.length > 0)
    add(
      'error',
      'initramfs-settings',
      `carries other settings than configured: ${differ.map(([key, is, want]) => `${key} is ${is}, wanted is ${want}`).join('; ')}`,
    );
}

/** Those of seal-root, in the base or among ours. */
function checkPrograms(facts: InitramfsFacts, own: OwnFiles, lost: Severity, add: Add): void {
  const has = (name: string): boolean => facts.programs.has(name) || own.isExecutable(`bin/${name}`);
  const modules = own.has('modules/LOAD') ? ['insmod'] : [];
  const missing = ['sh', 'cat', 'mkdir', 'ln', 'mount', 'umount', ...modules].filter((name) => !has(name));
  if (missing.length > 0) add(lost, 'initramfs-program', `lacks ${missing.join(', ')}`);
  const isPrivate = own.below('bin').length > 0;
  if (isPrivate && own.below('lib').length > 0 && !own.isExecutable('lib/ld.so'))
    add(lost, 'initramfs-program', `lacks ${OWN}/lib/ld.so, which its own programs are run by`);
  if (facts.prepareRoot === 'none' && !own.isExecutable('bin/ostree-prepare-root'))
    add('error', 'initramfs-without-ostree', 'has no ostree-prepare-root: it boots no deployment');
}

const NEEDED_MODULES = ['erofs', 'overlay'] as const;

/** Each in the kernel, in the base of the initramfs, or among ours; ours only for the kernel they were made for. */
function checkModules(
  facts: InitramfsFacts,
  own: OwnFiles,
  kernel: DeploymentKernel | undefined,
  lost: Severity,
  add: Add,
  system: SystemReads,
): void {
  if (kernel === undefined) {
    add(
      'unchecked',
      'initramfs-modules',
      'the deployment has no kernel in usr/lib/modules: which modules it needs is not known',
    );
    return;
  }
  const ours = own.below('modules').filter(isModuleFile);
  const release = facts.sealtree?.kernelRelease;
  if (ours.length > 0 && release !== kernel.release)
    add(
      lost,
      'initramfs-modules',
      `its modules are for kernel ${release ?? '(none named)'}, the deployment's is ${kernel.release}`,
    );
  const loaded = new Set((own.content('modules/LOAD')?.toString('latin1') ?? '').split('\n').filter(Boolean));
  for (const name of loaded)
    if (!own.has(`modules/${name}`))
      add(lost, 'initramfs-modules', `lacks ${OWN}/modules/${name}, which is to be loaded`);
  const there = new Set([
    ...(facts.modules.get(kernel.release) ?? []),
    ...(release === kernel.release ? [...loaded].map(moduleName) : []),
  ]);
  const builtin = readIfExists(`${kernel.modulesFolder}/modules.builtin`, system)?.toString('latin1');
  const isBuiltin = (name: string): boolean => builtin?.includes(`/${name}.ko`) === true;
  const missing = NEEDED_MODULES.filter((name) => !there.has(name) && !isBuiltin(name));
  if (missing.length === 0) return;
  if (builtin === undefined)
    add(
      'unchecked',
      'initramfs-modules',
      `whether the kernel has ${missing.join(' and ')} built in is not known: the deployment has no modules.builtin`,
    );
  else add(lost, 'initramfs-modules', `lacks the kernel modules ${missing.join(' and ')}`);
}
