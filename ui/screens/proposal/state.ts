/**
 * A change that the person has asked for: the plan is read and shown, and only who has seen it can accept it, by other
 * keys than those that asked. Pure.
 */
import type { Failure } from '../../models/failure.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { type Watched, watched } from '../../models/stage.ts';
import { errorOf, type Outcome, type StageFacts } from '../../program.ts';
import type { State, Step } from '../../state.ts';
import { type Job, startJob } from '../jobs/state.ts';
import { type Plan, planOf } from './plan.ts';

export interface Proposal extends Scroll, Pick<Job, 'kind' | 'title' | 'words'> {
  /** Tells readings of plans apart. */
  readonly id: number;
  /** What has to be typed to accept it: a letter, or for boot changes the first digits of a checksum and Enter. */
  readonly accept: string;
  readonly typed: string;
  /** How far the reading of the plan is. */
  readonly stage: Watched | undefined;
  readonly plan: Plan | undefined;
  readonly failure: Failure | undefined;
}

export type ProposalEvent =
  | { readonly type: 'plan-told'; readonly id: number; readonly stage: StageFacts | undefined }
  | { readonly type: 'plan-read'; readonly id: number; readonly outcome: Outcome };

export type ProposalEffect =
  | { readonly type: 'read-plan'; readonly id: number; readonly words: readonly string[] }
  | { readonly type: 'leave-plan' };

/** Opens a proposal, whose plan is read by the same command with `--dry-run`. */
export function propose(state: State, change: Pick<Proposal, 'kind' | 'title' | 'words' | 'accept'>): Step {
  const id = state.planCount + 1;
  const proposal: Proposal = {
    ...TOP,
    ...change,
    id,
    typed: '',
    stage: undefined,
    plan: undefined,
    failure: undefined,
  };
  return {
    state: { ...state, planCount: id, proposal, modes: [...state.modes, 'proposal'] },
    effects: [{ type: 'read-plan', id, words: [...change.words, '--dry-run'] }],
  };
}

/** Reads the plan once more; undefined while it is being read. */
export function planAnew(state: State): Step | undefined {
  const { proposal } = state;
  if (proposal === undefined || (proposal.plan === undefined && proposal.failure === undefined))
    return undefined;
  const { kind, title, words, accept } = proposal;
  return propose(closeProposal(state).state, { kind, title, words, accept });
}

export function onProposal(state: State, event: ProposalEvent): State {
  const { proposal } = state;
  if (proposal === undefined || proposal.id !== event.id) return state;
  if (event.type === 'plan-told') {
    const stage = event.stage === undefined ? undefined : watched(proposal.stage, event.stage);
    return { ...state, proposal: { ...proposal, stage } };
  }
  const plan = planOf(proposal.kind, event.outcome);
  if (plan !== undefined) return { ...state, proposal: { ...proposal, plan, stage: undefined } };
  const { message, hint } = errorOf(event.outcome);
  const failure = { message, advice: hint === undefined ? [] : [hint], commands: [] };
  return { ...state, proposal: { ...proposal, failure, stage: undefined } };
}

/** Back to where it was asked for. */
export function closeProposal(state: State): Step {
  const [screen, ...opened] = state.modes;
  const modes = opened.slice(0, Math.max(0, opened.indexOf('proposal')));
  return {
    state: { ...state, modes: [screen, ...modes], proposal: undefined },
    effects: [{ type: 'leave-plan' }],
  };
}

/** Whether there is a plan that can be accepted. */
export const isReady = ({ proposal }: State): boolean => proposal?.plan?.isPossible === true;

/** Whether it is accepted by typing several digits. */
export const isTyped = ({ accept }: Proposal): boolean => accept.length > 1;

/** A key that is no other action's: part of what has to be typed. */
export function typeProposal(state: State, key: string): State {
  const { proposal } = state;
  if (proposal === undefined || !isReady(state) || !isTyped(proposal)) return state;
  if (key === 'backspace' || key === 'delete')
    return { ...state, proposal: { ...proposal, typed: proposal.typed.slice(0, -1) } };
  if (!/^[0-9a-f]$/.test(key) || proposal.typed.length === proposal.accept.length) return state;
  return { ...state, proposal: { ...proposal, typed: proposal.typed + key } };
}

/** Carries it out. */
export function acceptProposal(state: State): Step {
  const { proposal } = state;
  if (proposal === undefined || !isReady(state)) return { state, effects: [] };
  const { kind, title, words, plan } = proposal;
  const closed = closeProposal(state).state;
  return startJob(closed, { kind, title, words: [...words, '--yes', ...(plan?.words ?? [])] });
}
