/** All there is to say about the selected row of the first screen. */
import prettyBytes from 'pretty-bytes';
import { shellWord } from '../../../src/base/shell.ts';
import type { Deployment } from '../../../src/deployment/deployment.ts';
import type { StoredImage } from '../../../src/image/gc.ts';
import { commandLine } from '../../models/command-line.ts';
import { ageOf, marksOf, shortName, sourceOf, titleOf } from '../../models/deployment.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { describeFinding } from '../../models/finding.ts';
import { displayText } from '../../models/text.ts';
import { imageVerdict, isSealed, verityVerdict } from '../../models/verdict.ts';
import { type State, selectedItem } from '../../state.ts';
import { plain, type Theme } from '../../theme.ts';
import { type BootEntryReport, bootVerdict, pinVerdict, targetOf, textOf } from '../boot/report.ts';
import { summarizeOutlook } from './outlook.ts';

/** What the details are of, in a few words. */
export function detailsTitle(state: State): string {
  const item = selectedItem(state);
  switch (item?.kind) {
    case 'deployment':
      return `${displayText(item.deployment.stateroot)} ${shortName(item.deployment)}`;
    case 'problem':
      return 'problem';
    case 'entry':
      return item.entry.name;
    case 'orphan':
      return 'image';
    case 'outlook':
      return 'sealing';
    case undefined:
      return '';
  }
}

/** The details of the selected row in lines of at most `width` columns. */
export function detailsLines(state: State, width: number, theme: Theme): string[] {
  const item = selectedItem(state);
  const lines = new FactLines(width - 1, theme);
  if (item?.kind === 'deployment') describeDeployment(item.deployment, state, lines);
  else if (item?.kind === 'problem') describeFinding(item.finding, lines);
  else if (item?.kind === 'entry') describeEntry(item.entry, lines);
  else if (item?.kind === 'orphan') describeOrphan(item.image, state, lines);
  else if (item?.kind === 'outlook') describeOutlook(state, lines);
  return lines.lines;
}

function describeDeployment(deployment: Deployment, state: State, lines: FactLines): void {
  const { theme } = lines;
  const image = state.images.get(deployment.id);
  const made = image?.madeAt;
  lines.text(titleOf(deployment) ?? deployment.stateroot, theme.bold);
  const marks = marksOf(deployment);
  if (marks.length > 0) lines.text(marks.join(', '), theme.accent);
  lines.blank();
  lines.verdict('image', imageVerdict(image));
  lines.field('problem', image?.problem, theme.tone.bad);
  lines.field('digest', image?.digest);
  lines.verdict('fs-verity', verityVerdict(image));
  lines.field('size', image?.sizeBytes === undefined ? undefined : prettyBytes(image.sizeBytes));
  lines.field('made', made === undefined ? undefined : `${ageOf(made, state.nowMs, { verbose: true })} ago`);
  const target = targetOf(state.boot.value, deployment.id);
  if (target !== undefined) {
    lines.verdict('boots', bootVerdict(target.boots));
    lines.verdict('seal pin', pinVerdict(target.sealPin));
  }
  lines.blank();
  lines.field('from', sourceOf(deployment));
  lines.field('commit', deployment.checksum);
  lines.field('serial', String(deployment.serial));
  lines.field(
    'boot entry',
    deployment.entry?.path ?? (deployment.staged ? 'written at shutdown' : undefined),
  );
  lines.field('folder', deployment.path);
  if (image === undefined || isSealed(image) || state.outlook === undefined) return;
  if (state.outlook.obstacles.some(({ severity }) => severity === 'error')) return;
  lines.blank();
  lines.text('to seal it:');
  lines.command(`${state.outlook.next} ${deployment.stateroot}/${shortName(deployment)}`);
}

function describeEntry({ name, owner, title, path, options }: BootEntryReport, lines: FactLines): void {
  lines.text(textOf(title) || name, lines.theme.bold);
  lines.blank();
  lines.text(
    owner === 'foreign'
      ? 'The boot menu has it, and it is not of ostree: sealtree leaves it alone.'
      : 'It is an entry of ostree and leads to no deployment: choosing it fails. ostree removes it when it writes its entries anew.',
    owner === 'foreign' ? undefined : lines.theme.tone.bad,
  );
  lines.blank();
  lines.field('file', path);
  lines.field('arguments', textOf(options));
  if (owner === 'foreign') return;
  lines.blank();
  lines.text('to mend it:');
  lines.command('ostree admin cleanup');
}

function describeOrphan({ digest, path, sizeBytes }: StoredImage, state: State, lines: FactLines): void {
  lines.text('No deployment has this image.', lines.theme.bold);
  lines.blank();
  lines.field('digest', digest);
  lines.field('size', prettyBytes(sizeBytes));
  lines.field('file', path);
  lines.blank();
  lines.text('to remove it (C in write mode):');
  lines.command(commandLine(state, 'gc'));
}

const LABELS = { error: 'in the way', warning: 'limit', unchecked: 'unknown' } as const;

function describeOutlook(state: State, lines: FactLines): void {
  const { theme } = lines;
  const { tone, text, command } = summarizeOutlook(state);
  lines.text(`${text[0]?.toUpperCase()}${text.slice(1)}.`, (line) => theme.bold(theme.tone[tone](line)));
  if (state.sysroot?.deployments.length === 0) {
    lines.text(`ostree deploys a commit of a repository into ${state.sysroot.path}:`);
    lines.command(`ostree admin deploy --sysroot=${shellWord(state.sysroot.path)} REF`);
    return;
  }
  lines.blank();
  lines.text(
    "Sealing makes a composefs image of each deployment beside the repository's objects: every file's name, owner, mode, xattrs and content digest in one file with one digest.",
  );
  if (command !== undefined) {
    lines.blank();
    lines.text('to seal them:');
    lines.command(command);
  }
  const obstacles = state.outlook?.obstacles ?? [];
  if (obstacles.length > 0) lines.blank();
  for (const { severity, message } of obstacles)
    lines.field(LABELS[severity], message, severity === 'error' ? theme.tone.bad : plain);
}
