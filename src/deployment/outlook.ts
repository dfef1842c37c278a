/**
 * What stands between a sysroot and a seal that the kernel enforces. Answers at once and for everybody: nothing is
 * tried, and what cannot be known without rights is left out, not guessed.
 */
import {
  type Fact,
  type KernelFacts,
  kernelFacts,
  readPageSize,
  verityOfFileSystem,
} from '../base/capabilities.ts';
import { SealtreeError } from '../base/errors.ts';
import type { System } from '../base/system.ts';
import type { Severity } from '../image/findings.ts';
import { Repository } from '../repository/repository.ts';
import { sealCommand } from './remedy.ts';
import type { Sysroot } from './sysroot.ts';

export interface Obstacle {
  /** `error`: sealing cannot work; `warning`: it works, with less protection; `unchecked`: not to be known here. */
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
}

export interface SealOutlook {
  readonly obstacles: readonly Obstacle[];
  /** The command to run next. */
  readonly next: string;
}

export function sealOutlook(sysroot: Sysroot, system: System): SealOutlook {
  const obstacles = [
    ...repositoryObstacles(sysroot, system),
    ...kernelObstacles(sysroot, kernelFacts(), system),
  ];
  return { obstacles, next: sealCommand(sysroot.path) };
}

function repositoryObstacles({ repositoryPath }: Sysroot, system: System): Obstacle[] {
  try {
    const { mode } = Repository.open(repositoryPath, system);
    if (mode !== 'archive') return [];
    const message = `${repositoryPath} is an archive repository: its objects are compressed and cannot back a root`;
    return [{ severity: 'error', code: 'archive-repository', message }];
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return [{ severity: 'error', code: 'repository', message: error.message }];
  }
}

function kernelObstacles({ repositoryPath }: Sysroot, kernel: KernelFacts, system: System): Obstacle[] {
  const here = `the running kernel (${kernel.release})`;
  const facts: [code: string, lack: string, fact: Fact][] = [
    ['kernel-erofs', `${here} cannot read images`, kernel.erofs],
    ['kernel-overlay', `${here} cannot mount an image over its objects`, kernel.overlayDataOnly],
    ['kernel-overlay-verity', `${here} cannot refuse changed objects`, kernel.overlayVerity],
  ];
  // One reason is enough: a kernel without fs-verity has no use for a file system with it.
  if (kernel.verity.state === 'no') facts.push(['kernel-verity', `${here} has no fs-verity`, kernel.verity]);
  else
    facts.push([
      'file-system-verity',
      'no fs-verity where the objects lie',
      storageVerity(repositoryPath, kernel, system),
    ]);
  return facts.flatMap(([code, lack, { state, reason }]): Obstacle[] => {
    if (state === 'yes') return [];
    if (state === 'unknown')
      return [{ severity: 'unchecked', code, message: `unknown whether ${lack}: ${reason}` }];
    return [{ severity: 'warning', code, message: `${lack}: ${reason}` }];
  });
}

function storageVerity(path: string, kernel: KernelFacts, system: System): Fact {
  try {
    return verityOfFileSystem(path, kernel, readPageSize(), system);
  } catch (error) {
    if (!(error instanceof SealtreeError)) throw error;
    return { state: 'unknown', reason: error.message };
  }
}
