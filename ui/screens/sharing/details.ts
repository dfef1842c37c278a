/** All there is to say about what a deployment or an image shares. */
import prettyBytes from 'pretty-bytes';
import { commandLine } from '../../models/command-line.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted } from '../../view.ts';
import { shortId } from '../jobs/result.ts';
import { shareName } from './list.ts';
import type { SharingReport } from './report.ts';
import { selectedShareRow } from './state.ts';

export function sharingTitle(state: State): string {
  const row = selectedShareRow(state);
  return row === undefined ? '' : row.kind === 'total' ? 'together' : shareName(row);
}

export function sharingDetails(state: State, width: number, theme: Theme): string[] {
  const { value: report } = state.sharing;
  const row = selectedShareRow(state);
  const lines = new FactLines(width - 1, theme);
  if (report === undefined || row === undefined) return [];
  if (row.kind === 'total') {
    describeTotal(report, lines);
  } else {
    const { totalBytes, uniqueBytes, sharedBytes, freedBytes, folderBytes, files, keptBy, sharesWith } =
      row.share;
    const isImage = row.kind === 'image';
    lines.field('total', `${prettyBytes(totalBytes)} in ${counted(files, 'file')}`);
    lines.field('unique', `${prettyBytes(uniqueBytes)}: no other ${row.kind} has it`);
    lines.field('shared', prettyBytes(sharedBytes));
    lines.field(isImage ? 'file' : 'folder', prettyBytes(folderBytes));
    lines.blank();
    lines.field('removal', removalText(row.kind, freedBytes));
    if (keptBy.length > 0)
      lines.text(
        `${prettyBytes(uniqueBytes - freedBytes)} of what it has alone stay for ${keptBy.join(', ')}.`,
      );
    if (sharesWith.length > 0) {
      lines.blank();
      lines.text('shares with', theme.dim);
      for (const { name, bytes } of sharesWith)
        lines.text(
          `${prettyBytes(bytes).padStart(8)}  ${isImage ? name.slice(0, 16) : shortId(name)}`,
          undefined,
          3,
        );
    }
    lines.blank();
    lines.field(isImage ? 'path' : 'deployment', isImage ? row.path : row.name);
  }
  lines.blank();
  lines.text('the same as a command:', theme.dim);
  lines.command(commandLine(state, 'sharing'));
  return lines.lines;
}

function removalText(kind: 'deployment' | 'image', freedBytes: number): string {
  if (kind === 'deployment') return `frees ${prettyBytes(freedBytes)}`;
  return freedBytes === 0 ? 'frees nothing: a deployment has it' : `frees ${prettyBytes(freedBytes)}`;
}

function describeTotal({ totalBytes, deployments, problems }: SharingReport, lines: FactLines): void {
  const apart = deployments.reduce((sum, share) => sum + share.totalBytes, 0);
  lines.field('on disk', prettyBytes(totalBytes));
  lines.field('apart', `${prettyBytes(apart)}: what the deployments would take if they shared nothing`);
  lines.blank();
  lines.text(
    'Counted are blocks on the disk, each file once, as du does it: folders of deployments, objects of their commits, images.',
  );
  if (problems.length === 0) return;
  lines.blank();
  lines.text('Not all of it could be looked at; these are lower limits.', lines.theme.tone.warning);
  for (const { where, message } of problems) lines.field('not read', `${where}: ${message}`);
}
