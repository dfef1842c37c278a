/** All there is to say about a job, or about what it found. */
import { commandLine } from '../../models/command-line.ts';
import { FactLines } from '../../models/fact-lines.ts';
import { describeFinding } from '../../models/finding.ts';
import { bar, doneText, durationText, shareDone, stageFacts } from '../../models/stage.ts';
import type { State } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { JOB_TONES } from './list.ts';
import { countFindings } from './result.ts';
import { type Job, selectedJobRow } from './state.ts';

export function jobTitle(state: State): string {
  const row = selectedJobRow(state);
  return row?.kind === 'finding' ? row.finding.severity : (row?.job.title ?? '');
}

export function jobDetails(state: State, width: number, theme: Theme): string[] {
  const row = selectedJobRow(state);
  const lines = new FactLines(width - 1, theme);
  if (row?.kind === 'finding') describeFinding(row.finding, lines);
  else if (row?.kind === 'job') describeJob(row.job, state, lines, width);
  return lines.lines;
}

/** What took less is not worth a number. */
const SHORT_MS = 100;

const SENTENCES: Readonly<Record<Job['state'], string>> = {
  running: 'running',
  stopping: 'stopping where nothing is half done',
  stopped: 'stopped: nothing is half done',
  done: 'done',
  failed: 'failed',
};

function describeJob(job: Job, state: State, lines: FactLines, width: number): void {
  const { theme } = lines;
  const { step, stage, stages, error, result, findings, tookMs } = job;
  const took = tookMs === undefined ? '' : ` after ${durationText(tookMs)}`;
  lines.verdict('state', { tone: JOB_TONES[job.state], sentence: `${SENTENCES[job.state]}${took}` });
  for (const sentence of result) lines.text(sentence, theme.bold);
  if (error !== undefined) {
    lines.text(error.message, theme.tone.bad);
    if (error.hint !== undefined) lines.text(error.hint);
    lines.text('a runs it again.');
  }
  if (step !== undefined) lines.field('step', `${step.number} of ${step.count}: ${step.title}`);
  if (stage !== undefined) {
    lines.blank();
    lines.field('stage', stage.name);
    const share = shareDone(stage);
    const columns = Math.min(40, width - 10);
    if (share !== undefined) lines.drawn(`${bar(share, columns, theme)} ${doneText(stage)}`);
    const facts = stageFacts(stage);
    if (facts.length > 0) lines.text(facts.join(', '), undefined, 3);
  }
  if (stages.length > 0) {
    lines.blank();
    lines.text('stages so far', theme.dim);
    for (const { name, elapsedMs } of stages)
      lines.text(elapsedMs < SHORT_MS ? name : `${name}: ${durationText(elapsedMs)}`, undefined, 3);
  }
  if (findings.length > 0) {
    lines.blank();
    lines.field('found', `${countFindings(findings)}, listed below the job`);
  }
  lines.blank();
  lines.text('the same as a command:', theme.dim);
  lines.command(commandLine(state, ...job.words));
}
