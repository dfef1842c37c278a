/** What keys do where work is shown, and the way there from everywhere. */
import { type Action, BROWSED, close, only } from '../../action.ts';
import { lastingModes, type Mode, type State, type Step, viewOf } from '../../state.ts';
import {
  activeJobs,
  changesDisk,
  isActive,
  type Job,
  selectedJobRow,
  startJob,
  stopJobs,
  whyNoChange,
} from './state.ts';

const showJobs = (state: State): Step => only({ ...state, modes: [...lastingModes(state.modes), 'jobs'] });

const selectedActive = (state: State) => {
  const job = viewOf(state) === 'jobs' ? selectedJobRow(state)?.job : undefined;
  return job !== undefined && isActive(job) ? job : undefined;
};

/** The selected job, where it ended without having done what it was to do. */
const selectedUndone = (state: State): Job | undefined => {
  const job = viewOf(state) === 'jobs' ? selectedJobRow(state)?.job : undefined;
  return job?.state === 'failed' || job?.state === 'stopped' ? job : undefined;
};

/** Its plan was accepted, and it carries out that one or none. */
function whyNotAgain(state: State): string | undefined {
  const job = selectedUndone(state);
  return job !== undefined && changesDisk(job) ? whyNoChange(state) : undefined;
}

const ELSEWHERE: readonly Mode[] = BROWSED.filter((mode) => mode !== 'jobs');

export const JOB_ACTIONS: readonly Action[] = [
  {
    id: 'jobs',
    keys: ['J'],
    title: 'jobs',
    modes: ELSEWHERE,
    when: (s) => viewOf(s) !== 'jobs',
    run: showJobs,
    footer: 1,
    footerWhen: ({ jobs }) => jobs.all.length > 0,
  },
  {
    id: 'stop',
    keys: ['x'],
    title: 'stop it',
    modes: ['jobs', 'details'],
    detailsOf: ['jobs'],
    when: (s) => selectedActive(s) !== undefined,
    run: (s) =>
      stopJobs(
        s,
        [selectedActive(s)].flatMap((job) => job ?? []),
      ),
    footer: 6,
  },
  {
    id: 'again',
    keys: ['a'],
    title: 'run again',
    modes: ['jobs', 'details'],
    detailsOf: ['jobs'],
    when: (s) => selectedUndone(s) !== undefined,
    disabled: whyNotAgain,
    command: (s) => selectedUndone(s)?.words,
    run(s) {
      const job = selectedUndone(s);
      return job === undefined ? only(s) : startJob(s, job);
    },
    footer: 5,
  },
  { id: 'close-jobs', keys: ['esc', 'q', 'J'], title: 'back', modes: ['jobs'], run: close, footer: 4 },
];

/** Leaving while something runs: the first key asks, the second one stops it and leaves at its end. */
export function leave(state: State): Step {
  const active = activeJobs(state);
  if (active.length === 0) return { state, effects: ['quit'] };
  if (state.jobs.leaving === undefined) {
    const notice = `${active[0]?.title} is running: q once more stops it and quits, any other key stays`;
    return only({ ...state, notice, jobs: { ...state.jobs, leaving: 'asked' } });
  }
  return leaveNow(state);
}

/** Stops what runs and leaves at its end; said twice, at once. */
export function leaveNow(state: State): Step {
  const active = activeJobs(state);
  if (active.length === 0 || state.jobs.leaving === 'wanted') return { state, effects: ['quit'] };
  const stopped = stopJobs({ ...state, jobs: { ...state.jobs, leaving: 'wanted' } }, active);
  return {
    ...stopped,
    state: { ...stopped.state, notice: 'stopping where nothing is half done, then leaving' },
  };
}
