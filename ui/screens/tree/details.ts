/** All there is to say about the selected entry of a tree. */
import { type ByteString, bytesToText, displayBytes } from '../../../src/base/bytes.ts';
import { isRegular, isSymlink, typeName } from '../../../src/base/mode.ts';
import { commandLine } from '../../models/command-line.ts';
import { type EntryFacts, modeText, octalMode, sizeText, xattrText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { Subject } from '../../models/subject.ts';
import { displayText } from '../../models/text.ts';
import type { Verdict } from '../../models/verdict.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import type { FileNode } from '../../trees/file-tree.ts';
import type { ObjectFacts, OtherPlace } from './object.ts';
import { selectedNode } from './state.ts';

export function entryTitle({ tree }: State): string {
  const node = tree === undefined ? undefined : selectedNode(tree);
  return node === undefined ? '' : displayBytes(node.name);
}

/** The details of the selected entry in lines of at most `width` columns. */
export function entryDetails(state: State, width: number, theme: Theme): string[] {
  const { tree } = state;
  const node = tree === undefined ? undefined : selectedNode(tree);
  const lines = new FactLines(width - 1, theme);
  if (tree === undefined || node === undefined) return lines.lines;
  const facts = tree.entries.get(node.path);
  lines.text(displayBytes(node.path), theme.bold);
  lines.blank();
  const broken = tree.broken.get(node.path);
  if (broken !== undefined) lines.text(broken, theme.tone.bad);
  if (facts?.problem !== undefined) lines.text(facts.problem, theme.tone.bad);
  else if (facts === undefined) lines.text('reading', theme.dim);
  else describeFacts(facts, lines);
  if (node.kind === 'directory') lines.field('entries', countsOf(tree.folders.get(node.path)));
  for (const [label, value] of facts?.ids ?? []) lines.field(label, value);
  if (facts !== undefined && facts.problem === undefined) {
    if (facts.object !== undefined && isRegular(facts.mode))
      describeObject(facts, tree.object, node.path, lines);
    describePlace(facts, lines);
  }
  lines.blank();
  lines.text('the same as commands:', theme.dim);
  for (const line of commandsOf(state, tree.subject, node.path, facts)) lines.command(line);
  return lines.lines;
}

function describeFacts({ mode, uid, gid, sizeBytes, target }: EntryFacts, lines: FactLines): void {
  lines.field('kind', typeName(mode));
  if (isSymlink(mode)) lines.field('target', displayBytes(target));
  lines.field('mode', `${octalMode(mode)} ${modeText(mode)}`);
  lines.field('owner', `${uid}:${gid}`);
  if (isRegular(mode)) lines.field('size', sizeText(sizeBytes));
}

const VERITY: Readonly<Record<ObjectFacts['verity'], Pick<Verdict, 'tone' | 'sentence'>>> = {
  enabled: { tone: 'good', sentence: 'on' },
  disabled: { tone: 'warning', sentence: 'off: sealtree seal turns it on' },
  unsupported: { tone: 'unknown', sentence: 'cannot be had where the objects lie' },
  compressed: { tone: 'none', sentence: 'not for the compressed files of an archive' },
  unknown: { tone: 'unknown', sentence: 'unknown' },
};

/** Digest, fs-verity and who has the same object at this path; read a little after the rest. */
function describeObject(
  { object: checksum, listed }: EntryFacts,
  object: ObjectFacts | undefined,
  path: ByteString,
  lines: FactLines,
): void {
  if (listed !== undefined) lines.field('object', checksum);
  if (object === undefined || object.path !== path) {
    lines.field('digest', 'reading', lines.theme.dim);
    return;
  }
  const { digest, digestFrom, verity, others, uses, problem } = object;
  if (problem !== undefined) lines.verdict('object', { tone: 'bad', sentence: problem });
  else if (listed === undefined) lines.field('digest', digest);
  else if (listed !== digest) lines.verdict('content', { tone: 'bad', sentence: `its digest is ${digest}` });
  else {
    const sentence = digestFrom === 'kernel' ? 'as listed, says the kernel' : 'as listed, computed just now';
    lines.verdict('content', { tone: 'good', sentence });
  }
  if (problem === undefined) lines.verdict('fs-verity', VERITY[verity]);
  for (const [has, label] of OTHERS) {
    const titles = others.filter((other) => other.has === has).map(({ title }) => displayText(title));
    lines.field(label, titles.join(', '));
  }
  for (const { titles, paths, count } of uses) {
    const elsewhere = paths.filter((one) => one !== path);
    const more = count - elsewhere.length - (elsewhere.length < paths.length ? 1 : 0);
    const shown = elsewhere.slice(0, MAX_PATHS).map(displayBytes);
    const hidden = elsewhere.length - shown.length + more;
    if (shown.length === 0) continue;
    const rest = hidden === 0 ? '' : ` and ${hidden} more`;
    lines.field('also at', `${shown.join(', ')}${rest} (${titles.map(displayText).join(', ')})`);
  }
}

/** The first names of an object say enough. */
const MAX_PATHS = 5;

/** What deployments have at the same path. */
const OTHERS: readonly (readonly [has: OtherPlace['has'], label: string])[] = [
  ['same', 'same in'],
  ['other', 'other in'],
  ['nothing', 'not in'],
  ['unreadable', 'unread in'],
];

function describePlace({ links, objectPath, xattrs }: EntryFacts, lines: FactLines): void {
  lines.field('lies in', objectPath);
  if (links !== undefined && links > 1) lines.field('hard links', String(links));
  if (xattrs.length === 0) return;
  lines.blank();
  lines.text('xattrs', lines.theme.dim);
  for (const [name, value] of xattrs) {
    lines.text(displayBytes(name), lines.theme.bold);
    lines.text(xattrText(value), undefined, 3);
  }
}

function commandsOf(
  state: State,
  subject: Subject,
  bytes: ByteString,
  facts: EntryFacts | undefined,
): string[] {
  const path = bytesToText(bytes);
  if (subject.kind === 'image') return [commandLine(state, 'image', 'ls', subject.path, path)];
  const commit = subject.checksum.slice(0, 12);
  const list = commandLine(state, 'ls', '-d', '-C', '-X', commit, path);
  const isFile = facts !== undefined && isRegular(facts.mode);
  return isFile ? [list, commandLine(state, 'cat', commit, path)] : [list];
}

function countsOf(nodes: readonly FileNode[] | undefined): string | undefined {
  if (nodes === undefined) return undefined;
  const folders = nodes.filter(({ kind }) => kind === 'directory').length;
  return `${nodes.length - folders} files and links, ${folders} folders`;
}
