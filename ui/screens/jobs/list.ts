/** The list of jobs as lines, each with what it found below it. */
import { cursorRow } from '../../models/cursor-row.ts';
import { findingSaid, findingText, TONES } from '../../models/finding.ts';
import { bar, doneText, durationText, shareDone } from '../../models/stage.ts';
import { cell, displayText, stripped, truncate, widthOf } from '../../models/text.ts';
import type { State } from '../../state.ts';
import { type Paint, plain, type Theme, type Tone } from '../../theme.ts';
import { type Job, type JobRow, type JobState, jobRows } from './state.ts';

export const JOB_TONES: Readonly<Record<JobState, Tone>> = {
  running: 'busy',
  stopping: 'busy',
  stopped: 'none',
  done: 'good',
  failed: 'bad',
};

const BAR_COLUMNS = 12;
/** From this width on a bar is shown. */
const BAR_FROM = 60;

/** The heading and the visible rows. */
export function jobLines(
  state: State,
  width: number,
  height: number,
  theme: Theme,
  hasKeys: boolean,
): string[] {
  const { jobs } = state;
  const { offset, cursor } = jobs.list;
  const rows = jobRows(jobs).slice(offset, offset + height);
  return [
    theme.dim(cell('   job', width, theme.glyphs.ellipsis)),
    ...rows.map((row, slot) => {
      const isSelected = offset + slot === cursor;
      const mark = isSelected ? theme.glyphs.cursor : ' ';
      const line = `${mark}${rowText(row, width - 1, theme, isSelected)}`;
      return isSelected ? cursorRow(line, width, theme, hasKeys) : line;
    }),
  ];
}

function rowText(row: JobRow, width: number, theme: Theme, isSelected: boolean): string {
  const { glyphs, tone } = theme;
  const pick = (paint: Paint): Paint => (isSelected ? plain : paint);
  if (row.kind === 'finding') {
    const severity = TONES[row.finding.severity];
    return `   ${pick(tone[severity])(glyphs[severity])} ${findingText(row.finding, width - 5, glyphs)}`;
  }
  const { job } = row;
  const sign = JOB_TONES[job.state];
  const end = endText(job, width, theme, isSelected);
  const title = truncate(displayText(job.title), width - 3 - widthOf(stripped(end)), glyphs.ellipsis);
  return `${pick(tone[sign])(sign === 'busy' ? glyphs.running : glyphs[sign])} ${cell(title, width - 3 - widthOf(stripped(end)), glyphs.ellipsis)} ${end}`;
}

/** How far it is, or how it ended. */
function endText(job: Job, width: number, theme: Theme, isSelected: boolean): string {
  const { stage, state, tookMs } = job;
  if (state === 'stopping') return 'stopping';
  if (state !== 'running') return `${state}${tookMs === undefined ? '' : `, ${durationText(tookMs)}`}`;
  if (stage === undefined) return 'running';
  const share = shareDone(stage);
  const inverse = { ...theme, accent: plain, dim: plain };
  const shown =
    share === undefined || width < BAR_FROM
      ? ''
      : `${bar(share, BAR_COLUMNS, isSelected ? inverse : theme)} `;
  return `${shown}${doneText(stage).padStart(5)}`;
}

/** What a row says, in words. */
export function jobSaid({ jobs }: Pick<State, 'jobs'>, row: number): string {
  const found = jobRows(jobs)[row];
  if (found === undefined) return '';
  if (found.kind === 'finding') return findingSaid(found.finding);
  const { title, state, stage, tookMs } = found.job;
  const done = stage === undefined ? [] : [`${stage.name} ${doneText(stage)}`.trimEnd()];
  const took = tookMs === undefined ? [] : [`after ${durationText(tookMs)}`];
  return [displayText(title), state, ...done, ...took].join(', ');
}

/** What runs now in few words, for a line that it shares with others; undefined where nothing does. */
export function jobNote(active: readonly Job[], width: number, { glyphs, bold }: Theme): string | undefined {
  const [job] = active;
  if (job === undefined) return undefined;
  const more = active.length > 1 ? ` +${active.length - 1}` : '';
  const left = job.stage?.remainingMs;
  const isKnown = left !== undefined && (job.stage?.elapsedMs ?? 0) >= 3000;
  const parts = [
    `${glyphs.running} ${displayText(job.title)}`,
    ...(job.state === 'stopping' ? ['stopping'] : job.stage === undefined ? [] : [doneText(job.stage)]),
    ...(isKnown ? [`${durationText(left)} left`] : []),
  ].filter((part) => part !== '');
  while (parts.length > 2 && widthOf(parts.join('  ')) > width) parts.pop();
  const [title = '', ...rest] = parts;
  const tail = rest.map((part) => `  ${part}`).join('') + more;
  return bold(truncate(title, Math.max(8, width - widthOf(tail)), glyphs.ellipsis)) + tail;
}
