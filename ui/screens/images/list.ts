/** Images as lines: newest first. */

import prettyBytes from 'pretty-bytes';
import { cursorRow } from '../../models/cursor-row.ts';
import { ageOf } from '../../models/deployment.ts';
import { isSameSubject } from '../../models/subject.ts';
import { cell, displayText, truncate } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme } from '../../theme.ts';
import { type ImageFile, type ImageRef, imageSubject, isUsed } from './state.ts';

const GAP = 2;
const DIGEST = 12;
const SIZE = 8;
const AGE = 4;

/** The heading and the visible rows. */
export function imageLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { files = [], list } = state.imageFiles;
  const { ellipsis, cursor, marked } = theme.glyphs;
  const room = Math.max(0, width - 1 - DIGEST - SIZE - AGE - 3 * GAP);
  const columns = (digest: string, size: string, age: string, used: string): string =>
    [
      cell(digest, DIGEST, ellipsis),
      cell(size, SIZE, ellipsis, 'right'),
      cell(age, AGE, ellipsis, 'right'),
      truncate(used, room, ellipsis),
    ].join(' '.repeat(GAP));
  const rows = files.slice(list.offset, list.offset + height).map((file, slot) => {
    const isSelected = list.offset + slot === list.cursor;
    const isMarked = isSameSubject(imageSubject(file), state.marked);
    const sign = isSelected ? cursor : isMarked ? marked : ' ';
    const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
    const age = ageOf(file.madeAt, state.nowMs);
    const start = columns(
      file.digest?.slice(0, DIGEST) ?? 'unpublished',
      prettyBytes(file.sizeBytes),
      age,
      '',
    );
    const used = truncate(usedText(file), room, ellipsis);
    const paint = !isUsed(file) ? pick(theme.tone.unknown) : plain;
    const line = `${sign}${start}${paint(used)}`;
    return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
  });
  return [theme.dim(` ${columns('digest', 'size', 'age', 'used by')}`), ...rows];
}

/** What a row says, in words. */
export function imageSaid({ imageFiles }: State, row: number): string {
  const file = imageFiles.files?.[row];
  if (file === undefined) return '';
  return [
    file.digest?.slice(0, DIGEST) ?? 'unpublished',
    prettyBytes(file.sizeBytes),
    `used by ${usedText(file)}`,
  ].join(', ');
}

export function usedText({ usedBy, refs }: ImageFile): string {
  const users = [...usedBy.map(displayText), ...refs.map(refText)];
  return users.length === 0 ? 'no deployment or ref' : users.join(', ');
}

/** A ref, and whether it is still as it was sealed. */
const refText = ({ name, state }: ImageRef): string =>
  `ref ${displayText(name)}${state === 'current' ? '' : state === 'moved' ? ' (moved since)' : ' (gone)'}`;
