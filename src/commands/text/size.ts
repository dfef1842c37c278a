/** Sizes as GLib's g_format_size() writes them: decimal units, one digit after the point. */
const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** `1 byte`, `999 bytes`, `3.0 MB`. Between number and unit of the larger ones is a no-break space. */
export function formatSize(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)}\u00a0${UNITS[unit]}`;
}
