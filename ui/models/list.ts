/** The part of a long list that is shown: only visible rows are ever made. */

export interface ListPosition {
  readonly cursor: number;
  /** The first visible row. */
  readonly offset: number;
}

/** Where one is in a list and in the details of its selected row. */
export interface Scroll {
  readonly list: ListPosition;
  /** The first visible line of the details. */
  readonly detailsOffset: number;
}

export const TOP: Scroll = { list: { cursor: 0, offset: 0 }, detailsOffset: 0 };

/** The nearest position where the cursor is on a row and visible, and no line is wasted at the end. */
export function settleList({ cursor, offset }: ListPosition, count: number, height: number): ListPosition {
  const settled = clamp(cursor, 0, count - 1);
  const visible = clamp(offset, settled - height + 1, settled);
  return { cursor: settled, offset: clamp(visible, 0, count - height) };
}

/** `value` within the limits; `low` wins where they cross. */
export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, high));
}
