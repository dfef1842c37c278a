/** What keys do with what boots: try it, have it sealed, take that back. */
import { type Action, only } from '../../action.ts';
import { type State, type Step, viewOf } from '../../state.ts';
import { startJob } from '../jobs/state.ts';
import { propose } from '../proposal/state.ts';

const HERE = ['boot', 'details'] as const;

const isHere = (state: State): boolean => viewOf(state) === 'boot' && state.boot.value !== undefined;

/** So many digits of the deployment that boots first are typed before what boots is changed. */
export const TYPED_DIGITS = 4;

/** The first of what boots, whose checksum a person has to look at before it is changed. */
export const firstToBoot = ({ sysroot }: State) => sysroot?.deployments.find(({ staged }) => !staged);

function change(state: State, verb: 'install' | 'remove'): Step {
  const deployment = firstToBoot(state);
  if (deployment === undefined) return only(state);
  return propose(state, {
    kind: `boot-${verb}`,
    title: `boot ${verb}`,
    words: ['boot', verb],
    accept: deployment.checksum.slice(0, TYPED_DIGITS),
  });
}

function check(state: State, options: readonly string[]): Step {
  return startJob(state, {
    kind: 'boot-check',
    title: 'check the next boot',
    words: ['boot', 'check', ...options],
  });
}

const needsDeployment = (state: State): string | undefined =>
  firstToBoot(state) === undefined ? 'no deployment has a boot entry' : undefined;

export const BOOT_ACTIONS: readonly Action[] = [
  {
    id: 'boot-install',
    keys: ['i'],
    title: 'install',
    modes: HERE,
    detailsOf: ['boot'],
    when: isHere,
    disabled: needsDeployment,
    changes: true,
    command: () => ['boot', 'install'],
    run: (s) => change(s, 'install'),
    footer: 4,
  },
  {
    id: 'boot-remove',
    keys: ['u'],
    title: 'take out',
    modes: HERE,
    detailsOf: ['boot'],
    when: isHere,
    disabled: needsDeployment,
    changes: true,
    command: () => ['boot', 'remove'],
    run: (s) => change(s, 'remove'),
    footer: 3,
  },
  {
    id: 'boot-check',
    keys: ['c'],
    title: 'check',
    modes: HERE,
    detailsOf: ['boot'],
    when: isHere,
    command: () => ['boot', 'check'],
    run: (s) => check(s, []),
    footer: 4,
  },
  {
    id: 'boot-check-deep',
    keys: ['V'],
    title: 'check deep',
    modes: HERE,
    detailsOf: ['boot'],
    when: isHere,
    command: () => ['boot', 'check', '--deep'],
    run: (s) => check(s, ['--deep']),
  },
];
