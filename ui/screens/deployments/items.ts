/**
 * The rows of the first screen: deployments, images and boot entries that belong to none, what is wrong with the
 * sysroot, and the way to a seal.
 */
import type { Deployment } from '../../../src/deployment/deployment.ts';
import type { Finding } from '../../../src/image/findings.ts';
import type { StoredImage } from '../../../src/image/gc.ts';
import type { State } from '../../state.ts';
import { type BootEntryReport, strayEntries } from '../boot/report.ts';

export type Item =
  | { readonly kind: 'deployment'; readonly key: string; readonly deployment: Deployment }
  | { readonly kind: 'orphan'; readonly key: string; readonly image: StoredImage }
  | { readonly kind: 'entry'; readonly key: string; readonly entry: BootEntryReport }
  | { readonly kind: 'problem'; readonly key: string; readonly finding: Finding }
  | { readonly kind: 'outlook'; readonly key: string };

export function itemsOf({ sysroot, orphans, boot }: Pick<State, 'sysroot' | 'orphans' | 'boot'>): Item[] {
  if (sysroot === undefined) return [];
  const entries = strayEntries(boot.value);
  const stray = new Set(entries.map(({ path }) => path));
  return [
    ...sysroot.deployments.map(
      (deployment): Item => ({ kind: 'deployment', key: deployment.id, deployment }),
    ),
    ...entries.map((entry): Item => ({ kind: 'entry', key: entry.path, entry })),
    ...orphans.map((image): Item => ({ kind: 'orphan', key: image.path, image })),
    ...sysroot.problems
      // An entry with a row of its own says what is wrong with it.
      .filter(({ where, code }) => code !== 'entry-without-deployment' || !stray.has(where))
      .map((finding): Item => ({ kind: 'problem', key: `${finding.code} ${finding.where}`, finding })),
    { kind: 'outlook', key: 'outlook' },
  ];
}
