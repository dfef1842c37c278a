/** Objects of an image as lines: how each is, and the first path that has it. */

import prettyBytes from 'pretty-bytes';
import { displayBytes } from '../../../src/base/bytes.ts';
import type { ImageObject } from '../../../src/image/inspect.ts';
import { cursorRow } from '../../models/cursor-row.ts';
import { cell, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { type Objects, stateOf } from './state.ts';

const GAP = 2;
const STATE = 14;
const NAME = 12;
const SIZE = 8;
/** From these widths on there is room for the size, then for the object's name. */
const SIZE_FROM = 52;
const NAME_FROM = 66;

/** The heading and the visible rows. */
export function objectLines(
  objects: Objects,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { list, rows } = objects;
  const { cursor } = theme.glyphs;
  const lines = rows.slice(list.offset, list.offset + height).map((object, slot) => {
    const isSelected = list.offset + slot === list.cursor;
    const line = `${isSelected ? cursor : ' '}${rowText(objects, object, width, theme, isSelected)}`;
    return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
  });
  const heading = columns(['state', 'object', 'size', 'path'], width, theme);
  return [theme.dim(` ${heading.join(' '.repeat(GAP))}`), ...lines];
}

function columns(
  [state, name, size, path]: readonly [string, string, string, string],
  width: number,
  theme: Theme,
) {
  const { ellipsis } = theme.glyphs;
  const fixed = [
    cell(state, STATE, ellipsis),
    ...(width < NAME_FROM ? [] : [cell(name, NAME, ellipsis)]),
    ...(width < SIZE_FROM ? [] : [cell(size, SIZE, ellipsis, 'right')]),
  ];
  const used = fixed.reduce((sum, text) => sum + text.length + GAP, 1);
  return [...fixed, truncate(path, width - used, ellipsis)];
}

/** What a row says, in words. */
export function objectSaid({ objects }: Pick<State, 'objects'>, row: number): string {
  const object = objects?.rows[row];
  if (objects === undefined || object === undefined) return '';
  const { payload, sizeBytes, paths } = object;
  const name = payload.replace('/', '').slice(0, NAME);
  return [stateOf(objects, object).word, ...paths.map(displayBytes), prettyBytes(sizeBytes), name].join(', ');
}

function rowText(
  objects: Objects,
  object: ImageObject,
  width: number,
  theme: Theme,
  isSelected: boolean,
): string {
  const { tone, word } = stateOf(objects, object);
  const [first, ...more] = object.paths;
  const path = `${displayBytes(first ?? object.payload)}${more.length === 0 ? '' : ` and ${more.length} more`}`;
  const [state = '', ...rest] = columns(
    [
      `${theme.glyphs[tone]} ${word}`,
      object.payload.replace('/', '').slice(0, NAME),
      prettyBytes(object.sizeBytes),
      path,
    ],
    width,
    theme,
  );
  const paint: Paint = isSelected ? plain : theme.tone[tone];
  return [paint(state), ...rest].join(' '.repeat(GAP));
}
