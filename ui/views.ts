/** The lists the interface can show, by name. */
import { commitsView } from './screens/commits/view.ts';
import { deploymentsView } from './screens/deployments/view.ts';
import { treeView } from './screens/tree/view.ts';
import { type State, type View, viewOf } from './state.ts';
import type { ViewModel } from './view.ts';

export const VIEW_MODELS: Readonly<Record<View, ViewModel>> = {
  deployments: deploymentsView,
  commits: commitsView,
  tree: treeView,
};

/** The list that is shown. */
export function viewModelOf(state: State): ViewModel {
  return VIEW_MODELS[viewOf(state)];
}
