/** A commit's tree as lines: names, and beside them what a long listing has. */

import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../../../src/base/bytes.ts';
import { isRegular, isSymlink } from '../../../src/base/mode.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { type EntryFacts, modeText, targetText } from '../../models/entry.ts';
import { cell, truncate, widthOf } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import type { FileNode } from '../../trees/file-tree.ts';
import { depthOf } from './rows.ts';
import { type Tree, treeRows } from './state.ts';

const GAP = 2;
const MODE = '-rwxr-xr-x'.length;
const OWNER = 9;
const SIZE = 8;
/** From these widths on there is room for the size, then for mode and owner. */
const SIZE_FROM = 38;
const MODE_FROM = 56;
const OWNER_FROM = 66;
/** Deeper than a third of the line nothing is indented further. */
const INDENT_SHARE = 3;

/** The heading and the visible rows. */
export function treeLines(
  tree: Tree,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { offset, cursor } = tree.list;
  const columns = columnsOf(width);
  const lines = treeRows(tree)
    .slice(offset, offset + height)
    .map((row, slot) => {
      const isSelected = offset + slot === cursor;
      const mark = isSelected ? theme.glyphs.cursor : ' ';
      const line = mark + rowText(row, { tree, columns, width, theme }, isSelected ? () => plain : (p) => p);
      return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
    });
  return [theme.dim(headingOf(tree, columns, theme)), ...lines];
}

/** Widths; 0 where there is no room. */
interface Columns {
  readonly name: number;
  readonly mode: number;
  readonly owner: number;
  readonly size: number;
}

function columnsOf(width: number): Columns {
  const size = width < SIZE_FROM ? 0 : SIZE;
  const mode = width < MODE_FROM ? 0 : MODE;
  const owner = width < OWNER_FROM ? 0 : OWNER;
  const used = [size, mode, owner].reduce((sum, one) => sum + (one === 0 ? 0 : one + GAP), 2);
  return { name: Math.max(0, width - used), mode, owner, size };
}

function headingOf({ search }: Tree, columns: Columns, theme: Theme): string {
  const { ellipsis } = theme.glyphs;
  const name = search === undefined || search.text === '' ? 'name' : 'path';
  return [
    cell(`  ${name}`, columns.name + 2, ellipsis),
    ...(columns.mode === 0 ? [] : [cell('mode', columns.mode, ellipsis)]),
    ...(columns.owner === 0 ? [] : [cell('owner', columns.owner, ellipsis)]),
    ...(columns.size === 0 ? [] : [cell('size', columns.size, ellipsis, 'right')]),
  ].join(' '.repeat(GAP));
}

interface Drawing {
  readonly tree: Tree;
  readonly columns: Columns;
  readonly width: number;
  readonly theme: Theme;
}

function rowText(node: FileNode, drawing: Drawing, pick: (paint: Paint) => Paint): string {
  const { tree, columns, width, theme } = drawing;
  const { glyphs } = theme;
  const facts = tree.entries.get(node.path);
  const isFound = treeRows(tree) !== tree.rows;
  const depth = isFound ? 0 : depthOf(node.path);
  const indent = ' '.repeat(Math.min(2 * depth, Math.floor(width / INDENT_SHARE)));
  const isOpen = !isFound && tree.open.has(node.path);
  const fold = node.kind === 'directory' ? (isOpen ? glyphs.unfolded : glyphs.folded) : ' ';
  const start = `${indent}${fold} `;
  const name = displayBytes(isFound ? node.path : node.name);
  const room = columns.name - widthOf(start) + 1;
  const paintName = pick(node.kind === 'directory' ? theme.bold : plain);
  const shown = truncate(name, room, glyphs.ellipsis);
  const more = moreText(node.path, tree, facts, theme);
  const rest = cell(truncate(more.text, room - widthOf(shown), glyphs.ellipsis), room - widthOf(shown), '');
  const broken = facts?.problem !== undefined;
  return [
    `${start}${paintName(shown)}${pick(more.paint)(rest)}`,
    ...(columns.mode === 0
      ? []
      : [cell(broken ? '' : textOf(facts, ({ mode }) => modeText(mode)), columns.mode, '')]),
    ...(columns.owner === 0
      ? []
      : [
          cell(
            broken ? '' : textOf(facts, ({ uid, gid }) => `${uid}:${gid}`),
            columns.owner,
            glyphs.ellipsis,
          ),
        ]),
    ...(columns.size === 0 ? [] : [cell(broken ? '' : textOf(facts, sizeText), columns.size, '', 'right')]),
  ].join(' '.repeat(GAP));
}

/** What a row says, in words. */
export function treeSaid({ tree }: Pick<State, 'tree'>, row: number): string {
  const node = tree === undefined ? undefined : treeRows(tree)[row];
  if (tree === undefined || node === undefined) return '';
  const isFound = treeRows(tree) !== tree.rows;
  const facts = tree.entries.get(node.path);
  const fold =
    node.kind === 'directory' && !isFound ? [tree.open.has(node.path) ? 'unfolded' : 'folded'] : [];
  const known =
    facts === undefined || facts.problem !== undefined
      ? [facts?.problem ?? '']
      : [targetText(facts), modeText(facts.mode), sizeText(facts)];
  const name = displayBytes(isFound ? node.path : node.name);
  const broken = tree.broken.has(node.path) ? ['error: cannot be opened'] : [];
  return [name, ...fold, ...broken, ...known.map((text) => text.trim())]
    .filter((text) => text !== '')
    .join(', ');
}

/** What follows a name: a link's target, or what is wrong. */
function moreText(
  path: FileNode['path'],
  tree: Tree,
  facts: EntryFacts | undefined,
  theme: Theme,
): { text: string; paint: Paint } {
  const { glyphs, tone, dim } = theme;
  if (tree.broken.has(path)) return { text: ` ${glyphs.bad} cannot be opened`, paint: tone.bad };
  if (facts?.problem !== undefined) return { text: ` ${glyphs.bad} unreadable`, paint: tone.bad };
  if (tree.open.has(path) && !tree.folders.has(path)) return { text: ' reading', paint: dim };
  if (facts === undefined || !isSymlink(facts.mode)) return { text: '', paint: plain };
  return { text: targetText(facts).replace('->', glyphs.next), paint: dim };
}

const textOf = (facts: EntryFacts | undefined, text: (facts: EntryFacts) => string): string =>
  facts === undefined ? '' : text(facts);

const sizeText = ({ mode, sizeBytes }: EntryFacts): string => (isRegular(mode) ? prettyBytes(sizeBytes) : '');
