/** The screen of what boots: what is known of it, and what is still to be read. Pure. */
import type { Finding } from '../../../src/image/findings.ts';
import type { Answer, AnswerEvent } from '../../models/answer.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { remembered } from '../../models/remembered.ts';
import type { State } from '../../state.ts';
import type { BootEntryReport, BootReport } from './report.ts';

export interface Boot extends Scroll, Answer<BootReport> {}

export const NO_BOOT: Boot = {
  ...TOP,
  reading: 0,
  value: undefined,
  isStale: true,
  stage: undefined,
  failure: undefined,
};

export type BootEvent = AnswerEvent<'boot', BootReport>;

export interface BootRequest {
  readonly reader: 'boot';
  readonly type: 'read-boot';
  readonly reading: number;
}

/** A row of the list: the system as a whole, an entry of the boot menu, or something that is wrong or in the way. */
export type BootRow =
  | { readonly kind: 'system' }
  | { readonly kind: 'entry'; readonly entry: BootEntryReport }
  | { readonly kind: 'finding'; readonly finding: Finding };

export const bootRows = remembered(({ value }: Boot): readonly BootRow[] => {
  if (value === undefined) return [];
  const { entries, problems, refusals } = value;
  return [
    { kind: 'system' },
    ...entries.map((entry): BootRow => ({ kind: 'entry', entry })),
    ...[...problems, ...refusals].map((finding): BootRow => ({ kind: 'finding', finding })),
  ];
});

export const selectedBootRow = ({ boot }: State): BootRow | undefined => bootRows(boot)[boot.list.cursor];

/** Also what the first screen asks for: it says what each deployment comes up as. */
export function bootRequests({ boot, sysroot }: State): BootRequest[] {
  // What has no deployments boots nothing of ours; without a sysroot there is nothing to ask.
  if (sysroot === undefined || !boot.isStale || boot.failure !== undefined) return [];
  return [{ reader: 'boot', type: 'read-boot', reading: boot.reading }];
}
