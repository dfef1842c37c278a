/** Progress on stderr: one line that is rewritten on a terminal, plain lines elsewhere, or JSON lines. */
import prettyBytes from 'pretty-bytes';
import prettyMilliseconds from 'pretty-ms';
import { nowMs } from '../base/clock.ts';
import { Progress, remainingMs, type Stage } from '../base/progress.ts';
import { textWidth } from './output.ts';
import type { OutputStream } from './surroundings.ts';

export type ProgressChoice = 'auto' | 'plain' | 'json' | 'none';

export interface ProgressLineOptions {
  readonly choice: ProgressChoice;
  readonly stream: OutputStream;
  readonly signal?: AbortSignal;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

const PLAIN_INTERVAL_MS = 5000;

/** A Progress that shows itself on `stream`. */
export function progressLine(options: ProgressLineOptions): Progress {
  const now = options.now ?? nowMs;
  const base = { now, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const { stream } = options;
  const choice =
    options.choice === 'auto'
      ? stream.isTerminal
        ? 'line'
        : 'plain'
      : options.choice === 'plain'
        ? 'plain'
        : options.choice;
  switch (choice) {
    case 'none':
      return new Progress(base);
    case 'json':
      return new Progress({ ...base, intervalMs: 500, onChange: (stage) => writeJson(stream, stage, now()) });
    case 'plain':
      return new Progress({ ...base, intervalMs: PLAIN_INTERVAL_MS, onChange: plainWriter(stream, now) });
    case 'line':
      return new Progress({ ...base, onChange: lineWriter(stream, now) });
  }
}

/** `hashing objects: 120/43,568, 3.1 MB, 250 MB/s, 12s left`: what is known of a stage at `nowMs`. */
export function describeStage(stage: Stage, nowMs: number): string {
  const facts: string[] = [];
  if (stage.total !== undefined) facts.push(`${count(stage.done)}/${count(stage.total)}`);
  else if (stage.done > 0) facts.push(count(stage.done));
  const elapsedMs = nowMs - stage.startedMs;
  if (stage.bytes > 0) {
    facts.push(prettyBytes(stage.bytes));
    if (elapsedMs >= 500) facts.push(`${prettyBytes((stage.bytes / elapsedMs) * 1000)}/s`);
  }
  const left = remainingMs(stage, nowMs);
  // An estimate after less than a second is noise, and at the end it says nothing.
  if (left !== undefined && elapsedMs >= 1000 && left >= 1000)
    facts.push(`${prettyMilliseconds(Math.ceil(left / 1000) * 1000)} left`);
  return facts.length === 0 ? stage.name : `${stage.name}: ${facts.join(', ')}`;
}

const count = (items: number): string => items.toLocaleString('en');

/** Rewrites one line; work that ends within a moment is never shown. */
function lineWriter(stream: OutputStream, now: () => number): (stage: Stage | undefined) => void {
  const PATIENCE_MS = 200;
  const startedMs = now();
  let shown = false;
  return (stage) => {
    if (stage === undefined) {
      if (shown) stream.write('\r\x1b[K');
      shown = false;
    } else if (shown || now() - startedMs >= PATIENCE_MS) {
      stream.write(`\r${cut(describeStage(stage, now()), stream.columns - 1)}\x1b[K`);
      shown = true;
    }
  };
}

function cut(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  return `${text.slice(0, Math.max(0, columns - 1))}…`;
}

/** A line when a stage has lasted a while, and one when such a stage ends: a quick run prints nothing. */
function plainWriter(stream: OutputStream, now: () => number): (stage: Stage | undefined) => void {
  let current: Stage | undefined;
  return (stage) => {
    if (current !== undefined && stage !== current && now() - current.startedMs >= PLAIN_INTERVAL_MS)
      stream.write(
        `${describeStage(current, now())}: done in ${prettyMilliseconds(now() - current.startedMs)}\n`,
      );
    if (stage !== undefined && stage === current) stream.write(`${describeStage(stage, now())}\n`);
    current = stage;
    stream.flush();
  };
}

/** One JSON object a line; `{"stage":null}` at the end. Times are milliseconds. */
function writeJson(stream: OutputStream, stage: Stage | undefined, nowMs: number): void {
  const left = stage === undefined ? undefined : remainingMs(stage, nowMs);
  const line =
    stage === undefined
      ? { stage: null }
      : {
          stage: stage.name,
          done: stage.done,
          ...(stage.total === undefined ? {} : { total: stage.total }),
          bytes: stage.bytes,
          elapsedMs: Math.round(nowMs - stage.startedMs),
          ...(left === undefined ? {} : { remainingMs: Math.round(left) }),
        };
  stream.write(`${JSON.stringify(line)}\n`);
  stream.flush();
}
