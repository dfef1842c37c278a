/** One change in full: what its metadata was and is, and the lines of its content that differ. */
import { displayBytes } from '../../../src/base/bytes.ts';
import { isRegular, isSymlink, typeName } from '../../../src/base/mode.ts';
import { commandLine } from '../../models/command-line.ts';
import { type EntryFacts, modeText, octalMode, sizeText, xattrText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { type Subject, subjectName } from '../../models/subject.ts';
import { displayText, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import type { Change, Status } from './changes.ts';
import { bytesText, totalsText } from './list.ts';
import { type ChangeFacts, type ContentDiff, changeKey, type Diff, selectedChange } from './state.ts';

/** More lines of a diff are for the pager. */
const MAX_LINES = 2000;

export function changeTitle({ diff }: State): string {
  const row = diff === undefined ? undefined : selectedChange(diff);
  return row === undefined ? '' : displayBytes(row.change.name);
}

const KINDS: Readonly<Record<Status, string>> = {
  added: 'added',
  removed: 'removed',
  modified: 'modified',
  same: 'the same in both',
};

/** The details of the selected change in lines of at most `width` columns. */
export function changeDetails(state: State, width: number, theme: Theme): string[] {
  const { diff } = state;
  const row = diff === undefined ? undefined : selectedChange(diff);
  const lines = new FactLines(width - 1, theme);
  if (diff === undefined || row === undefined) return lines.lines;
  const { change } = row;
  lines.text(displayBytes(change.path), theme.bold);
  describeKind(change, lines);
  lines.blank();
  const facts = diff.facts?.key === changeKey(change) ? diff.facts : undefined;
  if (facts === undefined) lines.text('reading', theme.dim);
  else {
    describeFields(facts, lines);
    describeContent(facts.content, width, lines);
  }
  lines.blank();
  lines.field('before', displayText(subjectName(diff.before)));
  lines.field('after', displayText(subjectName(diff.after)));
  lines.text('the same as a command:', theme.dim);
  lines.command(diffCommand(state, diff));
  return lines.lines;
}

function describeKind(change: Change, lines: FactLines): void {
  const { status, totals, kind } = change;
  const isBelow = status === 'same' && totalsText(totals) !== '';
  lines.text(isBelow ? 'the same, but not what is in it' : KINDS[status]);
  if (kind === 'file') return;
  const below = { ...totals };
  if (status !== 'same') below[status]--;
  lines.field('below', totalsText(below));
  lines.field('size', bytesText(totals));
}

/** What an entry is described by, as text. */
function fieldsOf(facts: EntryFacts | undefined): Map<string, string> {
  if (facts === undefined) return new Map();
  if (facts.problem !== undefined) return new Map([['problem', facts.problem]]);
  const { mode, uid, gid, sizeBytes, target, xattrs, ids } = facts;
  return new Map([
    ['kind', typeName(mode)],
    ['mode', `${octalMode(mode)} ${modeText(mode)}`],
    ['owner', `${uid}:${gid}`],
    ...(isRegular(mode) ? [['size', sizeText(sizeBytes)] as const] : []),
    ...(isSymlink(mode) ? [['target', displayBytes(target)] as const] : []),
    // An inode's number says nothing about the entry, and folders' dirtrees differ with what is in them.
    ...ids.filter(([label]) => label !== 'inode' && label !== 'dirtree'),
    ...xattrs.map(([name, value]) => [displayBytes(name), xattrText(value)] as const),
  ]);
}

/** Every field once; one that differs with both values. */
function describeFields({ before, after }: ChangeFacts, lines: FactLines): void {
  const { theme } = lines;
  const old = fieldsOf(before);
  const now = fieldsOf(after);
  for (const label of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(label), now.get(label)];
    if (was === is || before === undefined || after === undefined) lines.field(label, is ?? was);
    else {
      if (was !== undefined) lines.field(label, `-${was}`, theme.tone.bad);
      if (is !== undefined) lines.field(was === undefined ? label : '', `+${is}`, theme.tone.good);
    }
  }
}

const SENTENCES: Readonly<Record<Exclude<ContentDiff['kind'], 'text' | 'failed' | 'none'>, string>> = {
  binary: 'The content is no text.',
  large: 'The content is too large to be compared line by line.',
  slow: 'The content has too little in common to be compared line by line.',
  same: 'The content is the same.',
};

function describeContent(content: ContentDiff, width: number, lines: FactLines): void {
  const { theme } = lines;
  if (content.kind === 'none') return;
  lines.blank();
  switch (content.kind) {
    case 'text': {
      const shown = content.lines.slice(0, MAX_LINES);
      for (const line of shown) lines.lines.push(diffLine(line, width, theme));
      const more = content.lines.length - shown.length;
      if (more > 0) lines.text(`${more} more lines`, theme.dim);
      return;
    }
    case 'failed':
      lines.text(content.message, theme.tone.bad);
      return;
    default:
      lines.text(SENTENCES[content.kind], theme.dim);
  }
}

/** A line of a unified diff; tabs as eight columns, what is too long cut and marked so. */
function diffLine(line: string, width: number, theme: Theme): string {
  const sign = line[0] ?? ' ';
  return ` ${paintOfSign(sign, theme)(truncate(line, width - 1, theme.glyphs.ellipsis))}`;
}

function paintOfSign(sign: string, { tone, accent }: Theme): Paint {
  if (sign === '+') return tone.good;
  if (sign === '-') return tone.bad;
  return sign === '@' ? accent : plain;
}

/** What compares the two without the interface. */
export function diffCommand(state: State, { before, after }: Pick<Diff, 'before' | 'after'>): string {
  const name = (subject: Subject): string =>
    subject.kind === 'commit' ? subject.checksum.slice(0, 12) : subject.path;
  return before.kind === 'image' && after.kind === 'image'
    ? commandLine(state, 'image', 'diff', before.path, after.path)
    : commandLine(state, 'diff', name(before), name(after));
}
