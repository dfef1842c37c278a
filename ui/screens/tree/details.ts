/** All there is to say about the selected entry of a tree. */
import prettyBytes from 'pretty-bytes';
import { bytesToText, displayBytes } from '../../../src/base/bytes.ts';
import { isRegular, isSymlink, typeName } from '../../../src/base/mode.ts';
import type { TreeNode } from '../../../src/repository/tree.ts';
import { commandLine } from '../../models/command-line.ts';
import { type EntryFacts, modeText, octalMode, xattrText } from '../../models/entry.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
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
  if (node.kind === 'directory') {
    lines.field('entries', countsOf(tree.folders.get(node.path)));
    lines.field('dirtree', node.tree);
    lines.field('dirmeta', node.meta);
  } else lines.field('object', node.checksum);
  if (facts !== undefined && facts.problem === undefined) describeObject(facts, lines);
  lines.blank();
  lines.text('the same as commands:', theme.dim);
  const commit = tree.commit.slice(0, 12);
  const path = bytesToText(node.path);
  lines.command(commandLine(state, 'ls', '-d', '-C', '-X', commit, path));
  if (facts !== undefined && isRegular(facts.mode)) lines.command(commandLine(state, 'cat', commit, path));
  return lines.lines;
}

function describeFacts({ mode, uid, gid, sizeBytes, target }: EntryFacts, lines: FactLines): void {
  lines.field('kind', typeName(mode));
  if (isSymlink(mode)) lines.field('target', displayBytes(target));
  lines.field('mode', `${octalMode(mode)} ${modeText(mode)}`);
  lines.field('owner', `${uid}:${gid}`);
  if (isRegular(mode))
    lines.field('size', sizeBytes < 1000 ? `${sizeBytes} B` : `${prettyBytes(sizeBytes)} (${sizeBytes} B)`);
}

function describeObject({ links, objectPath, xattrs }: EntryFacts, lines: FactLines): void {
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

function countsOf(nodes: readonly TreeNode[] | undefined): string | undefined {
  if (nodes === undefined) return undefined;
  const folders = nodes.filter(({ kind }) => kind === 'directory').length;
  return `${nodes.length - folders} files and links, ${folders} folders`;
}
