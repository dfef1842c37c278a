/** What becomes of an archive or an image when it is imported. */
import { commandLine } from '../../models/command-line.ts';
import { sizeText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { importName } from './list.ts';
import { type Asked, type ImportRow, importWords, selectedImport, sourceOf, suggestedRef } from './state.ts';

export function importTitle(state: State): string {
  const row = selectedImport(state);
  return row === undefined ? '' : importName(row);
}

export function importDetails(state: State, width: number, theme: Theme): string[] {
  const row = selectedImport(state);
  const lines = new FactLines(width - 1, theme);
  if (row === undefined) return lines.lines;
  lines.field('path', row.path);
  switch (row.kind) {
    case 'folder':
      lines.text('Enter looks into it.');
      if (sourceOf(row, 'dir') === undefined) break;
      lines.blank();
      lines.text('i imports all that is in it as a commit, with owners, permissions and xattrs as they are.');
      showCommands(state, row, ['dir'], lines);
      break;
    case 'broken':
      lines.text(row.message, theme.tone.bad);
      break;
    case 'archive':
      lines.field('size', sizeText(row.sizeBytes));
      lines.blank();
      lines.text(
        'i imports the tree in it as a commit. Where it is an archive of container images (oci-archive, docker-archive), o imports its image.',
      );
      showCommands(state, row, ['tar', 'oci'], lines);
      break;
    case 'image':
      lines.field('image', row.tag ?? 'the only one in the layout');
      lines.blank();
      lines.text(
        'i imports it as a commit: its digests are verified, its layers laid over one another, and those that are known are not unpacked again.',
      );
      showCommands(state, row, ['oci'], lines);
  }
  return lines.lines;
}

function showCommands(state: State, row: ImportRow, kinds: readonly Asked['what'][], lines: FactLines): void {
  lines.blank();
  lines.text(kinds.length === 1 ? 'the same as a command:' : 'the same as commands:', lines.theme.dim);
  for (const what of kinds) {
    const source = sourceOf(row, what);
    if (source === undefined) continue;
    const ref = state.imports.asked?.ref ?? suggestedRef(row);
    lines.command(commandLine(state, ...importWords({ what, source, ref })));
  }
}
