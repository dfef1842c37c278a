/** Times of commits: UTC, as `sealtree log` prints them. */

/** `2026-11-23 05:00`; what no calendar has is the number. */
export function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  const text = date.toISOString();
  return /^\d{4}-/.test(text) ? `${text.slice(0, 10)} ${text.slice(11, 16)}` : String(seconds);
}

/** The day alone. */
export const dayOf = (seconds: number): string => timeOf(seconds).slice(0, 10);
