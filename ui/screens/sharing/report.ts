/** `sealtree sharing --json`, as far as it is shown. */
import type { Finding } from '../../../src/image/findings.ts';

export interface ShareReport {
  readonly totalBytes: number;
  readonly uniqueBytes: number;
  readonly sharedBytes: number;
  readonly freedBytes: number;
  readonly folderBytes: number;
  /** Inodes. */
  readonly files: number;
  readonly keptBy: readonly string[];
  readonly sharesWith: readonly { readonly name: string; readonly bytes: number }[];
}

export interface SharingReport {
  readonly deployments: readonly (ShareReport & { readonly index: number; readonly id: string })[];
  readonly images: readonly (ShareReport & { readonly imageDigest: string; readonly path: string })[];
  readonly totalBytes: number;
  readonly problems: readonly Finding[];
}

interface SizeDocument {
  readonly bytes: number;
  readonly inodes: number;
}

interface ShareDocument extends Pick<ShareReport, 'folderBytes' | 'keptBy' | 'sharesWith'> {
  readonly total: SizeDocument;
  readonly unique: SizeDocument;
  readonly shared: SizeDocument;
  readonly freed: SizeDocument;
}

export interface SharingDocument {
  readonly deployments: readonly (ShareDocument & { readonly index: number; readonly id: string })[];
  readonly images: readonly (ShareDocument & { readonly imageDigest: string; readonly path: string })[];
  readonly total: SizeDocument;
  readonly problems: readonly Finding[];
}

export function reportOf({ deployments, images, total, problems }: SharingDocument): SharingReport {
  return {
    deployments: deployments.map((one) => ({ ...one, ...amountsOf(one) })),
    images: images.map((one) => ({ ...one, ...amountsOf(one) })),
    totalBytes: total.bytes,
    problems,
  };
}

const amountsOf = ({ total, unique, shared, freed }: ShareDocument) => ({
  totalBytes: total.bytes,
  uniqueBytes: unique.bytes,
  sharedBytes: shared.bytes,
  freedBytes: freed.bytes,
  files: total.inodes,
});
