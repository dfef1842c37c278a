/** Work that the person started: what is heard of it while it runs, and what came of it. Pure. */
import type { Finding } from '../../../src/image/findings.ts';
import { askedAgain } from '../../models/answer.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { remembered } from '../../models/remembered.ts';
import { type Watched, watched } from '../../models/stage.ts';
import { errorOf, isInterrupted, type Outcome, type RunError, type Told } from '../../program.ts';
import { lastingModes, type State, type Step } from '../../state.ts';
import { commitsAnew } from '../commits/state.ts';
import { imagesAnew } from '../images/state.ts';
import { resultOf } from './result.ts';

/** What a job does: the command and its verb. */
export type JobKind =
  | 'seal'
  | 'seal-ref'
  | 'unseal-ref'
  | 'import-dir'
  | 'import-tar'
  | 'import-oci'
  | 'verify'
  | 'gc'
  | 'pin'
  | 'boot-install'
  | 'boot-remove'
  | 'boot-rollback'
  | 'boot-check';

/** Kinds that change something on the disk. */
const CHANGING: ReadonlySet<JobKind> = new Set([
  'seal',
  'seal-ref',
  'unseal-ref',
  'import-dir',
  'import-tar',
  'import-oci',
  'gc',
  'pin',
  'boot-install',
  'boot-remove',
  'boot-rollback',
]);

/** `stopping`: it was told to, and goes on to where nothing is half done. */
export type JobState = 'running' | 'stopping' | 'stopped' | 'done' | 'failed';

export interface Job {
  readonly id: number;
  readonly kind: JobKind;
  /** Such as `verify server b641f9e4.0`. */
  readonly title: string;
  /** Of the command, without `sealtree`. */
  readonly words: readonly string[];
  readonly state: JobState;
  /** Milliseconds; undefined before its end. */
  readonly tookMs: number | undefined;
  readonly stage: Watched | undefined;
  /** Stages that are over, with how long they took. */
  readonly stages: readonly { readonly name: string; readonly elapsedMs: number }[];
  readonly step: Extract<Told, { kind: 'step' }> | undefined;
  /** As they are found; in the end what the command says of them. */
  readonly findings: readonly Finding[];
  /** What came of it, a sentence each; empty before its end. */
  readonly result: readonly string[];
  readonly error: RunError | undefined;
}

export interface Jobs extends Scroll {
  /** The newest first. */
  readonly all: readonly Job[];
  /** Whether the person wants to leave and a job keeps the interface: `asked` before, `wanted` once it is to stop. */
  readonly leaving: 'asked' | 'wanted' | undefined;
}

export const NO_JOBS: Jobs = { ...TOP, all: [], leaving: undefined };

export type JobsEvent =
  | { readonly type: 'job-told'; readonly id: number; readonly told: Told }
  | { readonly type: 'job-ended'; readonly id: number; readonly outcome: Outcome; readonly tookMs: number };

export type JobsEffect =
  | { readonly type: 'run-job'; readonly id: number; readonly words: readonly string[] }
  | { readonly type: 'stop-job'; readonly id: number };

/** A row of the list: a job, or something it found. */
export type JobRow =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'finding'; readonly job: Job; readonly finding: Finding };

/** Each job with its findings below it. */
export const jobRows = remembered(({ all }: Jobs): readonly JobRow[] =>
  all.flatMap((job): JobRow[] => [
    { kind: 'job', job },
    ...job.findings.map((finding): JobRow => ({ kind: 'finding', job, finding })),
  ]),
);

export const selectedJobRow = ({ jobs }: State): JobRow | undefined => jobRows(jobs)[jobs.list.cursor];

export const isActive = ({ state }: Job): boolean => state === 'running' || state === 'stopping';

/** The jobs that run, the newest first. */
export const activeJobs = ({ jobs }: State): Job[] => jobs.all.filter(isActive);

export const changesDisk = ({ kind }: Pick<Job, 'kind'>): boolean => CHANGING.has(kind);

/** Why nothing that changes the disk can be begun; undefined where it can. */
export function whyNoChange(state: State): string | undefined {
  if (!state.isWriting) return 'read-only: W allows changes, each is shown before it is made';
  const running = activeJobs(state).find(changesDisk);
  return running && `${running.title} is running: one change at a time`;
}

