/**
 * A staged deployment as one that boots: it has no boot entry yet, but what ostree will make one of at shutdown, kernel
 * arguments and overlay initrds in a file in /run (ostree-sysroot-deploy.c). Whoever writes the right ones there has
 * ostree itself write seal pin, initrd lines and the loader's configuration, in its own transaction.
 */
import { basename, join } from 'node:path';
import type { ByteString } from '../base/bytes.ts';
import type { SystemReads } from '../base/system.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { amendStaged, readStaged, type StagedBoot, stagedPath } from '../deployment/staged.ts';
import type { Sysroot } from '../deployment/sysroot.ts';
import { joinKargs, splitKargs } from '../formats/kargs.ts';
import type { Finding } from '../image/findings.ts';
import { type EntryState, judgePin } from './entries.ts';
import type { DeploymentKernel } from './kernel.ts';
import { overlayLine } from './overlays.ts';
import { type SealPin, withSealPin } from './pin.ts';

/** What its boot entry will be made of, as far as it is known now. */
export interface StagedEntry extends StagedBoot {
  readonly deployment: Deployment;
  /** The state file, and what is in it. */
  readonly path: string;
  readonly bytes: Buffer;
  /** Where ostree puts the initramfs, unless a file has that name already; undefined when the deployment has none. */
  readonly initramfsPath: string | undefined;
}

/** Reads it; undefined where nothing is staged that will get a boot entry. @throws FormatError */
export function readStagedEntry(
  sysroot: Sysroot,
  kernelOf: (deployment: Deployment) => DeploymentKernel | undefined,
  system: SystemReads,
): StagedEntry | undefined {
  const { runDirectory, deployments } = sysroot;
  const deployment = deployments.find(({ staged }) => staged);
  if (deployment === undefined || runDirectory === undefined) return undefined;
  const staged = readStaged(runDirectory, system);
  if (staged === undefined) return undefined;
  const merge = deployments.find(({ id }) => id === staged.mergeId);
  // Without any of its own it gets those of the deployment it is merged from; `ostree=` is each one's own.
  const kargs = staged.kargs ?? (merge?.kargs ?? []).filter((karg) => !karg.startsWith('ostree='));
  const kernel = kernelOf(deployment);
  const path = stagedPath(runDirectory);
  return {
    deployment,
    path,
    bytes: system.readFile(path),
    kargs,
    overlayInitrds: staged.overlayInitrds,
    // ostree-sysroot-deploy.c, get_kernel_from_tree_usrlib_modules.
    initramfsPath:
      kernel?.initramfs === undefined
        ? undefined
        : join(
            sysroot.path,
            `boot/ostree/${deployment.stateroot}-${staged.bootcsum}/initramfs-${kernel.release}.img`,
          ),
  };
}

/** The same in the form of a boot entry, for whoever judges those. */
export function asEntryState(staged: StagedEntry, sysroot: Sysroot, system: SystemReads): EntryState {
  const { path, bytes, deployment, kargs, overlayInitrds, initramfsPath } = staged;
  const options = joinKargs(kargs);
  const problems: Finding[] = [];
  const initramfs =
    initramfsPath === undefined ? [] : [initramfsPath.slice(join(sysroot.path, 'boot').length)];
  return {
    path,
    name: basename(path),
    bytes,
    entry: undefined,
    blsName: undefined,
    isBad: false,
    owner: 'ostree',
    deployment,
    options,
    linux: undefined,
    initrds: [...initramfs, ...overlayInitrds.map((sum) => overlayLine('', sum))] as ByteString[],
    ...judgePin(options, path, deployment, sysroot, system, (severity, code, message) =>
      problems.push({ severity, code, where: path, message }),
    ),
    problems,
  };
}

/**
 * The state with exactly this seal pin, or with none, and these overlay initrds.
 * @throws FormatError where the state cannot be read
 */
export function amendedState(
  { path, bytes, kargs }: StagedEntry,
  pin: SealPin | undefined,
  overlayInitrds: readonly string[],
): Buffer {
  const options = withSealPin(joinKargs(kargs), pin);
  return amendStaged(bytes, path, { kargs: splitKargs(options), overlayInitrds });
}
