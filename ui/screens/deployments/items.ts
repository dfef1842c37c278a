/** The rows of the first screen: deployments, what is wrong with the sysroot, and the way to a seal. */
import type { Deployment } from '../../../src/deployment/deployment.ts';
import type { Sysroot } from '../../../src/deployment/sysroot.ts';
import type { Finding } from '../../../src/image/findings.ts';

export type Item =
  | { readonly kind: 'deployment'; readonly key: string; readonly deployment: Deployment }
  | { readonly kind: 'problem'; readonly key: string; readonly finding: Finding }
  | { readonly kind: 'outlook'; readonly key: string };

export function itemsOf(sysroot: Sysroot | undefined): Item[] {
  if (sysroot === undefined) return [];
  return [
    ...sysroot.deployments.map(
      (deployment): Item => ({ kind: 'deployment', key: deployment.id, deployment }),
    ),
    ...sysroot.problems.map(
      (finding): Item => ({ kind: 'problem', key: `${finding.code} ${finding.where}`, finding }),
    ),
    { kind: 'outlook', key: 'outlook' },
  ];
}
