/** How deployments and images share the disk, as a table. */
import prettyBytes from 'pretty-bytes';
import type { Share, SharingReport } from '../../deployment/sharing.ts';
import { type Style, textWidth } from '../output.ts';
import { renderFindings } from './findings.ts';

import { wrap } from './wrap.ts';

const COLUMNS = ['total', 'unique', 'shared', 'removal frees'] as const;

export function renderSharing({ shares, total, problems }: SharingReport, style: Style): string[] {
  const deployments = shares.filter(({ holder }) => holder.kind === 'deployment');
  const images = shares.filter(({ holder }) => holder.kind === 'image');
  const apart = deployments.reduce((sum, share) => sum + share.total.bytes, 0);
  const lines: string[] = [];
  lines.push(...table('deployment', deployments, style));
  if (images.length > 0) lines.push('', ...table('image, with the objects it points to', images, style));
  lines.push(
    '',
    `Together ${prettyBytes(total.bytes)} on the disk; deployments that shared nothing would take ${prettyBytes(apart)}.`,
  );
  for (const { holder, unique, freed, keptBy } of deployments) {
    if (keptBy.length === 0) continue;
    const kept = prettyBytes(unique.bytes - freed.bytes);
    lines.push(...wrap(`${nameOf(holder)}: ${kept} of what only it has stay for ${keptBy.join(', ')}`, '  '));
  }
  if (problems.length > 0)
    lines.push(
      '',
      'Not all of it could be looked at; the figures are lower limits.',
      ...renderFindings(problems, style),
    );
  return lines;
}

function table(heading: string, shares: readonly Share[], style: Style): string[] {
  if (shares.length === 0) return [`There are no ${heading}s.`];
  const rows = shares.map(({ holder, total, unique, shared, freed }) => [
    nameOf(holder),
    ...[total, unique, shared, freed].map(({ bytes }) => prettyBytes(bytes)),
  ]);
  const all = [[heading, ...COLUMNS], ...rows];
  const widths = [0, ...COLUMNS].map((_, i) => Math.max(...all.map((row) => textWidth(row[i] ?? ''))));
  return all.map((row, i) => {
    const cells = row.map((cell, column) => {
      const gap = ' '.repeat((widths[column] ?? 0) - textWidth(cell));
      return column === 0 ? cell + gap : gap + cell;
    });
    const line = cells.join('  ');
    return i === 0 ? style.dim(line) : line;
  });
}

/** Short enough for a table; what is cut off tells nothing apart. */
function nameOf(holder: Share['holder']): string {
  if (holder.kind !== 'deployment') return holder.name.slice(0, 16);
  const { index, stateroot, checksum, serial } = holder.deployment;
  return `${index} ${stateroot}/${checksum.slice(0, 12)}.${serial}`;
}

/** For `--json`. */
export function sharingJson({ shares, total, problems }: SharingReport): Record<string, unknown> {
  return {
    deployments: shares.flatMap((share) =>
      share.holder.kind === 'deployment'
        ? [{ index: share.holder.deployment.index, id: share.holder.name, ...amountsJson(share) }]
        : [],
    ),
    images: shares.flatMap((share) =>
      share.holder.kind === 'image'
        ? [{ imageDigest: share.holder.name, path: share.holder.path, ...amountsJson(share) }]
        : [],
    ),
    totalBytes: total.bytes,
    problems,
  };
}

const amountsJson = ({ total, unique, shared, freed, folder, keptBy, partners }: Share) => ({
  totalBytes: total.bytes,
  uniqueBytes: unique.bytes,
  sharedBytes: shared.bytes,
  freedBytes: freed.bytes,
  folderBytes: folder.bytes,
  files: total.files,
  keptBy,
  sharesWith: partners.map(({ name, bytes }) => ({ name, bytes })),
});
