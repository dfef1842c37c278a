/** The lists the interface can show, by name. */
import { bootView } from './screens/boot/view.ts';
import { commitsView } from './screens/commits/view.ts';
import { deploymentsView } from './screens/deployments/view.ts';
import { diffView } from './screens/diff/view.ts';
import { historyView } from './screens/history/view.ts';
import { imagesView } from './screens/images/view.ts';
import { jobsView } from './screens/jobs/view.ts';
import { objectsView } from './screens/objects/view.ts';
import { proposalView } from './screens/proposal/view.ts';
import { sharingView } from './screens/sharing/view.ts';
import { treeView } from './screens/tree/view.ts';
import { type State, type View, viewOf } from './state.ts';
import type { ViewModel } from './view.ts';

export const VIEW_MODELS: Readonly<Record<View, ViewModel>> = {
  deployments: deploymentsView,
  commits: commitsView,
  boot: bootView,
  history: historyView,
  sharing: sharingView,
  images: imagesView,
  objects: objectsView,
  tree: treeView,
  diff: diffView,
  proposal: proposalView,
  jobs: jobsView,
};

/** The list that is shown. */
export function viewModelOf(state: State): ViewModel {
  return VIEW_MODELS[viewOf(state)];
}
