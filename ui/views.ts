/** The lists the interface can show, by name. */
import { type Layout, layoutOf } from './models/layout.ts';
import { bootView } from './screens/boot/view.ts';
import { commitsView } from './screens/commits/view.ts';
import { deploymentsView } from './screens/deployments/view.ts';
import { diffView } from './screens/diff/view.ts';
import { helpView } from './screens/help/view.ts';
import { historyView } from './screens/history/view.ts';
import { imagesView } from './screens/images/view.ts';
import { importsView } from './screens/imports/view.ts';
import { jobsView } from './screens/jobs/view.ts';
import { objectsView } from './screens/objects/view.ts';
import { proposalView } from './screens/proposal/view.ts';
import { sharingView } from './screens/sharing/view.ts';
import { treeView } from './screens/tree/view.ts';
import { isInDetails, type State, type View, viewOf } from './state.ts';
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
  imports: importsView,
  proposal: proposalView,
  jobs: jobsView,
  help: helpView,
};

/** Who gets which part of the terminal, by the list that is shown. */
export function layoutOfState(state: State): Layout {
  const view = viewModelOf(state);
  return layoutOf(state.size, view.count(state), {
    isZoomed: isInDetails(state),
    mostDetails: view.mostDetails,
  });
}

/** The list that is shown. */
export function viewModelOf(state: State): ViewModel {
  return VIEW_MODELS[viewOf(state)];
}
