/** One entry of the history: who made it, what it changed, in words and file by file. */
import { timeOf } from '../../models/dates.ts';
import { FactLines } from '../../models/fact-lines.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { textOf } from '../boot/report.ts';
import { shortId } from '../jobs/result.ts';
import { paintOfDiff } from '../proposal/view.ts';
import { causeOf, type HistoryChangeReport } from './report.ts';
import { selectedHistoryEntry } from './state.ts';

export function historyTitle(state: State): string {
  const entry = selectedHistoryEntry(state);
  return entry === undefined ? '' : `entry ${entry.number}`;
}

export function historyDetails(state: State, width: number, theme: Theme): string[] {
  const entry = selectedHistoryEntry(state);
  const lines = new FactLines(width - 1, theme);
  if (entry === undefined) return [];
  lines.text(causeOf(entry), theme.bold);
  lines.blank();
  lines.field('when', `${timeOf(Date.parse(entry.time) / 1000)} UTC`);
  lines.field('who', entry.by);
  lines.field('installed', entry.installed ? 'yes' : 'no');
  lines.field('policy', entry.settings.policy);
  for (const { id, sealPin, imageDigest } of entry.deployments) {
    const pin = sealPin === null ? undefined : textOf(sealPin);
    const image = imageDigest === null ? 'not sealed' : `image ${imageDigest.slice(0, 12)}`;
    const pinned =
      pin === undefined ? 'no seal pin' : `pinned to ${pin.slice(pin.indexOf(':') + 1).slice(0, 12)}`;
    lines.field('deployment', `${shortId(id)}: ${image}, ${pinned}`);
  }
  lines.blank();
  const change = state.history.changes.get(entry.number);
  if (change === undefined) lines.text(`reading what it changed ${theme.glyphs.busy}`, theme.dim);
  else if ('message' in change) lines.text(change.message, theme.tone.bad);
  else describeChange(change, lines, width);
  return lines.lines;
}

function describeChange({ changes, diff }: HistoryChangeReport, lines: FactLines, width: number): void {
  const { theme } = lines;
  if (changes === undefined || diff === undefined) {
    lines.text('It is the first one: there is nothing to compare it with.', theme.dim);
    return;
  }
  const text = textOf(diff);
  if (changes.length === 0 && text === '') {
    lines.text('It changed nothing that boots.', theme.dim);
    return;
  }
  for (const { deployment, what, from, to } of changes)
    lines.text(
      `${deployment === null ? '' : `${shortId(deployment)}: `}${what}: ${short(from)} ${theme.glyphs.next} ${short(to)}`,
    );
  if (text === '') return;
  lines.blank();
  for (const line of text.trimEnd().split('\n')) lines.wide(line, paintOfDiff(line, theme), width);
}

/** Digests by their first digits: the diff has the rest. */
const short = (value: string): string => (/^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value);
