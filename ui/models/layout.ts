/** Who gets which part of the terminal. */

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * - `wide`: details beside the list;
 * - `stacked`: details below it;
 * - `single`: one of the two;
 * - `small`: room for neither.
 */
export type LayoutKind = 'wide' | 'stacked' | 'single' | 'small';

export interface Layout {
  readonly kind: LayoutKind;
  /** Whether there is a line that names the screens, below the header. */
  readonly hasTabs: boolean;
  /** Between header and footer. */
  readonly body: Size;
  /** The rows of the list, without their heading. */
  readonly list: Size;
  /** The lines of the details, without their heading. */
  readonly details: Size;
}

export const MIN_SIZE: Size = { columns: 40, rows: 10 };

const WIDE_COLUMNS = 100;
const STACKED: Size = { columns: 60, rows: 18 };
/** In less than this a line more of the screen is worth more. */
const TABS: Size = { columns: 60, rows: 20 };
/** Two lines of a digest and their label fit. */
const DETAILS_COLUMNS = 46;

export interface LayoutOptions {
  /** Whether the details take the place of the list where they are not beside it. */
  readonly isZoomed?: boolean;
  /** Lines that details below the list need at most; by default they get most of the room. */
  readonly mostDetails?: number | undefined;
}

/** `count`: of the rows of the list. */
export function layoutOf(size: Size, count: number, options: LayoutOptions = {}): Layout {
  const { isZoomed = false, mostDetails } = options;
  const { columns } = size;
  const hasTabs = columns >= TABS.columns && size.rows >= TABS.rows;
  const body = { columns, rows: Math.max(2, size.rows - (hasTabs ? 3 : 2)) };
  const whole = { columns, rows: body.rows - 1 };
  if (columns < MIN_SIZE.columns || size.rows < MIN_SIZE.rows)
    return { kind: 'small', hasTabs, body, list: whole, details: whole };
  if (columns >= WIDE_COLUMNS) {
    const details = Math.max(DETAILS_COLUMNS, Math.floor(columns * 0.4));
    // One column for the divider, one that keeps text off it.
    const list = { columns: columns - details - 2, rows: whole.rows };
    return { kind: 'wide', hasTabs, body, list, details: { columns: details, rows: whole.rows } };
  }
  if (columns < STACKED.columns || size.rows < STACKED.rows)
    return { kind: 'single', hasTabs, body, list: whole, details: whole };
  const most = mostDetails === undefined ? Math.floor(body.rows * 0.4) : body.rows - mostDetails - 2;
  const rows = Math.min(Math.max(count, 3), most);
  const details = isZoomed ? whole : { columns, rows: body.rows - rows - 2 };
  return { kind: 'stacked', hasTabs, body, list: { columns, rows }, details };
}