/** Starts a job and shows it. */
export function startJob(state: State, start: Pick<Job, 'kind' | 'title' | 'words'>): Step {
  const { all } = state.jobs;
  const job: Job = {
    ...start,
    id: (all[0]?.id ?? 0) + 1,
    state: 'running',
    tookMs: undefined,
    stage: undefined,
    stages: [],
    step: undefined,
    findings: [],
    result: [],
    error: undefined,
  };
  const jobs: Jobs = { ...state.jobs, ...TOP, all: [job, ...all] };
  const shown: State = { ...state, jobs, modes: [...lastingModes(state.modes), 'jobs'] };
  return { state: shown, effects: [{ type: 'run-job', id: job.id, words: job.words }] };
}

/** Tells jobs to stop. */
export function stopJobs(state: State, which: readonly Job[]): Step {
  const running = which.filter((job) => job.state === 'running');
  const stopped = running.reduce(
    (jobs, { id }) => withJob(jobs, id, () => ({ state: 'stopping' })),
    state.jobs,
  );
  return {
    state: { ...state, jobs: stopped },
    effects: running.map(({ id }) => ({ type: 'stop-job', id })),
  };
}

function withJob(jobs: Jobs, id: number, change: (job: Job) => Partial<Job>): Jobs {
  return { ...jobs, all: jobs.all.map((job) => (job.id === id ? { ...job, ...change(job) } : job)) };
}

/** Lets the cursor stay on its row when findings come in above it. */
function steady(before: Jobs, after: Jobs): Jobs {
  const rows = jobRows(before);
  const selected = rows[before.list.cursor];
  if (selected === undefined) return after;
  const isOf = (row: JobRow): boolean => row.job.id === selected.job.id;
  const place = before.list.cursor - rows.findIndex(isOf);
  const found = jobRows(after);
  const first = found.findIndex(isOf);
  // What a job says in the end may be fewer rows than it had.
  const last = found.findLastIndex(isOf);
  return { ...after, list: { ...after.list, cursor: Math.min(first + place, last) } };
}

export function onJobs(state: State, event: JobsEvent): Step {
  const { jobs } = state;
  switch (event.type) {
    case 'job-told': {
      const told = withJob(jobs, event.id, (job) => afterTold(job, event.told));
      return { state: { ...state, jobs: steady(jobs, told) }, effects: [] };
    }
    case 'job-ended': {
      const ended = withJob(jobs, event.id, (job) => afterEnd(job, event.outcome, event.tookMs));
      const next: State = { ...state, jobs: steady(jobs, ended) };
      if (jobs.leaving === 'wanted' && activeJobs(next).length === 0)
        return { state: next, effects: ['quit'] };
      const job = ended.all.find(({ id }) => id === event.id);
      const isChanged = job !== undefined && CHANGING.has(job.kind);
      if (isChanged && job.kind.startsWith('import-')) return readAgain(commitsAnew(next));
      return isChanged ? readAgain(next) : { state: next, effects: [] };
    }
  }
}

/** Whatever became of a change, the disk is not as it was read. */
function readAgain(state: State): Step {
  const fresh: State = {
    ...imagesAnew(state),
    // What is known of a commit includes the images of its refs.
    commits: { ...state.commits, facts: undefined },
    boot: askedAgain(state.boot),
    sharing: askedAgain(state.sharing),
    history: askedAgain(state.history),
  };
  if (state.repositoryPath !== undefined) return { state: fresh, effects: ['reopen'] };
  return { state: { ...fresh, isReading: true }, effects: ['reopen', 'read-sysroot'] };
}

function afterTold(job: Job, told: Told): Partial<Job> {
  switch (told.kind) {
    case 'finding':
      return { findings: [...job.findings, told.finding] };
    case 'step':
      return { step: told };
    case 'stage': {
      const { stage } = told;
      const isNext = job.stage !== undefined && job.stage.name !== stage?.name;
      const { name, elapsedMs } = job.stage ?? { name: '', elapsedMs: 0 };
      return {
        stage: stage === undefined ? undefined : watched(job.stage, stage),
        stages: isNext ? [...job.stages, { name, elapsedMs }] : job.stages,
      };
    }
  }
}

function afterEnd(job: Job, outcome: Outcome, tookMs: number): Partial<Job> {
  const end = { stage: undefined, step: undefined, tookMs };
  const result = resultOf(job.kind, outcome);
  if (result !== undefined) {
    const { isGood, lines, findings = job.findings } = result;
    return { ...end, state: isGood ? 'done' : 'failed', result: lines, findings };
  }
  return { ...end, state: isInterrupted(outcome) ? 'stopped' : 'failed', error: errorOf(outcome) };
}
