/** The results as text. Ratios are of times by the clock unless said; MB are 10^6 bytes. */
import type { Row } from './contest.ts';
import type { Growth } from './growth.ts';

export interface Results {
  /** Processor, cores, memory, kernel, file system. */
  readonly machine: string;
  /** RFC 3339. */
  readonly date: string;
  readonly versions: readonly string[];
  readonly rows: readonly Row[];
  readonly growth?: Growth;
  /** Milliseconds of each stage of ours, by the name of the contest. */
  readonly stages: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Contests that gave no figures, and why. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Columns as wide as what is in them; numbers stand to the right. */
export function alignColumns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  const isNumeric = (column: number): boolean =>
    lines.slice(1).every((line) => /^[\d.,]*( m?s)?$/.test(line[column] ?? ''));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          isNumeric(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `45 ms`, `1.23 s`, `12.3 s` */
export function duration(ms: number): string {
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return ms < 9_995 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
const mark = (passed: boolean): string => (passed ? 'yes' : 'NO');

export function renderTable({ machine, date, versions, rows, growth, failures }: Results): string {
  const blocks = [`${machine}\n${date.slice(0, 10)}, against ${versions.join(', ')}`];
  if (rows.length > 0)
    blocks.push(
      alignColumns([
        [
          'work',
          'peer',
          'goal',
          'ratio',
          'held',
          'ours',
          'of it validation',
          'peer takes',
          'cpu',
          'MB',
          'peer MB',
        ],
        ...rows.map((row) => [
          row.work,
          row.peer,
          row.atMost.toFixed(2),
          row.ratio.toFixed(2),
          mark(row.passed),
          duration(row.oursMs),
          row.validationMs === undefined ? '' : duration(row.validationMs),
          duration(row.peerMs),
          row.cpuRatio.toFixed(2),
          megabytes(row.oursPeakBytes),
          megabytes(row.peerPeakBytes),
        ]),
      ]),
    );
  if (growth !== undefined) blocks.push(renderGrowth(growth));
  for (const [name, reason] of Object.entries(failures)) blocks.push(`${name}: NOT MEASURED\n${reason}`);
  return `${blocks.join('\n\n')}\n`;
}

/** The rows of a README: what, by what, and how many times as fast. */
export function renderSummary({ machine, date, versions, rows }: Results): string {
  const table = alignColumns([
    ['', 'takes', 'peer', 'takes', 'ratio'],
    ...rows.map(({ work, oursMs, peer, peerMs, ratio }) => [
      work,
      duration(oursMs),
      peer,
      duration(peerMs),
      ratio.toFixed(2),
    ]),
  ]);
  return `${machine}\n${date.slice(0, 10)}, against ${versions.join(', ')}\n\n${table}\n`;
}

function renderGrowth({ sizes, exponent, exponentAtMost, peakAtMost, passed }: Growth): string {
  const lines = sizes.map(({ entries, wallMs, cpuMs, peakBytes }) => [
    entries.toLocaleString('en'),
    duration(wallMs),
    duration(cpuMs),
    ((cpuMs * 1000) / entries).toFixed(1),
    megabytes(peakBytes),
  ]);
  const verdict = `cost grows as entries^${exponent.toFixed(2)} from 10,000 on (at most ${exponentAtMost}), peak at most ${megabytes(peakAtMost)} MB: ${mark(passed)}`;
  return `${alignColumns([['first seal of entries', 'takes', 'cpu', 'us each', 'MB'], ...lines])}\n${verdict}`;
}
