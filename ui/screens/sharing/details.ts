/** All there is to say about what a deployment, a ref or an image shares. */
import prettyBytes from 'pretty-bytes';
import { commandLine } from '../../models/command-line.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted } from '../../view.ts';
import { shortId } from '../jobs/result.ts';
import { shareName } from './list.ts';
import type { AmountReport, FolderReport, ShareReport, SharingReport } from './report.ts';
import { isByContent, type ShareRow, selectedShareRow, sharingWords } from './state.ts';

/** Folders, others and contents that are named; the command names more. */
const NAMED = 5;

export function sharingTitle(state: State): string {
  const row = selectedShareRow(state);
  return row === undefined ? '' : row.kind === 'total' ? 'together' : shareName(row);
}

export function sharingDetails(state: State, width: number, theme: Theme): string[] {
  const { value: report } = state.sharing;
  const row = selectedShareRow(state);
  const lines = new FactLines(width - 1, theme);
  if (report === undefined || row === undefined) return [];
  const byContent = isByContent(state.sharing);
  if (row.kind === 'total') describeTotal(report, byContent, lines);
  else describeShare(row, byContent, lines);
  describeFolders(row.kind === 'total' ? report.folders : row.share.folders, lines);
  if (row.kind !== 'total') {
    lines.blank();
    const [label, name] = row.kind === 'image' ? ['path', row.path] : [row.kind, row.name];
    lines.field(label, name);
    if (row.kind === 'ref') lines.field('commit', row.checksum);
  }
  lines.blank();
  lines.text('the same as a command:', theme.dim);
  lines.command(commandLine(state, ...sharingWords(state.sharing)));
  return lines.lines;
}

type Shown = Exclude<ShareRow, { kind: 'total' }>;

function describeShare(row: Shown, byContent: boolean, lines: FactLines): void {
  const { total, unique, shared, folderBytes, freed, keptBy } = row.share;
  lines.field('total', amountText(total, byContent));
  lines.field('unique', `${amountText(unique, byContent)}: no other ${row.kind} has it`);
  lines.field('shared', amountText(shared, byContent));
  if (row.kind !== 'ref') lines.field(row.kind === 'image' ? 'file' : 'folder', prettyBytes(folderBytes));
  else
    lines.field(
      'image',
      row.image === null ? 'none' : `${row.image.slice(0, 12)}, ${prettyBytes(folderBytes)}`,
    );
  lines.blank();
  lines.field('removal', removalText(row.kind, freed.bytes));
  const kept = row.kind === 'image' ? 0 : unique.bytes - freed.bytes;
  if (keptBy.length > 0 && kept > 0)
    lines.text(`${prettyBytes(kept)} of what it has alone stay for ${namesOf(keptBy)}.`);
  if (keptBy.length > 0 && row.kind === 'image') lines.text(`It stays for ${namesOf(keptBy)}.`);
  describePartners(row.share, row.kind === 'image', lines);
}

function amountText({ bytes, objects, contents, contentBytes }: AmountReport, byContent: boolean): string {
  const byObject = `${prettyBytes(bytes)} in ${counted(objects, 'object')}`;
  return byContent && contents !== null && contentBytes !== null
    ? `${prettyBytes(contentBytes)} in ${counted(contents, 'content')}, by object ${byObject}`
    : byObject;
}

function namesOf(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).map(shortId).join(', ')}${more}`;
}

function removalText(kind: Shown['kind'], freedBytes: number): string {
  if (kind === 'image' && freedBytes === 0) return 'frees nothing: it is in use';
  return `frees ${prettyBytes(freedBytes)}`;
}

function describePartners({ sharesWith }: ShareReport, isImage: boolean, lines: FactLines): void {
  if (sharesWith.length === 0) return;
  lines.blank();
  lines.text('shares with', lines.theme.dim);
  for (const { name, bytes } of sharesWith.slice(0, NAMED))
    lines.text(
      `${prettyBytes(bytes).padStart(8)}  ${isImage ? name.slice(0, 16) : shortId(name)}`,
      undefined,
      3,
    );
}

function describeFolders(folders: readonly FolderReport[], lines: FactLines): void {
  if (folders.length === 0) return;
  lines.blank();
  lines.text('folders, and what of them is shared', lines.theme.dim);
  for (const { path, bytes, sharedBytes } of folders.slice(0, NAMED)) {
    const name = typeof path === 'string' ? path : Buffer.from(path.base64, 'base64').toString('latin1');
    lines.text(
      `${prettyBytes(bytes).padStart(8)}  ${prettyBytes(sharedBytes).padStart(8)}  ${name}`,
      undefined,
      3,
    );
  }
}

function describeTotal(report: SharingReport, byContent: boolean, lines: FactLines): void {
  const { total, deployments, refs, sameContent, problems } = report;
  lines.field('on disk', amountText(total, byContent));
  const groups = [
    ['deployments', deployments],
    ['refs', refs],
  ] as const;
  for (const [name, shares] of groups) {
    if (shares.length < 2) continue;
    const apart = shares.reduce((sum, share) => sum + share.total.bytes, 0);
    lines.field('apart', `${prettyBytes(apart)}: what the ${name} would take if they shared nothing`);
  }
  lines.blank();
  lines.text(
    'Counted are blocks on the disk, each file once, as du does it: folders of deployments, objects of commits, images.',
  );
  if (byContent && sameContent !== null) describeSame(sameContent, lines);
  if (problems.length === 0) return;
  lines.blank();
  lines.text('Not all of it could be looked at; these are lower limits.', lines.theme.tone.warning);
  for (const { where, message } of problems) lines.field('not read', `${where}: ${message}`);
}

function describeSame(
  { objectsMore, bytesMore, contents }: NonNullable<SharingReport['sameContent']>,
  lines: FactLines,
): void {
  lines.blank();
  lines.text(
    objectsMore === 0
      ? 'No two objects have the same bytes.'
      : `${counted(objectsMore, 'object')} more with the bytes of another and other metadata: their object digests (fs-verity) are the same, on the disk they take ${prettyBytes(bytesMore)} more.`,
  );
  for (const { objectDigest, objects, bytes } of contents.slice(0, NAMED))
    lines.text(
      `${prettyBytes(bytes).padStart(8)}  ${objects.length} objects of digest ${objectDigest.slice(0, 12)}`,
      undefined,
      3,
    );
}
