/**
 * The kernel of a deployment: where ostree takes it from (`usr/lib/modules/RELEASE`, ostree-sysroot-deploy.c,
 * `get_kernel_from_tree_usrlib_modules`), and what it can do, judged from the deployment's own files. The running
 * kernel is asked only where it is this one.
 *
 * Out of scope: the layouts before `usr/lib/modules` (`usr/lib/ostree-boot`, `boot`): their deployments have no
 * kernel here.
 */
import { basename, join } from 'node:path';
import { bytesToText } from '../base/bytes.ts';
import { judgeKernel, type KernelEvidence, type KernelFacts, kernelFacts } from '../base/capabilities.ts';
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
  const initramfs = ['initramfs.img', 'initramfs']
    .map((name) => join(modulesFolder, name))
    .find((path) => system.lstatIfExists(path) !== undefined);
  return {
    release,
    vmlinuz: join(modulesFolder, 'vmlinuz'),
    initramfs,
    modulesFolder,
    facts: runningFacts(deployment, release, booted) ?? factsOf(deployment, release, modulesFolder, system),
  };
}

/** ostree takes the first folder with a kernel that readdir gives; of several the boot entry's name tells which. */
function kernelRelease(modules: string, deployment: Deployment, system: SystemReads): string | undefined {
  const releases = folderNames(modules, system).filter((name) =>
    system.lstatIfExists(join(modules, name, 'vmlinuz'))?.isFile(),
  );
  const linux = deployment.entry === undefined ? undefined : blsValue(deployment.entry.content, 'linux');
  const booted = linux === undefined ? undefined : basename(bytesToText(linux)).replace(/^vmlinuz-/, '');
  return releases.find((release) => release === booted) ?? releases[0];
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
