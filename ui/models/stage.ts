/** How far work is: in words, and as a bar where its end is known. */
import prettyBytes from 'pretty-bytes';
import prettyMilliseconds from 'pretty-ms';
import type { StageFacts } from '../program.ts';
import type { Theme } from '../theme.ts';

/** A stage as it is watched. */
export interface Watched extends StageFacts {
  /** Bytes a second over the last few seconds; undefined before that can be said. */
  readonly rate: number | undefined;
}

/** So long a pace is remembered. */
const MEMORY_MS = 5000;
/** Before this an estimate is noise. */
const PATIENCE_MS = 3000;
const PATIENCE_SHARE = 0.02;

/** What is known now, with the pace since what was known `before`. */
export function watched(before: Watched | undefined, now: StageFacts): Watched {
  if (before === undefined || before.name !== now.name || now.elapsedMs <= before.elapsedMs)
    return { ...now, rate: undefined };
  const passedMs = now.elapsedMs - before.elapsedMs;
  const rate = ((now.bytes - before.bytes) / passedMs) * 1000;
  const weight = 1 - Math.exp(-passedMs / MEMORY_MS);
  return { ...now, rate: before.rate === undefined ? rate : before.rate + (rate - before.rate) * weight };
}

/** From 0 to 1; undefined where the end is not known. */
export function shareDone({ done, total }: StageFacts): number | undefined {
  return total === undefined || total === 0 ? undefined : Math.min(1, done / total);
}

/** `38 %`, else how much was done. */
export function doneText(stage: StageFacts): string {
  const share = shareDone(stage);
  if (share !== undefined) return `${Math.floor(share * 100)} %`;
  return stage.done === 0 ? '' : count(stage.done);
}

/** Items, pace, remaining time: what is known of them. */
export function stageFacts(stage: Watched): string[] {
  const { done, total, bytes, rate, elapsedMs, remainingMs } = stage;
  const isKnown = elapsedMs >= PATIENCE_MS && (shareDone(stage) ?? 0) >= PATIENCE_SHARE;
  return [
    ...(total === undefined ? [] : [`${count(done)} of ${count(total)}`]),
    ...(bytes === 0 ? [] : [prettyBytes(bytes)]),
    ...(rate === undefined || rate <= 0 ? [] : [`${prettyBytes(rate)}/s`]),
    ...(remainingMs === undefined || !isKnown ? [] : [`${durationText(remainingMs)} left`]),
  ];
}

/** Whole seconds; less than one as it is. */
export const durationText = (ms: number): string =>
  prettyMilliseconds(ms < 1000 ? Math.round(ms) : Math.round(ms / 1000) * 1000);

const count = (items: number): string => items.toLocaleString('en');

/** A bar of exactly `width` columns. */
export function bar(share: number, width: number, { glyphs, accent, dim }: Theme): string {
  const filled = Math.round(Math.max(0, Math.min(1, share)) * width);
  return accent(glyphs.filled.repeat(filled)) + dim(glyphs.empty.repeat(width - filled));
}
