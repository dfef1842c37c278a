/** The deployments as a list: the first screen. */
import { askedAgain } from '../../models/answer.ts';
import { deploymentSubject } from '../../models/deployment.ts';
import { emptyLines, orReading } from '../../models/failure.ts';
import { imageVerdict } from '../../models/verdict.ts';
import { selectedItem } from '../../state.ts';
import type { Theme } from '../../theme.ts';
import { counted, type ViewModel } from '../../view.ts';
import { bootRequests } from '../boot/state.ts';
import { detailsLines, detailsTitle } from './details.ts';
import { itemSaid, listLines } from './list.ts';

export const deploymentsView: ViewModel = {
  title: 'Deployments',
  count: ({ items }) => items.length,
  scroll: ({ list, detailsOffset }) => ({ list, detailsOffset }),
  scrolled: (state, { list, detailsOffset }) => ({ ...state, list, detailsOffset }),
  list: listLines,
  said: itemSaid,
  detailsTitle,
  details: detailsLines,
  instead: ({ failure, repositoryPath }, width, theme) =>
    repositoryPath === undefined ? orReading(failure, width, theme) : noSysrootLines(width, theme),
  summary({ isReading, sysroot, images }) {
    if (sysroot === undefined) return isReading ? ['reading'] : [];
    const { deployments: all, problems } = sysroot;
    const sealed = all.filter(({ id }) => imageVerdict(images.get(id)).tone === 'good').length;
    return [
      counted(all.length, 'deployment'),
      ...(all.length === 0 ? [] : [`${sealed} sealed`]),
      ...(problems.length === 0 ? [] : [counted(problems.length, 'problem')]),
      ...(isReading ? ['reading'] : []),
    ];
  },
  subject(state) {
    const item = selectedItem(state);
    return item?.kind === 'deployment' ? deploymentSubject(item.deployment) : undefined;
  },
  former({ items, list }) {
    const next = items[list.cursor + 1];
    return next?.kind === 'deployment' ? deploymentSubject(next.deployment) : undefined;
  },
  command: () => ['status'],
  requests: (state) => (state.isReading ? [] : bootRequests(state)),
  // Where only a repository was named there are no deployments to read.
  anew: (state) =>
    state.repositoryPath === undefined
      ? { state: { ...state, isReading: true, boot: askedAgain(state.boot) }, effects: ['read-sysroot'] }
      : undefined,
};

/** Where only a repository was named. */
function noSysrootLines(width: number, theme: Theme): string[] {
  return emptyLines(
    'A repository alone has no deployments.',
    [['sealtree --sysroot PATH', 'shows a system and its deployments']],
    [
      ['2', 'shows its commits'],
      ['q', 'quits'],
    ],
    { width, theme },
  );
}
