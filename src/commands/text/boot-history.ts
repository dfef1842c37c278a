/** The history of the boot configuration as text and as JSON. */
import { type ByteString, displayBytes, displayMessage } from '../../base/bytes.ts';
import { isHex64 } from '../../base/digest.ts';
import { diffLines } from '../../boot/diffs.ts';
import { compareConfigurations } from '../../boot/history/compare.ts';
import type { BootConfiguration } from '../../boot/history/configuration.ts';
import { digestOf, type HistoryEntry, occasionTitle } from '../../boot/history/history.ts';
import { fieldLines, jsonBytes, rfc3339, type Style, textWidth } from '../output.ts';
import { paintDiff } from './boot-plan.ts';

const NO_DIFFERENCE = 'Nothing of the boot configuration is another.';

/** An entry a line, the newest first: number, when, who, cause, what boots first, its image. */
export function renderHistory(entries: readonly HistoryEntry[], style: Style): string[] {
  if (entries.length === 0) return ['There is no history yet: it begins with the next change.'];
  const rows = entries
    .toReversed()
    .map((entry) => [
      String(entry.number),
      time(entry.seconds),
      displayMessage(entry.by),
      displayMessage(occasionTitle(entry)),
      bootsFirst(entry.configuration),
    ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => textWidth(row[i] as string))));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const gap = ' '.repeat(Math.max(0, (widths[i] ?? 0) - textWidth(cell)));
        // Numbers end where the longest does.
        return i === 0 ? style.bold(gap + cell) : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Such as `debian 1f2e4b448fb5 as 5daf77aa9c1e`, short names as everywhere in lists. */
function bootsFirst({ deployments, isInstalled }: BootConfiguration): string {
  const [first] = deployments;
  if (first === undefined) return 'no deployment';
  const [stateroot = '', commit = ''] = first.id.split('/');
  const image =
    first.sealPin === null ? (isInstalled ? 'not pinned' : 'plain') : `as ${shortDigest(first.sealPin)}`;
  return `${displayMessage(stateroot)} ${commit.slice(0, 12)} ${image}`;
}

const shortDigest = (sealPin: ByteString): string => displayBytes(digestOf(sealPin)).slice(0, 12);

/** In the time zone of whoever reads it. */
function time(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** One entry, and below it what it changed. */
export function renderEntry(
  entry: HistoryEntry,
  before: HistoryEntry | undefined,
  diff: ByteString | undefined,
  style: Style,
): string[] {
  const { configuration, number, seconds, by } = entry;
  const { settings, isInstalled, loader, deployments } = configuration;
  const lines = [
    style.bold(`Entry ${number}: ${displayMessage(occasionTitle(entry))}`),
    ...fieldLines([
      ['when', time(seconds)],
      ['who', displayMessage(by)],
      ['installed', isInstalled ? 'yes' : 'no'],
      ['policy', settings.policy],
      ['loader', displayMessage(loader)],
    ]),
  ];
  for (const { id, title, entry: name, sealPin, imageDigest } of deployments)
    lines.push(
      '',
      style.bold(displayMessage(id)),
      ...fieldLines(
        [
          ['title', displayBytes(title)],
          ['entry', displayMessage(name)],
          ['seal pin', sealPin === null ? 'none' : displayBytes(digestOf(sealPin))],
          ['image', imageDigest === null ? 'not sealed' : displayMessage(imageDigest)],
        ],
        '    ',
      ),
    );
  if (before === undefined)
    return [...lines, '', 'It is the first one: there is nothing to compare it with.'];
  return [...lines, '', ...renderComparison(before, entry, diff ?? ('' as ByteString), style)];
}

/** What lies between two entries: in words, then file by file. */
export function renderComparison(
  from: HistoryEntry,
  to: HistoryEntry,
  diff: ByteString,
  style: Style,
): string[] {
  const changes = compareConfigurations(from.configuration, to.configuration);
  if (changes.length === 0 && diff === '') return [NO_DIFFERENCE];
  const lines = [style.bold(`From entry ${from.number} to entry ${to.number}`)];
  for (const [deployment, these] of Map.groupBy(changes, (change) => change.deployment)) {
    if (deployment !== undefined) lines.push(`  ${displayMessage(deployment)}`);
    const indent = deployment === undefined ? '  ' : '    ';
    lines.push(
      ...fieldLines(
        these.map(({ what, from, to }) => [what, `${short(from)} → ${short(to)}`]),
        indent,
      ),
    );
  }
  return [...lines, ...(diff === '' ? [] : ['', ...diffLines(diff).map((line) => paintDiff(line, style))])];
}

/** Digests by their first digits: the diff below has the rest. */
const short = (value: string): string => displayMessage(isHex64(value) ? value.slice(0, 12) : value);

/** For `--json`. */
export function entryJson({
  number,
  id,
  kind,
  cause,
  by,
  seconds,
  configuration,
}: HistoryEntry): Record<string, unknown> {
  const { isInstalled, settings, loader, deployments } = configuration;
  return {
    number,
    id,
    kind,
    cause,
    by,
    time: rfc3339(seconds),
    installed: isInstalled,
    settings,
    loader,
    deployments: deployments.map(({ title, kargs, sealPin, ...rest }) => ({
      ...rest,
      title: jsonBytes(title),
      kargs: jsonBytes(kargs),
      sealPin: sealPin === null ? null : jsonBytes(sealPin),
    })),
  };
}

/** For `--json`. */
export const comparisonJson = (
  from: HistoryEntry,
  to: HistoryEntry,
  diff: string,
): Record<string, unknown> => ({
  changes: compareConfigurations(from.configuration, to.configuration).map((change) => ({
    ...change,
    deployment: change.deployment ?? null,
  })),
  diff: jsonBytes(diff as ByteString),
});
