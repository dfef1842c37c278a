/** The screen of what is shared on the disk. Pure. */
import type { Answer, AnswerEvent } from '../../models/answer.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { remembered } from '../../models/remembered.ts';
import type { State } from '../../state.ts';
import type { ShareReport, SharingReport } from './report.ts';

export interface Sharing extends Scroll, Answer<SharingReport> {}

export const NO_SHARING: Sharing = {
  ...TOP,
  reading: 0,
  value: undefined,
  isStale: true,
  stage: undefined,
  failure: undefined,
};

export type SharingEvent = AnswerEvent<'sharing', SharingReport>;

export interface SharingRequest {
  readonly reader: 'sharing';
  readonly type: 'read-sharing';
  readonly reading: number;
}

/** A row of the list; the last one is all together. */
export type ShareRow =
  | {
      readonly kind: 'deployment';
      readonly index: number;
      readonly name: string;
      readonly share: ShareReport;
    }
  | { readonly kind: 'image'; readonly name: string; readonly path: string; readonly share: ShareReport }
  | { readonly kind: 'total' };

export const shareRows = remembered(({ value }: Sharing): readonly ShareRow[] => {
  if (value === undefined) return [];
  return [
    ...value.deployments.map(
      (share): ShareRow => ({ kind: 'deployment', index: share.index, name: share.id, share }),
    ),
    ...value.images.map(
      (share): ShareRow => ({ kind: 'image', name: share.imageDigest, path: share.path, share }),
    ),
    { kind: 'total' },
  ];
});

export const selectedShareRow = ({ sharing }: State): ShareRow | undefined =>
  shareRows(sharing)[sharing.list.cursor];

export function sharingRequests({ sharing, repositoryPath }: State): SharingRequest[] {
  if (repositoryPath !== undefined || !sharing.isStale || sharing.failure !== undefined) return [];
  return [{ reader: 'sharing', type: 'read-sharing', reading: sharing.reading }];
}
