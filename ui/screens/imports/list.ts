/** What can be imported, as lines. */
import prettyBytes from 'pretty-bytes';
import { cursorRow } from '../../models/cursor-row.ts';
import { cell, displayText, messageText, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import type { ImportRow } from './state.ts';

const KIND = 7;
const SIZE = 8;
const GAP = '  ';

/** The heading and the visible rows. */
export function importLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { rows = [], list } = state.imports;
  const { glyphs, tone, dim } = theme;
  const line = (kind: string, size: string, name: string): string =>
    truncate(
      `${cell(kind, KIND, glyphs.ellipsis)}${GAP}${cell(size, SIZE, glyphs.ellipsis, 'right')}${GAP}${name}`,
      width - 1,
      glyphs.ellipsis,
    );
  const drawn = rows.slice(list.offset, list.offset + height).map((row, slot) => {
    const isSelected = list.offset + slot === list.cursor;
    const paint: Paint =
      isSelected || row.kind !== 'broken' ? (isSelected || row.kind !== 'folder' ? plain : dim) : tone.bad;
    const size = row.kind === 'archive' ? prettyBytes(row.sizeBytes) : '';
    const text = `${isSelected ? glyphs.cursor : ' '}${paint(line(KINDS[row.kind], size, importName(row)))}`;
    return isSelected ? cursorRow(text, width, theme, hasKeys) : text;
  });
  return [dim(` ${line('kind', 'size', 'name')}`), ...drawn];
}

const KINDS: Readonly<Record<ImportRow['kind'], string>> = {
  folder: 'folder',
  archive: 'archive',
  image: 'image',
  broken: 'broken',
};

/** A layout's image is called as the command takes it. */
export function importName(row: ImportRow): string {
  const name = displayText(row.name);
  if (row.kind === 'folder') return row.name === '..' ? name : `${name}/`;
  if (row.kind === 'broken') return `${name}: ${messageText(row.message)}`;
  return row.kind === 'image' && row.tag !== undefined ? `${name}:${displayText(row.tag)}` : name;
}

/** What a row says, in words. */
export function importSaid({ imports }: State, row: number): string {
  const found = imports.rows?.[row];
  return found === undefined ? '' : `${KINDS[found.kind]} ${importName(found)}`;
}
