/** Can the deployment's own kernel do what its seal pin asks of it? */
import type { Fact } from '../../base/capabilities.ts';
import type { BootPolicy } from '../../config/settings.ts';
import type { Finding } from '../../image/findings.ts';
import type { DeploymentKernel } from '../kernel.ts';
import type { BootTarget } from '../state.ts';
import { unsealed } from './context.ts';

export function checkKernelFacts(
  { deployment, entry }: BootTarget,
  kernel: DeploymentKernel | undefined,
  policy: BootPolicy,
): Finding[] {
  const deployments = [deployment.id];
  if (kernel === undefined)
    return [
      {
        severity: 'unchecked',
        code: 'kernel-unknown',
        where: entry.path,
        message: 'the deployment has no kernel in usr/lib/modules: what it can do is not known',
        deployments,
      },
    ];
  const { facts } = kernel;
  const needed: readonly [lack: string, fact: Fact][] = [
    ['read images', facts.erofs],
    ['mount an image over its objects', facts.overlayDataOnly],
    ['refuse changed objects', facts.overlayVerity],
    ['measure files', facts.verity],
  ];
  return needed.flatMap(([lack, { state, reason }]): Finding[] => {
    if (state === 'yes') return [];
    const where = kernel.vmlinuz;
    if (state === 'no')
      return [
        {
          severity: unsealed(policy),
          code: 'kernel-cannot',
          where,
          message: `its kernel (${kernel.release}) cannot ${lack}: ${reason}`,
          deployments,
        },
      ];
    return [
      {
        severity: 'unchecked',
        code: 'kernel-unknown',
        where,
        message: `whether its kernel (${kernel.release}) can ${lack} is not known: ${reason}`,
        deployments,
      },
    ];
  });
}
