/** What keys do where work is shown, and the way there from everywhere. */
import { type Action, close, LISTS, only } from '../../action.ts';
import { type Mode, type State, type Step, viewOf } from '../../state.ts';
import { activeJobs, isActive, selectedJobRow, stopJobs, withoutJobs } from './state.ts';

const showJobs = (state: State): Step => only({ ...state, modes: [...withoutJobs(state.modes), 'jobs'] });

const selectedActive = (state: State) => {
  const job = viewOf(state) === 'jobs' ? selectedJobRow(state)?.job : undefined;
  return job !== undefined && isActive(job) ? job : undefined;
};

/** A plan is accepted or left, not left open. */
const ELSEWHERE: readonly Mode[] = LISTS.filter((mode) => mode !== 'jobs' && mode !== 'proposal');

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
