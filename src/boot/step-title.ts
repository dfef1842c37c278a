/** A step of a plan in one line. */
import { basename, relative } from 'node:path';
import { shellWord } from '../base/shell.ts';
import type { BootStep } from './plan.ts';

/** Such as `edit boot/loader.1/entries/ostree-2.conf`; paths are relative to the sysroot. */
export function stepTitle(step: BootStep, sysrootPath: string): string {
  const name = (path: string): string => relative(sysrootPath, path);
  switch (step.kind) {
    case 'settings':
      return `${step.after === undefined ? 'remove' : 'write'} ${name(step.path)}`;
    case 'record':
      return 'write down what is changed, and how to take it back';
    case 'verity-feature':
      return `turn on the verity feature of ${step.feature.device.path}`;
    case 'protect':
      return 'turn on fs-verity where it is off';
    case 'edit':
      return `edit ${name(step.path)}`;
    case 'amend':
      return 'amend what ostree writes at shutdown';
    case 'menu':
      return `run ${shellWord(basename(step.regenerate.argv[0] ?? ''))}`;
    case 'append':
      return `extend ${name(step.path)}`;
    case 'withdraw':
      return `remove ${name(step.path)}`;
    case 'restore':
      return `put back ${name(step.path)}`;
    case 'overlay':
      return `write ${name(step.path)}`;
    case 'unlink':
      return `remove ${step.paths.map(name).join(', ')}`;
    case 'forget':
      return 'remove what install wrote down';
    case 'app':
      return `copy this program to ${step.folder}/app`;
    case 'app-gone':
      return `remove ${step.folder}/app`;
    case 'units':
      return `${step.removes.length > 0 ? 'remove' : 'write'} units of ${step.deployment}`;
  }
}
