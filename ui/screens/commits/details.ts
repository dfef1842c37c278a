/** All there is to say about the selected commit. */
import prettyBytes from 'pretty-bytes';
import type { Checksum } from '../../../src/base/digest.ts';
import { shellWord } from '../../../src/base/shell.ts';
import type { StaticDelta } from '../../../src/repository/deltas.ts';
import type { Signature } from '../../../src/repository/signatures.ts';
import { commandLine, repositoryOf } from '../../models/command-line.ts';
import { timeOf } from '../../models/dates.ts';
import { shortName } from '../../models/deployment.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { displayText } from '../../models/text.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import type { CommitFacts } from './facts.ts';
import { endText } from './list.ts';
import { sealableRefs, selectedRow } from './state.ts';
import type { BrokenRow, CommitRow, EndRow } from './walk.ts';

export function commitTitle(state: State): string {
  const row = selectedRow(state);
  if (row === undefined) return '';
  return row.kind === 'end' ? 'end of history' : `commit ${row.checksum.slice(0, 8)}`;
}

/** The details of the selected row in lines of at most `width` columns. */
export function commitDetails(state: State, width: number, theme: Theme): string[] {
  const row = selectedRow(state);
  const lines = new FactLines(width - 1, theme);
  if (row?.kind === 'commit') describeCommit(row, state, lines);
  else if (row?.kind === 'end') describeEnd(row, state, lines);
  else if (row?.kind === 'broken') describeBroken(row, state, lines);
  return lines.lines;
}

function describeCommit(row: CommitRow, state: State, lines: FactLines): void {
  const { theme } = lines;
  const facts = state.commits.facts?.checksum === row.checksum ? state.commits.facts : undefined;
  lines.text(facts?.subject.trimEnd() || row.subject || '(no subject)', theme.bold);
  if (row.refs.length > 0) lines.text(row.refs.join(', '), theme.accent);
  lines.blank();
  lines.field('commit', row.checksum);
  lines.field('date', `${timeOf(row.timestamp)} UTC`);
  lines.field('version', row.version);
  const deployments = (state.sysroot?.deployments ?? []).filter(({ checksum }) => checksum === row.checksum);
  lines.field(
    'deployed',
    deployments.map((one) => `${one.index} ${displayText(one.stateroot)} ${shortName(one)}`).join(', '),
  );
  if (row.partial !== 'complete')
    lines.verdict('objects', {
      tone: 'warning',
      sentence: row.partial === 'fsck' ? 'some were damaged and are deleted' : 'not all of them were fetched',
    });
  if (facts === undefined) lines.text('reading', theme.dim);
  else {
    describeImages(row, facts, state, lines);
    describeFacts(facts, lines);
  }
  lines.blank();
  lines.text('the same as commands:', theme.dim);
  lines.command(commandLine(state, 'show', row.checksum.slice(0, 12)));
  lines.command(commandLine(state, 'log', row.refs[0] ?? row.checksum.slice(0, 12)));
  if (facts !== undefined && facts.deltas.length > 0)
    lines.command(`ostree static-delta list --repo=${shellWord(repositoryOf(state))}`);
}

/** Which of the refs that name it have an image, and whether that is of this commit. */
function describeImages(row: CommitRow, facts: CommitFacts, state: State, lines: FactLines): void {
  for (const ref of sealableRefs(state)) {
    const sealed = facts.sealedRefs.find((one) => one.ref === ref);
    if (sealed === undefined) lines.field('image', `none for ${ref}`);
    else if (sealed.commit === row.checksum)
      lines.verdict('image', { tone: 'good', sentence: `${sealed.digest.slice(0, 12)} for ${ref}` });
    else
      lines.verdict('image', {
        tone: 'warning',
        sentence: `${ref} was sealed as of ${sealed.commit.slice(0, 8)}, and moved since`,
      });
  }
}

function describeFacts(facts: CommitFacts, lines: FactLines): void {
  const { theme } = lines;
  if (facts.signatures.length === 0) lines.field('signatures', 'none');
  for (const signature of facts.signatures)
    lines.verdict('signed', { tone: 'unknown', sentence: signatureText(signature) });
  for (const delta of facts.deltas) lines.field('delta', deltaText(delta, facts.checksum));
  lines.field('problem', facts.problem, theme.tone.bad);
  lines.field('parent', facts.parent ?? 'none: the first commit');
  lines.field('content', facts.contentChecksum);
  lines.field('root', facts.rootTree);
  if (facts.body.trim() !== '') {
    lines.blank();
    lines.paragraphs(facts.body);
  }
  for (const [title, entries] of [
    ['metadata', facts.metadata],
    ['detached metadata (nothing vouches for it)', facts.detached],
  ] as const) {
    if (entries.length === 0) continue;
    lines.blank();
    lines.text(title, theme.dim);
    for (const [key, value] of entries) {
      lines.text(displayText(key), theme.bold);
      lines.text(value, undefined, 3);
    }
  }
}

/** Who signed, as far as the signature says; it is not checked here. */
function signatureText({ type, keyId, createdSec }: Signature): string {
  const key = keyId === undefined ? '' : ` by key ${keyId}`;
  const when = createdSec === undefined ? '' : ` on ${timeOf(createdSec)} UTC`;
  return `${type}${key}${when}, not checked`;
}

/** Which way a static delta leads, and how large it is. */
function deltaText({ from, to, sizeBytes }: StaticDelta, checksum: Checksum): string {
  const size = prettyBytes(sizeBytes);
  if (from === checksum) return `${size} from here to ${to.slice(0, 8)}`;
  return from === undefined ? `${size} from nothing to here` : `${size} from ${from.slice(0, 8)} to here`;
}

function describeEnd(row: EndRow, state: State, lines: FactLines): void {
  lines.text(endText(row), lines.theme.bold);
  lines.blank();
  lines.field('parent', row.parent);
  lines.blank();
  switch (row.why) {
    case 'missing':
      lines.text(
        'Its history was fetched only so far, or was pruned. ostree pull --depth=-1 fetches the rest, where the remote still has it.',
      );
      break;
    case 'deleted':
      lines.text('Somebody deleted it; the tombstone keeps ostree from taking that for damage.');
      break;
    case 'above':
      lines.text('The list is by date; the lines of the graph cannot lead up.');
      lines.command(commandLine(state, 'log', row.parent.slice(0, 12)));
  }
}

function describeBroken(row: BrokenRow, state: State, lines: FactLines): void {
  lines.text(row.message, lines.theme.tone.bad);
  lines.blank();
  lines.field('commit', row.checksum);
  lines.field('named by', row.refs.join(', '));
  lines.blank();
  lines.text('What it holds cannot be known any more. A copy from where it was fetched mends it:');
  const repository = shellWord(repositoryOf(state));
  lines.command(`ostree fsck --repo=${repository} --delete`);
  lines.command(`ostree pull --repo=${repository} REMOTE REF`);
}
