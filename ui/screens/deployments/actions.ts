/** What keys do with deployments: look at them closely, seal them, keep them, clean up after them. */
import { type Action, only } from '../../action.ts';
import { shortName } from '../../models/deployment.ts';
import { displayText } from '../../models/text.ts';
import { SCREENS, type State, type Step, selectedItem, viewOf } from '../../state.ts';
import { startJob } from '../jobs/state.ts';
import { propose } from '../proposal/state.ts';

const HERE = ['deployments', 'details'] as const;

const isHere = (state: State): boolean =>
  viewOf(state) === 'deployments' && (state.sysroot?.deployments.length ?? 0) > 0;

/** What is worked on: the selected deployment, else all; undefined on a row that is neither. */
function target(state: State): { readonly name: string; readonly words: readonly string[] } | undefined {
  const item = selectedItem(state);
  if (item?.kind === 'outlook') return { name: 'all deployments', words: [] };
  if (item?.kind !== 'deployment') return undefined;
  const { deployment } = item;
  return {
    name: `${displayText(deployment.stateroot)} ${shortName(deployment)}`,
    words: [deployment.id],
  };
}

const NO_TARGET = 'no deployment is selected';

const needsTarget = (state: State): string | undefined =>
  target(state) === undefined ? NO_TARGET : undefined;

/** Changes of one letter are accepted by this one. */
const YES = 'y';

function seal(state: State): Step {
  const chosen = target(state);
  if (chosen === undefined) return only(state);
  return propose(state, {
    kind: 'seal',
    title: `seal ${chosen.name}`,
    words: ['seal', ...chosen.words],
    accept: YES,
  });
}

function verify(state: State, options: readonly string[]): Step {
  const chosen = target(state);
  if (chosen === undefined) return only(state);
  return startJob(state, {
    kind: 'verify',
    title: `verify ${chosen.name}`,
    words: ['verify', ...options, ...chosen.words],
  });
}

function pin(state: State): Step {
  const item = selectedItem(state);
  if (item?.kind !== 'deployment') return only(state);
  const { pinned, id } = item.deployment;
  const name = target(state)?.name ?? id;
  const title = `${pinned ? 'unpin' : 'pin'} ${name}`;
  return propose(state, { kind: 'pin', title, words: pinWords(state) ?? [], accept: YES });
}

function pinWords(state: State): string[] | undefined {
  const item = selectedItem(state);
  if (item?.kind !== 'deployment') return undefined;
  const { pinned, id } = item.deployment;
  return ['pin', ...(pinned ? ['--unpin'] : []), id];
}

/** A command on what is selected. */
function commandOf(state: State, ...words: readonly string[]): string[] | undefined {
  const chosen = target(state);
  return chosen && [...words, ...chosen.words];
}

function whyNotPinned(state: State): string | undefined {
  const item = selectedItem(state);
  if (item?.kind !== 'deployment') return NO_TARGET;
  return item.deployment.staged
    ? 'ostree pins no staged deployment: only once it has booted or was finalized'
    : undefined;
}

/** `seal` stands in the way of nothing; what keeps sealing from working at all is said. */
function whyNotSealed(state: State): string | undefined {
  const obstacle = state.outlook?.obstacles.find(({ severity }) => severity === 'error');
  return obstacle?.message ?? needsTarget(state);
}

/** Makes something to look at, where there is nothing, and goes on with it. */
const openDemo = (state: State): Step => ({ state: { ...state, handsOver: ['demo'] }, effects: ['quit'] });

const lacksAll = ({ failure, commits }: State): boolean =>
  failure?.offersDemo === true || commits.failure?.offersDemo === true;

export const DEPLOYMENT_ACTIONS: readonly Action[] = [
  {
    id: 'demo',
    keys: ['D'],
    title: 'demo',
    modes: SCREENS,
    when: lacksAll,
    command: () => ['demo'],
    run: openDemo,
    footer: 5,
  },
  {
    id: 'seal',
    keys: ['s'],
    title: 'seal',
    modes: HERE,
    detailsOf: ['deployments'],
    when: isHere,
    disabled: whyNotSealed,
    changes: true,
    command: (s) => commandOf(s, 'seal'),
    run: seal,
    footer: 4,
  },
  {
    id: 'verify',
    keys: ['v'],
    title: 'verify',
    modes: HERE,
    detailsOf: ['deployments'],
    when: isHere,
    disabled: needsTarget,
    command: (s) => commandOf(s, 'verify'),
    run: (s) => verify(s, []),
    footer: 4,
  },
  {
    id: 'verify-deep',
    keys: ['V'],
    title: 'verify deep',
    modes: HERE,
    detailsOf: ['deployments'],
    when: isHere,
    disabled: needsTarget,
    command: (s) => commandOf(s, 'verify', '--deep'),
    run: (s) => verify(s, ['--deep']),
  },
  {
    id: 'pin',
    keys: ['p'],
    title: 'pin, unpin',
    modes: HERE,
    detailsOf: ['deployments'],
    when: isHere,
    disabled: whyNotPinned,
    changes: true,
    command: pinWords,
    run: pin,
    footer: 2,
  },
  {
    id: 'gc',
    keys: ['C'],
    title: 'clean up',
    modes: HERE,
    detailsOf: ['deployments'],
    when: isHere,
    changes: true,
    command: () => ['gc'],
    run: (s) => propose(s, { kind: 'gc', title: 'clean up', words: ['gc'], accept: YES }),
    footer: 1,
  },
];
