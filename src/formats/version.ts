/**
 * Version order of the UAPI group (UAPI.10, "Version Format Specification"): the order in which boot entries and
 * kernel versions are sorted. It never fails: any two strings compare.
 *
 * Where the text and systemd, whose order it describes, part ways (a tilde before the end of the other string, digits
 * against none), this is systemd's: it is what sorts the boot menu.
 */

/** Each is older than anything else in its place, and they are looked for in this order. */
const SEPARATORS = ['-', '^', '.'];

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';
const isLetter = (c: string | undefined): boolean =>
  c !== undefined && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
/** All that carries meaning; everything else only separates. */
const counts = (c: string | undefined): boolean =>
  isDigit(c) || isLetter(c) || c === '-' || c === '.' || c === '~' || c === '^';

const order = (a: number | boolean, b: number | boolean): -1 | 0 | 1 => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Compares two versions: -1 when `a` is older, 1 when it is newer, 0 when they are equal.
 * `1~rc1 < 1 < 1-1 < 1^post < 1.1`, and `2 < 10`.
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 {
  let i = 0;
  let j = 0;
  for (;;) {
    while (i < a.length && !counts(a[i])) i++;
    while (j < b.length && !counts(b[j])) j++;

    // A tilde is older than anything, even the end: it marks what comes before a release.
    if (a[i] === '~' || b[j] === '~') {
      const result = order(a[i] !== '~', b[j] !== '~');
      if (result !== 0) return result;
      i++;
      j++;
    }
    if (i >= a.length || j >= b.length) return order(i < a.length, j < b.length);

    for (const separator of SEPARATORS) {
      if (a[i] !== separator && b[j] !== separator) continue;
      const result = order(a[i] !== separator, b[j] !== separator);
      if (result !== 0) return result;
      i++;
      j++;
    }

    const numeric = isDigit(a[i]) || isDigit(b[j]);
    const belongs = numeric ? isDigit : isLetter;
    const endA = endOf(a, i, belongs);
    const endB = endOf(b, j, belongs);
    const result = numeric
      ? compareNumbers(a.slice(i, endA), b.slice(j, endB))
      : compareText(a.slice(i, endA), b.slice(j, endB));
    if (result !== 0) return result;
    i = endA;
    j = endB;
  }
}

function endOf(text: string, from: number, belongs: (c: string | undefined) => boolean): number {
  let end = from;
  while (belongs(text[end])) end++;
  return end;
}

/** Digits of any length; no digits at all are older than 0. */
function compareNumbers(a: string, b: string): -1 | 0 | 1 {
  if (a === '' || b === '') return order(a !== '', b !== '');
  const x = a.replace(/^0+/, '');
  const y = b.replace(/^0+/, '');
  return x.length === y.length ? compareText(x, y) : order(x.length, y.length);
}

/** Byte order, so capitals before small letters; a prefix is older. */
function compareText(a: string, b: string): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}
