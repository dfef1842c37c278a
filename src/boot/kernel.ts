/**
 * The kernel of a deployment: where ostree takes it from (`usr/lib/modules/RELEASE`, ostree-sysroot-deploy.c,
 * `get_kernel_from_tree_usrlib_modules`), what comes with it into /boot, and what it can do, judged from the
 * deployment's own files. The running kernel is asked only where it is this one.
 *
 * Out of scope: the layouts before `usr/lib/modules` (`usr/lib/ostree-boot`, `boot`): their deployments have no
 * kernel here.
 */
import { basename, join } from 'node:path';
import { bytesToText } from '../base/bytes.ts';
import { judgeKernel, type KernelEvidence, type KernelFacts, kernelFacts } from '../base/capabilities.ts';
import { nativeEngine } from '../base/digest.ts';
import { isMissing } from '../base/errors.ts';
import type { SystemReads } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readIfExists } from '../deployment/read-if-exists.ts';
import { blsValue } from '../formats/bls.ts';

export interface DeploymentKernel {
  /** As `uname -r` will print it: the folder's name. */
  readonly release: string;
  /** Absolute path of the kernel in the deployment. */
  readonly vmlinuz: string;
  /** Absolute path of the initramfs in the deployment; undefined when it has none. */
  readonly initramfs: string | undefined;
  /** Absolute path of `usr/lib/modules/RELEASE` in the deployment. */
  readonly modulesFolder: string;
  readonly facts: KernelFacts;
}

/**
 * Finds and judges it; undefined when the deployment has no kernel in `usr/lib/modules`.
 * @param booted - the booted deployment, where there is one: the running kernel is asked for all that share its bootcsum
 */
export function deploymentKernel(
  deployment: Deployment,
  system: SystemReads,
  booted: Deployment | undefined = deployment.booted ? deployment : undefined,
): DeploymentKernel | undefined {
  const modules = join(deployment.path, 'usr/lib/modules');
  const release = kernelRelease(modules, deployment, system);
  if (release === undefined) return undefined;
  const modulesFolder = join(modules, release);
  return {
    release,
    vmlinuz: join(modulesFolder, 'vmlinuz'),
    initramfs: initramfsIn(modulesFolder, system),
    modulesFolder,
    facts: runningFacts(deployment, release, booted) ?? factsOf(deployment, release, modulesFolder, system),
  };
}

/**
 * ostree takes the first folder with a kernel that readdir gives, in whatever order that is. Of several the boot entry
 * tells by its kernel's name which it was; before there is one the bootcsum does, the SHA-256 of what it took.
 */
function kernelRelease(modules: string, deployment: Deployment, system: SystemReads): string | undefined {
  const releases = folderNames(modules, system).filter(
    (name) =>
      system.lstat(join(modules, name)).isDirectory() &&
      system.lstatIfExists(join(modules, name, 'vmlinuz'))?.isFile(),
  );
  if (releases.length < 2) return releases[0];
  const linux = deployment.entry === undefined ? undefined : blsValue(deployment.entry.content, 'linux');
  const named = linux === undefined ? undefined : basename(bytesToText(linux)).replace(/^vmlinuz-/, '');
  return (
    releases.find((release) => release === named) ??
    releases.find((release) => bootcsumOf(join(modules, release), system) === deployment.bootcsum)
  );
}

const initramfsIn = (modulesFolder: string, system: SystemReads): string | undefined =>
  ['initramfs.img', 'initramfs']
    .map((name) => join(modulesFolder, name))
    .find((path) => system.lstatIfExists(path) !== undefined);

/** A single device tree, or a folder of them. */
const DEVICE_TREES = ['devicetree', 'dtb'];

/** What ostree names the kernel's folder in /boot by: the SHA-256 of kernel, initramfs and device trees, as one. */
function bootcsumOf(modulesFolder: string, system: SystemReads): string {
  const hasher = nativeEngine.create();
  const trees = DEVICE_TREES.map((name) => join(modulesFolder, name)).find(
    (path) => system.lstatIfExists(path) !== undefined,
  );
  const parts = [join(modulesFolder, 'vmlinuz'), initramfsIn(modulesFolder, system), trees];
  for (const part of parts)
    for (const path of part === undefined ? [] : filesBelow(part, system))
      hasher.update(readIfExists(path, system) ?? Buffer.alloc(0));
  return hasher.digest().toString('hex');
}

/**
 * Bytes of what ostree copies into /boot for a kernel besides its initramfs (`install_deployment_kernel`); where /boot
 * is on the file system of the repository it makes hard links.
 */
export function copiedBytes({ modulesFolder }: DeploymentKernel, system: SystemReads): number {
  return ['vmlinuz', '.vmlinuz.hmac', 'aboot.img', ...DEVICE_TREES]
    .map((name) => join(modulesFolder, name))
    .filter((path) => system.lstatIfExists(path) !== undefined)
    .flatMap((path) => filesBelow(path, system))
    .reduce((bytes, path) => bytes + system.stat(path).size, 0);
}

/** The file itself, or all files in the folder in the order of ostree's checksum: names by their bytes. */
function filesBelow(path: string, system: SystemReads): string[] {
  if (!system.lstat(path).isDirectory()) return [path];
  return folderNames(path, system).flatMap((name) => filesBelow(join(path, name), system));
}

function folderNames(path: string, system: SystemReads): string[] {
  try {
    return system
      .readdir(path)
      .map(bytesToText)
      .filter((name) => name !== '.' && name !== '..')
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** ostree's bootcsum is of the kernel's bytes, so deployments that share it have the same one. */
function runningFacts(
  deployment: Deployment,
  release: string,
  booted: Deployment | undefined,
): KernelFacts | undefined {
  if (booted?.bootcsum !== deployment.bootcsum) return undefined;
  const running = kernelFacts();
  // A kernel that was started another way (kexec, a loader's own entry) says nothing about this one.
  return running.release === release ? running : undefined;
}

function factsOf(
  deployment: Deployment,
  release: string,
  modulesFolder: string,
  system: SystemReads,
): KernelFacts {
  const text = (path: string): string | undefined => readIfExists(path, system)?.toString('latin1');
  const builtin = text(join(modulesFolder, 'modules.builtin'));
  const loadable = text(join(modulesFolder, 'modules.dep'));
  const evidence: KernelEvidence = {
    release,
    filesystems: undefined,
    config:
      text(join(modulesFolder, 'config')) ??
      text(join(deployment.path, `usr/lib/ostree-boot/config-${release}`)) ??
      text(join(deployment.path, `usr/lib/kernel/config-${release}`)) ??
      text(join(deployment.path, `boot/config-${release}`)),
    modules: loadable === undefined ? undefined : `${builtin ?? ''}\n${loadable}`,
    verityFeature: undefined,
  };
  return judgeKernel(evidence);
}
