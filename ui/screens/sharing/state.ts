/** The screen of what is shared on the disk. Pure. */
import { type Answer, type AnswerEvent, askedAgain } from '../../models/answer.ts';
import { type Scroll, TOP } from '../../models/list.ts';
import { remembered } from '../../models/remembered.ts';
import type { State } from '../../state.ts';
import type { ShareReport, SharingReport } from './report.ts';

export interface Sharing extends Scroll, Answer<SharingReport> {
  /** Whether objects with the same bytes are looked for too, which reads them. */
  readonly byContent: boolean;
}

export const NO_SHARING: Sharing = {
  ...TOP,
  reading: 0,
  value: undefined,
  isStale: true,
  stage: undefined,
  failure: undefined,
  byContent: false,
};

export type SharingEvent = AnswerEvent<'sharing', SharingReport>;

export interface SharingRequest {
  readonly reader: 'sharing';
  readonly type: 'read-sharing';
  readonly reading: number;
  readonly byContent: boolean;
}

/** A row of the list; the last one is all together. */
export type ShareRow =
  | {
      readonly kind: 'deployment';
      readonly index: number;
      readonly name: string;
      readonly share: ShareReport;
    }
  | {
      readonly kind: 'ref';
      readonly name: string;
      readonly checksum: string;
      readonly image: string | null;
      readonly share: ShareReport;
    }
  | { readonly kind: 'image'; readonly name: string; readonly path: string; readonly share: ShareReport }
  | { readonly kind: 'total' };

export const shareRows = remembered(({ value }: Sharing): readonly ShareRow[] => {
  if (value === undefined) return [];
  const { deployments, refs, images } = value;
  const rows: ShareRow[] = [
    ...deployments.map(
      (share): ShareRow => ({ kind: 'deployment', index: share.index, name: share.id, share }),
    ),
    ...refs.map(
      (share): ShareRow => ({
        kind: 'ref',
        name: share.ref,
        checksum: share.checksum,
        image: share.imageDigest,
        share,
      }),
    ),
    ...images.map((share): ShareRow => ({ kind: 'image', name: share.imageDigest, path: share.path, share })),
  ];
  return rows.length === 0 ? [] : [...rows, { kind: 'total' }];
});

export const selectedShareRow = ({ sharing }: State): ShareRow | undefined =>
  shareRows(sharing)[sharing.list.cursor];

export function sharingRequests({ sharing }: State): SharingRequest[] {
  const { isStale, failure, reading, byContent } = sharing;
  if (!isStale || failure !== undefined) return [];
  return [{ reader: 'sharing', type: 'read-sharing', reading, byContent }];
}

/** Words of the command that tells it. */
export const sharingWords = ({ byContent }: Pick<Sharing, 'byContent'>): string[] => [
  'sharing',
  ...(byContent ? ['--content'] : []),
];

/** Counts by object, or by content as well. */
export const withContents = (sharing: Sharing, byContent: boolean): Sharing =>
  askedAgain({ ...sharing, byContent });

/** Whether what is shown is counted by content: it is asked for, and there. */
export const isByContent = ({ byContent, value }: Sharing): boolean =>
  byContent && value !== undefined && value.sameContent !== null;
