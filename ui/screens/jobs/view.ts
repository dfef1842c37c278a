/** What runs and what ran, as a list. */
import { emptyLines } from '../../models/failure.ts';
import { counted, type ViewModel } from '../../view.ts';
import { jobDetails, jobTitle } from './details.ts';
import { jobLines, jobSaid } from './list.ts';
import { activeJobs, jobRows, selectedJobRow } from './state.ts';

export const jobsView: ViewModel = {
  title: 'Jobs',
  count: ({ jobs }) => jobRows(jobs).length,
  scroll: ({ jobs }) => jobs,
  scrolled: (state, { list, detailsOffset }) => ({ ...state, jobs: { ...state.jobs, list, detailsOffset } }),
  list: jobLines,
  said: jobSaid,
  detailsTitle: jobTitle,
  details: jobDetails,
  instead: (_state, width, theme) =>
    emptyLines(
      'Nothing runs, and nothing was run since the interface was opened.',
      [],
      [
        ['Esc', 'goes back'],
        ['v', 'on the deployments checks one of them'],
      ],
      { width, theme },
    ),
  summary: (state) => {
    const running = activeJobs(state).length;
    return [counted(state.jobs.all.length, 'job'), ...(running === 0 ? [] : [`${running} running`])];
  },
  command: (state) => selectedJobRow(state)?.job.words,
  place: () => 'jobs',
};
